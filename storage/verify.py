"""Walking the hash chain, and comparing the tables with what the events say (U-70, T-24)."""

import sqlite3
from pathlib import Path
from typing import NamedTuple

from storage import migrations
from storage import tables as made
from storage.chain import GENESIS, ChainRow, link
from storage.connection import memory_database, open_reader, prepare
from storage.errors import journal_error
from storage.history import version_column

PAGE = 5_000


class Verification(NamedTuple):
    """What was found."""

    ok: bool
    events: int
    """Rows that were checked."""
    digest: str
    """Head of the chain in hex, as far as it holds."""
    bad_seq: int | None
    """The first event that is wrong or missing."""
    problem: str
    """One sentence, empty when all is well."""
    stale: tuple[str, ...] = ()
    """Projections that differ from the events; only looked at when asked for."""


def verify(journal: Path, *, tables: bool = False) -> Verification:
    """Recompute every hash of the journal, from the first event to the head.

    Finds a changed byte, a missing, swapped or added row, and rows cut off at the end. With
    `tables` the tables are made again in memory, up to their watermark, and compared; those of
    an older schema are not, as the next start brings them to this one. A missing journal is in
    order. Nothing is written. Raises `JournalError` kinds for a file that cannot be read at all.
    """
    if not journal.exists():
        return Verification(True, 0, GENESIS.hex(), None, "")
    connection = open_reader(journal)
    try:
        result = verify_connection(connection)
        if result.ok and tables:
            result = _with_tables(connection, result)
    except sqlite3.Error as error:
        raise journal_error(error, str(journal)) from error
    finally:
        connection.close()
    return result


def verify_connection(connection: sqlite3.Connection) -> Verification:
    """As `verify`, on an open connection; pages keep the read short, so that a writer goes on."""
    previous, last = GENESIS, 0
    version = version_column(connection)
    head = connection.execute("SELECT seq, hash FROM head").fetchone()
    while True:
        page = connection.execute(
            f"SELECT seq, time, mode, account, type, {version}, data, prev_hash, hash FROM events "  # noqa: S608
            "WHERE seq > ? ORDER BY seq LIMIT ?",
            (last, PAGE),
        ).fetchall()
        for *columns, stored_previous, stored in page:
            row = ChainRow(*columns)
            problem = ""
            if row.seq != last + 1:
                problem = f"event {last + 1} is missing: the next one is {row.seq}"
            elif stored_previous != previous:
                problem = f"event {row.seq} does not follow event {last}"
            elif link(previous, row) != stored:
                problem = f"event {row.seq} was changed: its content does not give its hash"
            if problem:
                return Verification(False, last, previous.hex(), last + 1, problem)
            previous, last = stored, row.seq
        if len(page) < PAGE:
            break
    end, end_hash = head or (0, GENESIS)
    if end > last:
        problem = f"event {last + 1} is missing: the journal once went on to event {end}"
        return Verification(False, last, previous.hex(), last + 1, problem)
    if end == last and end_hash != previous:
        problem = f"event {last} is not the one that was written there"
        return Verification(False, last, previous.hex(), last, problem)
    return Verification(True, last, previous.hex(), None, "")


def _with_tables(connection: sqlite3.Connection, result: Verification) -> Verification:
    if migrations.version(connection) < migrations.LATEST:
        return result
    again = memory_database()
    try:
        prepare(again, "in memory")
        # One read transaction, so that a writer that goes on does not look like a difference.
        connection.execute("BEGIN")
        made.derive(connection, again, made.watermark(connection))
        stale = made.differing(connection, again)
        connection.execute("ROLLBACK")
    finally:
        again.close()
    if not stale:
        return result
    problem = f"these tables do not say what the events say: {', '.join(stale)}"
    return result._replace(ok=False, problem=problem, stale=stale)
