"""The two transactions of the journal: events with their chain and head, and rows behind them.

It is plain synchronous code. The journal runs it in its writer thread or, in virtual time, inline,
so that simulator and production run the same lines.
"""

import sqlite3
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Final, NamedTuple

from engine.domain.events import Record
from engine.domain.instant import Nanos
from engine.domain.schema import VERSIONS, account_of, encode
from engine.state.touched import Touched
from storage import bulk, snapshots, tables
from storage.chain import GENESIS, link
from storage.connection import LOCK_SECONDS
from storage.errors import (
    JournalBusy,
    JournalCorrupt,
    JournalGap,
    JournalUnwritable,
    journal_error,
)
from storage.place import Place

Hook = Callable[[], None]

CHECKPOINT_IDLE = 1_000
CHECKPOINT_BUSY = 8_192
"""Pages in the write-ahead log from which it is copied back when idle, and at any time."""

PAGES_PER_COMMIT = 6
PAGE_BYTES = 4_096
ROWS_PER_PAGE = 4


LARGEST_LOG: Final = 64 * 2**20
"""Bytes of a write-ahead log that cannot be copied back from which on that is told."""


class Entry(NamedTuple):
    """A record as it waits to be written: encoded once, when it was handed in."""

    seq: int
    time: Nanos
    account: str
    """The account the event is about; "" for the portfolio."""
    type: str
    version: int
    data: str


def entry_of(record: Record) -> Entry:
    """The record, encoded.

    Raises TypeError for an event that has no JSON, ValueError for an account whose name could not
    stand in the chain.
    """
    name, account = record.type, account_of(record.event)
    if not account.isprintable():
        raise ValueError(f"the account {account!r} of an event must be printable text")
    data = encode(record.event).decode()
    return Entry(record.seq, record.time, account, name, VERSIONS[name], data)


class _Linked(NamedTuple):
    """An entry in its place in the chain."""

    seq: int
    time: Nanos
    account: str
    type: str
    version: int
    data: str
    previous: bytes
    hash: bytes


_EVENTS: Final = bulk.Shape(
    head="INSERT INTO events (seq, time, mode, account, type, version, data, prev_hash, hash, "
    "engine)",
    columns="column1, column2, (SELECT value1 FROM shared), column3, column4, column5, column6, "
    "column7, column8, (SELECT value2 FROM shared)",
    shared=2,
    width=8,
)
"""Rows of entries, each with the hash before it and its own; shared are the mode and the engine."""

_HEAD_FOLLOWS: Final = (
    "CREATE TEMP TRIGGER IF NOT EXISTS head_follows AFTER INSERT ON main.events "
    "BEGIN INSERT OR REPLACE INTO head VALUES (1, NEW.seq, NEW.hash); END"
)
"""With it a statement that inserts events is the whole transaction of a commit, in one step."""


class Writer:
    """Owns the writing connection and the end of the chain. Used by one thread at a time.

    `before_commit` and `after_commit` run around each commit and may raise, so that tests and the
    simulator can fill the disk or crash on either side of it.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        where: str,
        *,
        mode: str,
        engine: str,
        before_commit: Hook | None = None,
        after_commit: Hook | None = None,
        place: Place | None = None,
    ) -> None:
        """`place` is where the files stand; None for a database in memory."""
        self._connection = connection
        self._where = where
        self._place = place
        self._mode = mode
        self._engine = engine
        self._before_commit = before_commit
        self._after_commit = after_commit
        self._pages = 0
        self.overgrown = ""
        """Why the log grows although it is copied back, in one sentence; "" where it does not."""
        self.moved = ""
        """That the folder no longer stands at its name, in one sentence; "" while it does."""
        self.stale = ""
        """What a table did not take of the rows that were written last, in one sentence."""
        connection.execute(_HEAD_FOLLOWS)
        self.seq, self.head = self._stored_head()

    def commit(self, entries: Sequence[Entry]) -> None:
        """Make the entries durable, in order, in one transaction.

        A foreign lock is waited for, up to `LOCK_SECONDS`. Raises a `JournalError` kind and leaves
        nothing behind; only after an error of the disk during the commit itself, or where the files
        were taken away, `resume` must tell what became of them. What a hook raises, other than an
        error of the disk, passes through.
        """
        if self._connection.in_transaction:
            # What is written inside it would look durable, and would not be.
            raise JournalUnwritable(
                f"the journal {self._where} cannot be written: a transaction was left open on its "
                "connection"
            )
        try:
            rows = self._chained(entries)
            self._transact_once_free(rows)
            if self._after_commit is not None:
                self._after_commit()
            self._demand_place()
            self.moved = "" if self._place is None else self._place.moved()
            if rows:
                self.seq, self.head = rows[-1].seq, rows[-1].hash
        except (sqlite3.Error, OSError) as error:
            raise journal_error(error, self._where) from error
        self._pages += PAGES_PER_COMMIT + len(entries)
        self._pages += sum(len(entry.data) for entry in entries) // PAGE_BYTES

    def resume(self, entries: Sequence[Entry]) -> int:
        """How many of the entries, which failed before, are in the journal after all.

        Raises `JournalCorrupt` when something else was written in their place.
        """
        try:
            self._demand_place()
            if self._connection.in_transaction:
                self._connection.rollback()
            seq, head = self._stored_head()
        except sqlite3.Error as error:
            raise journal_error(error, self._where) from error
        written = [entry for entry in entries if entry.seq <= seq]
        rows = self._chained(written)
        if (rows[-1].hash if rows else self.head) != head:
            raise JournalCorrupt(
                f"the journal {self._where} has a second writer: event {seq} is not ours"
            )
        self.seq, self.head = seq, head
        return len(written)

    def write_rows(
        self,
        values: Sequence[Touched],
        *,
        until: int,
        snapshot: tuple[bytes, int] | None = None,
    ) -> bool:
        """Write rows of the tables, in a transaction of their own.

        Every row up to the event `until` is then there, and the watermark says so; a state and its
        format may be kept as of the same event. False when that event is not in the
        journal: nothing was kept then. Raises `JournalError` kinds.
        """
        run = self._connection.execute
        kept = True
        try:
            run("BEGIN IMMEDIATE")
            try:
                self.stale = tables.write(self._connection, values)
                tables.raise_watermark(self._connection, until)
                if snapshot is not None:
                    kept = snapshots.save(self._connection, until, *snapshot)
                run("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.rollback()
                raise
        except (sqlite3.Error, OSError) as error:
            raise journal_error(error, self._where) from error
        self._pages += len(values) // ROWS_PER_PAGE + PAGES_PER_COMMIT
        if snapshot is not None:
            self._pages += len(snapshot[0]) // PAGE_BYTES + 1
        return kept

    @property
    def watermark(self) -> int:
        """The last event whose rows are all in the tables."""
        return tables.watermark(self._connection)

    @property
    def wants_checkpoint(self) -> bool:
        """True when the log has grown enough to be copied back in an idle moment."""
        return self._pages >= CHECKPOINT_IDLE

    @property
    def needs_checkpoint(self) -> bool:
        """True when the log has grown so far that it is copied back at the next chance."""
        return self._pages >= CHECKPOINT_BUSY

    def checkpoint(self, *, truncate: bool = False) -> None:
        """Copy the log back into the database. Raises `JournalError` kinds; nothing is lost."""
        self._pages = 0
        try:
            _, logged, copied = self._connection.execute(
                f"PRAGMA wal_checkpoint({'TRUNCATE' if truncate else 'PASSIVE'})"
            ).fetchone()
        except sqlite3.Error as error:
            raise journal_error(error, self._where) from error
        # A log that is copied back as a whole is written from its beginning again.
        grown = logged > copied and logged * PAGE_BYTES >= LARGEST_LOG
        self.overgrown = (
            f"the write-ahead log of the journal {self._where} has passed "
            f"{LARGEST_LOG // 2**20} MB: another program reads the journal and does not end; "
            "close it, or the log fills the disk"
            if grown
            else ""
        )

    def close(self) -> None:
        """Close the connection; what was not committed is gone."""
        self._connection.close()
        if self._place is not None:
            self._place.close()

    def _demand_place(self) -> None:
        """Raises `JournalUnwritable` where the files were taken away."""
        fault = "" if self._place is None else self._place.fault()
        if fault:
            raise JournalUnwritable(fault)

    def _stored_head(self) -> tuple[int, bytes]:
        row = self._connection.execute("SELECT seq, hash FROM head").fetchone()
        return (0, GENESIS) if row is None else (row[0], row[1])

    def _chained(self, entries: Sequence[Entry]) -> list[_Linked]:
        """The rows to insert: each with the hash of the one before it and its own."""
        seq, previous, mode = self.seq, self.head, self._mode
        rows = []
        for place, time, account, kind, version, data in entries:
            seq += 1
            if place != seq:
                raise JournalGap(f"event {place} cannot follow event {seq - 1}")
            own = link(previous, (seq, time, mode, account, kind, version, data))
            rows.append(_Linked(seq, time, account, kind, version, data, previous, own))
            previous = own
        return rows

    def _transact_once_free(self, rows: Sequence[_Linked]) -> None:
        """Write the rows as soon as nobody else holds the lock; each try waits a while by itself.

        Raises JournalBusy where it stays held.
        """
        if self._before_commit is not None:
            self._before_commit()
        patience = monotonic() + LOCK_SECONDS
        while True:
            try:
                self._transact(rows)
            except sqlite3.OperationalError as error:
                held = isinstance(journal_error(error, self._where), JournalBusy)
                if not held or monotonic() >= patience:
                    raise
            else:
                return

    def _transact(self, rows: Sequence[_Linked]) -> None:
        parts = list(bulk.pieces(rows, _EVENTS.most))
        if len(parts) == 1:
            self._insert(parts[0])
            return
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            for part in parts:
                self._insert(part)
            self._connection.execute("COMMIT")
        except BaseException:
            # SQLite ends the transaction by itself after some errors of the disk.
            if self._connection.in_transaction:
                self._connection.rollback()
            raise

    def _insert(self, rows: Sequence[_Linked]) -> None:
        bulk.insert(self._connection, _EVENTS, rows, shared=(self._mode, self._engine))
