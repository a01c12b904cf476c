"""A journal in memory with a disk that can be slow or full; a crash keeps what was committed."""

import asyncio
import errno
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Any

from engine.domain import events as ev
from engine.domain.events import Record
from engine.domain.instant import Nanos
from engine.domain.run import Halt
from engine.domain.schema import decode, encode
from engine.ports import Settled
from storage import memory_database, open_journal
from tests.simulation.agenda import Agenda

Row = tuple[int, Nanos, str, bytes]


def change_key(client_order_id: str, quantity: Decimal) -> str:
    """A change of an order, as it is told apart from others."""
    return f"{client_order_id} to {quantity}"


def _adds(event: ev.Event) -> list[str]:
    """What may leave once this event is durable."""
    if isinstance(event, ev.OrderIntended):
        return [event.terms.client_order_id]
    if isinstance(event, ev.ReplaceRequested):
        return [change_key(event.client_order_id, event.quantity)]
    return []


class DiskFull(Exception):  # noqa: N818 - named for what is wrong
    """No space is left."""


class Disk:
    """What outlives a process: committed rows, the newest snapshot, the latch's file."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.intents: set[str] = set()
        """Orders whose intent is durable, and changes of them."""
        self.snapshot: tuple[int, bytes] | None = None
        self.latch: Halt | None = None
        self.full = False
        self.database: sqlite3.Connection | None = None
        """Where the product's own journal is kept, in runs that use it."""

    @property
    def seq(self) -> int:
        """The newest event that is durable."""
        return self.rows[-1][0] if self.rows else 0

    def write(self, rows: Sequence[Row], intents: Sequence[str]) -> None:
        """One transaction. Raises DiskFull, and then nothing was written."""
        if self.full:
            raise DiskFull("no space is left on the device")
        self.rows.extend(rows)
        self.intents.update(intents)

    def records(self, after: int) -> list[Record]:
        """What a start folds."""
        return [
            Record(seq, time, decode(name, data)) for seq, time, name, data in self.rows[after:]
        ]


class MemoryStore:
    """The event store of one process. `delay` says how long the next commit takes, in seconds.

    Appends that wait for the same commit become durable together; a failure fails everybody who
    waits and everybody after, until `recover`.
    """

    def __init__(self, disk: Disk, agenda: Agenda, delay: Callable[[], float]) -> None:
        self._disk = disk
        self._agenda = agenda
        self._delay = delay
        self._last_seq = disk.seq
        self._waiting: list[tuple[list[Row], list[str], asyncio.Future[None] | None]] = []
        self._committing = False
        self._failure: Exception | None = None
        self._backlog: list[tuple[list[Row], list[str]]] = []
        self.on_row: Callable[[Row], None] | None = None

    def append(self, records: Sequence[Record], touched: Sequence[Any] = ()) -> Awaitable[None]:
        """As the port says."""
        rows: list[Row] = []
        intents: list[str] = []
        for record in records:
            if record.seq != self._last_seq + 1:
                raise AssertionError(f"event {record.seq} cannot follow event {self._last_seq}")
            self._last_seq = record.seq
            event = record.event
            row = (record.seq, record.time, type(event).__name__, encode(event))
            rows.append(row)
            intents += _adds(event)
            if self.on_row is not None:
                self.on_row(row)
        if self._failure is not None:
            self._backlog.append((rows, intents))
            return Settled(self._failure)
        if not self._committing:
            delay = self._delay()
            if not delay:
                return Settled(self._write(rows, intents))
            self._committing = True
            self._agenda.after(delay, self._commit)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((rows, intents, future))
        return future

    def recover(self) -> bool:
        """Write what a failure kept from being written."""
        if self._failure is None:
            return True
        if self._disk.full:
            return False
        for rows, intents in self._backlog:
            self._disk.write(rows, intents)
        self._backlog.clear()
        self._failure = None
        return True

    @property
    def last_seq(self) -> int:
        """The newest record handed in."""
        return self._last_seq

    @property
    def last_commit_seconds(self) -> float:
        """Not measured here."""
        return 0.0

    @property
    def maintenance_trouble(self) -> str:
        """Nothing is kept beside the events here."""
        return ""

    def save_snapshot(self, seq: int, state: bytes) -> None:
        """Kept if its event is durable."""
        if seq <= self._disk.seq and not self._disk.full:
            self._disk.snapshot = (seq, state)

    def load(self) -> tuple[bytes | None, list[Record]]:
        """The newest snapshot, and what came after it."""
        if self._disk.snapshot is None:
            return None, self._disk.records(0)
        seq, state = self._disk.snapshot
        return state, self._disk.records(seq)

    def die(self) -> None:
        """The process is gone: what waits for a commit never gets one."""
        self._waiting.clear()
        self._backlog.clear()
        self._failure = DiskFull("the process is gone")

    def _write(self, rows: list[Row], intents: list[str]) -> Exception | None:
        try:
            self._disk.write(rows, intents)
        except DiskFull as error:
            self._failure = error
            self._backlog.append((rows, intents))
        return self._failure

    def _commit(self) -> None:
        self._committing = False
        waiting, self._waiting = self._waiting, []
        for rows, intents, future in waiting:
            error = self._failure
            if error is None:
                error = self._write(rows, intents)
            else:
                self._backlog.append((rows, intents))
            if future is None or future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)


class RealStore:
    """The product's own journal in memory; its hooks fill the disk and mark what is durable.

    `crash` ends the process at the next step of the loop: asked around each commit, it makes a
    crash on either side of it.
    """

    def __init__(self, disk: Disk, crash: Callable[[], bool]) -> None:
        self._disk = disk
        self._crash = crash
        self._rows: list[Row] = []
        self._intents: list[str] = []
        self.on_row: Callable[[Row], None] | None = None
        if disk.database is None:
            disk.database = memory_database()
        self.journal = open_journal(
            disk.database, inline=True, before_commit=self._before, after_commit=self._after
        )

    def append(self, records: Sequence[Record], touched: Sequence[Any] = ()) -> Awaitable[None]:
        """As the port says."""
        for record in records:
            event = record.event
            row = (record.seq, record.time, type(event).__name__, encode(event))
            self._rows.append(row)
            self._intents += _adds(event)
            if self.on_row is not None:
                self.on_row(row)
        return self.journal.append(records, touched)

    def recover(self) -> bool:
        """As the port says."""
        return self.journal.recover()

    @property
    def last_seq(self) -> int:
        """The newest record handed in."""
        return self.journal.last_seq

    @property
    def last_commit_seconds(self) -> float:
        """Not measured here."""
        return 0.0

    @property
    def maintenance_trouble(self) -> str:
        """As the port says."""
        return self.journal.maintenance_trouble

    def save_snapshot(self, seq: int, state: bytes) -> None:
        """As the port says."""
        self.journal.save_snapshot(seq, state)

    def load(self) -> tuple[bytes | None, list[Record]]:
        """The newest snapshot, and what came after it."""
        loaded = self.journal.load()
        return loaded.snapshot, list(loaded.records)

    def die(self) -> None:
        """The process is gone, and what it had not committed."""
        self.journal.close()

    def _before(self) -> None:
        if self._disk.full or self._crash():
            raise OSError(errno.ENOSPC, "no space is left on the device")

    def _after(self) -> None:
        # Inline, so that everything handed in is in this transaction or in one before it.
        rows, self._rows = self._rows, []
        intents, self._intents = self._intents, []
        self._disk.rows.extend(rows)
        self._disk.intents.update(intents)
        self._crash()


class FileLatch:
    """The latch as a file: it outlives the process, a full disk too."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def set(self, halt: Halt) -> None:
        """Write it."""
        self._disk.latch = halt

    def read(self) -> Halt | None:
        """What stands there."""
        return self._disk.latch

    def clear(self, epoch: int) -> None:
        """Remove the halt of this epoch or an earlier one."""
        if self._disk.latch is not None and 0 < self._disk.latch.epoch <= epoch:
            self._disk.latch = None
