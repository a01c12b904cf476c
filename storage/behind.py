"""Values whose rows are still to be written, the newest of each identity (X-90)."""

from collections.abc import Hashable, Iterable
from typing import Final, NamedTuple

from engine.state.touched import Touched
from storage.rows import identity

MOST: Final = 4_096
"""With more than this waiting, rows are written although a commit may have to wait for them."""

PIECE: Final = 256
"""Rows in one transaction, so that no commit waits long for one."""


class Piece(NamedTuple):
    """Rows to write together; with `until` above 0 every row up to that event is then there."""

    values: list[Touched]
    until: int


class RowsBehind:
    """What waits to be written. A value that is touched again while it waits is written once."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, Touched] = {}
        self._until = 0
        self._going: list[Touched] = []
        self._going_until = 0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._going)

    @property
    def done(self) -> bool:
        """Nothing waits, and the watermark says so."""
        return not self._until and not self._going_until

    @property
    def pressing(self) -> bool:
        """So much waits that it is written at the next chance."""
        return len(self) > MOST

    def add(self, values: Iterable[Touched], until: int) -> None:
        """Take the values that the events up to `until` touched."""
        for touched in values:
            self._waiting[identity(touched)] = touched
        self._until = until

    def piece(self) -> Piece:
        """The next rows to write; they wait no more."""
        if not self._going_until:
            self._going, self._waiting = list(self._waiting.values()), {}
            self._going_until, self._until = self._until, 0
        values, self._going = self._going[:PIECE], self._going[PIECE:]
        until = 0
        if not self._going:
            until, self._going_until = self._going_until, 0
        return Piece(values, until)

    def all(self) -> Piece:
        """Everything that waits, to be written together."""
        values = [*self._going, *self._waiting.values()]
        until = self._until or self._going_until
        self.clear()
        return Piece(values, until)

    def back(self, piece: Piece) -> None:
        """Take a piece back that could not be written; what was touched since counts more."""
        until = self._until or self._going_until or piece.until
        older = {identity(touched): touched for touched in [*piece.values, *self._going]}
        self._going, self._going_until = [], 0
        self._waiting = older | self._waiting
        self._until = until

    def clear(self) -> None:
        """Nothing waits any more."""
        self._waiting, self._going = {}, []
        self._until = self._going_until = 0
