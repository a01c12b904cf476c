"""A book of OKX, kept from a snapshot and what changed since (research/venues.md §5).

Each update names the one before it, and carries a checksum over the best levels as they were
written; one that is missing or does not agree means that the book is false from then on.
"""

import zlib
from decimal import Decimal
from heapq import nlargest, nsmallest
from typing import Any, Final

import msgspec

from brokers.net.numbers import number, time_of_millis
from engine.domain.instant import Nanos
from engine.domain.market import Depth, DepthLevel

CHECKED: Final = 25
"""So many levels of each side are in the checksum."""

SHOWN: Final = 10
"""So many levels of each side are told."""

Level = list[str]
"""Price, size, and what is not used, as they were written."""


class BookFault(Exception):  # noqa: N818 - it is what is wrong
    """The book cannot be true any more."""


class BookRow(msgspec.Struct, rename="camel"):
    """A snapshot, or a change."""

    asks: list[Level]
    bids: list[Level]
    ts: Any = ""
    checksum: int | None = None
    prev_seq_id: int | None = None
    seq_id: int | None = None


class Book:
    """The book of one symbol. Raises BookFault for what cannot follow what was told before."""

    def __init__(self, symbol: str) -> None:
        self._symbol = symbol
        self._bids: dict[Decimal, Level] = {}
        self._asks: dict[Decimal, Level] = {}
        self._seq: int | None = None
        self._begun = False

    def take(self, action: str, row: BookRow) -> Depth:
        """Apply a snapshot or a change; the best levels after it."""
        if action == "snapshot":
            self._bids.clear()
            self._asks.clear()
            self._begun = True
        elif not self._begun:
            raise BookFault(f"the book of {self._symbol} changes before it was told")
        elif row.prev_seq_id is not None and row.prev_seq_id != self._seq:
            # The number itself may fall, after maintenance there, or stay, where nothing changed.
            raise BookFault(
                f"the book of {self._symbol}: {row.prev_seq_id} was before, and {self._seq} is here"
            )
        self._seq = row.seq_id
        _merge(self._bids, row.bids)
        _merge(self._asks, row.asks)
        bids, asks = self._best(CHECKED)
        if row.checksum:
            found = _checksum(bids, asks)
            if found != row.checksum:
                told = f"its checksum is {row.checksum} there and {found} here"
                raise BookFault(f"the book of {self._symbol}: {told}")
        return _depth(self._symbol, bids[:SHOWN], asks[:SHOWN], time_of_millis(row.ts))

    def _best(self, levels: int) -> tuple[list[Level], list[Level]]:
        bids = [self._bids[price] for price in nlargest(levels, self._bids)]
        return bids, [self._asks[price] for price in nsmallest(levels, self._asks)]


def _merge(side: dict[Decimal, Level], changes: list[Level]) -> None:
    for level in changes:
        price, size = number(level[0]), number(level[1])
        if not price.is_finite() or not size.is_finite():
            raise BookFault(f"a level is {level[:2]}")
        if size:
            side[price] = level
        else:
            side.pop(price, None)


def _checksum(bids: list[Level], asks: list[Level]) -> int:
    """CRC32, signed, over the sides in turn; the shorter one leaves its places out."""
    parts: list[str] = []
    for n in range(max(len(bids), len(asks))):
        for side in (bids, asks):
            if n < len(side):
                parts += side[n][:2]
    found = zlib.crc32(":".join(parts).encode("ascii"))
    return found - 2**32 if found >= 2**31 else found


def _depth(symbol: str, bids: list[Level], asks: list[Level], time: Nanos) -> Depth:
    def levels(side: list[Level]) -> tuple[DepthLevel, ...]:
        return tuple(DepthLevel(Decimal(level[0]), Decimal(level[1])) for level in side)

    return Depth(symbol=symbol, bids=levels(bids), asks=levels(asks), time=time)
