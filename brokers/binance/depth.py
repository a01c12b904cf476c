"""One book of Binance, kept from a snapshot and the changes after it; a gap is never passed over.

A change carries the numbers of the first and the last update in it, `U` and `u`, and absolute
quantities, of which 0 takes a level away. Changes are kept until there is a snapshot; those that it
has already are dropped, and the first that remains must begin at the number after it, or before
(research/alpaca-binance.md §6).
"""

import heapq
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from brokers.net.numbers import number
from engine.domain.instant import Nanos
from engine.domain.market import Depth, DepthLevel

LEVELS: Final = 20
"""So many levels of each side are told."""

WAITING: Final = 2000
"""So many changes are kept without a snapshot; the oldest go first, and make a gap."""

Rows = list[tuple[str, str]]


class Change(msgspec.Struct):
    """A depthUpdate."""

    first: int = msgspec.field(name="U")
    last: int = msgspec.field(name="u")
    bids: Rows = msgspec.field(name="b")
    asks: Rows = msgspec.field(name="a")
    told_at: Any = msgspec.field(name="E", default=None)
    """In milliseconds."""


class Snapshot(msgspec.Struct):
    """The answer of /api/v3/depth."""

    lastUpdateId: int  # noqa: N815 - the venue's word
    bids: Rows
    asks: Rows


class Book:
    """The book of one symbol. `has_gap`: it needs a snapshot, and is not to be told until then."""

    def __init__(self) -> None:
        self.has_gap = True
        self._last = 0
        self._bids: dict[Decimal, Decimal] = {}
        self._asks: dict[Decimal, Decimal] = {}
        self._waiting: list[Change] = []

    def change(self, change: Change) -> bool:
        """Take a change; whether the book is whole after it."""
        if self.has_gap:
            self._waiting.append(change)
            del self._waiting[:-WAITING]
        elif change.first > self._last + 1:
            self.has_gap = True
            self._waiting = [change]
        else:
            self._apply(change)
        return not self.has_gap

    def snapshot(self, taken: Snapshot) -> bool:
        """Begin anew with a snapshot; False where it is older than the changes that were kept."""
        if self._waiting and taken.lastUpdateId < self._waiting[0].first - 1:
            return False
        self._bids, self._asks = _levels(taken.bids), _levels(taken.asks)
        self._last, self.has_gap = taken.lastUpdateId, False
        waiting, self._waiting = self._waiting, []
        for change in waiting:
            self.change(change)
        return not self.has_gap

    def depth(self, symbol: str, time: Nanos) -> Depth:
        """The best levels of both sides, best first."""
        bids = heapq.nlargest(LEVELS, self._bids.items())
        asks = heapq.nsmallest(LEVELS, self._asks.items())
        return Depth(
            symbol=symbol,
            bids=tuple(DepthLevel(price, size) for price, size in bids),
            asks=tuple(DepthLevel(price, size) for price, size in asks),
            time=time,
        )

    def _apply(self, change: Change) -> None:
        if change.last <= self._last:
            return
        for side, rows in ((self._bids, change.bids), (self._asks, change.asks)):
            for price, size in _read(rows):
                if size:
                    side[price] = size
                else:
                    side.pop(price, None)
        self._last = change.last


def _read(rows: Sequence[tuple[str, str]]) -> list[tuple[Decimal, Decimal]]:
    """Prices and sizes. Raises ValueError for a price or a size that is none: a book with it would
    be another book."""
    read = [(number(price), number(size)) for price, size in rows]
    for price, size in read:
        if not (price.is_finite() and size.is_finite()):
            raise ValueError(f"a level of the book is {price} x {size}")
    return read


def _levels(rows: Rows) -> dict[Decimal, Decimal]:
    return {price: size for price, size in _read(rows) if size}
