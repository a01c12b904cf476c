"""How soon a venue is looked at again that asked to wait (C-403, X-52).

A look takes several of the requests that a venue allows in a minute. After it has said that these
are too many, looks wait for as long as it asks, and from then on leave room between them for what
closes and cancels: nothing of that waits for a look, nor here.
"""

from typing import Final

from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.ports import BrokerError, Clock, Throttled

FIRST_GAP: Final[Nanos] = NS_PER_SECOND
LONGEST_GAP: Final[Nanos] = 4 * NS_PER_SECOND
"""Between two looks once the venue has asked to wait, and at most. It is shorter than the time
after which a venue counts as one that cannot be looked at (`engine.plans.kill`)."""

CALM: Final[Nanos] = 60 * NS_PER_SECOND
"""The gap becomes half as long after each such time in which the venue did not ask to wait."""


class Pace:
    """When the next look at one venue may begin; all times are of the monotonic `clock`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._gap: Nanos = 0
        """Between two looks; 0 where the venue asked for no wait lately."""
        self._eased_at: Nanos = 0
        """From when on the time is counted after which the gap becomes shorter."""
        self._barred_until: Nanos = 0
        """Until when the venue wants to be asked nothing."""
        self._next_at: Nanos = 0
        """Before this no look begins."""

    def heard(self, error: BrokerError) -> None:
        """A request of whatever kind was refused: one that was asked to wait puts off the looks.

        What is refused while the venue is waited for anyway is no news.
        """
        if not isinstance(error, Throttled):
            return
        now = self._clock.monotonic()
        if now >= self._barred_until:
            self._ease(now)
            self._gap = min(2 * self._gap, LONGEST_GAP) if self._gap else FIRST_GAP
        until = now + round(error.retry_after * NS_PER_SECOND)
        self._barred_until = self._eased_at = max(self._barred_until, until)
        # What closes and cancels is tried again by then, and goes before the looks.
        self._next_at = max(self._next_at, self._barred_until + self._gap)

    def wait(self) -> float:
        """How long a look has still to wait, in seconds; 0 where it may begin."""
        return max(self._next_at - self._clock.monotonic(), 0) / NS_PER_SECOND

    def began(self) -> None:
        """A look begins; the next one leaves the gap."""
        now = self._clock.monotonic()
        self._ease(now)
        self._next_at = now + self._gap

    def _ease(self, now: Nanos) -> None:
        while self._gap and now - self._eased_at >= CALM:
            self._gap = self._gap // 2 if self._gap > FIRST_GAP else 0
            self._eased_at += CALM
