"""Whether a fill was told before, also under another time (X-91, rule 2).

A fill is known by account, symbol, the UTC date of the venue's time and its execution id. One
venue tells the same fill by its stream and in a list, and the time of one of them may be missing,
in another unit, or a moment before midnight where that of the other is after it.
"""

from collections.abc import Iterator

import msgspec

from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.order import NS_PER_DAY, Fill
from engine.state.book import Book
from engine.state.holdings import happened

UNITS = (1_000, 1_000_000, NS_PER_SECOND)
"""Nanoseconds in a microsecond, a millisecond and a second: a time in one of them was taken for
nanoseconds."""


def was_told(book: Book, fill: Fill, now: Nanos) -> bool:
    """Whether the same fill was counted: its id and its numbers, at a time that can be its."""
    if fill.content in book.seen_fills:
        return True  # as nearly every fill of a list
    if fill.midnight and fill.midnight in book.seen_fills:
        return True
    return any(each.content in book.seen_fills for each in _timed_otherwise(fill, now))


def _timed_otherwise(fill: Fill, now: Nanos) -> Iterator[Fill]:
    """The fill without a time, and at each other time that may be meant by it."""
    times = [0]
    if not fill.time:
        times += [now, now - NS_PER_DAY]
    elif happened(fill, now) == fill.time:
        times += [fill.time // unit for unit in UNITS]
    else:
        times += [fill.time * unit for unit in UNITS]
    for time in times:
        yield msgspec.structs.replace(fill, time=time)
