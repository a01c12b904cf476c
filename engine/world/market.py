"""The market view: the newest quotes, depth and extremes, updated in place and never journalled.

It is rebuilt from the feed after a start; every event that leans on it carries the numbers it saw.
"""

from decimal import Decimal

from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.market import Depth, Quote


class MarketView:
    """What the market last said, by symbol."""

    def __init__(self, max_age_seconds: int) -> None:
        self.max_age = max_age_seconds * NS_PER_SECOND
        self.quotes: dict[str, Quote] = {}
        self.depths: dict[str, Depth] = {}
        self.extremes: dict[str, tuple[Decimal, Decimal]] = {}
        """Lowest and highest price since a symbol was last bought or sold from flat."""
        self.updates = 0

    def take(self, quote: Quote) -> None:
        """Keep a quote."""
        self.updates += 1
        self.quotes[quote.symbol] = quote
        seen = self.extremes.get(quote.symbol)
        if seen is not None and not seen[0] <= quote.last <= seen[1]:
            self.extremes[quote.symbol] = (min(seen[0], quote.last), max(seen[1], quote.last))

    def watch(self, symbol: str, price: Decimal) -> None:
        """Measure extremes from here: a position opened."""
        self.extremes[symbol] = (price, price)

    def unwatch(self, symbol: str) -> tuple[Decimal, Decimal] | None:
        """Stop measuring; lowest and highest since `watch`."""
        return self.extremes.pop(symbol, None)

    def mark(self, symbol: str) -> Decimal | None:
        """Last price, None before the first."""
        quote = self.quotes.get(symbol)
        return quote.last if quote is not None else None

    def age(self, symbol: str, now: Nanos) -> Nanos | None:
        """Nanoseconds since the venue's time of the newest quote."""
        quote = self.quotes.get(symbol)
        return None if quote is None else max(now - quote.time, 0)

    def is_fresh(self, symbol: str, now: Nanos) -> bool:
        """True while the newest price may be traded on (X-68)."""
        quote = self.quotes.get(symbol)
        if quote is None:
            return False
        return now <= (quote.stale_at or quote.time + self.max_age)
