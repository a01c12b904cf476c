"""A flood as its caller, its console and its journal see it (X-89)."""

from pathlib import Path

import pytest

from console.desk import replica
from console.desk.local import LocalDesk
from console.host.past import open_past
from console.host.report import Tally
from console.ui.details import details
from console.ui.lines import line_of
from engine.domain import events as ev
from engine.domain.codes import Code, Stage, Verdict
from engine.domain.commands import Pause
from engine.domain.instant import NS_PER_MS, NS_PER_SECOND
from storage import open_journal
from tests.console.hosts import Host, console, drawn, press, settle, shown
from tests.engine.worlds import signal


def flooded() -> Host:
    """A host on the machine's own time, where inputs may wait."""
    host = Host()
    host.clock.is_real = True
    return host


def offer(host: Host, signal_id: str, waited_ms: int = 300, symbol: str = "AAPL") -> str:
    """Offer a signal that waited so long; the code of its verdict, which is there at once."""
    asked = signal(symbol, signal_id=signal_id, at=host.clock.now(), conviction=60)
    verdict = host.engine.submit(asked, waited=waited_ms * NS_PER_MS)
    assert isinstance(verdict, ev.SignalDecided)
    assert verdict.signal_id == signal_id
    return verdict.code


def told(host: Host) -> list[list[str]]:
    return [[r.signal_id for r in event.refusals] for event in host.events("SignalsRefused")]


async def test_the_caller_is_answered_at_once_and_the_rest_is_recorded_when_the_second_ends() -> (
    None
):
    async with flooded() as host:
        assert [offer(host, name) for name in "abc"] == ["OVERLOADED"] * 3
        assert told(host) == [["a"]]
        await host.clock.advance(0.999)
        assert told(host) == [["a"]]
        await host.clock.advance(0.001)
        assert told(host) == [["a"], ["b", "c"]]


async def test_a_stop_records_what_the_second_holds() -> None:
    host = flooded()
    async with host:
        offer(host, "a")
        offer(host, "b")
    assert told(host) == [["a"], ["b"]]
    assert host.engine.book.data.outcomes == {"OVERLOADED": 2}


async def test_an_observer_that_fails_takes_no_verdict_away() -> None:
    def broken(record: ev.Record) -> None:
        if isinstance(record.event, ev.SignalsRefused):
            raise RuntimeError("of the test")

    async with flooded() as host:
        host.engine.subscribe(broken)
        assert offer(host, "a") == "OVERLOADED"


async def test_all_count_and_the_newest_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replica, "SIGNALS_KEPT", 3)
    async with flooded() as host:
        desk = LocalDesk(host.engine)
        desk.start()
        for n in range(8):
            offer(host, f"s-{n}")
        await host.clock.advance(1)
        assert desk.view.signals() == ["s-5", "s-6", "s-7"]
        assert desk.view.counts.signals == 8
        row = desk.view.signal("s-7")
        assert row is not None
        assert (row.state, row.instrument.symbol) == ("OVERLOADED", "AAPL")
        assert row.decided is not None
        assert row.decided.verdict is Verdict.REJECTED
        assert (row.decided.measured, row.decided.limit) == ("300 ms", "50 ms")
        desk.stop()


async def test_what_became_of_an_id_later_stands_although_its_refusal_is_told_after() -> None:
    async with flooded() as host:
        desk = LocalDesk(host.engine)
        desk.start()
        offer(host, "a")
        offer(host, "b")
        await host.clock.advance(0.2)
        await host.engine.command(Pause(by="t"))
        assert offer(host, "b", waited_ms=1) == "RUN_STATE"
        await host.clock.advance(1)
        assert told(host) == [["a"], ["b"]]
        row = desk.view.signal("b")
        assert row is not None
        assert row.state == "RUN_STATE"
        desk.stop()


async def test_the_pane_shows_them_and_enter_what_was_measured() -> None:
    async with flooded() as host, console(host) as (app, pilot):
        offer(host, "s-refused")
        await settle()
        await drawn(app, pilot)
        assert "OVERLOADED" in shown(app)
        await press(app, pilot, "1", "enter")
        text = shown(app)
        assert "s-refused" in text
        assert "300 ms" in text
        assert "250 ms" in text


async def test_the_past_shows_them_as_they_were(tmp_path: Path) -> None:
    async with flooded() as host:
        desk = LocalDesk(host.engine)
        desk.start()
        for n in range(4):
            offer(host, f"s-{n}")
        await host.clock.advance(1.5)
        at, view = host.clock.now(), desk.view
        live = [view.signal(key) for key in view.signals()]
        desk.stop()
        journal = open_journal(tmp_path / "journal.db", inline=True)
        journal.append(host.records)
        journal.close()
        past = open_past(tmp_path / "journal.db", host.config, at).view
        assert [past.signal(key) for key in past.signals()] == live
        before = open_past(tmp_path / "journal.db", host.config, at - NS_PER_SECOND).view
        assert before.signals() == ["s-0"]


def refused(*symbols: str) -> ev.SignalsRefused:
    return ev.SignalsRefused(
        stage=Stage.KILL_SWITCH,
        code=Code.OVERLOADED,
        reason="too much",
        count=len(symbols),
        refusals=tuple(
            ev.Refusal(signal_id=f"s{n}", symbol=symbol, at=1, measured="300 ms", limit="250 ms")
            for n, symbol in enumerate(symbols)
        ),
    )


@pytest.mark.parametrize(
    ("symbols", "words"),
    [
        (("A",), "1 signal OVERLOADED: A  too much"),
        (("A", "B", "A", "C"), "4 signals OVERLOADED: A, B, C  too much"),
        (("A", "B", "C", "D"), "4 signals OVERLOADED: A, B, C, ...  too much"),
    ],
)
def test_one_line_says_how_many_and_which(symbols: tuple[str, ...], words: str) -> None:
    line = line_of(refused(*symbols))
    assert line is not None
    assert (line.kind, line.text) == ("VETO", words)


def test_the_report_counts_each_as_an_input() -> None:
    tally = Tally()
    tally.observe(ev.Record(1, 1, refused("A", "B", "C")))
    assert tally.inputs == 3


@pytest.mark.parametrize("count", [1, 19, 20, 21, 500])
async def test_of_a_long_event_the_console_keeps_the_newest_and_the_count(count: int) -> None:
    """A console that stays open through a flood must not grow with it."""
    async with flooded() as host:
        desk = LocalDesk(host.engine)
        desk.start()
        offer(host, "first")
        for n in range(count):
            offer(host, f"s-{n}")
        await host.clock.advance(1)
        desk.stop()
        record = [r for r in desk.view.records() if isinstance(r.event, ev.SignalsRefused)][-1]
        event = record.event
        assert isinstance(event, ev.SignalsRefused)
        assert event.count == count
        assert [r.signal_id for r in event.refusals] == [f"s-{n}" for n in range(count)][-20:]
        assert told(host)[-1] == [f"s-{n}" for n in range(count)]
        named = details(desk.view, "journal", record.seq)
        assert named is not None
        text = ["".join(part for part, _ in line) for line in named[1]]
        assert any(f"s-{count - 1}" in line for line in text)
        assert any(f"and {count - 20} before" in line for line in text) is (count > 20)


@pytest.mark.parametrize("count", [1, 19, 20, 21, 200])
async def test_taking_in_what_was_before_loses_no_refusal_that_is_listed(count: int) -> None:
    async with flooded() as host:
        earlier = list(host.records)
        desk = LocalDesk(host.engine)
        desk.start()
        for n in range(count):
            offer(host, f"s-{n}")
        await host.clock.advance(1)
        rows = {key: desk.view.signal(key) for key in desk.view.signals()}
        assert len(rows) == count
        desk.replica.adopt(earlier)
        assert {key: desk.view.signal(key) for key in desk.view.signals()} == rows
        assert desk.view.counts.signals == count
        desk.stop()


@pytest.mark.parametrize("newer", [0, 2, 3, 4])
async def test_of_refusals_that_the_list_has_no_room_for_none_comes_back(
    newer: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica, "SIGNALS_KEPT", 3)
    monkeypatch.setattr(replica, "REFUSALS_KEPT", 2)
    async with flooded() as host:
        earlier = list(host.records)
        desk = LocalDesk(host.engine)
        desk.start()
        for n in range(5):
            offer(host, f"s-{n}")
        await host.clock.advance(1)
        for n in range(newer):
            host.signal("AAPL", "229", "225", signal_id=f"t-{n}")
        kept = desk.view.signals()
        assert len(kept) == 3
        desk.replica.adopt(earlier)
        assert desk.view.signals() == kept
        desk.stop()
