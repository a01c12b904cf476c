"""How late the loop is: the figure the banner shows and the budget bounds (G1)."""

from collections import deque
from collections.abc import Callable
from typing import Final

from engine.domain.instant import NS_PER_SECOND, Nanos

SECONDS: Final = 60.0
"""A lag that is older says nothing of how late the loop is now."""


class LagMeter:
    """Lateness of the newest timer calls, in milliseconds."""

    def __init__(self, monotonic: Callable[[], Nanos], kept: int = 600) -> None:
        """`monotonic` tells the time on a clock that nobody sets."""
        self._monotonic = monotonic
        self._late: deque[tuple[Nanos, float]] = deque(maxlen=kept)

    def add(self, seconds: float) -> None:
        """One timer came this much too late."""
        self._late.append((self._monotonic(), max(seconds, 0.0) * 1000))

    def quantile(self, share: float) -> float:
        """The lag that `share` of the calls of the last minute did not exceed; 0 without any."""
        since = self._monotonic() - round(SECONDS * NS_PER_SECOND)
        ordered = sorted(late for at, late in self._late if at >= since)
        if not ordered:
            return 0.0
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)]
