"""What the market says: quotes, bars, depth. Inputs, never events (DESIGN, The one idea)."""

from decimal import Decimal
from typing import Final

import msgspec

from engine.domain.instant import EARLIEST, LATEST, Nanos
from engine.domain.money import LARGEST, ZERO


# Asked of every quote and bar, so that each is no more than a few comparisons.
def _is_price(price: Decimal) -> bool:
    return price.is_finite() and ZERO < price < LARGEST


def _is_none_or_more(number: Decimal | None) -> bool:
    """A side or a volume, or none: some venues write 0 for a side that is not there."""
    return number is None or (number.is_finite() and ZERO <= number < LARGEST)


def _is_time(at: Nanos) -> bool:
    return type(at) is int and EARLIEST <= at <= LATEST


FAR_OUT: Final = Decimal("1.3")
"""A last price, or a side, that is so many times beyond the side it should not be beyond."""

WIDEST: Final = 10
"""An offer of more than so many times the bid says nothing of a price that was not traded."""


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """Best bid and offer with the last trade; `time` is the venue's, `stale_at` when it ages out.

    `stale_at` 0 means `quote_max_age_seconds` after `time`; a bar's price is fresh until that long
    after the next bar is due (X-68). `trade` marks a price that was really traded (X-71).
    """

    symbol: str
    bid: Decimal | None
    ask: Decimal | None
    last: Decimal
    bid_size: Decimal | None = None
    ask_size: Decimal | None = None
    time: Nanos
    stale_at: Nanos = 0
    trade: bool = False

    @property
    def fault(self) -> str:
        """Why these numbers cannot be prices, in words; "" where they can (DESIGN rule 4)."""
        # A trade alone, as most prices of a recording are: there is little to look at.
        alone = self.bid is self.ask is self.bid_size is self.ask_size is None
        if alone and _is_price(self.last) and _is_time(self.time) and _is_time(self.stale_at):
            return ""
        if not (_is_price(self.last) and _is_none_or_more(self.bid) and _is_none_or_more(self.ask)):
            return f"last {self.last!s:.40}, bid {self.bid!s:.40}, ask {self.ask!s:.40}"
        if not (_is_none_or_more(self.bid_size) and _is_none_or_more(self.ask_size)):
            return f"bid_size {self.bid_size!s:.40}, ask_size {self.ask_size!s:.40}"
        if self._contradicts_itself:
            return f"last {self.last}, bid {self.bid} and ask {self.ask} contradict each other"
        if _is_time(self.time) and _is_time(self.stale_at):
            return ""
        return f"time {self.time!r:.40}, stale_at {self.stale_at!r:.40}"

    @property
    def _contradicts_itself(self) -> bool:
        """Whether the numbers cannot be of one moment: the last price far outside of both sides,
        the sides far across each other, or too far apart to say what was not traded."""
        bid, ask = self.bid, self.ask
        if not bid or not ask:
            return False
        if bid > ask * FAR_OUT or not bid <= self.last * FAR_OUT or self.last > ask * FAR_OUT:
            return True
        return not self.trade and ask > bid * WIDEST


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """A completed bar; `time` is its end, `seconds` its length."""

    symbol: str
    time: Nanos
    seconds: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal | None = None
    bid: Decimal | None = None
    bid_size: Decimal | None = None
    ask: Decimal | None = None
    ask_size: Decimal | None = None

    @property
    def fault(self) -> str:
        """Why these numbers can be no bar, in words; "" where they can (DESIGN rule 4)."""
        low, high = self.low, self.high
        prices = (self.open, high, low, self.close)
        if not all(map(_is_price, prices)):
            return f"open {self.open}, high {self.high}, low {self.low}, close {self.close}"
        if not (low <= self.open <= high and low <= self.close <= high):
            return f"low {self.low} and high {self.high} do not hold {self.open} and {self.close}"
        if not _is_none_or_more(self.volume):
            return f"volume {self.volume!s:.40}"
        if not _is_time(self.time):
            return f"time {self.time!r:.40}"
        sides = (self.bid, self.ask, self.bid_size, self.ask_size)
        if not all(map(_is_none_or_more, sides)):
            return f"bid {self.bid!s:.40}, ask {self.ask!s:.40}, or the size of one"
        return "" if self.seconds > 0 else f"a length of {self.seconds} s"


class DepthLevel(msgspec.Struct, frozen=True):
    """One price level."""

    price: Decimal
    size: Decimal


class Depth(msgspec.Struct, frozen=True, kw_only=True):
    """The book around the price, best first on both sides."""

    symbol: str
    bids: tuple[DepthLevel, ...]
    asks: tuple[DepthLevel, ...]
    time: Nanos

    @property
    def is_sound(self) -> bool:
        """Whether all of its numbers can be prices and sizes (DESIGN rule 4)."""
        levels = (*self.bids, *self.asks)
        sound = all(_is_price(level.price) and _is_none_or_more(level.size) for level in levels)
        return sound and _is_time(self.time)


MarketEvent = Quote | Bar | Depth
