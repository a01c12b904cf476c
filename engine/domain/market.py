"""What the market says: quotes, bars, depth. Inputs, never events (DESIGN, The one idea)."""

from decimal import Decimal

import msgspec

from engine.domain.instant import Nanos, time_fault
from engine.domain.money import is_positive


def _is_side(price: Decimal | None) -> bool:
    """A bid or an offer, or none: some venues write 0 for a side that is not there."""
    return price is None or (price.is_finite() and price >= 0)


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
        if not (is_positive(self.last) and _is_side(self.bid) and _is_side(self.ask)):
            return f"last {self.last}, bid {self.bid}, ask {self.ask}"
        for name, at in (("time", self.time), ("stale_at", self.stale_at)):
            if fault := time_fault(at):
                return f"{name} is {fault}"
        return ""


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
        if not all(is_positive(price) for price in prices):
            return f"open {self.open}, high {self.high}, low {self.low}, close {self.close}"
        if self.low > min(prices) or self.high < max(prices):
            return f"low {self.low} and high {self.high} do not hold {self.open} and {self.close}"
        if self.volume is not None and not (self.volume.is_finite() and self.volume >= 0):
            return f"volume {self.volume}"
        if fault := time_fault(self.time):
            return f"time is {fault}"
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
