"""Many rows in one statement are the rows of many statements (G2, G5, U-70)."""

import contextlib
import sqlite3
from collections.abc import Callable
from random import Random

import pytest

from engine.domain import events as ev
from engine.domain.order import IllegalTransitionError
from engine.state.book import Book
from engine.state.fold import apply
from storage import bulk, tables
from storage.connection import memory_database, prepare
from storage.writer import Writer, entry_of
from tests.storage.lives import History, notes


@pytest.mark.parametrize("count", [0, 1, 69, 70, 71, 1_500])
def test_pieces_are_all_of_them_in_order(count: int) -> None:
    parts = list(bulk.pieces(list(range(count)), 70))
    assert [number for part in parts for number in part] == list(range(count))
    assert all(len(part) == 70 for part in parts[:-1])
    assert all(0 < len(part) <= 70 for part in parts)


def test_few_lengths_serve_every_count() -> None:
    lengths = {count: bulk.length_for(count) for count in range(1, 1_025)}
    assert all(count <= length <= 1_024 for count, length in lengths.items())
    assert all(length * 2 <= count * 3 for count, length in lengths.items())
    assert len(set(lengths.values())) < 24


@pytest.mark.parametrize(("width", "most"), [(8, 256), (29, 70), (40, 51)])
def test_a_statement_has_a_most_of_values(width: int, most: int) -> None:
    assert bulk.Shape("INSERT INTO t", columns="column1", width=width).most == most


SHAPE = bulk.Shape(
    "INSERT INTO t",
    columns="(SELECT value1 FROM shared), column1, column2",
    width=2,
    shared=1,
)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 63, 64, 65, 1_000, SHAPE.most - 1, SHAPE.most])
def test_a_statement_writes_the_rows_it_is_given_and_no_other(count: int) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (whose, number, empty)")
    rows = [(number, None) for number in range(count)]
    bulk.insert(connection, SHAPE, rows, shared=("mine",))
    found = connection.execute("SELECT * FROM t ORDER BY rowid").fetchall()
    assert found == [("mine", *row) for row in rows]


@pytest.mark.parametrize("count", [1, 255, 256, 257, 600])
def test_the_head_is_the_last_event_of_a_commit(count: int) -> None:
    history = notes(count)
    with contextlib.closing(committed([r.event for r in history.records], count)) as database:
        (head,) = database.execute("SELECT seq, hash FROM head").fetchall()
        last = database.execute("SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1")
        assert head == last.fetchone()
        assert head[0] == count


def committed(events: list[ev.Event], batch: int) -> sqlite3.Connection:
    """A journal of these events, so many in one transaction."""
    connection = memory_database()
    prepare(connection, "in memory")
    writer = Writer(connection, "in memory", mode="paper", engine="")
    book = Book()
    records = [ev.Record(n, 1_000 * n, event) for n, event in enumerate(events, 1)]
    for start in range(0, len(records), batch):
        part = records[start : start + batch]
        writer.commit([entry_of(record) for record in part])
        touched = [value for record in part for value in apply(book, record)]
        writer.write_rows(touched, until=part[-1].seq)
    return connection


@pytest.mark.parametrize("seed", range(5))
def test_a_batch_leaves_what_single_events_leave(seed: int) -> None:
    random = Random(seed)
    keys = [f"o{n}" for n in range(90)]
    history = History()
    for key in keys:
        history.order(key, "AAPL")
    events = [record.event for record in history.records]
    book = Book.restore(history.book.snapshot())
    makes: list[Callable[[str], ev.Event]] = [
        lambda key: ev.OrderSent(account="paper", client_order_id=key),
        lambda key: ev.OrderAccepted(
            account="paper", client_order_id=key, venue_order_id=f"v{key}"
        ),
        lambda key: ev.CancelRequested(account="paper", client_order_id=key, reason="test"),
        lambda key: ev.OrderCanceled(account="paper", client_order_id=key, reason="test"),
        lambda key: ev.OrderExpired(account="paper", client_order_id=key),
    ]
    for _ in range(12):
        make = random.choice(makes)
        for key in random.sample(keys, random.randint(1, 80)):
            with contextlib.suppress(IllegalTransitionError):  # no order ever goes that way
                apply(book, ev.Record(book.data.seq + 1, 1_000, make(key)))
                events.append(make(key))
    together, apart = committed(events, len(events)), committed(events, 1)
    assert tables.differing(together, apart) == ()
    hashes = "SELECT seq, hash FROM events ORDER BY seq"
    assert together.execute(hashes).fetchall() == apart.execute(hashes).fetchall()
