"""States kept so that a start folds only the events after them, and how both are read back.

A snapshot is trusted only if its checksum is right, its format is the program's own and its event
row is the one the chain holds; otherwise an older one, or the beginning, takes its place.
"""

import sqlite3
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from engine.domain import events as ev
from storage.connection import open_reader
from storage.errors import journal_error
from storage.history import records

KEPT = 2
"""Newest snapshots that stay, so that a damaged one has a predecessor."""


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
    """Keep `state` as of event `seq`, inside the caller's transaction.

    False when that event is not in the journal.
    """
    row = connection.execute("SELECT hash FROM events WHERE seq = ?", (seq,)).fetchone()
    if row is None:
        return False
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
            return Loaded(state, seq, records(connection, seq, where, close=close), warning)
        warning = (
            warning or f"the snapshot at event {seq} of the journal {where} is not used: {trouble}"
        )
    return Loaded(None, 0, records(connection, 0, where, close=close), warning)


def _checksum(seq: int, state_format: int, state: bytes) -> bytes:
    return sha256(f"{seq}\x1f{state_format}\x1f".encode() + state).digest()
