"""Rates of exchange in force: what a currency is worth in the base currency, and how sure it is.

A rate comes from a quote of a pair with the base currency on one side, or from reference data
(X-86). Nothing else makes one: no peg is assumed, and no chain of pairs is followed.
"""

import datetime
from calendar import SATURDAY
from collections.abc import Iterable
from decimal import Decimal
from typing import Final, NamedTuple

import msgspec

from engine.calendars import calendar
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.instrument import Instrument
from engine.domain.instruments.pair import Pair
from engine.domain.market import Quote
from engine.domain.money import ONE
from engine.reference.rates import ReferenceRate

BASE: Final = "base"
REFERENCE: Final = "reference"
JOURNAL: Final = "journal"

_SMALLEST: Final = Decimal("1e-18")
_TOO_LARGE: Final = Decimal("1e19")
_HALF: Final = Decimal("0.5")
_DAY: Final = datetime.timedelta(days=1)
_NS_PER_DAY: Final[Nanos] = 86_400 * NS_PER_SECOND
_EPOCH: Final = datetime.date(1970, 1, 1)


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """What one unit of a currency is worth in another at a moment."""

    value: Decimal
    time: Nanos
    """When it was true: the quote's time, or the beginning of the reference day in UTC."""
    source: str
    """The pair that was quoted, `journal` for what one told before the process began, `reference`,
    or `base` for the base currency itself."""
    fresh: bool
    """Whether exposure may be opened on it."""


class _Quoted(msgspec.Struct, frozen=True):
    """The newest rate that one pair told."""

    value: Decimal
    time: Nanos
    stale_at: Nanos
    """Until when it is fresh while its market is open."""
    calendar: str


class _Told(NamedTuple):
    """What the quotes of an instrument tell: the rate of a currency, "" for none."""

    instrument: Instrument
    currency: str = ""
    inverted: bool = False
    """The base currency is the pair's own base."""


class Rates:
    """Rates of the base currency, changed by quotes and reference data alone.

    `base` is the base currency, `max_age_seconds` how long a quote stays fresh in an open market.
    """

    def __init__(self, base: str, max_age_seconds: float) -> None:
        self.base = base
        self._max_age: Nanos = round(max_age_seconds * NS_PER_SECOND)
        self._told_by: dict[str, _Told] = {}
        """By symbol, as every price asks for it."""
        self._quoted: dict[str, dict[str, _Quoted]] = {}
        """By currency and pair."""
        self._reference: dict[str, list[ReferenceRate]] = {}
        """By currency, the newest day first."""
        self.ageing: set[str] = set()
        """Currencies whose rate in force may change by time alone: those with reference data or
        several pairs. The last rate of a single pair stays in force however old it grows."""

    def take_quote(self, instrument: Instrument, quote: Quote) -> bool:
        """Take the rate that a quote tells; True where it tells one.

        The middle of bid and ask, or the last price where a side is not shown. What is no pair with
        the base currency on one side tells nothing, and neither does a quote with a number that is
        not finite and positive, with crossed sides, or older than the one before it.
        """
        symbol, time = quote.symbol, quote.time
        told = self._told_by.get(symbol)
        if told is None or told.instrument is not instrument:
            told = self._told_by[symbol] = self._what_tells(instrument)
        currency = told.currency
        price = _price(quote) if currency else None
        if price is None:
            return False
        known = self._quoted.get(currency)
        if known is None:
            known = self._quoted[currency] = {}
        before = known.get(symbol)
        if before is not None and time < before.time:
            return False
        remembered = known.get(JOURNAL)
        if remembered is not None and time >= remembered.time:
            del known[JOURNAL]
        known[symbol] = _Quoted(
            value=ONE / price if told.inverted else price,
            time=time,
            stale_at=quote.stale_at or time + self._max_age,
            calendar=instrument.calendar,
        )
        if len(known) > 1:
            self.ageing.add(currency)
        return True

    def _what_tells(self, instrument: Instrument) -> "_Told":
        """Which currency's rate the quotes of an instrument tell."""
        pair = instrument.contract
        if not isinstance(pair, Pair):
            return _Told(instrument)
        inverted = pair.base == self.base
        if (pair.quote == self.base) is inverted:
            return _Told(instrument)
        return _Told(instrument, pair.quote if inverted else pair.base, inverted)

    def remember(self, currency: str, value: Decimal, time: Nanos) -> None:
        """Take the rate that a quote told at `time`, before the process began.

        It counts until a newer one is told, and is never fresh: which market told it, and whether
        that rests, is not known.
        """
        known = self._quoted.setdefault(currency, {})
        known[JOURNAL] = _Quoted(value=value, time=time, stale_at=0, calendar="")

    def quoted_at(self, currencies: Iterable[str], now: Nanos) -> dict[str, Nanos]:
        """When the rate in force was quoted, of each currency whose rate is of a quote."""
        rates = ((currency, self.rate(currency, now)) for currency in currencies)
        return {
            currency: rate.time
            for currency, rate in rates
            if rate is not None and rate.source not in (BASE, REFERENCE)
        }

    def take_reference(self, rates: Iterable[ReferenceRate]) -> None:
        """Put these rates in the place of all reference data taken before.

        What is not finite and positive, or is of the base currency, is left out.
        """
        self._reference = {}
        for rate in rates:
            if _is_sound(rate.value) and rate.currency != self.base:
                self._reference.setdefault(rate.currency, []).append(rate)
        for known in self._reference.values():
            known.sort(key=lambda rate: rate.date, reverse=True)
        several = {currency for currency, pairs in self._quoted.items() if len(pairs) > 1}
        self.ageing = {*several, *self._reference}

    def rate(self, currency: str, now: Nanos) -> Rate | None:
        """What one unit of a currency is worth in the base currency, the last known where none is
        fresh; None where nothing was ever told.

        A fresh quote goes before a stale one, a newer before an older one, and each before
        reference data, unless the day of that began after the newest quote: older data never takes
        the place of what is known since (X-86). Such a value is not fresh, however fresh the
        reference data is.
        """
        if currency == self.base:
            return Rate(value=ONE, time=now, source=BASE, fresh=True)
        quoted = [self._from_quote(*item, now) for item in self._quoted.get(currency, {}).items()]
        newest = max(quoted, key=lambda rate: (rate.fresh, rate.time, rate.source), default=None)
        if newest is not None and newest.fresh:
            return newest
        reference = self._from_reference(currency, now)
        if newest is None or (reference is not None and reference.time > newest.time):
            return reference
        return newest

    def value(self, currency: str, now: Nanos) -> Decimal | None:
        """The value of `rate`, as every price of a pair asks for it."""
        quoted = self._quoted.get(currency)
        if quoted and currency not in self.ageing:
            return next(iter(quoted.values())).value  # the only one that there is
        rate = self.rate(currency, now)
        return None if rate is None else rate.value

    def is_fresh(self, currency: str, now: Nanos) -> bool:
        """Whether exposure may be opened in a currency (X-86)."""
        rate = self.rate(currency, now)
        return rate is not None and rate.fresh

    def cross(self, currency: str, into: str, now: Nanos) -> Rate | None:
        """What one unit of a currency is worth in another one, through the base currency.

        None unless both rates are fresh. Its time is that of the older one.
        """
        one, other = self.rate(currency, now), self.rate(into, now)
        if one is None or other is None or not (one.fresh and other.fresh):
            return None
        return Rate(
            value=one.value / other.value,
            time=min(one.time, other.time),
            source=f"{one.source}, {other.source}",
            fresh=True,
        )

    def _from_quote(self, source: str, seen: _Quoted, now: Nanos) -> Rate:
        fresh = now <= seen.stale_at or _rests(seen, now)
        # A time that lies further ahead than a quote may be old is no time of a quote.
        fresh = fresh and seen.time - now <= self._max_age
        return Rate(value=seen.value, time=seen.time, source=source, fresh=fresh)

    def _from_reference(self, currency: str, now: Nanos) -> Rate | None:
        """The newest rate whose day has begun."""
        for rate in self._reference.get(currency, ()):
            begins = _midnight(rate.date)
            if begins <= now:
                fresh = now < _midnight(_next_business_day(rate.date) + _DAY)
                return Rate(value=rate.value, time=begins, source=REFERENCE, fresh=fresh)
        return None


def _price(quote: Quote) -> Decimal | None:
    """The middle of both sides, else the last price; None for a quote that cannot be trusted."""
    last, bid, ask = quote.last, quote.bid, quote.ask
    if not _is_sound(last):
        return None
    if (bid is not None and not _is_sound(bid)) or (ask is not None and not _is_sound(ask)):
        return None
    if bid is None or ask is None:
        return last
    return (bid + ask) * _HALF if bid <= ask else None


def _is_sound(price: Decimal) -> bool:
    """Finite, above 0, and of a size that any currency may have."""
    return price.is_finite() and _SMALLEST <= price < _TOO_LARGE


def _rests(seen: _Quoted, now: Nanos) -> bool:
    """Whether the market has been closed since before the quote grew old, and is closed still."""
    try:
        market = calendar(seen.calendar)
    except LookupError:
        return False
    closed: Nanos | None = seen.time
    # One session may follow the other without a gap.
    while closed is not None and closed <= seen.stale_at and market.is_open(closed):
        closed = market.close_of(closed)
    if closed is None or closed > seen.stale_at:
        return False
    opens = market.next_open(closed)
    return opens is not None and now < opens


def _midnight(day: datetime.date) -> Nanos:
    """When a day begins in UTC."""
    return (day - _EPOCH).days * _NS_PER_DAY


def _next_business_day(day: datetime.date) -> datetime.date:
    """The first day from Monday to Friday after a day."""
    following = day + _DAY
    while following.weekday() >= SATURDAY:
        following += _DAY
    return following
