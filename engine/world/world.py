"""What a decision may look at: the book, the market, the rules in force. No I/O, no clock."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from engine.calendars import Calendar, calendar
from engine.config import Config
from engine.config.profiles import RiskLimits, limits
from engine.domain.instant import Nanos
from engine.domain.instrument import Instrument, default_instrument
from engine.domain.market import Quote
from engine.domain.signal import SECONDS_OF, Timeframe
from engine.indicators.bars import Indicators
from engine.ports import Capabilities
from engine.reference.rates import ReferenceRate
from engine.reference.venues import Venue
from engine.state.book import Book
from engine.state.intents import IntentLeg
from engine.state.order import Order
from engine.state.position import Position
from engine.state.rates import Rates
from engine.state.valuation import Valuation
from engine.state.waiting import waiting_legs
from engine.world.currencies import Currencies
from engine.world.evidence import Breaches
from engine.world.groups import Groups
from engine.world.market import MarketView
from engine.world.money import PortfolioMoney
from engine.world.odd_reports import OddReports
from engine.world.overload import Overload
from engine.world.prices import Prices


class World:
    """Everything `decide` reads. Only events change the book; only the feed changes the market.

    It knows the accounts, instruments and market hours itself. `prices`, `currencies`, `money` and
    `groups` keep what is worked out of the book and the market; exposure is added up in
    `engine.world.exposure`.
    """

    def __init__(
        self,
        book: Book,
        config: Config,
        capabilities: Mapping[str, Capabilities],
        *,
        instrument_of: Callable[[str], Instrument] = default_instrument,
        sectors: Mapping[str, str] | None = None,
        home_calendar: str = "SIM",
        reference_rates: Iterable[ReferenceRate] = (),
        venues: Mapping[str, Venue] | None = None,
    ) -> None:
        """`capabilities` are those of each account's venue, and `venues` what the user's data says
        of it, both by the account's name."""
        self.book: Final = book
        self.config = config
        self.venues: Final = dict(venues or {})
        self.limits: RiskLimits = limits(config)
        self.market = MarketView(self.limits.quote_max_age_seconds)
        self.base = config.account.currency
        self.rates = Rates(self.base, self.limits.quote_max_age_seconds)
        self.rates.take_reference(reference_rates)
        for currency, time in book.data.rate_times.items():
            self.rates.remember(currency, book.data.rates[currency], time)
        self.home: Calendar = calendar(home_calendar)
        """The calendar of the portfolio's day (X-12, X-95)."""
        named = config.signals.timeframe
        self.indicators = Indicators(
            SECONDS_OF[Timeframe(named)] if named else None, session_end=self._session_end
        )
        """What completed bars say; empty where no rule reads them (`follows_bars`)."""
        self.breaches = Breaches()
        self.odd_reports = OddReports()
        self.missing_told: set[tuple[str, str]] = set()
        """Orders, by account and id, of which it was told that fills of them are missing here."""
        self.overload = Overload()
        self._able = dict(capabilities)
        self._instrument_of = instrument_of
        self._calendars: dict[str, Calendar] = {}
        self.groups = Groups(self.instrument, sectors or {})
        self.value = Valuation(self.groups.of)
        self.prices = Prices(book, self.market, self.value, self.calendar)
        self.currencies = Currencies(book, self.market, self.rates, self.value)
        self.money = PortfolioMoney(book, self.value, self.currencies, self.prices)
        self.untripped = (-1, -1, -1)
        """The newest event, and how often prices and currencies had `moved`, when the triggers were
        asked and none of them held, nor could one begin to by time alone."""
        book.reservations.group(self.groups.of, book.currency_of)
        self.prices.revalue_all()
        self.prices.follow_unexplained()

    def able(self, account: str) -> Capabilities:
        """What the venue of an account can do. Raises KeyError for an account that is not ours."""
        return self._able[account]

    @property
    def accounts(self) -> tuple[str, ...]:
        """The names of the accounts of this process."""
        return tuple(self._able)

    def has(self, account: str) -> bool:
        """Whether the account is one of this process."""
        return account in self._able

    def holdings(self) -> Iterator[Position]:
        """What is held in the accounts of this process; nothing is decided about another."""
        return (p for p in self.book.holdings() if p.account in self._able)

    def held(self, symbol: str) -> list[Position]:
        """What is held of one symbol in the accounts of this process."""
        return [p for p in self.book.held(symbol) if p.account in self._able]

    def managed(self, symbol: str) -> list[Position]:
        """What signals opened of it there: what a flat signal closes."""
        return [position for position in self.held(symbol) if position.managed]

    def orders(self) -> Iterator[Order]:
        """What works in the accounts of this process, UNKNOWN ones included."""
        return (order for order in self.book.orders() if order.account in self._able)

    def waiting_legs(self) -> list[IntentLeg]:
        """The legs there of which no order was made yet."""
        return [leg for leg in waiting_legs(self.book) if leg.terms.account in self._able]

    def instrument(self, symbol: str, account: str = "") -> Instrument:
        """The instrument as learned, else as its symbol says; in an account, as its venue states
        it where it does: grid, lot and smallest amount are those of a venue."""
        known = self.book.data.accounts.get(account)
        if known is not None and symbol in known.instruments:
            return known.instruments[symbol]
        return self.book.data.instruments.get(symbol) or self._instrument_of(symbol)

    def configured(self, symbol: str) -> Instrument:
        """The instrument as the configuration tells it now."""
        return self._instrument_of(symbol)

    def calendar(self, name: str) -> Calendar | None:
        """A calendar by name, None when there is none: entries then fail closed."""
        known = self._calendars.get(name)
        if known is None:
            try:
                known = calendar(name)
            except LookupError:
                return None
            self._calendars[name] = known
        return known

    def is_open(self, symbol: str, now: Nanos) -> bool:
        """True while the symbol's market is in session."""
        known = self.calendar(self.instrument(symbol).calendar)
        return known is not None and known.is_open(now)

    def is_shut(self, symbol: str, now: Nanos) -> bool:
        """True while the symbol's market is known to be closed: nothing is known of a market whose
        calendar is not, or has no such day (X-92)."""
        known = self.calendar(self.instrument(symbol).calendar)
        return known is not None and known.covers(now) and not known.is_open(now)

    def _session_end(self, symbol: str, at: Nanos) -> Nanos | None:
        """When the session in which the symbol's market is ends; None while it is closed."""
        known = self.calendar(self.instrument(symbol).calendar)
        session = None if known is None else known.session_at(at)
        return None if session is None else session.close

    def opens_at(self, symbol: str, now: Nanos) -> Nanos | None:
        """When the symbol's market opens next, as far as its calendar says."""
        known = self.calendar(self.instrument(symbol).calendar)
        return None if known is None else known.next_open(now)

    def opened_at(self, symbol: str, now: Nanos) -> Nanos | None:
        """When the session began in which the symbol's market is; None while it is closed."""
        known = self.calendar(self.instrument(symbol).calendar)
        session = None if known is None else known.session_at(now)
        return None if session is None else session.open

    def is_over(self, instrument: Instrument, at: Nanos) -> bool:
        """Whether the last session of a contract has ended; False for what does not expire, and
        where its calendar is not known."""
        last, known = instrument.last_day, self.calendar(instrument.calendar)
        if last is None or known is None:
            return False
        trades_at = at if known.is_open(at) else known.next_open(at) or at
        return known.session_date(trades_at) > last

    @property
    def follows_bars(self) -> bool:
        """Whether a rule reads the indicators: then every bar of the feed is taken into them."""
        return bool(self.config.signals.builtin)

    def take_quote(self, quote: Quote, now: Nanos) -> bool:
        """Take a price into the market view, and the rate that it tells where it is a pair's; False
        where it is no news (`MarketView.take`)."""
        instrument = self.instrument(quote.symbol)
        if not self.prices.take_quote(quote, instrument, now):
            return False
        self.currencies.take_quote(quote, instrument, now)
        return True
