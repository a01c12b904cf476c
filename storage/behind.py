"""Values whose rows are still to be written, the newest of each identity (X-90)."""

from collections.abc import Hashable, Iterable
from typing import Final, NamedTuple

from engine.state.touched import Touched
from storage.rows import has_row, identity

MOST: Final = 1_024
"""With more than this waiting, rows are written although a commit may have to wait for them."""

LEAST_PAUSE: Final = 0.004
ROW_SECONDS: Final = 0.000_025
"""What one row takes to be written beside a busy loop, about."""


class PendingRows(NamedTuple):
    """Rows to write in one transaction: every row up to the event `until` is then there."""

    values: list[Touched]
    until: int


class RowsBehind:
    """What waits to be written. A value that is touched again while it waits is written once."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, Touched] = {}
        self._until = 0

    @property
    def done(self) -> bool:
        """Nothing waits, and the watermark says so."""
        return not self._until

    @property
    def pressing(self) -> bool:
        """So much waits that it is written at the next chance."""
        return len(self._waiting) > MOST

    @property
    def pause(self) -> float:
        """Seconds without a commit after which what waits is written: about as long as that takes.

        A commit that comes meanwhile waits, so that many rows are begun in a long pause only; in
        the gaps of a burst they would be written twice.
        """
        return max(LEAST_PAUSE, len(self._waiting) * ROW_SECONDS)

    def add(self, values: Iterable[Touched], until: int) -> None:
        """Take the values that the events up to `until` touched."""
        for touched in filter(has_row, values):
            self._waiting[identity(touched)] = touched
        self._until = until

    def take(self) -> PendingRows:
        """Everything that waits; it waits no more."""
        rows = PendingRows(list(self._waiting.values()), self._until)
        self._waiting, self._until = {}, 0
        return rows

    def back(self, rows: PendingRows) -> None:
        """Take back what could not be written; what was touched since counts more."""
        older = {identity(touched): touched for touched in rows.values}
        self._waiting = older | self._waiting
        self._until = self._until or rows.until
