"""The replica: bounded, in step with the journal, and never in the engine's way."""

import asyncio
import contextlib
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from console.desk import local, replica
from console.desk.local import LocalDesk
from console.desk.port import RECORDS_KEPT, Feed, Topic
from console.desk.replica import DIRTY_KEPT, PaneFeed
from console.host.history import recent
from console.ui.lines import _LINES, _ORDER_LINES, line_of
from engine.domain import events as ev
from engine.domain.commands import CancelOrder, Kill, Pause, Resume, Unpause
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.run import Level, Severity
from engine.state import fold
from engine.state.book import Book
from engine.state.fold import apply
from engine.state.folds.order_update import update_order
from engine.state.folds.rule import Rules
from engine.state.touched import RunChanged
from storage import open_journal
from storage.reader import Reader
from tests.console.hosts import Host, morning, settle

SILENT = {
    "InstrumentLearned",
    "InstrumentStated",
    "CurrencyValued",
    "SessionClosed",
    "EquityMarked",
    "SignalReceived",
    "OrderSent",
    "OrderAccepted",
    "OrderQueried",
    "SnapshotRequested",
    "ShadowQuoted",
}
"""Events without a line: another line says it, or it is every second's business."""


def _feed(desk: LocalDesk, *topics: Topic) -> tuple[Feed, list[str]]:
    told: list[str] = []
    feed = desk.follow(topics, lambda: told.append("mark"), lambda: told.append("now"))
    feed.take()
    return feed, told


def _state(desk: LocalDesk, signal_id: str) -> str:
    row = desk.view.signal(signal_id)
    assert row is not None
    return row.state


def test_every_event_has_a_line_or_is_silent_on_purpose() -> None:
    named = {cls.__name__ for cls in (*_LINES, *_ORDER_LINES)}
    assert named | SILENT == set(ev.EVENT_TYPES)
    assert not named & SILENT


async def test_a_signal_is_followed_to_its_outcome() -> None:
    async with Host() as host:
        desk = LocalDesk(host.engine)
        desk.start()
        host.price("AAPL", "229")
        await settle()
        host.signal("AAPL", "229", "225", signal_id="s-1")
        assert _state(desk, "s-1") == "ACCEPTED"
        await host.clock.advance(1)
        assert _state(desk, "s-1") == "EXECUTED"
        host.signal("AAPL", "229", "225", conviction=3, signal_id="s-2")
        assert _state(desk, "s-2") == "DUPLICATE_SIGNAL"
        desk.stop()
        host.signal("AAPL", "229", "225", signal_id="s-3")
        assert desk.view.signal("s-3") is None


async def test_a_signal_offered_again_leaves_the_row_of_the_first_as_it_is() -> None:
    """Rule 6: what was traded is never shown as refused, because its id came a second time."""
    async with Host() as host:
        desk = LocalDesk(host.engine)
        desk.start()
        host.price("AAPL", "229")
        await settle()
        host.signal("AAPL", "229", "225", signal_id="s-1")
        await host.clock.advance(1)
        host.signal("AAPL", "229", "225", signal_id="s-1")
        rows = [desk.view.signal(key) for key in desk.view.signals()]
        assert [row.state for row in rows if row] == ["EXECUTED", "DUPLICATE_SIGNAL"]


async def test_fills_and_finished_orders_reach_their_topics() -> None:
    async with Host() as host:
        desk = LocalDesk(host.engine)
        desk.start()
        feed, told = _feed(desk, Topic.FILLS, Topic.ORDERS)
        await morning(host)
        everything, keys = feed.take()
        assert not everything
        assert len([k for k in keys if isinstance(k, int)]) == len(desk.view.fills()) == 5
        assert set(desk.view.ended()) == set(host.engine.book.account("paper").closed)
        assert "mark" in told
        assert feed.take() == (False, [])
        desk.stop()


@pytest.mark.parametrize("limit", [1, 3])
async def test_the_oldest_leaves_first_where_there_is_no_more_room(
    limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica, "SIGNALS_KEPT", limit)
    async with Host() as host:
        desk = LocalDesk(host.engine)
        desk.start()
        feed, _ = _feed(desk, Topic.SIGNALS)
        for number in range(5):
            host.signal("AAPL", "229", "225", signal_id=f"s-{number}")
        assert desk.view.signals() == [f"s-{n}" for n in range(5 - limit, 5)]
        assert "s-0" in feed.take()[1]
        desk.stop()


@pytest.mark.parametrize(("count", "everything"), [(DIRTY_KEPT, False), (DIRTY_KEPT + 1, True)])
def test_a_hidden_pane_remembers_so_many_keys_and_then_looks_at_all(
    count: int, everything: bool
) -> None:
    feed = PaneFeed(
        frozenset(), lambda: None, lambda: None, closed=lambda _: None, everything=False
    )
    for key in range(count):
        feed.add(key)
    assert feed.take()[0] is everything
    assert feed.take() == (False, [])


async def test_a_fill_is_painted_out_of_turn_and_a_burst_once() -> None:
    async with Host() as host:
        desk = LocalDesk(host.engine)
        desk.start()
        _, told = _feed(desk, Topic.FILLS)
        await morning(host)
        first = told.count("now")
        assert 1 <= first < len(desk.view.fills()) + 1
        assert desk.replica._timer is not None or told[-1] == "now"
        desk.stop()
        assert desk.replica._timer is None


async def test_a_dropped_feed_hears_nothing_more() -> None:
    async with Host() as host:
        desk = LocalDesk(host.engine)
        desk.start()
        feed, told = _feed(desk, Topic.JOURNAL)
        feed.close()
        host.signal("AAPL", "229", "225")
        assert told == []
        desk.stop()


async def test_nothing_that_adds_exposure_can_leave_once_a_halt_was_asked_for_X52() -> None:
    async with Host() as host:
        desk = LocalDesk(host.engine)
        answer = desk.halt(Kill(by="t", level=Level.HALT, reason="now"))
        assert host.gate.closed
        assert host.gate.reason == "now"
        assert host.engine.book.data.halt is not None
        assert (await answer).ok


async def test_a_resume_under_way_does_not_open_the_gate_that_the_chord_has_shut_X52() -> None:
    """The key is read in another thread; its halt is the next thing that the loop hears of."""
    async with Host() as host:
        desk = LocalDesk(host.engine)
        await desk.halt(Kill(by="t", level=Level.HALT, reason="first"))
        await host.clock.advance(1)
        assert (await desk.ask(Resume(by="t", confirm=desk.view.resume_phrase))).ok
        desk.shut("the chord")
        async with asyncio.timeout(10):
            while host.latch.read() is not None:
                await asyncio.sleep(0)
        for _ in range(1_000):  # the engine hears in a few turns that the latch is cleared
            await asyncio.sleep(0)
        assert host.gate.closed
        assert (await desk.halt(Kill(by="t", level=Level.HALT, reason="the chord"))).ok
        assert host.engine.book.data.halt is not None
        await host.clock.advance(1)
        assert (await desk.ask(Resume(by="t", confirm=desk.view.resume_phrase))).ok
        async with asyncio.timeout(10):
            while host.gate.closed:
                await asyncio.sleep(0)


async def test_the_share_of_the_equity_is_less_than_a_second_old() -> None:
    """It moves with the price of everything else; a row a price would be a picture a price."""
    async with Host() as host:
        desk = LocalDesk(host.engine)
        desk.start()
        await morning(host)
        first = desk.view.position("NVDA")
        assert first is not None
        host.price("XOM", "90")
        await settle()
        assert desk.view.position("NVDA") is first
        await host.clock.advance(1)
        second = desk.view.position("NVDA")
        assert second is not None
        assert second.equity_share == second.value / desk.view.portfolio().equity
        assert second.equity_share != first.equity_share
        desk.stop()


async def test_a_row_is_made_anew_only_when_something_in_it_changed() -> None:
    async with Host() as host:
        desk = LocalDesk(host.engine)
        desk.start()
        await morning(host)
        first = desk.view.position("NVDA")
        assert first is not None
        assert desk.view.position("NVDA") is first
        second = NS_PER_SECOND - first.age % NS_PER_SECOND
        await host.clock.advance((second - 1) / NS_PER_SECOND)
        assert desk.view.position("NVDA") is first
        await host.clock.advance(1 / NS_PER_SECOND)
        older = desk.view.position("NVDA")
        assert older is not first
        host.price("AAPL", "229.40")
        await settle()
        assert desk.view.position("NVDA") is older
        host.price("NVDA", "134.88")
        await settle()
        priced = desk.view.position("NVDA")
        assert priced is not None
        assert priced is not older
        stop = next(o for o in host.engine.book.working("paper", "NVDA") if o.is_protective)
        command = CancelOrder(by="t", client_order_id=stop.client_order_id, confirm="UNPROTECT")
        await host.engine.command(command)
        await settle()
        bare = desk.view.position("NVDA")
        assert bare is not None
        assert (priced.covered, bare.covered) == (abs(priced.quantity), 0)
        desk.stop()


async def test_values_say_whose_and_in_which_currency_they_are() -> None:
    async with Host() as host:
        desk = LocalDesk(host.engine)
        desk.start()
        await morning(host)
        view = desk.view
        rows = [
            *map(view.position, view.held()),
            *map(view.order, (*view.working(), *view.ended())),
            *map(view.fill, view.fills()),
            *view.accounts(),
        ]
        assert len(rows) > 10
        for row in rows:
            assert row is not None
            assert (row.account, row.currency) == ("paper", "USD")
        assert view.portfolio().currency == "USD"
        desk.stop()


async def test_finished_orders_of_an_earlier_run_are_there_at_once() -> None:
    async with Host() as host:
        await morning(host)
        assert set(LocalDesk(host.engine).view.ended()) == set(
            host.engine.book.account("paper").closed
        )


async def test_what_happened_before_is_adopted_in_its_place_and_rings_no_bell() -> None:
    async with Host() as host:
        await morning(host)
        await host.engine.command(Kill(by="t"))
        await settle()
        earlier = list(host.records)
        desk = LocalDesk(host.engine)
        halts: list[ev.Halted] = []
        desk.on_halt = halts.append
        desk.start()
        feed, _ = _feed(desk, Topic.JOURNAL)
        host.signal("AAPL", "229", "225", signal_id="s-late")
        desk.replica.adopt([*earlier, *host.records[-1:]])
        assert [r.seq for r in desk.view.records()] == [r.seq for r in host.records][-RECORDS_KEPT:]
        assert desk.view.signals()[-1] == "s-late"
        assert len(desk.view.fills()) == len(host.events("OrderFilled"))
        assert desk.view.counts.signals == 1
        assert feed.take() == (True, [])
        assert not halts
        desk.stop()


class Written(ev.Event, frozen=True, kw_only=True):
    """An event of this test's own: a holding gets a stop, an order a word, and entries stop."""

    account: str
    symbol: str
    client_order_id: str


def _written(book: Book, event: Written, at: Nanos) -> None:
    position = book.holding(event.account, event.symbol)
    assert position is not None
    book.amend(position, stop=Decimal("1"))
    order = book.order_in(event.account, event.client_order_id)
    assert order is not None
    update_order(book, order, at, reason="written")
    book.data.paused = True
    book.touch(RunChanged())


async def test_panes_hear_of_a_new_event_by_the_values_that_its_fold_touched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DESIGN, Journal: console topics come from the set that `apply` names."""
    rules: Rules = {**fold.RULES, Written: _written}
    monkeypatch.setattr(fold, "RULES", rules)
    async with Host() as host:
        await morning(host)
        (stop, *_) = host.engine.book.working("paper", "NVDA")
    desk, book, key = LocalDesk(host.engine), host.engine.book, stop.client_order_id
    feeds = {topic: _feed(desk, topic)[0] for topic in Topic}
    before = desk.view.position("NVDA")
    assert before is not None
    event = Written(account="paper", symbol="NVDA", client_order_id=key)
    record = ev.Record(book.data.seq + 1, host.clock.now(), event)
    desk.replica.observe(record, fold.apply(book, record))
    told = {topic: feed.take()[1] for topic, feed in feeds.items()}
    assert {topic: keys for topic, keys in told.items() if keys} == {
        Topic.POSITIONS: ["NVDA"],
        Topic.ORDERS: [key],
        Topic.STATE: ["state"],
        Topic.JOURNAL: [record.seq],
    }
    after = desk.view.position("NVDA")
    assert after is not None
    assert before.stop != after.stop == Decimal("1")


async def test_what_happened_before_is_adopted_from_wherever_it_begins() -> None:
    """The newest events of a journal begin in the middle of orders, positions and signals."""
    async with Host() as host:
        await morning(host)
        await host.engine.command(Kill(by="t"))
        await settle()
        whole = LocalDesk(host.engine)
        whole.replica.adopt(host.records)
        for first in range(len(host.records)):
            desk = LocalDesk(host.engine)
            desk.replica.adopt(host.records[first:])
            for listed, of_all in (
                (desk.view.signals(), whole.view.signals()),
                (desk.view.fills(), whole.view.fills()),
            ):
                assert list(listed) == list(of_all)[len(of_all) - len(listed) :]
            assert set(desk.view.ended()) == set(whole.view.ended())
            for key in desk.view.signals():
                assert desk.view.signal(key) == whole.view.signal(key)


async def test_the_journal_gives_back_what_was_written(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "journal.db", inline=True)
    async with Host() as host:
        await morning(host)
        journal.append(host.records)
        journal.close()
        assert await recent(tmp_path / "journal.db", 1_000, 1_000) == host.records
        assert await recent(tmp_path / "journal.db", 7, 0) == host.records[-7:]
    assert await recent(tmp_path / "nothing.db", 7, 7) == []
    (tmp_path / "broken.db").write_bytes(b"not a journal" * 100)
    assert await recent(tmp_path / "broken.db", 7, 7) == []


async def executions(journal: Path, newest: int) -> list[str]:
    """The fills of a journal as `journal fills` lists them."""
    async with Reader(journal) as reader:
        return [row["execution_id"] async for row in reader.fills(limit=newest)]


@pytest.mark.parametrize("kept", [1, 2, 3, 500])
async def test_after_a_restart_the_fills_of_a_long_day_are_those_of_the_journal(
    kept: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much else happened since; and of the journal the newest events, without a gap."""
    monkeypatch.setattr(local, "FILLS_KEPT", kept)
    monkeypatch.setattr(replica, "FILLS_KEPT", kept)
    path = tmp_path / "journal.db"
    async with Host() as host:
        await morning(host)
        for _ in range(RECORDS_KEPT):
            await host.engine.command(Pause(by="t"))
            await host.engine.command(Unpause(by="t"))
        filled = [r for r in host.records if isinstance(r.event, ev.OrderFilled)]
        assert len(filled) > 2
        assert filled[-1].seq < host.records[-RECORDS_KEPT].seq
        book = Book()
        with contextlib.closing(open_journal(path, inline=True)) as journal:
            touched = [value for record in host.records for value in apply(book, record)]
            journal.append(host.records, touched)
        desk = LocalDesk(host.engine, partial(recent, path))
        desk.start()
        await desk.recall()
        rows = [desk.view.fill(seq) for seq in desk.view.fills()]
        assert None not in rows
        assert desk.view.fills() == [r.seq for r in filled][-kept:]
        shown = [
            r.event.fill.execution_id
            for r in filled
            if r.seq in desk.view.fills() and isinstance(r.event, ev.OrderFilled)
        ]
        assert shown == await executions(path, kept)
        assert list(desk.view.records()) == host.records[-RECORDS_KEPT:]
        assert desk.view.counts.fills == 0
        desk.stop()


Make = Callable[[], ev.Event]


@pytest.mark.parametrize(
    ("event", "kind", "style"),
    [
        (lambda: ev.Alarmed(code="A", severity=Severity.INFO, subject="s", text="t"), "ALARM", ""),
        (
            lambda: ev.Alarmed(code="A", severity=Severity.WARNING, subject="s", text="t"),
            "ALARM",
            "warn",
        ),
        (
            lambda: ev.Alarmed(code="A", severity=Severity.ERROR, subject="s", text="t"),
            "ALARM",
            "error",
        ),
        (lambda: ev.Paused(by="b", reason="r"), "ENGINE", "warn"),
        (
            lambda: ev.KillProved(
                epoch=1, account="paper", state="DEGRADED", cancelled=1, closed=0
            ),
            "KILL",
            "error",
        ),
    ],
)
def test_how_loud_a_line_is(event: Make, kind: str, style: str) -> None:
    line = line_of(event())
    assert line is not None
    assert (line.kind, line.style) == (kind, style)
