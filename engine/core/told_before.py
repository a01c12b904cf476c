"""Whether a fill was told before, also under another time (X-91, rule 2).

A fill is known by account, symbol, the UTC date of the venue's time and its execution id. One
venue tells the same fill by its stream and in a list, and the time of one of them may be missing,
in another unit, or a moment before midnight where that of the other is after it; a list may not say
of which order it is. What is of another order, of another time or has other numbers is another fill
under a used id.
"""

from collections.abc import Iterator
from enum import Enum

import msgspec

from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.order import NS_PER_DAY, Fill
from engine.state.book import Book
from engine.state.holdings import happened

UNITS = (1_000, 1_000_000, NS_PER_SECOND)
"""Nanoseconds in a microsecond, a millisecond and a second: a time in one of them was taken for
nanoseconds."""


class Told(Enum):
    """What was told before of the execution that a fill is about."""

    NOTHING = ""
    AGAIN = "the same"
    OTHER = "something else under its id"


def told_before(book: Book, fill: Fill, now: Nanos) -> Told:
    """Whether the same fill was counted, or another one under the same key.

    One that names an order of another symbol may be a fill of that order, with its symbol written
    in another way: where that was counted, this one is not.
    """
    told = _told(book, fill, now)
    if told is not Told.NOTHING:
        return told
    order = book.order_in(fill.account, fill.client_order_id)
    if order is None or order.symbol == fill.symbol:
        return told
    meant = msgspec.structs.replace(fill, symbol=order.symbol)
    return told if _told(book, meant, now) is Told.NOTHING else Told.OTHER


def _told(book: Book, fill: Fill, now: Nanos) -> Told:
    seen = book.seen_fills
    if fill.time and fill.about() in seen:
        return Told.AGAIN  # as nearly every fill of a list
    if fill.midnight and fill.midnight in seen:
        return Told.AGAIN
    if fill.content in seen:
        return Told.AGAIN if _is_of_order(book, fill) and _is_of_time(book, fill) else Told.OTHER
    times = _other_times(fill, now)
    for time, content in zip(times, fill.contents_at(times), strict=True):
        if content in seen:
            each = msgspec.structs.replace(fill, time=time)
            return Told.AGAIN if _is_of_order(book, each) else Told.OTHER
    return Told.OTHER if fill.key in book.seen_executions else Told.NOTHING


def _names(fill: Fill) -> Iterator[Fill]:
    """The fill, and as it is told where its order is not named."""
    yield fill
    if fill.client_order_id:
        yield msgspec.structs.replace(fill, client_order_id="")


def _is_of_order(book: Book, fill: Fill) -> bool:
    """Whether what was told can be of the same order: one of the two may not say of which."""
    if not fill.client_order_id:
        return True
    return any(each.of_order in book.seen_fills for each in _names(fill))


def _is_of_time(book: Book, fill: Fill) -> bool:
    """Whether what was told of that order was at about the same time, where there is one."""
    if not (fill.time and fill.client_order_id):
        return True
    return any(each.about(span) in book.seen_fills for each in _names(fill) for span in (0, -1, 1))


def _other_times(fill: Fill, now: Nanos) -> list[Nanos]:
    """No time, and each other one that may be meant by that of the fill."""
    if not fill.time:
        return [0, now, now - NS_PER_DAY]
    if happened(fill, now) == fill.time:
        return [0, *(fill.time // unit for unit in UNITS)]
    return [0, *(fill.time * unit for unit in UNITS)]
