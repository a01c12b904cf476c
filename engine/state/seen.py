"""Ids that were used once and never again, eight bytes each (X-66, rule 2)."""

from array import array
from base64 import b64decode, b64encode
from bisect import bisect_left

from engine.domain.ids import fingerprint

_SHELF_BITS = 52
"""Fingerprints that agree in all bits above these stand on one shelf: 4,096 shelves in all."""


class SeenIds:
    """A set of ids that only grows.

    Each stands in its place on one of 4,096 sorted shelves, so that a million cost 9 MB and one
    more never moves more than a few hundred. Two ids share a fingerprint once in 10^13 tries at a
    million: the second is taken as seen, which refuses a signal rather than taking it twice.
    """

    def __init__(self) -> None:
        self._shelves: dict[int, array[int]] = {}
        self._count = 0

    def add(self, text: str) -> bool:
        """Remember `text`; False where it was known."""
        key = fingerprint(text)
        shelf = self._shelves.get(key >> _SHELF_BITS)
        if shelf is None:
            self._shelves[key >> _SHELF_BITS] = array("Q", (key,))
            self._count += 1
            return True
        at = bisect_left(shelf, key)
        if at < len(shelf) and shelf[at] == key:
            return False
        shelf.insert(at, key)
        self._count += 1
        return True

    def __contains__(self, text: str) -> bool:
        key = fingerprint(text)
        shelf = self._shelves.get(key >> _SHELF_BITS)
        if shelf is None:
            return False
        at = bisect_left(shelf, key)
        return at < len(shelf) and shelf[at] == key

    def __len__(self) -> int:
        return self._count

    def dump(self) -> str:
        """All of it as text, for a snapshot."""
        keys = array("Q")
        for number in sorted(self._shelves):
            keys.extend(self._shelves[number])
        return b64encode(keys.tobytes()).decode("ascii")

    @classmethod
    def load(cls, text: str) -> "SeenIds":
        """The set that `dump` wrote."""
        seen = cls()
        keys = array("Q", b64decode(text))
        seen._count = len(keys)
        start = 0
        while start < len(keys):
            number = keys[start] >> _SHELF_BITS
            end = bisect_left(keys, (number + 1) << _SHELF_BITS, start)
            seen._shelves[number] = keys[start:end]
            start = end
        return seen
