"""The tables that can be asked: rows of the state's values, written behind the events (X-90).

They hold nothing that the fold of the events does not say, and `rebuild` makes them again. The
watermark is the last event whose rows are all there.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Final

from engine.state.book import Book
from engine.state.fold import apply
from engine.state.touched import Touched
from storage import bulk
from storage.errors import is_content_error
from storage.history import records
from storage.rows import RANK, RULES, Columns, Put, has_row, upsert, written

TABLES: Final = (
    "trade_executions",
    "daily_pnl",
    "orders",
    "fills",
    "signals",
    "dead_letters",
    "stale_projections",
)
"""Everything `rebuild` empties and makes again."""

PAGE: Final = 2_000
"""Values in one round of a rebuild."""


def watermark(connection: sqlite3.Connection) -> int:
    """The last event whose rows are all in the tables."""
    row = connection.execute("SELECT seq FROM watermark").fetchone()
    return 0 if row is None else int(row[0])


def raise_watermark(connection: sqlite3.Connection, seq: int) -> None:
    """Say, inside the caller's transaction, that the rows of every event up to `seq` are there."""
    connection.execute("INSERT OR REPLACE INTO watermark VALUES (1, ?)", (seq,))


def write(connection: sqlite3.Connection, values: Iterable[Touched]) -> str:
    """Write the rows of these values inside the caller's transaction, in the order of the rules.

    A value whose row a table does not take is named in `stale_projections`: the events are the
    truth, and one row must not keep the others away. Returns the last of them in one sentence, ""
    for none. Raises what is the disk's fault.
    """
    stale = ""
    by_kind: dict[type, list[Touched]] = {}
    for touched in filter(has_row, values):
        by_kind.setdefault(type(touched.value), []).append(touched)
    for kind in sorted(by_kind, key=RANK.__getitem__):
        rule = RULES[kind]
        if isinstance(rule, Put):
            stale = _put(connection, rule, by_kind[kind]) or stale
            continue
        for touched in by_kind[kind]:
            try:
                connection.execute(rule.sql, rule.values(touched.value))
            except Exception as error:  # whatever is wrong with this one; the others are written
                stale = _name(connection, _event_of(touched), kind.__name__, error)
    return stale


def _put(connection: sqlite3.Connection, put: Put, values: Sequence[Touched]) -> str:
    rows, stale = list[Columns](), ""
    for touched in values:
        try:
            rows += written(put, touched)
        except Exception as error:  # a value that has no row; the others have theirs
            stale = _name(connection, _event_of(touched), put.table, error)
    if not rows:
        return stale
    shape = upsert(put, tuple(rows[0]))
    for part in bulk.pieces(rows, shape.most):
        if len(part) == 1 or not _at_once(connection, shape, part):
            for row in part:
                stale = _carefully(connection, put, row) or stale
    return stale


def _at_once(connection: sqlite3.Connection, shape: bulk.Shape, rows: Sequence[Columns]) -> bool:
    """All of them in one statement; False, and nothing written, where the table takes not all."""
    try:
        bulk.insert(connection, shape, [tuple(row.values()) for row in rows])
    except Exception as error:  # whatever is wrong with one of them; told apart one by one
        if not is_content_error(error):
            raise
        return False
    return True


def _carefully(connection: sqlite3.Connection, put: Put, row: Columns) -> str:
    stale = ""
    connection.execute("SAVEPOINT row")
    try:
        bulk.insert(connection, upsert(put, tuple(row)), [tuple(row.values())])
    except Exception as error:  # whatever the table does not take; recorded below
        connection.execute("ROLLBACK TO row")
        stale = _name(connection, row.get("seq", 0), put.table, error)
    connection.execute("RELEASE row")
    return stale


def _event_of(touched: Touched) -> int:
    """The event that a value names; 0 where it names none."""
    return getattr(touched.value, "seq", 0)


def _name(connection: sqlite3.Connection, seq: int, subject: str, error: Exception) -> str:
    """Name what has no row, and return that in a sentence; raises a fault of the disk."""
    if not is_content_error(error):
        raise error
    why = f"{type(error).__name__}: {error}"
    connection.execute(
        "INSERT OR REPLACE INTO stale_projections VALUES (?, ?, ?)", (seq, subject, why)
    )
    return f"{subject} lacks a row of event {seq}: {why}"


def rebuild(connection: sqlite3.Connection) -> None:
    """Make every table again from the events of the same database, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for table in TABLES:
            connection.execute(f"DELETE FROM {table}")  # noqa: S608  # a name of our own
        raise_watermark(connection, _fill(connection, connection))
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


def derive(
    source: sqlite3.Connection, target: sqlite3.Connection, until: int | None = None
) -> None:
    """Make the tables of `source`'s events up to `until` in `target`, an empty database."""
    target.execute("BEGIN")
    raise_watermark(target, _fill(source, target, until))
    target.execute("COMMIT")


def differing(one: sqlite3.Connection, other: sqlite3.Connection) -> tuple[str, ...]:
    """The tables that do not hold the same rows in two databases."""
    return tuple(table for table in TABLES if _rows(one, table) != _rows(other, table))


def _rows(connection: sqlite3.Connection, table: str) -> list[tuple[Any, ...]]:
    """Every row, without the number of its place where it has one."""
    names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    listed = ", ".join(f'"{name}"' for name in names if name != "id")
    return sorted(connection.execute(f"SELECT {listed} FROM {table}"), key=repr)  # noqa: S608


def _fill(source: sqlite3.Connection, target: sqlite3.Connection, until: int | None = None) -> int:
    """Fold the events and write what they touch; the last event that was folded."""
    book = Book()
    values: list[Touched] = []
    for record in records(source, 0, "of the rebuild", until=until):
        values += apply(book, record)
        if len(values) >= PAGE:
            write(target, values)
            values = []
    write(target, values)
    return book.data.seq
