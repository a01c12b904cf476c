"""The one transaction that writes events: rows, chain, projections and head, all or nothing.

It is plain synchronous code. The journal runs it in its writer thread or, in virtual time, inline,
so that simulator and production run the same lines.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from engine.domain.events import Record
from storage import bulk, snapshots
from storage.chain import GENESIS, Row, link
from storage.errors import JournalCorrupt, JournalGap, is_content_error, journal_error
from storage.projections import project_all, project_carefully
from storage.rows import Target

Hook = Callable[[], None]

CHECKPOINT_IDLE = 1_000
CHECKPOINT_BUSY = 8_192
"""Pages in the write-ahead log from which it is copied back when idle, and at any time."""

PAGES_PER_COMMIT = 6
PAGE_BYTES = 4_096


class _UnprojectableError(Exception):
    """A projection could not take what an event says."""


class Entry(NamedTuple):
    """A record as it waits to be written: encoded once, when it was handed in."""

    record: Record
    data: str


class _Linked(NamedTuple):
    """A row in its place in the chain."""

    row: Row
    previous: bytes
    hash: bytes


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
        account: str,
        before_commit: Hook | None = None,
        after_commit: Hook | None = None,
    ) -> None:
        self._connection = connection
        self._where = where
        self._target = Target(connection.cursor(), mode, account)
        self._before_commit = before_commit
        self._after_commit = after_commit
        self._pages = 0
        self.seq, self.head = self._stored_head()

    def commit(self, entries: Sequence[Entry]) -> None:
        """Make the entries durable, in order, in one transaction.

        Raises a `JournalError` kind and leaves nothing behind; only after an error of the disk
        during the commit itself `resume` must tell what became of them. What a hook raises, other
        than an error of the disk, passes through.
        """
        try:
            rows = self._chained(entries)
            try:
                self._transact(entries, rows, project_all)
            except _UnprojectableError:
                # A table that cannot take a row must not cost the event: again, one by one.
                self._transact(entries, rows, _one_by_one)
            if self._after_commit is not None:
                self._after_commit()
            if rows:
                self.seq, self.head = rows[-1].row.seq, rows[-1].hash
        except (sqlite3.Error, OSError) as error:
            raise journal_error(error, self._where) from error
        self._pages += PAGES_PER_COMMIT + len(entries)

    def resume(self, entries: Sequence[Entry]) -> int:
        """How many of the entries, which failed before, are in the journal after all.

        Raises `JournalCorrupt` when something else was written in their place.
        """
        try:
            if self._connection.in_transaction:
                self._connection.rollback()
            seq, head = self._stored_head()
        except sqlite3.Error as error:
            raise journal_error(error, self._where) from error
        written = [entry for entry in entries if entry.record.seq <= seq]
        rows = self._chained(written)
        if (rows[-1].hash if rows else self.head) != head:
            raise JournalCorrupt(
                f"the journal {self._where} has a second writer: event {seq} is not ours"
            )
        self.seq, self.head = seq, head
        return len(written)

    def save_snapshot(self, seq: int, state: bytes, state_format: int) -> bool:
        """Keep a state; False when its event is not in the journal. Raises `JournalError` kinds."""
        try:
            saved = snapshots.save(self._connection, seq, state, state_format)
        except sqlite3.Error as error:
            raise journal_error(error, self._where) from error
        self._pages += len(state) // PAGE_BYTES + 1
        return saved

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
            self._connection.execute(
                f"PRAGMA wal_checkpoint({'TRUNCATE' if truncate else 'PASSIVE'})"
            ).fetchone()
        except sqlite3.Error as error:
            raise journal_error(error, self._where) from error

    def close(self) -> None:
        """Close the connection; what was not committed is gone."""
        self._connection.close()

    def _stored_head(self) -> tuple[int, bytes]:
        row = self._connection.execute("SELECT seq, hash FROM head").fetchone()
        return (0, GENESIS) if row is None else (row[0], row[1])

    def _chained(self, entries: Sequence[Entry]) -> list[_Linked]:
        """The rows to insert: each with the hash of the one before it and its own."""
        seq, previous = self.seq, self.head
        mode, account = self._target.mode, self._target.account
        rows = []
        for record, data in entries:
            seq += 1
            if record.seq != seq:
                raise JournalGap(f"event {record.seq} cannot follow event {seq - 1}")
            row = Row(seq, record.time, mode, account, record.type, data)
            own = link(previous, row)
            rows.append(_Linked(row, previous, own))
            previous = own
        return rows

    def _project(
        self, entries: Sequence[Entry], projecting: Callable[[Target, Iterable[Record]], None]
    ) -> None:
        try:
            projecting(self._target, (record for record, _ in entries))
        except Exception as error:  # whatever a rule can raise; `commit` tries again with care
            if is_content_error(error):
                raise _UnprojectableError from error
            raise

    def _transact(
        self,
        entries: Sequence[Entry],
        rows: Sequence[_Linked],
        projecting: Callable[[Target, Iterable[Record]], None],
    ) -> None:
        run = self._connection.execute
        run("BEGIN IMMEDIATE")
        try:
            bulk.insert(
                self._connection,
                "INSERT INTO events (seq, time, mode, account, type, data, prev_hash, hash)",
                [(*row, previous, own) for row, previous, own in rows],
            )
            self._project(entries, projecting)
            if rows:
                run(
                    "INSERT OR REPLACE INTO head VALUES (1, ?, ?)",
                    (rows[-1].row.seq, rows[-1].hash),
                )
            if self._before_commit is not None:
                self._before_commit()
            run("COMMIT")
        except BaseException:
            # SQLite ends the transaction by itself after some errors of the disk.
            if self._connection.in_transaction:
                self._connection.rollback()
            raise


def _one_by_one(to: Target, records: Iterable[Record]) -> None:
    for record in records:
        project_carefully(to, record)
