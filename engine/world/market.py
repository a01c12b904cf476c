"""The market view: the newest quotes, depth and extremes, updated in place and never journalled.

It is rebuilt from the feed after a start; every event that leans on it carries the numbers it saw.
"""

from decimal import Decimal

from engine.domain.instant import CLOCKS_APART, NS_PER_SECOND, Nanos
from engine.domain.market import Depth, Quote


class MarketView:
    """What the market last said, by symbol."""

    def __init__(self, max_age_seconds: int) -> None:
        self.max_age = max_age_seconds * NS_PER_SECOND
        self.quotes: dict[str, Quote] = {}
        self.before: dict[str, Quote] = {}
        """By symbol, the one before the newest."""
        self.depths: dict[str, Depth] = {}
        self.extremes: dict[str, dict[str, tuple[Decimal, Decimal]]] = {}
        """By symbol and account, the lowest and highest price since a position was opened."""
        self.traded: dict[str, Nanos] = {}
        """The venue's time of the newest trade by symbol."""
        self.updates = 0
        self.bad: set[str] = set()
        """Symbols whose newest quote held a number that is no price, and was not taken."""
        self.ahead: set[str] = set()
        """Symbols whose newest quote was dated in the future when it came: how old it is nobody
        knows, so that it is never fresh (U-53)."""
        self.newly_bad = ""
        """The one that the quote of this moment made bad."""

    def quarantine(self, quote: Quote) -> None:
        """Leave a quote aside: the one before it ages, and nothing leans on this."""
        self.newly_bad = "" if quote.symbol in self.bad else quote.symbol
        self.bad.add(quote.symbol)

    def take(self, quote: Quote, now: Nanos) -> None:
        """Keep a quote that came at `now`."""
        self.bad.discard(quote.symbol)
        if quote.time > now + CLOCKS_APART:
            self.ahead.add(quote.symbol)
        else:
            self.ahead.discard(quote.symbol)
            if quote.trade:
                self.traded[quote.symbol] = quote.time
        self.updates += 1
        last = self.quotes.get(quote.symbol)
        if last is not None:
            self.before[quote.symbol] = last
        self.quotes[quote.symbol] = quote
        watched = self.extremes.get(quote.symbol)
        if watched is None:
            return
        for account, (low, high) in watched.items():
            if not low <= quote.last <= high:
                watched[account] = (min(low, quote.last), max(high, quote.last))

    def watch(self, account: str, symbol: str, price: Decimal) -> None:
        """Measure extremes from here: a position opened in an account."""
        self.extremes.setdefault(symbol, {})[account] = (price, price)

    def unwatch(self, account: str, symbol: str) -> None:
        """Stop measuring: the position has ended."""
        watched = self.extremes.get(symbol, {})
        watched.pop(account, None)
        if not watched:
            self.extremes.pop(symbol, None)

    def mark(self, symbol: str) -> Decimal | None:
        """Last price, None before the first."""
        quote = self.quotes.get(symbol)
        return quote.last if quote is not None else None

    def age(self, symbol: str, now: Nanos) -> Nanos | None:
        """Nanoseconds since the venue's time of the newest quote."""
        quote = self.quotes.get(symbol)
        return None if quote is None else max(now - quote.time, 0)

    def is_fresh(self, symbol: str, now: Nanos) -> bool:
        """True while the newest price may be traded on (X-68); never of one dated in the future."""
        quote = self.quotes.get(symbol)
        if quote is None or symbol in self.ahead:
            return False
        return now <= (quote.stale_at or quote.time + self.max_age)
