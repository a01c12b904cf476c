"""What is still to happen outside of the engine; it outlives the process that the engine is."""

import asyncio
import heapq
from collections.abc import Callable

from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.runtime.clock import VirtualClock
from engine.runtime.virtual_time import VirtualLoop

Act = Callable[[], None]


class Agenda:
    """Acts of the venue, the market and the operator by time, equal times in order of entry.

    A crash takes the loop and everything in it; the agenda goes on in the next one.
    """

    def __init__(self, start: Nanos) -> None:
        self._acts: list[tuple[Nanos, int, Act]] = []
        self._entered = 0
        self._loop: VirtualLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._set_for: Nanos = 0
        """When the timer rings; 0 while none is set."""
        self._start = start
        """When the loop began, or the first one will."""

    @property
    def now(self) -> Nanos:
        """Time as everybody sees it."""
        return self._start + (0 if self._loop is None else self._loop.elapsed)

    def attach(self, loop: VirtualLoop, clock: VirtualClock) -> None:
        """Go on in this loop."""
        self._start = clock.now() - loop.elapsed
        self._loop, self._timer, self._set_for = loop, None, 0
        self._set()

    def after(self, seconds: float, act: Act) -> None:
        """Do it this long from now."""
        self.at(self.now + round(seconds * NS_PER_SECOND), act)

    def at(self, when: Nanos, act: Act) -> None:
        """Do it at this time, at once if it is past."""
        self._entered += 1
        heapq.heappush(self._acts, (when, self._entered, act))
        if not self._set_for or when < self._set_for:
            self._set()

    def _set(self) -> None:
        """Ring for the nearest act; a timer that it has overtaken rings no more."""
        if self._loop is None or not self._acts:
            self._set_for = 0
            return
        if self._timer is not None:
            self._timer.cancel()
        self._set_for = self._acts[0][0]
        delay = (self._set_for - self.now) / NS_PER_SECOND
        self._timer = self._loop.call_later(max(delay, 0), self._run)

    def _run(self) -> None:
        now = self.now
        self._timer, self._set_for = None, now  # what the acts enter is set for at their end
        while self._acts and self._acts[0][0] <= now:
            heapq.heappop(self._acts)[2]()
        self._set()
