"""Rows are made of the fold's values, written behind the events, and told by a watermark (X-90)."""

import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.domain import events as ev
from engine.domain.inputs import Input, Trouble
from engine.domain.order import OrderStatus, Side
from engine.runtime.journal_watch import JournalWatch
from engine.runtime.send_gate import SendGate
from engine.runtime.tasks import Tasks
from engine.state.book import STATE_FORMAT, Book
from engine.state.fold import apply
from engine.state.touched import LetterClosed, Touched
from storage import Journal, memory_database, open_journal, tables
from storage.behind import MOST, RowsBehind
from storage.connection import open_reader, prepare
from storage.reader import Reader
from storage.tail import STILL, open_caught_up
from tests.engine.test_fold import moves, play
from tests.storage.lives import History, notes

S = OrderStatus


def rebuilt(database: sqlite3.Connection) -> sqlite3.Connection:
    """The tables that the events of a database make when they are folded from the first on."""
    fresh = memory_database()
    prepare(fresh, "in memory")
    tables.derive(database, fresh)
    return fresh


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(moves.filter(lambda steps: len(steps) <= 10))
def test_the_rows_equal_a_rebuild_after_every_event_of_any_history(
    steps: list[tuple[str, int, int, int]],
) -> None:
    database, book = memory_database(), Book()
    journal = open_journal(database, inline=True)
    for record in play(steps).records:
        journal.append([record], apply(book, record))
        journal.catch_up()
        assert tables.watermark(database) == record.seq
        with closing(rebuilt(database)) as fresh:
            assert tables.differing(database, fresh) == ()


@settings(max_examples=20, deadline=None)
@given(moves, st.integers(1, 40))
def test_it_does_not_matter_how_seldom_rows_are_written(
    steps: list[tuple[str, int, int, int]], every: int
) -> None:
    database, book = memory_database(), Book()
    journal = open_journal(database, inline=True)
    records = play(steps).records
    for number, record in enumerate(records, 1):
        journal.append([record], apply(book, record))
        if number % every == 0:
            journal.catch_up()
    journal.catch_up()
    with closing(rebuilt(database)) as fresh:
        assert tables.differing(database, fresh) == ()


def test_a_fill_of_all_while_more_is_asked_for_leaves_the_row_as_the_order_is() -> None:
    """10 of 10 fill while 10 become 20: the order is not over, and no row can say that it is."""
    history = History()
    history.order("o1", "AAPL", quantity=10, side=Side.BUY)
    history.add(
        ev.OrderSent(account="paper", client_order_id="o1"),
        ev.OrderAccepted(account="paper", client_order_id="o1", venue_order_id="v1"),
        ev.ReplaceRequested(
            account="paper",
            client_order_id="o1",
            quantity=Decimal(20),
            stop_price=None,
            reason="more",
        ),
    )
    history.fill("o1", 10)
    database = memory_database()
    journal = open_journal(database, inline=True)
    journal.append(history.records, history.touched)
    journal.catch_up()
    order = history.book.order("o1")
    assert order is not None
    row = database.execute("SELECT status, filled FROM orders").fetchone()
    assert row == (order.status.value, "10") == ("PENDING_REPLACE", "10")


# --- the watermark -------------------------------------------------------------------------------


def written(database: sqlite3.Connection) -> tuple[int, int]:
    """The watermark, and how many fills have a row."""
    (fills,) = database.execute("SELECT count(*) FROM fills").fetchone()
    return tables.watermark(database), fills


def test_in_virtual_time_rows_wait_for_somebody_who_reads() -> None:
    database, history = memory_database(), History()
    journal = open_journal(database, inline=True)
    journal.append(history.life("o1", "AAPL"), history.touched)
    assert written(database) == (0, 0)
    journal.catch_up()
    assert written(database) == (4, 1)


def test_in_virtual_time_rows_are_there_at_the_end(tmp_path: Path) -> None:
    path, history = tmp_path / "journal.db", History()
    journal = open_journal(path, inline=True)
    journal.append(history.life("o1", "AAPL"), history.touched)
    journal.close()
    with closing(open_reader(path)) as database:
        assert written(database) == (4, 1)


@pytest.mark.parametrize(("count", "written_by_itself"), [(MOST, False), (MOST + 1, True)])
def test_more_rows_than_may_wait_are_written_at_once(count: int, written_by_itself: bool) -> None:
    database, history = memory_database(), History()
    journal = open_journal(database, inline=True)
    for number in range(count):
        history.order(f"o{number}", "AAPL")
    journal.append(history.records, history.touched)
    assert (tables.watermark(database) == count) is written_by_itself


async def test_a_writer_that_has_nothing_else_to_do_writes_them(tmp_path: Path) -> None:
    path, history = tmp_path / "journal.db", History()
    journal = open_journal(path)
    await journal.append(history.life("o1", "AAPL"), history.touched)
    async with Reader(path) as reader:
        assert [row["client_order_id"] async for row in reader.fills()] == ["o1"]
    await journal.aclose()


def test_a_snapshot_is_kept_with_every_row_up_to_it() -> None:
    database, history = memory_database(), History()
    journal = open_journal(database, inline=True, state_format=STATE_FORMAT)
    journal.append(history.life("o1", "AAPL"), history.touched)
    journal.save_snapshot(4, history.book.snapshot())
    assert database.execute("SELECT seq FROM snapshots").fetchall() == [(4,)]
    assert written(database) == (4, 1)


def test_a_snapshot_that_the_disk_refuses_leaves_rows_and_watermark_together(
    tmp_path: Path,
) -> None:
    path, history = tmp_path / "journal.db", History()
    journal = open_journal(path, inline=True)
    journal.append(history.life("o1", "AAPL"), history.touched)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        journal.save_snapshot(4, history.book.snapshot())
        assert written(other) == (0, 0)
        assert other.execute("SELECT count(*) FROM snapshots").fetchone() == (0,)
        other.execute("ROLLBACK")
        assert "locked" in journal.maintenance_trouble
        journal.catch_up()
        assert written(other) == (4, 1)
    journal.close()


def test_a_row_that_failed_is_not_written_over_a_newer_one() -> None:
    history = History()
    history.order("o1", "AAPL")
    old = list(history.touched)
    history.touched.clear()
    history.add(ev.OrderSent(account="paper", client_order_id="o1"))
    behind = RowsBehind()
    behind.add(old, 1)
    failed = behind.take()
    behind.add(history.touched, 2)
    behind.back(failed)
    assert [touched.value.status for touched in behind.take().values] == [S.PENDING_NEW]  # type: ignore[union-attr]
    assert behind.done


def waiting(orders: int) -> RowsBehind:
    """Rows of so many orders that wait, of two values each."""
    history = History()
    for number in range(orders):
        history.order(f"o{number}", "AAPL")
        history.add(ev.OrderSent(account="paper", client_order_id=f"o{number}"))
    behind = RowsBehind()
    behind.add(history.touched, len(history.records))
    return behind


@pytest.mark.parametrize(
    ("orders", "pause"), [(0, 0.004), (1, 0.004), (160, 0.004), (161, 0.004025), (1_000, 0.025)]
)
def test_the_more_rows_wait_the_longer_the_pause_in_which_they_are_begun(
    orders: int, pause: float
) -> None:
    assert waiting(orders).pause == pytest.approx(pause)


def test_rows_are_pressing_before_a_reader_takes_the_pause_for_the_end() -> None:
    """Beside a writer that only pauses nobody need fold the tail for himself."""
    assert waiting(MOST).pause < STILL


# --- rows that cannot be written ------------------------------------------------------------------


@pytest.mark.parametrize("inline", [True, False], ids=["inline", "threaded"])
async def test_X90_a_value_that_makes_no_row_stops_neither_events_nor_other_rows(
    tmp_path: Path, inline: bool
) -> None:
    """A number that no column holds, in a row and in a change of one, and a value without a number:
    each is named, and the journal goes on."""
    path, history = tmp_path / "journal.db", History()
    journal = open_journal(path, inline=inline)
    odd = msgspec.structs.replace(history.new_order("o1", "AAPL"), conviction=2**70)
    history.add(ev.OrderIntended(terms=odd))
    await journal.append(history.records, history.touched)
    await journal.catch_up()
    assert "orders lacks a row of event" in journal.maintenance_trouble
    fresh = history.life("o2", "MSFT")
    closed = LetterClosed(letter_id="letter", action="dropped", by="me", at=2**70)
    order = history.book.order("o2")
    assert order is not None
    broken = msgspec.structs.replace(order, client_order_id="o3", quantity=None)
    await journal.append(
        fresh, [*history.touched, *(Touched(odd, "acct", "paper") for odd in (closed, broken))]
    )
    await journal.catch_up()
    assert (journal.failure, journal.watermark) == (None, journal.durable_seq)
    await journal.aclose()
    with closing(open_reader(path)) as database:
        listed = database.execute("SELECT client_order_id FROM orders").fetchall()
        stale = database.execute("SELECT type FROM stale_projections ORDER BY seq").fetchall()
    assert listed == [("o2",)]
    assert stale == [("LetterClosed",), ("orders",), ("orders",)]


@pytest.mark.parametrize("inline", [True, False], ids=["inline", "threaded"])
async def test_X90_rows_that_fail_altogether_are_told_and_stop_no_event(
    tmp_path: Path, inline: bool
) -> None:
    """What cannot be told apart by value: the watermark stays, and each event is durable."""
    path, history = tmp_path / "journal.db", History()
    journal = open_journal(path, inline=inline)
    journal.write_behind([], 2**70)
    await journal.catch_up()
    assert "too large" in journal.maintenance_trouble
    await journal.append(history.life("o1", "AAPL"), history.touched)
    assert (journal.failure, journal.durable_seq) == (None, len(history.records))
    await journal.aclose()


def test_X90_rows_that_fail_are_alarmed_once() -> None:
    journal, told = open_journal(memory_database(), inline=True), list[Input]()
    watch = JournalWatch(
        journal, Book(), gate=SendGate(), tasks=Tasks(lambda error: None), step=told.append
    )
    watch.tell_trouble()
    assert told == []
    journal.write_behind([], 2**70)
    journal.catch_up()
    watch.tell_trouble()
    watch.tell_trouble()
    text = journal.maintenance_trouble
    assert told == [Trouble(code="JOURNAL_MAINTENANCE", subject="journal", text=text)]


# --- reading without a writer --------------------------------------------------------------------


def left_behind(path: Path, history: History, rows_until: int) -> None:
    """A journal whose process died when rows up to that event had been written."""
    journal = open_journal(path, inline=True, state_format=STATE_FORMAT)
    book = Book()
    for record in history.records:
        journal.append([record], apply(book, record))
        if record.seq == rows_until:
            journal.catch_up()
    # The process is gone: nothing closes the journal.
    journal._writer.close()


@pytest.fixture
def history() -> History:
    made = History()
    made.signal("s-1", "AAPL", orders=["o1"])
    made.life("o1", "AAPL", signal_id="s-1")
    made.life("o2", "MSFT")
    return made


async def every(listed: AsyncIterator[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row async for row in listed]


async def lists(path: Path) -> Sequence[list[dict[str, Any]]]:
    async with Reader(path) as reader:
        return [
            await every(reader.orders()),
            await every(reader.fills()),
            await every(reader.trades(unfinished=True)),
            await every(reader.signals()),
        ]


@pytest.mark.parametrize("rows_until", [0, 2, 5, 9, 10])
async def test_a_reader_folds_what_nobody_wrote_and_writes_nothing(
    tmp_path: Path, history: History, rows_until: int
) -> None:
    whole = tmp_path / "whole.db"
    left_behind(whole, history, len(history.records))
    path = tmp_path / "journal.db"
    left_behind(path, history, rows_until)
    before = path.read_bytes()
    assert await lists(path) == await lists(whole)
    assert path.read_bytes() == before
    with closing(open_reader(path)) as database:
        assert tables.watermark(database) == rows_until


async def test_a_reader_folds_on_from_the_newest_snapshot(tmp_path: Path, history: History) -> None:
    path = tmp_path / "journal.db"
    journal = open_journal(path, inline=True, state_format=STATE_FORMAT)
    book = Book()
    for record in history.records:
        journal.append([record], apply(book, record))
        if record.seq == 6:
            journal.save_snapshot(6, book.snapshot())
    journal._writer.close()
    with closing(sqlite3.connect(path)) as database:
        # Without the events before it, only the snapshot can tell what they did.
        database.execute("DELETE FROM events WHERE seq < 6")
        database.commit()
    orders = (await lists(path))[0]
    assert [(row["client_order_id"], row["status"]) for row in orders] == [
        ("o1", "FILLED"),
        ("o2", "FILLED"),
    ]


def test_what_is_read_reaches_the_newest_event(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    left_behind(path, notes(5), 2)
    opened = open_caught_up(path)
    with closing(opened.connection):
        assert (opened.seq, opened.follows) == (5, False)


def test_a_start_writes_the_rows_that_a_crash_left_behind(tmp_path: Path, history: History) -> None:
    path = tmp_path / "journal.db"
    left_behind(path, history, 3)
    journal: Journal = open_journal(path, inline=True, state_format=STATE_FORMAT)
    book = Book()
    for record in journal.load().records:
        touched = apply(book, record)
        if record.seq > journal.watermark:
            journal.write_behind(touched, record.seq)
    journal.close()
    with closing(open_reader(path)) as database, closing(rebuilt(database)) as fresh:
        assert tables.watermark(database) == len(history.records)
        assert tables.differing(database, fresh) == ()
