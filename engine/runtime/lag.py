"""How late the loop is: the figure the banner shows and the budget bounds (G1)."""

from collections import deque


class LagMeter:
    """Lateness of the newest timer calls, in milliseconds."""

    def __init__(self, kept: int = 600) -> None:
        self._late: deque[float] = deque(maxlen=kept)

    def add(self, seconds: float) -> None:
        """One timer came this much too late."""
        self._late.append(max(seconds, 0.0) * 1000)

    def quantile(self, share: float) -> float:
        """The lag that `share` of the calls did not exceed; 0 before the first."""
        if not self._late:
            return 0.0
        ordered = sorted(self._late)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)]
