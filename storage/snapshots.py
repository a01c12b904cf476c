"""States kept so that a start folds only the events after them, and how both are read back.

A snapshot is trusted only if its checksum is right, its format is the program's own and its event
row is the one the chain holds; otherwise an older one, or the beginning, takes its place.
"""

import sqlite3
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from engine.domain import event as ev
from engine.domain.instant import Nanos
from storage.connection import open_reader
from storage.errors import JournalCorrupt, journal_error

KEPT = 2
"""Newest snapshots that stay, so that a damaged one has a predecessor."""

FETCH = 1_000

LAST = 2**63 - 1
"""No event has a larger seq."""


class Loaded(NamedTuple):
    """What a start folds."""

    snapshot: bytes | None
    """The state as of `seq`, or None to begin with nothing."""
    seq: int
    """The event the snapshot contains last; 0 without one."""
    records: Iterator[ev.Record]
    """Every event after `seq`, read and decoded as it is asked for."""
    warning: str
    """One sentence when a snapshot could not be used, else empty."""


def save(connection: sqlite3.Connection, seq: int, state: bytes, state_format: int) -> bool:
    """Keep `state` as of event `seq`; False when that event is not in the journal."""
    row = connection.execute("SELECT hash FROM events WHERE seq = ?", (seq,)).fetchone()
    if row is None:
        return False
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(
            "INSERT OR REPLACE INTO snapshots (seq, format, hash, checksum, state) "
            "VALUES (?, ?, ?, ?, ?)",
            (seq, state_format, row[0], _checksum(seq, state_format, state), state),
        )
        connection.execute(
            "DELETE FROM snapshots WHERE seq NOT IN "
            "(SELECT seq FROM snapshots ORDER BY seq DESC LIMIT ?)",
            (KEPT,),
        )
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.rollback()
        raise
    return True


def load(journal: Path, state_format: int) -> Loaded:
    """The newest usable snapshot of a journal on disk and the events after it.

    A missing journal is an empty history. Nothing is written. Raises `JournalError` kinds for a
    file that cannot be read; the iterator raises `JournalCorrupt` at a gap and `UnknownEventError`
    at an event of a newer program.
    """
    if not journal.exists():
        return Loaded(None, 0, iter(()), "")
    return load_from(open_reader(journal), state_format, where=str(journal), close=True)


def load_from(
    connection: sqlite3.Connection, state_format: int, *, where: str, close: bool = False
) -> Loaded:
    """As `load`, from an open connection, which is closed with the iterator if `close`."""
    try:
        rows = connection.execute(
            "SELECT s.seq, s.format, s.checksum, s.state, s.hash IS e.hash FROM snapshots AS s "
            "LEFT JOIN events AS e ON e.seq = s.seq ORDER BY s.seq DESC"
        ).fetchall()
    except sqlite3.Error as error:
        if close:
            connection.close()
        raise journal_error(error, where) from error
    warning = ""
    for seq, kept_format, checksum, state, in_chain in rows:
        if kept_format != state_format:
            trouble = f"it has format {kept_format} and this program writes {state_format}"
        elif not isinstance(state, bytes) or checksum != _checksum(seq, kept_format, state):
            trouble = "its checksum is wrong"
        elif not in_chain:
            trouble = "its event is not in the journal"
        else:
            return Loaded(state, seq, _records(connection, seq, where, close), warning)
        warning = (
            warning or f"the snapshot at event {seq} of the journal {where} is not used: {trouble}"
        )
    return Loaded(None, 0, _records(connection, 0, where, close), warning)


class Until(NamedTuple):
    """What a journal had written by a moment."""

    records: Iterator[ev.Record]
    """From the first event to the last of those whose time had come, read as it is asked for."""
    first: Nanos | None
    """The time of the journal's first event; None where it has none."""
    last: Nanos | None
    """The time of the last of `records`; None where there is none."""
    newest: bool
    """True when nothing was written after them."""


def load_until(journal: Path, until: Nanos) -> Until:
    """The events of a journal on disk up to the last one, by seq, whose time is `until` or before.

    No snapshot is used and nothing is written; an engine may go on writing meanwhile. A missing
    journal has no events. Raises `JournalError` kinds for a file that cannot be read; the iterator
    raises `JournalCorrupt` at a gap and `UnknownEventError` at an event of a newer program.
    """
    if not journal.exists():
        return Until(iter(()), None, None, newest=True)
    where = str(journal)
    connection = open_reader(journal)
    try:
        first = connection.execute("SELECT time FROM events ORDER BY seq LIMIT 1").fetchone()
        last = connection.execute(
            "SELECT seq, time FROM events WHERE time <= ? ORDER BY seq DESC LIMIT 1", (until,)
        ).fetchone()
        (newest,) = connection.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()
    except sqlite3.Error as error:
        connection.close()
        raise journal_error(error, where) from error
    if first is None or last is None:
        connection.close()
        return Until(iter(()), None if first is None else first[0], None, newest=False)
    records = _records(connection, 0, where, close=True, through=last[0])
    return Until(records, first[0], last[1], newest=last[0] == newest)


def _records(
    connection: sqlite3.Connection,
    after: int,
    where: str,
    close: bool,
    through: int = LAST,
) -> Iterator[ev.Record]:
    decode = ev.decode
    expected = after + 1
    try:
        cursor = connection.execute(
            "SELECT seq, time, type, data FROM events WHERE seq > ? AND seq <= ? ORDER BY seq",
            (after, through),
        )
        while page := cursor.fetchmany(FETCH):
            for seq, time, kind, data in page:
                if seq != expected:
                    raise JournalCorrupt(
                        f"the journal {where} is damaged: event {expected} is missing"
                    )
                expected += 1
                yield ev.Record(seq, time, decode(kind, data))
    except sqlite3.Error as error:
        raise journal_error(error, where) from error
    finally:
        if close:
            connection.close()


def _checksum(seq: int, state_format: int, state: bytes) -> bytes:
    return sha256(f"{seq}\x1f{state_format}\x1f".encode() + state).digest()
