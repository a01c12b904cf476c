"""A journal of 0.1.0 with a number that is none is opened, halted, and can be killed (U-53)."""

import contextlib
import io
from pathlib import Path

import msgspec
import pytest

from console.cli.program import main
from console.host.restoring import restored
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import Start
from engine.domain.run import Level
from engine.world import World
from storage.chain import GENESIS, link
from tests.corpus.reading import EventRow, event_rows, put, status
from tests.engine.driver import CoreDriver
from tests.engine.worlds import ABLE, BROKER

DAY = Path(__file__).resolve().parent.parent / "corpus" / "0.1.0" / "day.jsonl.gz"


def poisoned(kind: str, path: tuple[str, ...], number: str) -> list[EventRow]:
    """The day up to the last event of that kind before it was halted, with the number in it."""
    rows = event_rows(DAY)
    end = next(i for i, row in enumerate(rows) if row.type == "Halted")
    at = max(i for i, row in enumerate(rows[:end]) if row.type == kind)
    data = msgspec.json.decode(rows[at].data)
    place = data
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = number
    rows[at].data = msgspec.json.encode(data).decode()
    before = GENESIS
    for row in rows[:end]:
        own = (row.seq, row.time, row.mode, row.account, row.type, 1, row.data)
        before = link(before, own)
        row.hash = before.hex()
    return rows[:end]


PLACES = [
    ("AccountSynced", ("account", "cash")),
    ("AccountSynced", ("account", "equity")),
    ("OrderFilled", ("fill", "price")),
    ("OrderFilled", ("fill", "quantity")),
    ("EquityMarked", ("equity",)),
    ("EquityMarked", ("peak",)),
    ("SessionOpened", ("starting_equity",)),
    ("PositionClosed", ("trade", "pnl")),
]


@pytest.mark.parametrize("number", ["NaN", "sNaN", "Infinity", "-Infinity", "1.8E+308"])
@pytest.mark.parametrize(("kind", "path"), PLACES)
def test_u53_a_journal_with_a_number_that_is_none_is_opened_halted(
    kind: str, path: tuple[str, ...], number: str, tmp_path: Path
) -> None:
    put(poisoned(kind, path, number), tmp_path / "journal.db")
    book, _ = restored(tmp_path / "journal.db")
    assert book.data.halt is not None
    assert book.data.halt.level is Level.HALT
    assert kind in book.data.halt.reason
    assert book.data.halt.at > 0
    assert book.data.peak_equity.is_finite()
    said = status(tmp_path)
    assert (said["run_state"], said["halt"]["trigger"]) == ("HALTED", "journal")
    assert all(
        text not in str(said["account"]) + str(said["positions"]) for text in ("NaN", "Infinity")
    )
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        main(["--state-dir", str(tmp_path), "kill", "--reason", "test"])
    assert (tmp_path / "HALT").exists()


def test_u53_another_process_goes_on_with_it_and_a_resume_stands(tmp_path: Path) -> None:
    put(poisoned("AccountSynced", ("account", "cash"), "NaN"), tmp_path / "journal.db")
    book, _ = restored(tmp_path / "journal.db")
    desk = CoreDriver(running=False)
    desk.book = book
    desk.world = desk.core.world = World(
        book, desk.world.config, {BROKER: ABLE}, home_calendar="XNYS"
    )
    desk.now = book.data.time + 1_000_000_000
    desk.give(Start(version="test", accounts={"paper": "test-account"}, config_digest=""))
    desk.tick()
    assert book.data.halt is not None
    desk.give(ask.Kill(by="me"))
    assert desk.world.money.equity.is_finite()
    assert [e.halt.level for e in desk.of(ev.Halted)] == [Level.KILL]
