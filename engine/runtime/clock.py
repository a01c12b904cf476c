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

from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.ports import Cancellable, Clock

_ELAPSED = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Of the clocks that nobody can set, the one that goes on while the machine is suspended."""


class SystemClock:
    """The machine's own clocks."""

    is_real = True

    def now(self) -> Nanos:
        return time.time_ns()

    def monotonic(self) -> Nanos:
        return time.clock_gettime_ns(_ELAPSED)

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


STEP: Nanos = NS_PER_SECOND
"""A wall that moves by more than this against the time that passed has been set."""

SURE_AFTER: Nanos = 5 * NS_PER_SECOND
SURE_BY: Nanos = 600 * NS_PER_SECOND
STEP_PER_SURENESS = 60
"""A wall that was set is believed after a sixtieth of the step, within these two bounds: after
eight minutes where it was eight hours, for all that goes by sessions would be wrong by so much."""


class SteadyTime:
    """Wall time that never runs backward, and follows a wall that was set only once that is sure.

    Until then it goes on as the monotonic clock does, which a suspended machine does not stop. A
    wall that was set forward is then followed at once. Where it was set back, time goes on at half
    speed until the wall has caught up, so that deadlines still come and no interval is negative
    (DESIGN rule 7, X-92, X-94).
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._at = self._wall = clock.now()
        self._since = clock.monotonic()
        self._ahead: Nanos = 0
        """How far the believed wall was set back and is still behind; 0 where it was not."""
        self._set_by: Nanos = 0
        """By how much the wall was set, as long as that is not believed; 0 where it was not."""
        self._set_at: Nanos = 0
        """When that was seen first, on the monotonic clock."""

    def not_before(self, at: Nanos) -> None:
        """Begin no earlier than at this time, as what was recorded before: a wall that is behind is
        waited for at half speed."""
        self.now()
        if at > self._at:
            self._at, self._ahead = at, self._ahead + at - self._at

    @property
    def set_by(self) -> Nanos:
        """By how much the wall was set and is not followed yet; 0 where it was not."""
        return self._set_by

    def now(self) -> Nanos:
        """UTC nanoseconds, at or after every answer before."""
        wall, monotonic = self._clock.now(), self._clock.monotonic()
        if monotonic == self._since and wall == self._wall:
            return self._at  # virtual time stands still from one callback to the next
        self._wall = wall
        elapsed = monotonic - self._since
        believed = self._at - self._ahead + elapsed
        """What the wall would say had nobody set it."""
        if wall == believed and not self._ahead and not self._set_by:
            self._at, self._since = wall, monotonic
            return wall
        step = wall - believed
        if abs(step) > STEP and not self._is_sure(step, monotonic):
            return self._advance(self._at - self._ahead + elapsed, elapsed, monotonic)
        self._set_by = 0
        return self._advance(wall, elapsed, monotonic)

    def _advance(self, wall: Nanos, elapsed: Nanos, monotonic: Nanos) -> Nanos:
        """The time at a wall that is believed: that of the wall, or half as fast until it is."""
        self._at, self._since = max(wall, self._at + (elapsed + 1) // 2), monotonic
        self._ahead = self._at - wall
        return self._at

    def _is_sure(self, step: Nanos, monotonic: Nanos) -> bool:
        """Whether the wall has stood so far off for long enough."""
        if not self._set_by or abs(step - self._set_by) > STEP:
            self._set_by, self._set_at = step, monotonic
        wanted = min(max(abs(step) // STEP_PER_SURENESS, SURE_AFTER), SURE_BY)
        return monotonic - self._set_at >= wanted


class SteadyClock:
    """A clock whose wall time never runs backward, shared by market, venue and engine of a process.

    A market that is made here would otherwise stand still until the wall has caught up.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.time = SteadyTime(clock)

    @property
    def is_real(self) -> bool:
        return self._clock.is_real

    def now(self) -> Nanos:
        return self.time.now()

    def monotonic(self) -> Nanos:
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Cancellable:
        return self._clock.call_later(seconds, callback)


def steady(clock: Clock) -> SteadyTime:
    """The steady time of a clock; that of a `SteadyClock` is the one which all share."""
    return clock.time if isinstance(clock, SteadyClock) else SteadyTime(clock)
