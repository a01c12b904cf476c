"""The timer: when the core is to look at the clock again."""

import asyncio
from collections.abc import Callable

from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.run import KillState, Level
from engine.ports import Cancellable, Clock
from engine.runtime.clock import SteadyTime
from engine.runtime.lag import LagMeter
from engine.state.book import Book
from engine.state.waiting import waiting_places

TICK_BUSY = 1.0
TICK_IDLE = 10.0
"""Seconds between two looks at the clock while something is open, and while nothing is."""

TICK_KILL = 0.25
"""Seconds between two looks at the clock while a kill works."""

SHORTEST: Nanos = 1_000_000
"""A tick comes no sooner than this after the one before."""


class Timer:
    """Calls `tick` when something is due, and notes in `lag` how late the call came.

    `calm` tells before which moment of `time` a tick leads to nothing unless something else comes
    in. Where time is not that of the machine, as in a replay, the beats before it are left out, and
    `rouse` brings the next one back: every tick that is made comes when it would have come anyway.
    The machine's own time keeps every beat, as their lateness is how late the loop is.
    """

    def __init__(
        self,
        book: Book,
        *,
        clock: Clock,
        time: SteadyTime,
        lag: LagMeter,
        tick: Callable[[], None],
        calm: Callable[[], Nanos],
        due: Callable[[], Nanos | None] = lambda: None,
    ) -> None:
        """`due`: when a tick must come for something that is not in `book`; None for never."""
        self._book = book
        self._clock = clock
        self._time = time
        self._lag = lag
        self._tick = tick
        self._calm = calm
        self._due = due
        self._at: Nanos = 0
        """When the next tick is planned, on the monotonic clock."""
        self._rings: asyncio.Future[None] | None = None
        """What `run` waits for: that the alarm rings, or that something is due before it."""
        self._alarm: Cancellable | None = None
        self._beat: Nanos = 0
        """Nanoseconds between two beats while some are left out, else 0."""
        self._rests_since: Nanos = 0
        """The beat before the first that is left out, on the monotonic clock."""

    def replan(self) -> None:
        """After the state has changed: ring sooner when something is due before the plan."""
        ahead = self._at - self._clock.monotonic()
        if ahead <= SHORTEST:
            return
        halt = self._book.data.halt
        shortest = TICK_KILL if halt is not None and halt.level is Level.KILL else TICK_BUSY
        if ahead <= shortest * NS_PER_SECOND:
            # Only what is due can come before such a plan: of the five steps of an order's life,
            # and of a thousand cancels, each asks this.
            at, due = self._time.now() + ahead, self._due_beside_orders()
            sooner = self._book.deadlines.is_before(at) or (due is not None and due < at)
        else:
            sooner = round(self._pause() * NS_PER_SECOND) < ahead
        if sooner:
            self._ring()

    def rouse(self) -> None:
        """After an input that ended the calm: the next beat may lead to something again."""
        if not self._beat:
            return
        now = self._clock.monotonic()
        # A beat of this very moment is not over: whatever comes in at a moment comes before it.
        beats = max((now - self._rests_since - 1) // self._beat, 0)
        at = self._after(self._rests_since + beats * self._beat, now)
        self._beat = 0
        self._set_alarm(at, now)

    def _set_alarm(self, at: Nanos, now: Nanos) -> None:
        """Ring at a moment of the monotonic clock instead of when it was planned."""
        if self._alarm is not None:
            self._alarm.cancel()
        self._at = at
        if at > now:
            self._alarm = self._clock.call_later((at - now) / NS_PER_SECOND, self._ring)
        else:
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
            now = self._clock.monotonic()
            self._set_alarm(self._next(now), now)
            await self._rings
            rested, self._beat = self._beat > 0, 0
            if rested:
                continue  # calm is not over yet: nothing could be found
            late = self._clock.monotonic() - self._at
            if late < 0:
                continue
            self._lag.add(late / NS_PER_SECOND)
            self._tick()

    def _next(self, now: Nanos) -> Nanos:
        """When the next tick comes, on the monotonic clock.

        In calm that is its last beat: no tick is made then, the next is planned there.
        """
        pause = round(self._pause() * NS_PER_SECOND)
        calm = 0 if self._clock.is_real else self._calm() - self._time.now()
        if calm <= 2 * pause:
            return now + pause
        self._beat, self._rests_since = pause, now
        return now + (calm - 1) // pause * pause

    def _after(self, beat: Nanos, now: Nanos) -> Nanos:
        """When the tick after a beat comes: with the next beat, or when something is due."""
        due = self._earliest()
        if due is None:
            return beat + self._beat
        return beat + min(self._beat, max(now + due - self._time.now() - beat, SHORTEST))

    def _pause(self) -> float:
        """Seconds until the next tick."""
        pause = TICK_IDLE
        for account in self._book.accounts:
            kill = account.kill
            if kill is not None or account.snapshot_asked or not account.compared:
                pause = min(pause, TICK_BUSY)
            if account.exposed or account.is_polled:
                pause = min(pause, TICK_BUSY)
            if kill is not None and kill.state == KillState.WORKING:
                pause = min(pause, TICK_KILL)
        if waiting_places(self._book) or self._has_opened():
            pause = min(pause, TICK_BUSY)
        due = self._until_due()
        return pause if due is None else min(pause, due / NS_PER_SECOND)

    def _until_due(self) -> Nanos | None:
        """How long until something must be done at its time, a millisecond at the least."""
        due = self._earliest()
        return None if due is None else max(due - self._time.now(), SHORTEST)

    def _earliest(self) -> Nanos | None:
        """The next moment that something is due: about an order, or anything else."""
        due = (self._book.deadlines.next(), self._due_beside_orders())
        return min((at for at in due if at is not None), default=None)

    def _due_beside_orders(self) -> Nanos | None:
        """When a restriction ends, a market opens that a signal waits for, or something is due that
        is not in the book (U-50, X-43); None for never."""
        data, due = self._book.data, self._due()
        if not data.restrictions and not data.queued:
            return due
        now = self._time.now()
        moments = [until for _, until in data.ends_by_time()]
        moments += [opens for opens in data.queued.values() if opens > now]
        return min(moments if due is None else [*moments, due], default=None)

    def _has_opened(self) -> bool:
        """Whether a market has opened that a signal waited for: it now waits for a price (X-43)."""
        queued = self._book.data.queued
        return bool(queued) and min(queued.values()) <= self._time.now()
