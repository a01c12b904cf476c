"""The market view: the newest quotes, depth and extremes, updated in place and never journalled.

It is rebuilt from the feed after a start; every event that leans on it carries the numbers it saw.
"""

from decimal import Decimal
from typing import Final

import msgspec

from engine.domain.instant import CLOCKS_APART, NS_PER_SECOND, Nanos
from engine.domain.market import Depth, Quote

SILENT: Final = 7 * 86_400 * NS_PER_SECOND
"""No market closes for so long: prices that have not come for longer are not there."""

SET_BACK: Final = 60 * NS_PER_SECOND
"""A source of which the times have run behind its newest for so long, and gone on as ours did, has
had its clock set back: its prices are taken again. One whose time has stood still for so long has
no clock to go by."""


class _Behind(msgspec.Struct):
    """Prices of a symbol that are older than its newest, without a newer one between."""

    began: Nanos
    """When the first of them came."""
    last: Quote
    """The one that came last."""
    since: Nanos
    """When the one came from which their clock is measured."""
    first: Nanos
    """The venue's time of that one."""
    in_step: Nanos
    """When the last one came whose time had gone on from `first` as ours did since."""
    said: bool = False
    """Whether it was said that nothing else comes."""


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
        self.told: Nanos = 0
        """When the newest quote came; 0 before the first."""
        self.resumed: Nanos = 0
        """When the last silence of more than `SILENT` ended; 0 where there was none."""
        self.updates = 0
        self.bad: set[str] = set()
        """Symbols whose newest quote held a number that is no price, and was not taken."""
        self.ahead: set[str] = set()
        """Symbols whose newest quote was dated in the future when it came: how old it is nobody
        knows, so that it is never fresh (U-53)."""
        self.newly_bad = ""
        """The one that the quote of this moment made bad."""
        self.newly_old = ""
        """The one of which the quote of this moment ends `SET_BACK` of prices older than its newest
        without a newer one between; once, until a newer one comes. An old price that is told again
        and again does not end it: a quiet market is asked for its last trade."""
        self.news: Quote | None = None
        """The quote of this moment; None where it was not taken."""
        self.told_at: dict[str, Nanos] = {}
        """By symbol, when the first quote of the newest one's time came: what quotes confirm is
        confirmed as of that moment, however late they come or come again (X-71)."""
        self._behind: dict[str, _Behind] = {}

    def quarantine(self, quote: Quote) -> None:
        """Leave a quote aside: the one before it ages, and nothing leans on this."""
        self.newly_bad = "" if quote.symbol in self.bad else quote.symbol
        self.bad.add(quote.symbol)
        self.newly_old, self.news = "", None

    def take(self, quote: Quote, now: Nanos) -> bool:
        """Keep a quote that came at `now`, the venue's clock and ours in nanoseconds.

        False, and nothing changes, where it is no news: the newest one of its symbol is told again,
        or it is older than that (X-71, X-78). A source whose clock was set back is listened to
        again after `SET_BACK`; one that tells nothing but older ones for so long is `newly_old`.
        """
        symbol = quote.symbol
        self.newly_bad = self.newly_old = ""
        last, ahead = self.quotes.get(symbol), quote.time > now + CLOCKS_APART
        if last is not None:
            if self._is_past(quote, last, now, ahead=ahead):
                self.news = None
                return False
            self.before[symbol] = last
        if last is None or quote.time != last.time or now - self.told_at[symbol] > SET_BACK:
            self.told_at[symbol] = now
        self.news = quote
        self.bad.discard(symbol)
        if ahead:
            self.ahead.add(symbol)
        else:
            self.ahead.discard(symbol)
            if quote.trade:
                self.traded[symbol] = quote.time
        if self.told and now - self.told > SILENT:
            self.resumed = now
        self.told = now
        self.updates += 1
        self.quotes[symbol] = quote
        watched = self.extremes.get(symbol)
        if watched is not None:
            _stretch(watched, quote.last)
        return True

    def _is_past(self, quote: Quote, last: Quote, now: Nanos, *, ahead: bool) -> bool:
        """Whether a quote is told again, or is older than the `last` one of its symbol.

        The last one counts as of when it came where it was dated after that: no wrong time makes
        what follows old. Only where this one is `ahead` too, their times say which is the newer.
        """
        symbol = quote.symbol
        if quote.time == last.time:
            return quote == last
        newest = last.time if ahead else min(last.time, self.told_at[symbol])
        if quote.time < newest and not self._was_set_back(quote, now):
            return True
        if self._behind:
            self._behind.pop(symbol, None)
        return False

    def _was_set_back(self, quote: Quote, now: Nanos) -> bool:
        """Whether a quote that is older than the newest ends `SET_BACK` of nothing newer, over
        which the times of such quotes went on as ours did.

        Their clock is measured by the foremost of them: one that is ahead of it begins anew, one
        that comes late beside it is left alone. Where none has been in step with it for `SET_BACK`,
        the next one begins anew as well.
        """
        run = self._behind.get(quote.symbol)
        if run is None:
            self._behind[quote.symbol] = _Behind(now, quote, now, quote.time, now)
            return False
        passed = now - run.since
        drift = quote.time - run.first - passed
        if abs(drift) <= CLOCKS_APART:
            run.in_step = now
            if passed >= SET_BACK:
                return True
        elif drift > 0 or now - run.in_step >= SET_BACK:
            run.since, run.first, run.in_step = now, quote.time, now
        if not run.said and quote != run.last and now - run.began >= SET_BACK:
            run.said, self.newly_old = True, quote.symbol
        run.last = quote
        return False

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


def _stretch(watched: dict[str, tuple[Decimal, Decimal]], price: Decimal) -> None:
    """Take a price into the lowest and highest of each account."""
    for account, (low, high) in watched.items():
        if not low <= price <= high:
            watched[account] = (min(low, price), max(high, price))
