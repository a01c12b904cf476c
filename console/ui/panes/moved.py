"""Rows that moved under the cursor: a key that trades may be meant for the one before."""

from typing import Final

from console.ui.widgets.live_table import LiveTable

SETTLE_SECONDS: Final = 1.5
"""How long after a move of the rows a key does not act on the row that came under the cursor."""


class Moved:
    """What a painting did to the row under a table's cursor, and when."""

    def __init__(self) -> None:
        self._row: str | None = None
        self._at = 0.0
        self._before: tuple[object, int | None] = (None, None)
        self._table: LiveTable | None = None
        self._hand = 0
        """How often a person had moved the cursor by then."""

    def begin(self, table: LiveTable) -> None:
        """To be called before the table is painted."""
        self._before = table.cursor_key, table.cursor_line

    def end(self, table: LiveTable, row: str | None, now: float) -> None:
        """To be called after it: `row` is what a key would act on, `now` is in seconds."""
        after = table.cursor_key, table.cursor_line
        if self._before[0] is not None and self._before != after and row is not None:
            self._row, self._at = row, now
            self._table, self._hand = table, table.hand_moves

    def take(self, row: str | None, now: float) -> bool:
        """True if that row came under the cursor just now, or moved with it, and nobody went there.

        Asked once: who was told so and asks again means the row that is named.
        """
        moved, self._row = self._row, None
        if self._table is not None and self._table.hand_moves != self._hand:
            return False
        return moved is not None and moved == row and now - self._at < SETTLE_SECONDS
