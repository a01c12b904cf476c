"""The journal as the loop sees it: what is appended is watched until it is durable (U-70).

A write that fails shuts the gate at once and is told to the core; the timer then asks for it to be
tried again.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from enum import Enum
from itertools import chain
from typing import Final

from engine.core.driver import Step
from engine.domain.inputs import Input, JournalFailed, JournalRecovered, Trouble
from engine.ports import EventStore, Settled
from engine.runtime.send_gate import Cause, SendGate
from engine.runtime.tasks import Tasks
from engine.state.book import Book

SNAPSHOT_EVERY = 20_000
"""Events between two snapshots of the state."""


DURABLE_SECONDS: Final = 5
"""So long the answer to a command waits for its events to be durable."""

REDUCING_WAITS: Final = 0.25
"""So long an order that reduces waits for its intent to be durable, in seconds."""


class Written(Enum):
    """What became of an append."""

    DONE = "done"
    LATE = "late"
    """Neither durable nor failed within the time."""
    FAILED = "failed"
    """It could not be written: what waits for it is not done."""


async def _is_written(durable: Awaitable[None]) -> Written:
    try:
        await durable
    except Exception:  # whatever the disk says, it is not written
        return Written.FAILED
    return Written.DONE


class JournalWatch:
    """Appends records, keeps snapshots of the book, and tells the core of failure and recovery.

    `step` hands an input to the core; `tasks` runs what waits for the disk.
    """

    def __init__(
        self,
        store: EventStore,
        book: Book,
        *,
        gate: SendGate,
        tasks: Tasks,
        step: Callable[[Input], object],
    ) -> None:
        self._store = store
        self._book = book
        self._gate = gate
        self._tasks = tasks
        self._step = step
        self._unwatched: deque[Awaitable[None]] = deque()
        self._watching = False
        self._since_snapshot = 0
        self._told = ""
        """The trouble beside the events that was told last."""
        self.is_down = False
        """True from a failed write until the journal writes again."""

    @property
    def last_commit_seconds(self) -> float:
        """How long the newest commit took."""
        return self._store.last_commit_seconds

    def append(self, step: Step) -> Awaitable[None]:
        """Hand a step to the journal; the awaitable resolves once its records are durable.

        It raises whatever kept them from being written.
        """
        touched = [*chain.from_iterable(step.touched)]
        durable = self._store.append(step.records, touched)
        self._since_snapshot += len(step.records)
        settled = isinstance(durable, Settled) and durable.error is None
        if not self.is_down and not settled:
            self._unwatched.append(durable)
            if not self._watching:
                self._watching = True
                self._tasks.spawn(self._watch())
        return durable

    async def written(
        self, durable: Awaitable[None], *, within: float = DURABLE_SECONDS
    ) -> Written:
        """Wait until what `append` returned this for is durable, at most so many seconds."""
        if isinstance(durable, Settled):
            return Written.DONE if durable.error is None else Written.FAILED
        waiter = asyncio.ensure_future(_is_written(durable))
        done, _ = await asyncio.wait({waiter}, timeout=within)
        return waiter.result() if done else Written.LATE

    def save(self, *, if_due: bool = False) -> None:
        """Keep a snapshot of the book; `if_due`: only after enough events."""
        if if_due and self._since_snapshot < SNAPSHOT_EVERY:
            return
        self._since_snapshot = 0
        if not self.is_down:
            self._store.save_snapshot(self._book.data.seq, self._book.snapshot())

    def tell_trouble(self) -> None:
        """Raise an alarm about what failed beside the events, once for each way in which it did."""
        trouble = self._store.maintenance_trouble
        if trouble != self._told:
            self._told = trouble
            if not trouble:
                return
            self._step(Trouble(code="JOURNAL_MAINTENANCE", subject="journal", text=trouble))

    def try_again(self) -> bool:
        """After a failure: whether the journal writes again; nothing was skipped."""
        if not self._store.recover():
            return False
        self.is_down = False
        self._gate.open(Cause.JOURNAL)
        self._step(JournalRecovered())
        return True

    async def _watch(self) -> None:
        """Every append in turn: those of one commit are settled together, one task sees them."""
        try:
            while self._unwatched:
                try:
                    await self._unwatched.popleft()
                except Exception as error:  # whatever the disk says, the consequence is the same
                    self._failed(str(error))
        finally:
            self._watching = False

    def _failed(self, error: str) -> None:
        if not self.is_down:
            self.is_down = True
            self._gate.close("the journal cannot be written", Cause.JOURNAL)
            self._step(JournalFailed(error))
