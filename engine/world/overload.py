"""Whether more comes in than can be decided in time (X-89)."""

from typing import Final

from engine.domain.instant import NS_PER_MS, NS_PER_SECOND, Nanos

BEGINS: Final[Nanos] = 250 * NS_PER_MS
"""A wait above this begins an overload."""

ENDS: Final[Nanos] = 50 * NS_PER_MS
"""A wait below this ends it."""

HOLDS: Final[Nanos] = NS_PER_SECOND
"""What an input told of its wait holds for less than this: in a flood the next one comes sooner."""


class Overload:
    """The newest wait, and whether entries are refused for it. It is no part of the state."""

    def __init__(self) -> None:
        self._waited: Nanos = 0
        self._active = False
        self._seen_at: Nanos = 0
        self.limit = BEGINS
        """What the newest wait was held against."""

    def see(self, waited: Nanos, now: Nanos) -> None:
        """Take the wait that an input carries which may add exposure."""
        active = self.is_active(now)
        self.limit = ENDS if active else BEGINS
        self._waited, self._seen_at = waited, now
        self._active = waited >= ENDS if active else waited > BEGINS

    def waited(self, now: Nanos) -> Nanos:
        """Age of the oldest input not yet decided, as the newest told it; 0 once that is past."""
        return self._waited if now - self._seen_at < HOLDS else 0

    def is_active(self, now: Nanos) -> bool:
        """Whether entries are refused."""
        return self._active and now - self._seen_at < HOLDS
