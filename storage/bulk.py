"""Statements over many rows at once.

Each step of a statement gives the interpreter's lock away and may wait for it while the loop is
busy: a thousand rows in a few steps take milliseconds where a thousand steps take a hundred.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Final, TypeVar

T = TypeVar("T")

SIZES: Final = (64, 16, 4, 1)
"""Rows in one statement; few sizes, so that the statements stay prepared."""


def insert(connection: sqlite3.Connection, into: str, rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows of equal length; `into` is `INSERT INTO table (columns)`."""
    for part in pieces(rows):
        statement = _statement(into, len(part[0]), len(part))
        connection.execute(statement, tuple(chain.from_iterable(part)))


@lru_cache(maxsize=64)
def _statement(into: str, columns: int, rows: int) -> str:
    return f"{into} VALUES {values(columns, rows)}"


def pieces(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """All of them, in order, in pieces of `SIZES`."""
    start = 0
    for size in SIZES:
        while len(items) - start >= size:
            yield items[start : start + size]
            start += size


@lru_cache(maxsize=64)
def values(columns: int, rows: int) -> str:
    """`(?, ?), (?, ?)`: places for so many rows."""
    row = f"({', '.join('?' * columns)})"
    return ", ".join([row] * rows)
