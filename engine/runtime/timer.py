"""The timer: when the core is to look at the clock again."""

import asyncio
from collections.abc import Callable

from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.ports import Clock
from engine.runtime.clock import SteadyTime
from engine.runtime.lag import LagMeter
from engine.state.book import Book

TICK_BUSY = 1.0
TICK_IDLE = 10.0
"""Seconds between two looks at the clock while something is open, and while nothing is."""

TICK_KILL = 0.25
"""Seconds between two looks at the clock while a kill works."""

SHORTEST: Nanos = 1_000_000
"""A tick comes no sooner than this after the one before."""


class Timer:
    """Calls `tick` when something is due, and notes in `lag` how late the call came."""

    def __init__(
        self,
        book: Book,
        *,
        clock: Clock,
        time: SteadyTime,
        lag: LagMeter,
        tick: Callable[[], None],
    ) -> None:
        self._book = book
        self._clock = clock
        self._time = time
        self._lag = lag
        self._tick = tick
        self._at: Nanos = 0
        """When the next tick is planned, on the monotonic clock."""
        self._rings: asyncio.Future[None] | None = None
        """What `run` waits for: that the alarm rings, or that something is due before it."""

    def replan(self) -> None:
        """After the state has changed: ring sooner when something is due before the plan."""
        ahead = self._at - self._clock.monotonic()
        if ahead <= 0:
            return
        if ahead <= TICK_BUSY * NS_PER_SECOND and self._book.data.halt is None:
            # The plan is a busy one, and only an order's deadline can come before it: of the five
            # steps of an order's life each asks this.
            sooner = self._until_due()
        else:
            sooner = round(self._pause() * NS_PER_SECOND)
        if sooner is not None and sooner < ahead:
            self._ring()

    def _ring(self) -> None:
        if self._rings is not None and not self._rings.done():
            self._rings.set_result(None)

    def overdue(self) -> Nanos:
        """How long the next tick has been due and could not run; 0 while it is not due."""
        return max(self._clock.monotonic() - self._at, 0) if self._at else 0

    async def run(self) -> None:
        """Tick for ever."""
        loop = asyncio.get_running_loop()
        while True:
            self._rings = loop.create_future()
            pause = self._pause()
            self._at = self._clock.monotonic() + round(pause * NS_PER_SECOND)
            alarm = self._clock.call_later(pause, self._ring)
            await self._rings
            alarm.cancel()
            late = self._clock.monotonic() - self._at
            if late < 0:
                continue
            self._lag.add(late / NS_PER_SECOND)
            self._tick()

    def _pause(self) -> float:
        """Seconds until the next tick."""
        pause = TICK_IDLE
        for account in self._book.accounts:
            kill = account.kill
            if kill is not None or account.snapshot_asked or not account.compared:
                pause = min(pause, TICK_BUSY)
            if account.exposed:
                pause = min(pause, TICK_BUSY)
            if kill is not None and kill.state == "WORKING":
                pause = min(pause, TICK_KILL)
        if self._book.waiting_places():
            pause = min(pause, TICK_BUSY)
        due = self._until_due()
        return pause if due is None else min(pause, due / NS_PER_SECOND)

    def _until_due(self) -> Nanos | None:
        """How long until something must be done about an order, a millisecond at the least."""
        due = self._book.next_due()
        return None if due is None else max(due - self._time.now(), SHORTEST)
