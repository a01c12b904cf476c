"""A reading connection whose tables say all that the events say (X-90).

Rows are written behind the events. Beside a running engine they follow within moments, which is
waited for; where nobody writes them, the events after the watermark are folded in memory, and the
rows they touch stand in tables of this connection alone. Nothing is written to the file.
"""

import sqlite3
import time
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from engine.state.book import STATE_FORMAT, Book
from engine.state.fold import apply
from engine.state.touched import Touched
from storage import migrations, snapshots, tables
from storage.connection import VERSIONED, open_reader
from storage.errors import journal_error
from storage.history import records

PATIENCE: Final = 2.0
"""Seconds that a reader waits at most for the writer to catch up."""

STILL: Final = 0.1
"""Seconds without a row after which nobody is writing any."""

LOOK: Final = 0.005


class CaughtUp(NamedTuple):
    """A read-only connection, and the event that its tables reach."""

    connection: sqlite3.Connection
    seq: int
    follows: bool
    """The tables are those that a writer keeps; else newer events want a new connection."""


def open_caught_up(path: Path, patience: float = PATIENCE) -> CaughtUp:
    """Open the journal at `path` for reading, with tables that reach its newest event.

    `patience` are the seconds that the writer of a running engine is waited for at most. Raises
    `JournalError` kinds.
    """
    connection = open_reader(path, check_same_thread=False)
    try:
        connection.execute("PRAGMA temp_store=MEMORY")
        target = head(connection)
        follows = False
        if migrations.version(connection) < migrations.LATEST:
            _shape_like_today(connection)
        elif not _followed(connection, target, patience):
            target = _fold_the_rest(connection, str(path))
        else:
            follows = True
    except sqlite3.Error as error:
        connection.close()
        raise journal_error(error, str(path)) from error
    except BaseException:
        connection.close()
        raise
    return CaughtUp(connection, target, follows)


def _followed(connection: sqlite3.Connection, target: int, patience: float) -> bool:
    """Whether the rows reach the event `target`, once the writer had its time."""
    seen = tables.watermark(connection)
    began = moved = time.monotonic()
    while seen < target:
        now = time.monotonic()
        if now - began > patience or now - moved > STILL:
            return False
        time.sleep(LOOK)
        newer = tables.watermark(connection)
        if newer > seen:
            seen, moved = newer, now
    return True


def head(connection: sqlite3.Connection) -> int:
    """The number of the newest event; 0 for none."""
    row = connection.execute("SELECT seq FROM head").fetchone()
    return 0 if row is None else int(row[0])


def _fold_the_rest(connection: sqlite3.Connection, where: str) -> int:
    """Rows of the events after the watermark, in tables that hide those of the file.

    Returns the last event that was folded.
    """
    watermark, values = tables.watermark(connection), list[Touched]()
    book, begun = _book(connection, where)
    for record in records(connection, begun, where):
        touched = apply(book, record)
        if record.seq > watermark:
            values += touched
    connection.isolation_level = None
    if values:
        for table in tables.TABLES:
            _again(connection, "table", table)
            connection.execute(f"INSERT INTO temp.{table} SELECT * FROM main.{table}")  # noqa: S608
        _again(connection, "view", "outcomes")
        tables.write(connection, values)
    return book.data.seq


def _again(connection: sqlite3.Connection, kind: str, name: str) -> None:
    """A table or view of the same shape, of this connection alone, that hides the file's own."""
    ((sql,),) = connection.execute(
        "SELECT sql FROM main.sqlite_master WHERE type = ? AND name = ?", (kind, name)
    ).fetchall()
    connection.execute(sql.replace("CREATE ", "CREATE TEMP ", 1))


def _book(connection: sqlite3.Connection, where: str) -> tuple[Book, int]:
    """The state of the newest snapshot that can be used, and its event."""
    loaded = snapshots.load_from(connection, STATE_FORMAT, where=where)
    if loaded.snapshot is None:
        return Book(), 0
    try:
        return Book.restore(loaded.snapshot), loaded.seq
    except msgspec.ValidationError:
        # Written before the state had its present shape: the events tell the same, more slowly.
        return Book(), 0


def _shape_like_today(connection: sqlite3.Connection) -> None:
    """The tables of an older schema with today's columns."""
    connection.execute("CREATE TEMP VIEW signals AS SELECT *, 0 AS place FROM main.signals")
    if migrations.version(connection) >= VERSIONED:
        return
    connection.execute(
        "CREATE TEMP VIEW fills AS "
        "SELECT *, '' AS currency, '' AS commission_currency FROM main.fills"
    )
    connection.execute(
        "CREATE TEMP VIEW trade_executions AS SELECT *, '' AS currency FROM main.trade_executions"
    )
