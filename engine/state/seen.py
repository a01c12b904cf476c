"""Ids that were used once and never again, eight bytes each (X-66, rule 2)."""

from array import array
from base64 import b64decode, b64encode
from bisect import bisect_left

from engine.domain.ids import fingerprint

_FRESH = 4096


class SeenIds:
    """A set of ids that only grows.

    Fresh ones sit in a set, older ones in one sorted array, so that a million cost 8 MB. Two ids
    share a fingerprint once in 10^13 tries at a million: the second is taken as seen, which refuses
    a signal rather than taking it twice.
    """

    def __init__(self) -> None:
        self._fresh: set[int] = set()
        self._sorted: array[int] = array("Q")

    def add(self, text: str) -> None:
        """Remember `text`."""
        self._fresh.add(fingerprint(text))
        if len(self._fresh) >= _FRESH:
            self._sorted = array("Q", sorted([*self._sorted, *self._fresh]))
            self._fresh.clear()

    def __contains__(self, text: str) -> bool:
        key = fingerprint(text)
        if key in self._fresh:
            return True
        at = bisect_left(self._sorted, key)
        return at < len(self._sorted) and self._sorted[at] == key

    def __len__(self) -> int:
        return len(self._fresh) + len(self._sorted)

    def dump(self) -> str:
        """All of it as text, for a snapshot."""
        keys = array("Q", sorted([*self._sorted, *self._fresh]))
        return b64encode(keys.tobytes()).decode("ascii")

    @classmethod
    def load(cls, text: str) -> "SeenIds":
        """The set that `dump` wrote."""
        seen = cls()
        seen._sorted = array("Q", b64decode(text))
        return seen
