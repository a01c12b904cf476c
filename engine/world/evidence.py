"""Evidence against one bad tick: what a price says counts once it is confirmed (X-71).

A price event has two moments. `at` is when it came; `told_at` is when the first price of its venue
time came (`MarketView.told_at`), at or before that: two events of one venue time are no second
apart. What begins with an event begins when it came, and what it confirms is confirmed as of
`told_at`, so that neither a price told again nor a time that is cut short makes a second.
"""

from collections import deque
from decimal import Decimal
from typing import Final

from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.market import Quote

CONFIRM_NS = NS_PER_SECOND
"""Two price events at least this far apart."""

LEAP: Final = Decimal("0.3")
"""A price further than this fraction from the one that has evidence is taken for a bad tick until
it has evidence itself. The limits of exchanges do not let a price go further at once: 20 % by limit
up - limit down, 30 % in Seoul."""


class Breaches:
    """Since when each watched condition has held at every price event."""

    def __init__(self) -> None:
        self._since: dict[str, Nanos] = {}
        self._confirmed: dict[str, Nanos] = {}
        self.changes = 0
        """How often a breach was confirmed, or one that was ended."""

    def see(
        self,
        key: str,
        *,
        breached: bool,
        at: Nanos,
        told_at: Nanos,
        traded_both_sides: bool = False,
    ) -> None:
        """Take one price event of the moments `at` and `told_at`.

        `traded_both_sides`: it is a trade that the quote's other side confirms. A single event in
        between that does not breach starts the count anew.
        """
        if not breached:
            if key in self._since:
                self.forget(key)
            return
        first = self._since.setdefault(key, at)
        if key not in self._confirmed and (traded_both_sides or told_at - first >= CONFIRM_NS):
            self._confirmed[key] = at
            self.changes += 1

    def confirmed(self, key: str) -> bool:
        """True once the breach stands on evidence."""
        return key in self._confirmed

    def confirmed_at(self, key: str) -> Nanos:
        """When the price event came that confirmed the breach; 0 while nothing does."""
        return self._confirmed.get(key, 0)

    def forget(self, key: str) -> None:
        """Drop what was seen under a key."""
        self._since.pop(key, None)
        if self._confirmed.pop(key, None) is not None:
            self.changes += 1


class ProvedPrice:
    """How far evidence carries the price of one thing: a symbol, or a currency.

    A fall is proved down to the highest, a rise up to the lowest of an unbroken run of prices that
    lasts for a second or more and reaches to the newest; a trade that the other side of its quote
    confirms proves itself. Between the two the price that was proved before stays.
    """

    __slots__ = ("_highs", "_lows", "_told_at", "value")

    def __init__(self, value: Decimal) -> None:
        """`value`: the price that is a fact to begin with, such as that of a fill."""
        self.value = value
        self._highs: deque[tuple[Nanos, Decimal]] = deque()
        """Prices that are no lower than every later one, the oldest first, each with the moment
        since which no price was higher."""
        self._lows: deque[tuple[Nanos, Decimal]] = deque()
        """The same of prices that are no higher."""
        self._told_at: Nanos = 0
        """As of when the newest confirms: its `told_at`."""

    def entered_at(self, price: Decimal) -> None:
        """Begin with the price that something was entered at before the prices that were seen: what
        they prove counts at once."""
        self.value = price
        self._prove()

    def see(
        self,
        price: Decimal,
        at: Nanos,
        *,
        told_at: Nanos,
        falling: bool = False,
        rising: bool = False,
    ) -> Decimal:
        """Take one price of the moments `at` and `told_at`; return the price that is proved then.

        `falling`, `rising`: it is a trade that the other side confirms in that direction.
        """
        highs, lows = self._highs, self._lows
        since = at
        while highs and highs[-1][1] <= price:
            since = highs.pop()[0]
        highs.append((0 if falling else since, price))
        since = at
        while lows and lows[-1][1] >= price:
            since = lows.pop()[0]
        lows.append((0 if rising else since, price))
        self._told_at = told_at
        self._prove()
        return self.value

    def _prove(self) -> None:
        highs, lows, lasted = self._highs, self._lows, self._told_at - CONFIRM_NS
        if not highs:
            return
        _shorten(highs, lasted)
        _shorten(lows, lasted)
        since, high = highs[0]
        if since <= lasted and high < self.value:
            self.value = high
        since, low = lows[0]
        if since <= lasted and low > self.value:
            self.value = low


def leaps(price: Decimal, proved: Decimal) -> bool:
    """Whether a price is further from the one that has evidence than a market moves at once."""
    return not price.is_finite() or abs(price - proved) > LEAP * proved


def _shorten(runs: deque[tuple[Nanos, Decimal]], lasted: Nanos) -> None:
    """Drop every run before the last one that has lasted long enough: that one says more."""
    while len(runs) > 1 and runs[1][0] <= lasted:
        runs.popleft()


def both_sides(quote: Quote, *, falling: bool) -> bool:
    """True if a real trade and the far side of the quote agree on a move down (or up)."""
    other = quote.ask if falling else quote.bid
    if not quote.trade or other is None:
        return False
    return other <= quote.last if falling else other >= quote.last
