"""The rows of a table as data: sorted, filtered, found by key; no widget in sight.

The view is a sorted list, so that a row is found, moved or removed by bisection however many there
are. Sorting anew and filtering look at every row once and happen only when a person asks.
"""

from bisect import bisect_left, insort
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import IntEnum
from typing import Literal, NamedTuple

from textual.strip import Strip

from engine.domain.text import clean_text

SortValue = Decimal | int | float | str | None
"""What a cell sorts by; None and NaN come last in either direction."""


class Tier(IntEnum):
    """The narrowest window a column appears in."""

    NARROW = 0
    NORMAL = 100
    WIDE = 160


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `width` cells, shown from `tier` on; `grow` takes what the others leave.

    A column with `most` is as wide as its longest cell, up to that, and one of width 0 is not there
    while it is empty; it tells least forms before it takes another's place. Where there is no room
    for all, those of the highest `rank` go first, and of one rank the last; before one of rank 0
    goes, those with `least` are cut as far as that.
    """

    key: str
    label: str
    width: int
    align: Literal["left", "right"] = "left"
    tier: Tier = Tier.NARROW
    grow: bool = False
    most: int = 0
    least: int = 0
    rank: int = 0


class Cell(NamedTuple):
    """Text, the name of its style, and what it sorts by (the text where that is not given).

    `short` stands there where the text does not fit, and `least` where that does not fit either.
    """

    text: str
    style: str = ""
    sort: SortValue = None
    short: str = ""
    least: str = ""


RowKey = Hashable
SortKey = tuple[int, int, Decimal | float | str, int]
"""Missing last, kind, value, order of arrival."""

_NUMBER, _WORD = 0, 1


@dataclass(slots=True, eq=False)
class Row:
    """One row, and the line drawn for it while that is still right."""

    key: RowKey
    cells: tuple[Cell, ...]
    arrival: int
    sort_key: SortKey = (0, 0, 0, 0)
    in_view: bool = False
    strip: Strip | None = field(default=None, repr=False)
    drawn_as: tuple[object, ...] = ()


def make_cells(
    cells: Sequence[Cell | str], count: int, before: tuple[Cell, ...] = ()
) -> tuple[Cell, ...]:
    """`cells` with clean text; ValueError unless there is one for each of `count` columns.

    A cell that is equal to the one in its place in `before`, which are clean, is that one.
    """
    if len(cells) != count:
        raise ValueError(f"a row has {len(cells)} cells, but the table has {count} columns")
    if not before:
        return tuple(map(_clean, cells))
    return tuple(
        old if cell == old else _clean(cell) for cell, old in zip(cells, before, strict=True)
    )


def _clean(cell: Cell | str) -> Cell:
    if isinstance(cell, str):
        return Cell(clean_text(cell))
    text, style, sort, short, least = cell
    return Cell(
        clean_text(text), style, sort, short and clean_text(short), least and clean_text(least)
    )


class Rows:
    """Rows by key, and the ordered, filtered view of them."""

    def __init__(self) -> None:
        self._rows: dict[RowKey, Row] = {}
        self._view: list[Row] = []
        self._arrivals = 0
        self._column: int | None = None
        self._descending = False
        self._needle = ""

    def __len__(self) -> int:
        """Rows in all, shown or not."""
        return len(self._rows)

    def __contains__(self, key: RowKey) -> bool:
        return key in self._rows

    @property
    def shown(self) -> int:
        """Rows that pass the filter."""
        return len(self._view)

    @property
    def needle(self) -> str:
        """The filter's text; "" shows all."""
        return self._needle

    @property
    def order(self) -> tuple[int | None, bool]:
        """The column sorted by (None = order of arrival), and whether the largest is first."""
        return self._column, self._descending

    def get(self, key: RowKey) -> Row | None:
        """The row of `key`, shown or not."""
        return self._rows.get(key)

    def at(self, index: int) -> Row | None:
        """The row on line `index` of the view."""
        if not 0 <= index < len(self._view):
            return None
        return self._view[len(self._view) - 1 - index if self._descending else index]

    def index(self, key: RowKey) -> int | None:
        """The line of `key` in the view; None if it is not shown."""
        row = self._rows.get(key)
        if row is None or not row.in_view:
            return None
        place = self._place(row)
        return len(self._view) - 1 - place if self._descending else place

    def upsert(self, key: RowKey, cells: tuple[Cell, ...]) -> bool:
        """Add or change a row; True if other rows may have moved."""
        row = self._rows.get(key)
        if row is None:
            self._arrivals += 1
            row = self._rows[key] = Row(key, cells, self._arrivals)
            row.sort_key = self._sort_key(row)
            return self._show(row)
        row.cells, row.strip = cells, None
        sort_key, matches = self._sort_key(row), self._matches(row)
        if row.in_view and (not matches or sort_key != row.sort_key):
            del self._view[self._place(row)]
            row.in_view = False
            row.sort_key = sort_key
            self._show(row)
            return True
        row.sort_key = sort_key
        return not row.in_view and self._show(row)

    def remove(self, key: RowKey) -> bool:
        """Take a row out; True if it was shown. An unknown key is fine."""
        row = self._rows.pop(key, None)
        if row is None or not row.in_view:
            return False
        del self._view[self._place(row)]
        return True

    def remove_all(self, keys: Iterable[RowKey]) -> bool:
        """Take rows out, however many, with one look at the view; True if any was shown."""
        gone = [row for row in (self._rows.pop(key, None) for key in keys) if row is not None]
        shown = [row for row in gone if row.in_view]
        for row in shown:
            row.in_view = False
        if shown:
            self._view = [row for row in self._view if row.in_view]
        return bool(shown)

    def clear(self) -> None:
        """Take every row out."""
        self._rows.clear()
        self._view.clear()

    def keys(self) -> list[RowKey]:
        """Every key, in order of arrival."""
        return list(self._rows)

    def sort(self, column: int | None, *, descending: bool) -> None:
        """Order by the cells of `column`, or by arrival."""
        self._column, self._descending = column, descending
        for row in self._rows.values():
            row.sort_key = self._sort_key(row)
        self._rebuild()

    def filter(self, needle: str) -> None:
        """Show only rows with `needle` in any cell, whatever its case."""
        self._needle = needle.casefold()
        self._rebuild()

    def _rebuild(self) -> None:
        self._view = [row for row in self._rows.values() if self._note(row)]
        self._view.sort(key=_sort_key_of)

    def _note(self, row: Row) -> bool:
        row.in_view = self._matches(row)
        return row.in_view

    def _show(self, row: Row) -> bool:
        if not self._matches(row):
            return False
        insort(self._view, row, key=_sort_key_of)
        row.in_view = True
        return True

    def _place(self, row: Row) -> int:
        return bisect_left(self._view, row.sort_key, key=_sort_key_of)

    def _matches(self, row: Row) -> bool:
        return not self._needle or any(self._needle in cell.text.casefold() for cell in row.cells)

    def _sort_key(self, row: Row) -> SortKey:
        arrival = -row.arrival if self._descending else row.arrival
        if self._column is None:
            return 0, _NUMBER, row.arrival, arrival
        cell = row.cells[self._column]
        value = cell.text if cell.sort is None and cell.text not in ("", "-") else cell.sort
        if value is None or value != value:  # noqa: PLR0124 - NaN is the value unlike itself
            return (-1 if self._descending else 1), _NUMBER, 0, arrival
        if isinstance(value, str):
            return 0, _WORD, value.casefold(), arrival
        return 0, _NUMBER, value, arrival


def _sort_key_of(row: Row) -> SortKey:
    return row.sort_key
