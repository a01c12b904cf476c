"""Whether more comes in than can be decided in time (X-89)."""

from typing import Final

from engine.domain.instant import NS_PER_MS, Nanos

BEGINS: Final[Nanos] = 250 * NS_PER_MS
"""A wait above this begins an overload."""

ENDS: Final[Nanos] = 50 * NS_PER_MS
"""A wait below this ends it."""


class Overload:
    """The newest wait, and whether entries are refused for it. It is no part of the state."""

    def __init__(self) -> None:
        self.waited: Nanos = 0
        """Age of the oldest input not yet decided, as the newest entry told it."""
        self.limit = BEGINS
        """What that wait was held against."""
        self.active = False

    def see(self, waited: Nanos) -> None:
        """Take the wait that an entry carries."""
        self.waited = waited
        self.limit = ENDS if self.active else BEGINS
        self.active = waited >= ENDS if self.active else waited > BEGINS
