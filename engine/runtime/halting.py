"""Halts, as far as they are carried: the gate they shut, the latch file that keeps them (C-503)."""

import asyncio
from collections.abc import Awaitable, Callable

from engine.domain import events as ev
from engine.domain.inputs import Input, LatchFound
from engine.domain.run import Halt
from engine.ports import Latch, LatchError
from engine.runtime.latch_keeper import LatchKeeper, not_kept
from engine.runtime.send_gate import Cause, SendGate
from engine.runtime.tasks import Tasks
from engine.state.book import Book


class Halting:
    """Shuts the gate and sets the latch with a halt, and opens and clears them with its clearing.

    `halted` and `cleared` are effects: they are called with an event and what resolves once that
    event is durable. `step` hands an input to the core; `tasks` runs what waits for the disk.
    """

    def __init__(
        self,
        latch: Latch,
        book: Book,
        *,
        gate: SendGate,
        tasks: Tasks,
        step: Callable[[Input], object],
    ) -> None:
        self._latch = latch
        self._book = book
        self._gate = gate
        self._tasks = tasks
        self._step = step
        self._keeper = LatchKeeper(latch)
        self._uncleared: int | None = None
        """Epoch of a clearing that could not be made durable."""
        self._clearings: set[asyncio.Future[None]] = set()
        """One for each clearing under way, done once that has ended."""
        self.asked = 0
        """How often a halt was asked for, also where one stood that went as far."""

    # --- at the start -----------------------------------------------------------------------------

    def found_at_start(self) -> Halt | None:
        """The halt of the latch file; the gate is shut where it, or the book, has one."""
        latch = self._latch.read()
        if latch is not None or self._book.data.halt is not None:
            self._gate.close("halted")
        return latch

    def complete(self, latch: Halt | None) -> None:
        """Give a file that had no room for the details of the halt that stands these details, so
        that a resume knows it for ours; `latch` is what the file said."""
        halt = self._book.data.halt
        if halt is not None and (latch is None or latch.epoch < halt.epoch):
            try:
                self._latch.set(halt)
            except LatchError as error:
                self._step(not_kept(error))

    # --- asked for in a thread, or by a file ------------------------------------------------------

    def found(self, halt: Halt) -> None:
        """The latch was set from a thread or a file; the gate is closed already.

        The file then gets the halt that stands, so that a resume knows it for its own.
        """
        self._step(LatchFound(halt))
        if self._book.data.halt is not None:
            self._tasks.spawn(self._set_latch(self._book.data.halt))

    @property
    def newest(self) -> tuple[int, int, int]:
        """Is another one as soon as another halt was asked for, wherever that was."""
        return self.asked, self._book.data.epoch, self._gate.newest

    @property
    def standing(self) -> str:
        """What halt stands, or is asked for and keeps entries back, and why; "" without one."""
        halt = self._book.data.halt
        if halt is not None:
            return f"{halt.level} by {halt.by}: {halt.reason}"
        return self._gate.reason if self._gate.halted else ""

    async def not_ours(self) -> Halt | None:
        """The halt that would still stand in the file once the one that stands is cleared."""
        halt = self._book.data.halt
        return None if halt is None else await self._keeper.kept(halt)

    # --- effects ----------------------------------------------------------------------------------

    def halted(self, event: ev.Halted, durable: Awaitable[None]) -> None:
        """Shut the gate and set the latch; neither waits until the halt is durable."""
        self._gate.close(event.halt.reason)
        self._tasks.spawn(self._set_latch(event.halt))

    def cleared(self, event: ev.HaltCleared, durable: Awaitable[None]) -> None:
        """Clear the latch and open the gate, once the clearing is durable."""
        self._clear(event.epoch, durable)

    async def cleared_within(self, seconds: float | None = None) -> bool:
        """Wait until no clearing is under way, at most so many seconds; None is no bound.

        True once none is: the gate is then open, or shut for a reason that stands (C-503). What was
        taken after a resume was decided waits for this, so that the halt that is being cleared does
        not refuse it (X-81, C-430).
        """
        if self._clearings:
            await asyncio.wait(self._clearings, timeout=seconds)
        return not self._clearings

    @property
    def owes_clearing(self) -> bool:
        """True while a clearing waits for a journal that can be written again."""
        return self._uncleared is not None

    def clear_again(self, durable: Awaitable[None]) -> None:
        """The journal can be written again: clear what could not be, once `durable` resolves."""
        if self._uncleared is not None:
            self._clear(self._uncleared, durable)
            self._uncleared = None

    def _clear(self, epoch: int, durable: Awaitable[None]) -> None:
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._clearings.add(ended)
        self._tasks.spawn(self._clear_and_tell(epoch, durable, ended))

    async def _clear_and_tell(
        self, epoch: int, durable: Awaitable[None], ended: asyncio.Future[None]
    ) -> None:
        try:
            await self._clear_latch(epoch, durable)
        finally:
            self._clearings.discard(ended)
            ended.set_result(None)

    async def _set_latch(self, halt: Halt) -> None:
        trouble = await self._keeper.set(halt)
        if trouble is not None:
            self._step(trouble)

    async def _clear_latch(self, epoch: int, durable: Awaitable[None]) -> None:
        """Only once the clearing is durable, so that a crash in between leaves it halted.

        A latch that someone else set meanwhile is not the one that was cleared: it halts anew.
        """
        try:
            await durable
        except Exception:  # the journal's watch says so; the tick after its recovery comes back
            self._uncleared = epoch
            return
        trouble, standing = await self._keeper.clear(epoch)
        if trouble is not None:
            self._step(trouble)
        if standing is not None:
            self._step(LatchFound(standing))
        elif self._book.data.halt is None:
            self._gate.open(Cause.HALT)
