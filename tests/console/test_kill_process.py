"""`kill` from a second shell: engine healthy, stopped, blocked and dead (T-05, C-503, X-52)."""

import json
import re
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from brokers.paper.book import PaperBook
from storage.latch import FileLatch
from tests.console.program import BLOCKING_HOST, Program

pytestmark = pytest.mark.slow

KEYS = {"latched", "flatten", "fenced", "brokers"}
BROKER_KEYS = {"state", "cancelled", "closed", "left", "unknown", "vanished"}
QUIET = '[signals]\nbuiltin = ""\n'


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    made = Program(tmp_path)
    made.configure(QUIET)
    yield made
    made.stop()


def hold(program: Program, symbol: str = "AAPL", *, hold: str = "day") -> None:
    """A position with a protective stop behind it."""
    price = program.ask("order", side="buy", symbol=symbol, quantity="10", protect="1", hold=hold)
    assert price["client_order_ids"]

    def protected() -> bool:
        status = program.ask("status")
        held = {p["symbol"] for p in status["positions"]}
        stops = {o["symbol"] for o in status["orders"] if o["status"] == "NEW"}
        return symbol in held and symbol in stops

    program.wait_for(protected)


def killed(program: Program, *options: str) -> dict[str, Any]:
    done = program.run("kill", "--json", *options)
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert set(found) == KEYS
    assert all(set(row) == BROKER_KEYS for row in found["brokers"].values())
    assert done.returncode == 0, done.stdout + done.stderr
    return found


def assert_flat_and_latched(program: Program, found: dict[str, Any]) -> None:
    assert found["latched"] is True
    assert found["brokers"]["paper"]["state"] == "VERIFIED"
    assert found["brokers"]["paper"]["closed"] == 1
    assert FileLatch(program.folder).read() is not None
    status = program.document("status")
    assert status["halt"] is not None
    assert status["positions"] == []


def test_a_healthy_engine_kills_itself(program: Program) -> None:
    program.start()
    hold(program)
    found = killed(program)
    assert found["fenced"] is None
    assert_flat_and_latched(program, found)
    assert program.engine is not None
    assert program.engine.poll() is None, "a halted engine goes on observing"
    again = killed(program)
    assert again["brokers"]["paper"]["state"] == "VERIFIED"
    assert len([o for o in program.rows("orders") if o["purpose"] in ("EXIT", "FLATTEN")]) == 1


def test_a_stopped_process_is_fenced(program: Program) -> None:
    program.start()
    hold(program)
    program.send(signal.SIGSTOP)
    assert program.engine is not None
    found = killed(program)
    assert found["fenced"] == program.engine.pid
    assert program.ended() == -signal.SIGKILL
    assert_flat_and_latched(program, found)


def test_a_blocked_loop_is_fenced_and_its_thread_had_latched_before(program: Program) -> None:
    program.start(module=("-m", BLOCKING_HOST))
    hold(program)
    (program.folder / "block").touch()
    program.wait_for((program.folder / "blocked").exists)
    assert program.engine is not None
    answer = program.ask("kill", reason="test", wait=False)
    assert answer["latched"] is True
    assert answer["acknowledged"] is False
    assert FileLatch(program.folder).read() is not None
    found = killed(program)
    assert found["fenced"] == program.engine.pid
    assert_flat_and_latched(program, found)


def test_a_dead_engine_is_killed_at_its_broker(program: Program) -> None:
    program.start()
    hold(program)
    program.send(signal.SIGKILL)
    assert program.ended() == -signal.SIGKILL
    found = killed(program)
    assert found["fenced"] is None
    assert_flat_and_latched(program, found)


def test_without_any_engine_ever_the_latch_is_set_and_proved(program: Program) -> None:
    found = killed(program)
    assert found["latched"] is True
    assert found["brokers"]["paper"]["closed"] == 0
    program.start()
    assert program.ask("status")["run_state"] == "HALTED"


def test_the_prices_it_closes_at_are_told_with_their_age(program: Program) -> None:
    program.start()
    hold(program)
    program.send(signal.SIGKILL)
    program.ended()
    done = program.run("kill")
    assert done.returncode == 0
    assert "AAPL: the last price known is" in done.stderr
    assert "s old" in done.stderr
    assert "HALTED" in done.stdout
    assert "VERIFIED" in done.stdout


@pytest.mark.parametrize(
    ("flatten", "left"), [("none", ["AAPL", "MSFT"]), ("day", ["MSFT"]), ("all", [])]
)
def test_flatten_says_what_is_closed(program: Program, flatten: str, left: list[str]) -> None:
    program.start()
    hold(program, "AAPL")
    hold(program, "MSFT", hold="swing")
    found = killed(program, "--flatten", flatten)
    assert found["flatten"] == flatten
    status = program.document("status")
    assert [p["symbol"] for p in status["positions"]] == left
    protected = sorted(o["symbol"] for o in status["orders"])
    assert protected == left, "what stays keeps its stop, what went has none"


def test_a_halt_file_made_by_hand_halts_a_running_engine(program: Program) -> None:
    program.start()
    (program.folder / "HALT").touch()
    program.wait_for(lambda: program.ask("status")["run_state"] == "HALTED", 5.0)
    refused = program.run("order", "buy", "AAPL", "1")
    assert refused.returncode == 4
    assert program.run("resume", "--confirm", "RESUME").returncode == 0
    assert not (program.folder / "HALT").exists()
    assert program.ask("status")["run_state"] == "PAUSED"
    assert program.run("unpause").returncode == 0
    assert program.ask("status")["run_state"] == "ACTIVE"


def test_c503_a_resume_clears_the_halt_that_was_looked_at_and_no_later_one(
    program: Program,
) -> None:
    program.start()
    killed(program, "--flatten", "none")
    looked_at = program.document("status")["halt"]["epoch"]
    killed(program, "--flatten", "all")
    refused = program.run("resume", "--confirm", "RESUME", "--epoch", str(looked_at))
    assert refused.returncode == 4
    assert f"epoch {looked_at}," in refused.stderr
    assert f"epoch {looked_at + 1}," in refused.stderr
    assert program.document("status")["run_state"] == "HALTED"
    done = program.run("resume", "--confirm", "RESUME")
    assert done.returncode == 0
    assert "HALTED by" in done.stderr
    assert f"epoch {looked_at + 1}:" in done.stderr


def test_a_latch_survives_a_crash_and_a_restart(program: Program) -> None:
    program.start()
    killed(program)
    program.send(signal.SIGKILL)
    program.ended()
    program.start()
    assert program.ask("status")["run_state"] == "HALTED"
    (program.folder / "HALT").unlink()
    program.send(signal.SIGKILL)
    program.ended()
    program.start()
    assert program.ask("status")["run_state"] == "HALTED", "the journal's half of the latch"


def test_a_config_that_is_broken_still_latches(program: Program) -> None:
    program.configure("mode = 7\n")
    done = program.run("kill", "--json")
    found = json.loads(done.stdout)
    assert found["latched"] is True
    assert found["brokers"] == {}
    assert done.returncode == 1
    assert (program.folder / "HALT").exists()


# --- a journal that is of no use ------------------------------------------------------------------


def newer(journal: Path) -> None:
    """A newer program wrote it."""
    with closing(sqlite3.connect(journal)) as connection:
        connection.execute("PRAGMA user_version = 999")
        connection.commit()


def unknown_event(journal: Path) -> None:
    """It holds an event that no program of today writes."""
    with closing(sqlite3.connect(journal)) as connection:
        names = [row[1] for row in connection.execute("PRAGMA table_info(events)")]
        taken = ", ".join(
            {"seq": "seq + 1", "type": "'OfTomorrow'"}.get(name, name) for name in names
        )
        connection.execute(
            f"INSERT INTO events ({', '.join(names)}) "  # names of the table
            f"SELECT {taken} FROM events ORDER BY seq DESC LIMIT 1"
        )
        connection.commit()


def broken(journal: Path) -> None:
    """Its pages are damaged."""
    with closing(sqlite3.connect(journal)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = journal.read_bytes()
    journal.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))


def no_journal(journal: Path) -> None:
    """It is another file."""
    journal.write_text("not a journal\n" * 100, encoding="utf-8")
    for name in ("journal.db-wal", "journal.db-shm"):
        journal.with_name(name).unlink(missing_ok=True)


def kept(program: Program) -> dict[str, bytes]:
    """What lies in the files of the journal."""
    names = ("journal.db", "journal.db-wal", "journal.db.ballast")
    files = [program.folder / name for name in names]
    return {file.name: file.read_bytes() for file in files if file.exists() and file.stat().st_size}


def spoil(program: Program, how: Callable[[Path], None]) -> dict[str, bytes]:
    """A day trade, a swing trade and an entry that rests, and no engine; then the journal goes."""
    program.configure('profile = "axion_aggressive"\n' + QUIET)  # an addition has room
    program.start()
    hold(program, "AAPL")
    hold(program, "MSFT", hold="swing")
    held = program.ask("status")["positions"]
    last = next(float(p["last"]) for p in held if p["symbol"] == "AAPL")
    program.ask("order", side="buy", symbol="AAPL", quantity="1", limit=f"{last * 0.97:.2f}")
    program.wait_for(lambda: [o["status"] for o in program.ask("status")["orders"]] == ["NEW"] * 3)
    program.send(signal.SIGKILL)
    program.ended()
    how(program.folder / "journal.db")
    return kept(program)


def at_the_venue(program: Program) -> tuple[dict[str, int], set[tuple[str, str]]]:
    """What the venue holds, and the symbol and type of what works there, by its own book."""
    book = PaperBook(program.folder / "paper.db")
    try:
        found = book.load()
    finally:
        book.close()
    holdings = {symbol: int(held.quantity) for symbol, held in found.holdings.items()}
    return holdings, {(order.symbol, order.type.value) for order in found.orders}


SPOILT = [newer, unknown_event, broken, no_journal]


@pytest.mark.parametrize("how", SPOILT)
def test_without_its_journal_a_kill_closes_all_that_the_venue_holds(
    program: Program, how: Callable[[Path], None]
) -> None:
    """X-52, X-32: the latch, the cancels and the closes need no journal."""
    before = spoil(program, how)
    done = program.run("kill", "--json", "--flatten", "all")
    found = json.loads(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    row = found["brokers"]["paper"]
    assert (found["latched"], row["state"]) == (True, "VERIFIED")
    assert (row["cancelled"], row["closed"], row["left"], row["unknown"]) == (1, 2, [], [])
    assert at_the_venue(program) == ({}, set())
    assert FileLatch(program.folder).read() is not None
    assert "The journal could not be read" in done.stderr
    assert not re.search(r"Journal[A-Z]|Error|Traceback", done.stdout + done.stderr)
    assert kept(program) == before, "that journal is never written to"


@pytest.mark.parametrize("how", SPOILT)
def test_without_its_journal_what_a_kill_cannot_type_is_kept_and_told(
    program: Program, how: Callable[[Path], None]
) -> None:
    """X-32: it counts as a swing trade, keeps its stop, and the kill does not call that proved."""
    before = spoil(program, how)
    done = program.run("kill", "--json", "--flatten", "day")
    found = json.loads(done.stdout)
    assert done.returncode == 1, done.stdout + done.stderr
    row = found["brokers"]["paper"]
    assert (found["latched"], row["state"]) == (True, "DEGRADED")
    assert (row["cancelled"], row["closed"]) == (1, 0)
    assert row["left"] == ["AAPL 10", "MSFT 10"]
    holdings, works = at_the_venue(program)
    assert holdings == {"AAPL": 10, "MSFT": 10}
    assert works == {("AAPL", "STOP"), ("MSFT", "STOP")}
    assert "AAPL" in done.stderr
    assert "kill --flatten all" in done.stderr
    assert kept(program) == before
    again = program.run("kill", "--json", "--flatten", "all")
    assert again.returncode == 0, again.stdout + again.stderr
    assert at_the_venue(program) == ({}, set())


def test_without_its_journal_a_kill_that_closes_nothing_has_nothing_left(program: Program) -> None:
    spoil(program, newer)
    done = program.run("kill", "--json", "--flatten", "none")
    row = json.loads(done.stdout)["brokers"]["paper"]
    assert (done.returncode, row["state"], row["cancelled"]) == (0, "VERIFIED", 1)
    holdings, works = at_the_venue(program)
    assert holdings == {"AAPL": 10, "MSFT": 10}
    assert works == {("AAPL", "STOP"), ("MSFT", "STOP")}


def test_a_journal_that_can_only_be_read_still_tells_the_day_trades(program: Program) -> None:
    """Rule 3: what reduces waits for no journal; here somebody else has locked it."""
    spoil(program, lambda journal: None)
    journal = program.folder / "journal.db"
    with closing(sqlite3.connect(journal)) as other:
        other.execute("PRAGMA journal_mode = DELETE")
    before = kept(program)
    with closing(sqlite3.connect(journal, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        done = program.run("kill", "--json")
    assert kept(program) == before
    row = json.loads(done.stdout)["brokers"]["paper"]
    assert done.returncode == 0, done.stdout + done.stderr
    assert (row["state"], row["cancelled"], row["closed"]) == ("VERIFIED", 1, 1)
    assert at_the_venue(program)[0] == {"MSFT": 10}
    assert "The journal cannot be written" in done.stderr


def test_an_account_that_cannot_be_opened_is_told_in_words(program: Program) -> None:
    program.folder.mkdir()
    (program.folder / "paper.db").write_text("no book\n" * 1_000, encoding="utf-8")
    done = program.run("kill", "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["latched"]) == (1, True)
    assert found["brokers"]["paper"]["state"] == "DEGRADED"
    assert found["brokers"]["paper"]["unknown"] == ["nothing was asked of paper"]
    assert "paper.db" in done.stderr
    assert not re.search(r"[A-Z][a-z]+Error|Traceback", done.stdout + done.stderr)
