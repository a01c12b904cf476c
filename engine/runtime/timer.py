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
        self._rings = asyncio.Event()

    def replan(self) -> None:
        """After the state has changed: ring sooner when something is due before the plan."""
        if self._clock.monotonic() + round(self._pause() * NS_PER_SECOND) < self._at:
            self._rings.set()

    def overdue(self) -> Nanos:
        """How long the next tick has been due and could not run; 0 while it is not due."""
        return max(self._clock.monotonic() - self._at, 0) if self._at else 0

    async def run(self) -> None:
        """Tick for ever."""
        while True:
            pause = self._pause()
            self._at = self._clock.monotonic() + round(pause * NS_PER_SECOND)
            alarm = self._clock.call_later(pause, self._rings.set)
            await self._rings.wait()
            self._rings.clear()
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
        due = self._book.next_due()
        if due is not None:
            pause = min(pause, max((due - self._time.now()) / NS_PER_SECOND, 0.001))
        return pause
