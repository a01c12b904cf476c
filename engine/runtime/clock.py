"""The Clock port: the only way the engine learns the time, waits, or sets a timer (U-03).

`now` is wall time in UTC and may step when an operator or NTP sets the machine's clock;
`monotonic` never steps and is what intervals, ages and time-outs are measured with. Both are
nanoseconds. Delays are seconds of the clock's own time: a scaled clock shortens them.
"""

import asyncio
import math
import time
from collections.abc import Callable
from fractions import Fraction
from typing import Protocol

from engine.domain.instant import Nanos
from engine.ports import Cancellable, Clock


class SystemClock:
    """The machine's own clocks."""

    is_real = True

    def now(self) -> Nanos:
        return time.time_ns()

    def monotonic(self) -> Nanos:
        return time.monotonic_ns()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Cancellable:
        return asyncio.get_running_loop().call_later(seconds, callback)


class ScaledClock:
    """A clock that starts at `start` and runs `speed` times as fast as real time.

    It carries a recorded market through the console: wall time and intervals are both those of
    the recording. Raises ValueError for a speed that is not a positive finite number. `real` is
    a monotonic source in nanoseconds.
    """

    is_real = False

    def __init__(
        self, start: Nanos, speed: float, real: Callable[[], Nanos] = time.monotonic_ns
    ) -> None:
        if not (math.isfinite(speed) and speed > 0):
            raise ValueError(f"speed {speed} of a clock must be a finite number above 0")
        self._start = start
        self._speed = speed
        # A ratio of integers keeps the product exact, so that time never runs backwards.
        self._ratio = Fraction(speed)
        self._real = real
        self._origin = real()

    @property
    def speed(self) -> float:
        return self._speed

    def now(self) -> Nanos:
        return self._start + self.monotonic()

    def monotonic(self) -> Nanos:
        elapsed = self._real() - self._origin
        return elapsed * self._ratio.numerator // self._ratio.denominator

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._speed)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Cancellable:
        return asyncio.get_running_loop().call_later(seconds / self._speed, callback)


class VirtualTime(Protocol):
    """A loop that keeps time of its own (`engine.runtime.virtual_time.VirtualLoop`)."""

    @property
    def elapsed(self) -> Nanos: ...

    def call_later(self, delay: float, callback: Callable[[], None], /) -> Cancellable: ...


class VirtualClock:
    """The clock of a virtual-time loop: it stands still until everybody waits, then jumps."""

    is_real = False

    def __init__(self, loop: VirtualTime, start: Nanos) -> None:
        self._loop = loop
        self._start = start

    def now(self) -> Nanos:
        return self._start + self._loop.elapsed

    def monotonic(self) -> Nanos:
        return self._loop.elapsed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Cancellable:
        return self._loop.call_later(seconds, callback)


class SteadyTime:
    """Wall time that never runs backward (DESIGN rule 7).

    It follows the wall forward at once, as after a suspend. Where the wall steps back it goes on at
    half speed until the wall has caught up, so that deadlines still come and no interval is
    negative.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._at = clock.now()
        self._since = clock.monotonic()

    def now(self) -> Nanos:
        """UTC nanoseconds, at or after every answer before."""
        wall = self._clock.now()
        elapsed = self._clock.monotonic() - self._since
        slow = self._at + elapsed // 2
        if wall >= slow:
            self._at, self._since = wall, self._since + elapsed
            return wall
        return slow


class SteadyClock:
    """A clock whose wall time never runs backward, shared by market, venue and engine of a process.

    A market that is made here would otherwise stand still until the wall has caught up.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._time = SteadyTime(clock)

    @property
    def is_real(self) -> bool:
        return self._clock.is_real

    def now(self) -> Nanos:
        return self._time.now()

    def monotonic(self) -> Nanos:
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Cancellable:
        return self._clock.call_later(seconds, callback)
