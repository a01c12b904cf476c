"""What the market says: quotes, bars, depth. Inputs, never events (DESIGN, The one idea)."""

from decimal import Decimal

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
        if not (_is_price(self.last) and _is_none_or_more(self.bid) and _is_none_or_more(self.ask)):
            return f"last {self.last!s:.40}, bid {self.bid!s:.40}, ask {self.ask!s:.40}"
        if _is_time(self.time) and _is_time(self.stale_at):
            return ""
        return f"time {self.time!r:.40}, stale_at {self.stale_at!r:.40}"


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
        prices = (self.open, self.high, self.low, self.close)
        if not all(map(_is_price, prices)):
            return f"open {self.open}, high {self.high}, low {self.low}, close {self.close}"
        if self.low > min(prices) or self.high < max(prices):
            return f"low {self.low} and high {self.high} do not hold {self.open} and {self.close}"
        if not _is_none_or_more(self.volume):
            return f"volume {self.volume!s:.40}"
        if not _is_time(self.time):
            return f"time {self.time!r:.40}"
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


MarketEvent = Quote | Bar | Depth
