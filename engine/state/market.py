"""The market view: the newest quotes, depth and extremes, updated in place and never journalled.

It is rebuilt from the feed after a start; every event that leans on it carries the numbers it saw.
"""

from collections.abc import Callable
from decimal import Decimal

from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.market import Depth, Quote
from engine.domain.position import Position


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


class Valuation:
    """Running totals of what is held, at the newest marks; one symbol's change costs the same
    however many are held."""

    def __init__(self, group_of: Callable[[str], str]) -> None:
        self._group_of = group_of
        self.gross_in: dict[str, Decimal] = {}
        """Gross value by group (sector)."""
        self._parts: dict[str, tuple[Decimal, Decimal]] = {}
        self.market_value = Decimal(0)
        self.unrealized = Decimal(0)
        self.gross = Decimal(0)

    def update(self, symbol: str, position: Position | None, mark: Decimal | None) -> None:
        """Put one symbol's share of the totals right; without a mark it counts at cost."""
        old = self._parts.pop(symbol, None)
        if old is not None:
            self.market_value -= old[0]
            self.unrealized -= old[1]
            self._count(symbol, -abs(old[0]))
        if position is None:
            return
        value = position.cost if mark is None else position.market_value(mark)
        self._parts[symbol] = (value, value - position.cost)
        self.market_value += value
        self.unrealized += value - position.cost
        self._count(symbol, abs(value))

    def _count(self, symbol: str, gross: Decimal) -> None:
        self.gross += gross
        group = self._group_of(symbol)
        self.gross_in[group] = self.gross_in.get(group, Decimal(0)) + gross

    def value_of(self, symbol: str) -> Decimal:
        """Signed value of one symbol as last updated."""
        part = self._parts.get(symbol)
        return part[0] if part is not None else Decimal(0)
