"""What currencies are worth in the base currency, the newest and as far as evidence carries it."""

from collections.abc import Mapping
from decimal import Decimal

from engine.domain.instant import Nanos
from engine.domain.instrument import Instrument
from engine.domain.instruments.pair import Pair
from engine.domain.market import Quote
from engine.domain.money import ONE, ZERO
from engine.state.book import Book
from engine.state.rates import Rates
from engine.state.valuation import Valuation
from engine.world.evidence import ProvedPrice, leaps
from engine.world.market import MarketView


class Currencies:
    """The worth of each currency, and the evidence of it.

    An amount in a currency whose worth was never told is left out of every sum, and `unvalued`
    names the currency (X-86).
    """

    def __init__(self, book: Book, market: MarketView, rates: Rates, value: Valuation) -> None:
        """`rates` are those in force; `value` holds the totals of what is held."""
        self.base = rates.base
        self._book = book
        self._market = market
        self._rates = rates
        self._value = value
        self.worth: dict[str, Decimal] = {self.base: ONE} | {
            currency: rate for currency, rate in book.data.rates.items() if currency != self.base
        }
        """Last known worth of one unit of each currency, in the base currency; a currency whose
        worth was never told is not in it."""
        self.first_told: dict[str, Decimal] = {}
        """Worth of currencies that had none; it counts once the journal has it."""
        self.rate_told = ""
        """The pair whose newest quote told what a currency is worth; "" where the newest quote of
        all told nothing."""
        self.proved: dict[str, ProvedPrice] = {}
        """By currency, its worth as far as evidence carries it (X-71)."""
        self.moved = 0
        """How often what rates say, or what evidence says of them, changed equity, or may have."""

    def take_quote(self, quote: Quote, instrument: Instrument, now: Nanos) -> None:
        """Take the rate that a quote tells: that of a pair, where its time is not ahead of ours."""
        self.rate_told = ""
        pair = instrument.contract
        if quote.symbol in self._market.ahead or not isinstance(pair, Pair):
            return
        if self._rates.take_quote(instrument, quote):
            self.rate_told = quote.symbol
            self._learn(pair.base if pair.quote == self.base else pair.quote, now, quote.symbol)

    def refresh(self, now: Nanos) -> None:
        """Take the rates that time alone has put in force by now."""
        for currency in self._rates.ageing:
            self._learn(currency, now)

    def _learn(self, currency: str, now: Nanos, told_by: str = "") -> None:
        """Take the rate in force; `told_by`: the pair whose quote came just now.

        It is evidence only where it is news: a rate that is looked at again, or that another pair
        goes on telling, confirms nothing (X-71).
        """
        if currency != self.base:
            value, worth = self._rates.value(currency, now), self.worth.get(currency)
            if value is not None and worth is not None:
                known = self.proved.get(currency)
                before = None if known is None else known.value
                if value != worth or self._tells(told_by, currency, now):
                    if known is None:
                        known = self.proved[currency] = ProvedPrice(worth)
                    told_at = self._market.told_at[told_by] if told_by else now
                    known.see(value, now, told_at=told_at)
                self.worth[currency] = value
                proved = None if known is None else known.value
                if (value != worth or proved != before) and self.owns(currency):
                    self.moved += 1
            elif value is not None:
                self.first_told[currency] = value

    def _tells(self, pair: str, currency: str, now: Nanos) -> bool:
        """Whether the rate of a currency that is in force is that of a pair."""
        if not pair or currency not in self._rates.ageing:
            return bool(pair)
        rate = self._rates.rate(currency, now)
        return rate is not None and rate.source == pair

    def count(self, currency: str, rate: Decimal) -> None:
        """Count from now on what is held in a currency whose worth was not known before."""
        self.worth[currency] = rate
        self.proved[currency] = ProvedPrice(rate)
        self.first_told.pop(currency, None)

    def amounts_in(self, currency: str) -> tuple[Decimal, Decimal]:
        """What is held and owed in a currency, in it: all of it, and the unrealised profit."""
        cash = sum((a.cash.get(currency, ZERO) for a in self._book.accounts), start=ZERO)
        value = self._value.market_value.get(currency, ZERO)
        return cash + value, self._value.unrealized.get(currency, ZERO)

    def owns(self, currency: str) -> bool:
        """Whether there is, or was, cash or something held in a currency."""
        if currency in self._value.market_value:
            return True
        return any(currency in account.cash for account in self._book.data.accounts.values())

    def in_base(self, amounts: Mapping[str, Decimal]) -> Decimal:
        """The sum of amounts by currency; one whose worth was never told is left out."""
        total = ZERO
        for currency, amount in amounts.items():
            if currency == self.base:
                total += amount
            elif amount:
                total += amount * self.worth.get(currency, ZERO)
        return total

    def in_proved_base(self, amounts: Mapping[str, Decimal]) -> Decimal:
        """The same, at the worth of each currency as far as evidence carries it (X-71)."""
        total = self.in_base(amounts)
        for currency, proved in self.proved.items():
            amount = amounts.get(currency)
            if amount:
                total -= amount * (self.worth[currency] - proved.value)
        return total

    def _counted(self) -> set[str]:
        """Every currency that something is held, owed or reserved in."""
        found = {currency for currency, amount in self._value.gross.items() if amount}
        found |= {
            currency for currency, amount in self._book.reservations.by_currency.items() if amount
        }
        for account in self._book.accounts:
            found |= {currency for currency, amount in account.cash.items() if amount}
        return found

    def _used(self) -> set[str]:
        """The same, and what every account is kept in."""
        return self._counted() | {a.currency or self.base for a in self._book.accounts}

    @property
    def has_untold(self) -> bool:
        """Whether something is held or owed in a currency whose worth was never told."""
        return not self._counted() <= self.worth.keys()

    def unvalued(self, now: Nanos) -> list[str]:
        """Currencies that something is held or owed in and that have no fresh rate (X-86)."""
        return sorted(c for c in self._used() if not self._rates.is_fresh(c, now))

    def known(self) -> dict[str, Decimal]:
        """The worth of every other currency that the totals lean on."""
        used = self._used() - {self.base}
        return {c: self.worth[c] for c in sorted(used) if c in self.worth}

    def believed(self) -> dict[str, Decimal]:
        """As `known`, with the worth that has evidence where the newest is a bad tick."""
        rates = self.known()
        for currency, proved in self.proved.items():
            if currency in rates and leaps(rates[currency], proved.value):
                rates[currency] = proved.value
        return rates
