"""Statements over many rows at once.

Each step of a statement gives the interpreter's lock away and may wait for it while the loop is
busy, a switch interval each time: a thousand rows in a few steps take milliseconds where a thousand
steps take a hundred. Statements of a few lengths serve any number of rows, so that they stay
prepared: places that are left over are filled and not read. A prepared statement keeps about a
hundred bytes for each place, which is why there is a most.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Final, NamedTuple, TypeVar

T = TypeVar("T")

PLACES: Final = 2_048
"""Values in one statement at most."""

_PRECISE: Final = 2
"""Bits of a count that its length keeps: 3, 4, 6, 8, 12, 16 and so on."""

_UNREAD: Final = 0
"""What fills a place that is left over: binding an int is the cheapest."""


class Shape(NamedTuple):
    """What a statement over many rows says around them."""

    head: str
    """Up to the rows: `INSERT INTO table (columns)`."""
    columns: str
    """What is put into each column, of `column1`, `column2` and so on, the values of a row."""
    width: int
    """How many values a row has."""
    tail: str = ""
    """Behind the rows: what happens where one of them is there already."""
    shared: int = 0
    """How many values are every row's own; `columns` name them `(SELECT value1 FROM shared)` and so
    on. A numbered place would do, which Python 3.12 takes for a name, and warns."""

    @property
    def most(self) -> int:
        """Rows in one statement at most."""
        return PLACES // self.width


def insert(
    connection: sqlite3.Connection,
    shape: Shape,
    rows: Sequence[Sequence[Any]],
    shared: Sequence[Any] = (),
) -> None:
    """Run the statement over up to the shape's most rows, each of its width, in one step.

    `shared` are the values that are every row's own, as many as the shape says.
    """
    length = min(length_for(len(rows)), shape.most)
    spare = [_UNREAD] * ((length - len(rows)) * shape.width)
    values = (*shared, *chain.from_iterable(rows), *spare, len(rows))
    connection.execute(statement(shape, length), values)


def pieces(items: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    """All of them, in order, in pieces of up to `most`."""
    for start in range(0, len(items), most):
        yield items[start : start + most]


def length_for(count: int) -> int:
    """The length of the statement that takes so many rows."""
    shift = max(count.bit_length() - _PRECISE, 0)
    return -(-count >> shift) << shift


@lru_cache(maxsize=256)
def statement(shape: Shape, length: int) -> str:
    """The statement for up to so many rows; the number of those that count is its last value."""
    row = f"({', '.join('?' * shape.width)})"
    rows = ", ".join([row] * length)
    head = shape.head
    if shape.shared:
        names = ", ".join(f"value{place + 1}" for place in range(shape.shared))
        head = f"WITH shared({names}) AS (VALUES ({', '.join('?' * shape.shared)})) {head}"
    return f"{head} SELECT {shape.columns} FROM (VALUES {rows}) LIMIT ? {shape.tail}"  # noqa: S608  # names of our own
