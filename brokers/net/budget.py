"""How many requests a venue lets us make, with a part that only what reduces risk may use (C-200).

Nothing waits here: a request for which there is no room is `Throttled`, was not sent, and says
after how long there is room again.

A venue may ask for a longer wait than the window over which it counts. Once that window has passed
without a request nothing is counted any more: what reduces risk goes on then, out of the part that
is kept, and all else waits as long as the venue asks. A ban is no limit, and keeps everything back.
"""

from collections.abc import Callable
from enum import Enum
from typing import Final
from urllib.parse import urlsplit

from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.ports import Banned, Throttled

RESERVED: Final = 0.2
"""The part of a budget that is kept for cancels, orders that only reduce, and their questions."""

ROUNDED: Final = 1e-6
"""What is missing of a request by no more than this is there: clocks count whole nanoseconds, and
whoever waited as long as was said would be told to wait for less than one."""


class Need(Enum):
    """What a request is for; its value is the part of what is kept that it leaves alone."""

    ADD = 1.0
    """What adds exposure, and what can wait."""
    LOOK = 0.5
    """What the account is compared by: a kill is proved by it, and what is unknown ends with it."""
    REDUCE = 0.0
    """Cancels, orders that only reduce, the questions about them, and what a connection asks: all
    of that waits for it."""

    @classmethod
    def of(cls, *, urgent: bool) -> "Need":
        """That of a request which reduces risk or asks about what does, or of any other."""
        return cls.REDUCE if urgent else cls.ADD


class Budget:
    """So many requests a period, filled up evenly; `monotonic` is the clock that it goes by."""

    def __init__(
        self,
        name: str,
        *,
        size: int,
        seconds: float,
        monotonic: Callable[[], Nanos],
        reserved: float = RESERVED,
    ) -> None:
        """`size` requests (or units of weight) in every `seconds`."""
        self._name = name
        self._size = float(size)
        self._rate = size / seconds
        self._window = seconds
        self._kept = size * reserved
        self._monotonic = monotonic
        self._left = float(size)
        self._at = monotonic()
        self._shut_until: Nanos = 0
        self._kept_shut_until: Nanos = 0
        """The same for what reduces risk, and for looks."""
        self._banned_until: Nanos = 0

    def take(self, cost: float = 1, *, need: Need = Need.ADD) -> None:
        """Use a part of the budget. Raises Throttled where there is no room for such a need, or the
        venue has said that we must wait."""
        self._fill()
        banned = (self._banned_until - self._at) / NS_PER_SECOND
        if banned > 0:
            raise Banned(f"{self._name} has banned us for a while", banned)
        until = self._shut_until if need is Need.ADD else self._kept_shut_until
        wait = (until - self._at) / NS_PER_SECOND
        if wait > 0:
            raise Throttled(f"{self._name} asked us to wait", wait)
        missing = cost + self._kept * need.value - self._left
        if missing > ROUNDED:
            used_up = f"the requests that {self._name} allows are used up"
            raise Throttled(used_up, missing / self._rate)
        self._left -= cost

    def told_left(self, left: float) -> None:
        """The venue has said how much is left: its count is the one that matters, where it is
        lower than ours."""
        self._fill()
        self._left = min(self._left, max(left, 0.0))

    def heed(self, error: Throttled, *, need: Need) -> Throttled:
        """Keep to the wait that the venue has asked for; the error as the request takes it that was
        refused, which may be tried again sooner unless it adds exposure or can wait."""
        self._fill()
        wait = error.retry_after
        if isinstance(error, Banned):
            self._banned_until = max(self._banned_until, self._after(wait))
            return error
        shorter = min(wait, self._window)
        self._shut_until = max(self._shut_until, self._after(wait))
        self._kept_shut_until = max(self._kept_shut_until, self._after(shorter))
        if need is not Need.ADD:
            error.retry_after = shorter
        return error

    def _after(self, seconds: float) -> Nanos:
        return self._at + round(seconds * NS_PER_SECOND)

    def _fill(self) -> None:
        now = self._monotonic()
        passed = max(now - self._at, 0) / NS_PER_SECOND
        self._left = min(self._left + passed * self._rate, self._size)
        self._at = now


def budget_of(known: dict[str, Budget], url: str, make: Callable[[], Budget]) -> Budget:
    """The budget of what the host of `url` counts by our address, whichever account asks.

    `known` are those of the accounts that are opened together, by host; it is made by the first
    that asks for it.
    """
    host = urlsplit(url).netloc.lower()
    if host not in known:
        known[host] = make()
    return known[host]
