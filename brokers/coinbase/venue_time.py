"""The venue's clock, by which tokens are dated: ours may be wrong, and may be set (fault 8)."""

from typing import Final

from engine.domain.instant import NS_PER_MS, Nanos
from engine.ports import Clock

SLOWLY: Final[Nanos] = 5 * NS_PER_MS
"""By so much at most one message puts the clock back: it may have waited to be read."""


class VenueTime:
    """Goes on by itself between what the venue tells of the time, on a clock that nobody sets."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead: Nanos = clock.now() - clock.monotonic()

    def now(self) -> Nanos:
        """The venue's time as far as it is known, nanoseconds UTC."""
        return self._clock.monotonic() + self._ahead

    def set(self, at: Nanos) -> None:
        """The venue has answered that it is `at` now."""
        self._ahead = at - self._clock.monotonic()

    def told(self, at: Nanos) -> None:
        """A message of the venue is of `at`: it was told then, and is heard now or somewhat
        later."""
        ahead = at - self._clock.monotonic()
        self._ahead = max(ahead, self._ahead - SLOWLY)
