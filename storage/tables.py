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
from storage.rows import RANK, RULES, Put, has_row, upsert, written

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


def write(connection: sqlite3.Connection, values: Iterable[Touched]) -> None:
    """Write the rows of these values inside the caller's transaction, in the order of the rules.

    A value whose row a table does not take is named in `stale_projections`: the events are the
    truth, and one row must not keep the others away. Raises what is the disk's fault.
    """
    by_kind: dict[type, list[Touched]] = {}
    for touched in filter(has_row, values):
        by_kind.setdefault(type(touched.value), []).append(touched)
    for kind in sorted(by_kind, key=RANK.__getitem__):
        rule = RULES[kind]
        if isinstance(rule, Put):
            _put(connection, rule, by_kind[kind])
            continue
        for touched in by_kind[kind]:
            connection.execute(rule.sql, rule.values(touched.value))


def _put(connection: sqlite3.Connection, put: Put, values: Sequence[Touched]) -> None:
    rows = [row for touched in values for row in written(put, touched)]
    if not rows:
        return
    shape = upsert(put, tuple(rows[0]))
    for part in bulk.pieces(rows, shape.most):
        if len(part) == 1 or not _at_once(connection, shape, part):
            for row in part:
                _carefully(connection, put, row)


def _at_once(
    connection: sqlite3.Connection, shape: bulk.Shape, rows: Sequence[dict[str, Any]]
) -> bool:
    """All of them in one statement; False, and nothing written, where the table takes not all."""
    try:
        bulk.insert(connection, shape, [tuple(row.values()) for row in rows])
    except Exception as error:  # whatever is wrong with one of them; told apart one by one
        if not is_content_error(error):
            raise
        return False
    return True


def _carefully(connection: sqlite3.Connection, put: Put, row: dict[str, Any]) -> None:
    connection.execute("SAVEPOINT row")
    try:
        bulk.insert(connection, upsert(put, tuple(row)), [tuple(row.values())])
    except Exception as error:  # whatever the table does not take; recorded below
        if not is_content_error(error):
            raise
        connection.execute("ROLLBACK TO row")
        connection.execute(
            "INSERT OR REPLACE INTO stale_projections VALUES (?, ?, ?)",
            (row.get("seq", 0), put.table, f"{type(error).__name__}: {error}"),
        )
    connection.execute("RELEASE row")


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
