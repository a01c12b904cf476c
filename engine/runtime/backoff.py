"""How long to wait before a venue is connected to again (C-441, P-05)."""

from random import Random

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 4.0
"""In seconds: a venue that is back is found within 5 s (P-05), the spread included."""

SPREAD = 0.2
"""Of a pause, at random to either side, so that many do not come back at one instant."""


class Backoff:
    """The pauses before one attempt after the other: none, then 0.5·2^k s up to 4 s.

    `random` spreads them; without it they are exact.
    """

    def __init__(self, random: Random | None = None) -> None:
        self._random = random
        self._attempts = 0

    def pause(self) -> float:
        """Seconds to wait before the next attempt."""
        done, self._attempts = self._attempts, self._attempts + 1
        if not done:
            return 0.0
        # The tenth doubling is far above the longest pause, and a power without bound overflows.
        pause = min(FIRST_PAUSE * 2.0 ** min(done - 1, 10), LONGEST_PAUSE)
        if self._random is None:
            return pause
        return pause * self._random.uniform(1 - SPREAD, 1 + SPREAD)

    def reset(self) -> None:
        """The next attempt is a first one."""
        self._attempts = 0
