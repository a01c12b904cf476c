"""What a decision may look at: the book, the market, the rules in force. No I/O, no clock."""

from collections.abc import Callable
from decimal import Decimal

from engine.calendars import Calendar, calendar
from engine.config import Config
from engine.config.profiles import RiskLimits, limits
from engine.domain.instant import Nanos
from engine.domain.instrument import Instrument, default_instrument
from engine.domain.money import ZERO
from engine.ports import Capabilities
from engine.state.book import Book
from engine.state.valuation import Valuation
from engine.world.evidence import Breaches
from engine.world.market import MarketView


class World:
    """Everything `decide` reads. Only events change the book; only the feed changes the market."""

    def __init__(
        self,
        book: Book,
        config: Config,
        capabilities: Capabilities,
        *,
        instrument_of: Callable[[str], Instrument] = default_instrument,
        sectors: dict[str, str] | None = None,
        home_calendar: str = "SIM",
    ) -> None:
        self.book = book
        self.config = config
        self.limits: RiskLimits = limits(config)
        self.capabilities = capabilities
        self.market = MarketView(self.limits.quote_max_age_seconds)
        self.sectors = sectors or {}
        self.value = Valuation(self.sector_of)
        book.group(self.sector_of)
        self.home: Calendar = calendar(home_calendar)
        """The calendar of the account's day (X-12)."""
        self.breaches = Breaches()
        self._instrument_of = instrument_of
        self._calendars: dict[str, Calendar] = {}
        for symbol in book.data.positions:
            self.revalue(symbol)

    def instrument(self, symbol: str) -> Instrument:
        """The instrument as learned, else as its symbol says."""
        return self.book.instrument(symbol) or self._instrument_of(symbol)

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

    def revalue(self, symbol: str) -> None:
        """Put the totals right after a fill or a price."""
        self.value.update(symbol, self.book.position(symbol), self.mark(symbol))

    def mark(self, symbol: str) -> Decimal | None:
        """Last price: of the feed, else the last one the journal knows, as after a start."""
        seen = self.market.mark(symbol)
        return self.book.data.marks.get(symbol) if seen is None else seen

    @property
    def equity(self) -> Decimal:
        """Cash plus everything held at its mark."""
        return self.book.data.cash + self.value.market_value

    @property
    def daily_pnl(self) -> Decimal:
        """Equity now less the session's start and less transfers (X-13)."""
        session = self.book.data.session
        if session is None:
            return ZERO
        return self.equity - session.starting_equity - session.flows

    @property
    def drawdown(self) -> Decimal:
        """Fall from the high-water mark as a fraction of it."""
        peak = max(self.book.data.peak_equity, self.equity)
        return (peak - self.equity) / peak if peak > 0 else ZERO

    def exposure(self, symbol: str) -> Decimal:
        """Gross value of one symbol, working and UNKNOWN entries included (U-51)."""
        return abs(self.value.value_of(symbol)) + self.book.reserved.get(symbol, ZERO)

    @property
    def gross_exposure(self) -> Decimal:
        """Gross value of everything, working and UNKNOWN entries included."""
        return self.value.gross + self.book.reserved_total

    def sector_of(self, symbol: str) -> str:
        """The symbol's sector; the unknown share one bucket (A-085)."""
        return self.sectors.get(symbol, "UNKNOWN")

    def sector_exposure(self, sector: str) -> Decimal:
        """Gross value of one sector, working entries included."""
        reserved = self.book.reserved_in.get(sector, ZERO)
        return self.value.gross_in.get(sector, ZERO) + reserved

    @property
    def buying_power(self) -> Decimal:
        """What new exposure may still cost after what is reserved."""
        return self.book.data.buying_power - self.book.reserved_total
