"""What a decision may look at: the book, the market, the rules in force. No I/O, no clock."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal

from engine.calendars import Calendar, calendar
from engine.config import Config
from engine.config.profiles import RiskLimits, limits
from engine.domain.events import UnexplainedHolding
from engine.domain.instant import Nanos
from engine.domain.instrument import Instrument, default_instrument
from engine.domain.instruments.pair import Pair
from engine.domain.market import Quote
from engine.domain.money import ONE, ZERO, is_positive
from engine.domain.signal import SECONDS_OF, Timeframe
from engine.domain.suspicion import Suspicion
from engine.indicators.bars import Indicators
from engine.ports import Capabilities
from engine.reference.rates import ReferenceRate
from engine.state.book import Book
from engine.state.intents import IntentLeg
from engine.state.order import Order
from engine.state.position import Position
from engine.state.rates import Rates
from engine.state.valuation import Valuation
from engine.world.evidence import Breaches, ProvedPrice, both_sides, leaps
from engine.world.gaps import LOOKED_AT, QUIET, Gap
from engine.world.market import MarketView
from engine.world.odd import OddReports
from engine.world.overload import Overload
from engine.world.reach import Reach


class World:
    """Everything `decide` reads. Only events change the book; only the feed changes the market.

    Money of the portfolio is in the base currency (`[account] currency`); an amount in a currency
    whose worth was never told is left out, and `unvalued` names the currency (X-86).
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
    ) -> None:
        """`capabilities` are those of each account's venue, by the account's name."""
        self.book = book
        self.config = config
        self.limits: RiskLimits = limits(config)
        self.market = MarketView(self.limits.quote_max_age_seconds)
        self.base = config.account.currency
        self.rates = Rates(self.base, self.limits.quote_max_age_seconds)
        self.rates.take_reference(reference_rates)
        for currency, time in book.data.rate_times.items():
            self.rates.remember(currency, book.data.rates[currency], time)
        self.sectors = sectors or {}
        self.home: Calendar = calendar(home_calendar)
        """The calendar of the portfolio's day (X-12, X-95)."""
        named = config.signals.timeframe
        self.indicators = Indicators(
            SECONDS_OF[Timeframe(named)] if named else None, session_end=self._session_end
        )
        """What completed bars say; empty where no rule reads them (`follows_bars`)."""
        self.breaches = Breaches()
        self.reach = Reach()
        self.odd_reports = OddReports()
        self.overload = Overload()
        self._able = dict(capabilities)
        self._worth: dict[str, Decimal] = {self.base: ONE} | {
            currency: rate for currency, rate in book.data.rates.items() if currency != self.base
        }
        """Last known worth of one unit of each currency, in the base currency."""
        self.first_told: dict[str, Decimal] = {}
        """Worth of currencies that had none; it counts once the journal has it."""
        self.rate_told = ""
        """The pair whose newest quote told what a currency is worth; "" where the newest quote of
        all told nothing."""
        self._proved: dict[str, ProvedPrice] = {}
        """By symbol that is held, its price as far as evidence carries it (X-71)."""
        self.first_prices: dict[str, Nanos] = {}
        """When a symbol that was taken over without a price got a first one that may be a bad
        tick."""
        self._in_doubt: dict[str, ProvedPrice] = {}
        """The same of symbols that are not held, as far as is known: an order is in doubt there."""
        self._proved_worth: dict[str, ProvedPrice] = {}
        """By currency, its worth as far as evidence carries it (X-71)."""
        self.moved = 0
        """How often what evidence says of prices and rates changed equity, or may have."""
        self.untripped = (-1, -1)
        """The newest event, and `moved`, when the triggers were asked and none of them held, nor
        could one begin to by time alone."""
        self.gaps: dict[str, Gap] = {}
        """By symbol, the last price before a time without any, for a while after it (X-93)."""
        self._instrument_of = instrument_of
        self._calendars: dict[str, Calendar] = {}
        self.value = Valuation(self.groups_of)
        book.reservations.group(self.groups_of, book.currency_of)
        self.revalue_all()

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
        return [leg for leg in self.book.waiting_legs() if leg.terms.account in self._able]

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

    # --- prices and rates -------------------------------------------------------------------------

    def take_quote(self, quote: Quote, now: Nanos) -> None:
        """Take a price into the market view, and the rate that it tells where it is a pair's."""
        instrument = self.instrument(quote.symbol)
        self._find_gap(quote.symbol, instrument, now)
        first = quote.symbol not in self.market.quotes
        self.market.take(quote, now)
        self.rate_told = ""
        proved = self._proved.get(quote.symbol)
        if proved is None and self.book.index.unclear:
            proved = self._doubted(quote)
        if proved is not None:
            before = proved.value
            now_proved = proved.see(
                quote.last,
                now,
                falling=both_sides(quote, falling=True),
                rising=both_sides(quote, falling=False),
            )
            if first or now_proved != before:
                self.moved += 1
        pair = instrument.contract
        if quote.symbol in self.market.ahead or not isinstance(pair, Pair):
            return
        if self.rates.take_quote(instrument, quote):
            self.rate_told = quote.symbol
            self._learn(pair.base if pair.quote == self.base else pair.quote, now, quote.symbol)

    def _find_gap(self, symbol: str, instrument: Instrument, now: Nanos) -> None:
        """Keep the price of before, where a new one comes after a time without any (X-93).

        That is a time in which there should have been some, or another session.
        """
        gap = self.gaps.get(symbol) if self.gaps else None
        if gap is not None and now - gap.ended > LOOKED_AT:
            del self.gaps[symbol]
        quote, data = self.market.quotes.get(symbol), self.book.data
        if quote is not None:
            seen = min(quote.time, now)
            ages = max(quote.stale_at, seen + QUIET)
        else:
            # A price that nobody told is none to compare with.
            guessed = any(symbol in account.estimated for account in self.book.accounts)
            seen = data.marked_at if symbol in data.marks and not guessed else 0
            ages = seen + QUIET
        if not seen or (now <= ages and not self._is_another_session(instrument, seen, now)):
            return
        before = self.believed_mark(symbol)
        if before:
            self.gaps[symbol] = Gap(before, seen, now)

    def _is_another_session(self, instrument: Instrument, seen: Nanos, now: Nanos) -> bool:
        """Whether the market of an instrument has closed since."""
        known = self.calendar(instrument.calendar)
        if known is None or known.always_open:
            return False
        return known.session_date(seen) != known.session_date(now)

    def refresh_rates(self, now: Nanos) -> None:
        """Take the rates that time alone has put in force by now."""
        for currency in self.rates.ageing:
            self._learn(currency, now)

    def _learn(self, currency: str, now: Nanos, told_by: str = "") -> None:
        """Take the rate in force; `told_by`: the pair whose quote came just now.

        It is evidence only where it is news: a rate that is looked at again, or that another pair
        goes on telling, confirms nothing (X-71).
        """
        if currency != self.base:
            value, worth = self.rates.value(currency, now), self._worth.get(currency)
            if value is not None and worth is not None:
                known = self._proved_worth.get(currency)
                before = None if known is None else known.value
                if value != worth or self._tells(told_by, currency, now):
                    if known is None:
                        known = self._proved_worth[currency] = ProvedPrice(worth)
                    known.see(value, now)
                self._worth[currency] = value
                proved = None if known is None else known.value
                if (value != worth or proved != before) and self._owns(currency):
                    self.moved += 1
            elif value is not None:
                self.first_told[currency] = value

    def _tells(self, pair: str, currency: str, now: Nanos) -> bool:
        """Whether the rate of a currency that is in force is that of a pair."""
        if not pair or currency not in self.rates.ageing:
            return bool(pair)
        rate = self.rates.rate(currency, now)
        return rate is not None and rate.source == pair

    def value_currency(self, currency: str, rate: Decimal) -> None:
        """Count from now on what is held in a currency whose worth was not known before."""
        self._worth[currency] = rate
        self._proved_worth[currency] = ProvedPrice(rate)
        self.first_told.pop(currency, None)

    def amounts_in(self, currency: str) -> tuple[Decimal, Decimal]:
        """What is held and owed in a currency, in it: all of it, and the unrealised profit."""
        cash = sum((a.cash.get(currency, ZERO) for a in self.book.accounts), start=ZERO)
        value = self.value.market_value.get(currency, ZERO)
        return cash + value, self.value.unrealized.get(currency, ZERO)

    def _owns(self, currency: str) -> bool:
        """Whether there is, or was, cash or something held in a currency."""
        if currency in self.value.market_value:
            return True
        return any(currency in account.cash for account in self.book.data.accounts.values())

    def worth(self, currency: str) -> Decimal | None:
        """Last known worth of one unit of a currency, in the base currency; None if never told."""
        return self._worth.get(currency)

    def in_base(self, amounts: Mapping[str, Decimal]) -> Decimal:
        """The sum of amounts by currency; one whose worth was never told is left out."""
        total = ZERO
        for currency, amount in amounts.items():
            if currency == self.base:
                total += amount
            elif amount:
                total += amount * self._worth.get(currency, ZERO)
        return total

    def _currencies(self) -> set[str]:
        """Every currency that something is held, owed or reserved in."""
        found = {currency for currency, amount in self.value.gross.items() if amount}
        found |= {
            currency for currency, amount in self.book.reservations.by_currency.items() if amount
        }
        for account in self.book.accounts:
            found |= {currency for currency, amount in account.cash.items() if amount}
            found.add(account.currency or self.base)
        return found

    def unvalued(self, now: Nanos) -> list[str]:
        """Currencies that something is held or owed in and that have no fresh rate (X-86)."""
        return sorted(c for c in self._currencies() if not self.rates.is_fresh(c, now))

    def known_rates(self) -> dict[str, Decimal]:
        """The worth of every other currency that the totals lean on."""
        used = self._currencies() - {self.base}
        return {c: self._worth[c] for c in sorted(used) if c in self._worth}

    def revalue(self, symbol: str) -> None:
        """Put the totals right after a fill or a price.

        An account that is not open counts for nothing in them: neither its money nor its holdings.
        """
        currency, mark = self.book.currency_of(symbol), self.mark(symbol)
        proved = self.proved_price(symbol)
        leap = mark is not None and proved is not None and leaps(mark, proved)
        for name, account in self.book.data.accounts.items():
            position = account.positions.get(symbol) if account.open else None
            frozen = account.suspected.get(symbol)
            if frozen is not None:
                self.value.update(name, symbol, position, frozen.mark, currency)
                continue
            self.value.update(name, symbol, position, mark, currency, proved, leaps=leap)

    def proved_price(self, symbol: str) -> Decimal | None:
        """The price of a symbol that is held as far as evidence carries it; None of any other.

        Evidence is never older than what it is about: it begins with the price of the first fill,
        or with the last one that the journal knows (X-71).
        """
        known = self._proved.get(symbol)
        if known is not None:
            return known.value
        held = self.book.held(symbol)
        if not held:
            return None
        first = self.book.data.marks.get(symbol, held[0].average_price)
        self._proved[symbol] = ProvedPrice(first)
        self.moved += 1
        return first

    def _doubted(self, quote: Quote) -> ProvedPrice | None:
        """What is kept of the prices of a symbol in which something may be held and is not known;
        None where no order of it is in doubt."""
        if not self.book.works_in(quote.symbol):
            self._in_doubt.pop(quote.symbol, None)
            return None
        known = self._in_doubt.get(quote.symbol)
        if known is None:
            known = self._in_doubt[quote.symbol] = ProvedPrice(quote.last)
        return known

    def entered_before(self, symbol: str, price: Decimal) -> None:
        """What is known only now to have been entered at a price counts by what has been proved
        since then; that of what was held already stands."""
        known = self._in_doubt.pop(symbol, None)
        if known is not None and symbol not in self._proved:
            known.entered_at(price)
            self._proved[symbol] = known

    def enter_at(self, symbol: str, quantity: Decimal, price: Decimal) -> None:
        """What of a holding was entered at a price is neither gain nor loss, whatever evidence says
        of the rest: the price that has evidence becomes the mean of both.

        `quantity` is signed and part of what is held now. Below zero for a long, above for a short,
        it left the holding at that price without being realised.
        """
        known = self._proved.get(symbol)
        total = sum((position.quantity for position in self.book.held(symbol)), start=ZERO)
        if known is None or not total:
            return
        rest = total - quantity
        known.value = (known.value * rest + price * quantity) / total if rest * total > 0 else price

    def restate(self, symbol: str, price: Decimal) -> None:
        """Begin the evidence of a price anew: its units are others since a split (X-93)."""
        self._proved[symbol] = ProvedPrice(price)

    def forget_proof(self, symbol: str) -> None:
        """Drop the evidence of a price: nobody holds the symbol any more."""
        self._proved.pop(symbol, None)

    def revalue_all(self) -> None:
        """The same for everything that is held, after accounts were opened or left."""
        for symbol in {position.symbol for position in self.book.holdings()}:
            self.revalue(symbol)

    def mark(self, symbol: str) -> Decimal | None:
        """Last price: of the feed, else the last one the journal knows, as after a start."""
        seen = self.market.mark(symbol)
        return self.book.data.marks.get(symbol) if seen is None else seen

    def suspicion_of(self, position: Position) -> Suspicion | None:
        """Why what is held there is suspected of a split; None where it is not (X-93)."""
        account = self.book.data.accounts.get(position.account)
        return None if account is None else account.suspected.get(position.symbol)

    # --- the portfolio's money --------------------------------------------------------------------

    @property
    def cash(self) -> Decimal:
        """Cash of all accounts."""
        total = ZERO
        for account in self.book.data.accounts.values():
            if account.open:
                total += self.in_base(account.cash)
        return total

    @property
    def equity(self) -> Decimal:
        """Cash plus everything held at its mark, and what nothing explains at the venues."""
        return self.cash + self.in_base(self.value.market_value) + self.unexplained

    @property
    def unexplained(self) -> Decimal:
        """What the venues say is there and nothing explains: part of equity, and of no profit,
        transfer or peak (X-75)."""
        total = ZERO
        for name, account in self.book.data.accounts.items():
            if account.open and not account.unexplained.is_nothing:
                total += self.in_base(self.unexplained_in(name))
        return total

    def unexplained_in(self, account: str) -> dict[str, Decimal]:
        """The same of one account, by currency."""
        unexplained = self.book.account(account).unexplained
        amounts = dict(unexplained.cash)
        for held in unexplained.holdings.values():
            currency = self.book.currency_of(held.symbol)
            amounts[currency] = amounts.get(currency, ZERO) + self.value_of(held)
        return amounts

    def value_of(self, held: UnexplainedHolding) -> Decimal:
        """What a quantity that nothing explains is worth, in the currency of the symbol."""
        mark = self.mark(held.symbol)
        return held.quantity * (held.price if mark is None else mark) * held.multiplier

    @property
    def proved_equity(self) -> Decimal:
        """Equity as far as evidence carries the prices and rates that it rests on (X-71, X-74).

        Cash in the base currency counts as it is: what is realised needs no evidence.
        """
        value, total = self.value, self.equity
        for currency, amount in value.unproved.items():
            if amount:
                total -= amount * self._worth.get(currency, ZERO)
        for currency, proved in self._proved_worth.items():
            if not self._owns(currency):
                continue
            unproved = self._worth[currency] - proved.value
            if unproved:
                amount, _ = self.amounts_in(currency)
                total -= (amount - value.unproved.get(currency, ZERO)) * unproved
        return total

    @property
    def believed(self) -> tuple[Decimal, Decimal]:
        """Equity and the unrealised profit in it, with what has evidence in the place of every
        price and rate that is taken for a bad tick: what a day, a mark and the high-water mark
        rest on."""
        equity, unrealized = self.equity, self.unrealized
        for currency, amount in self.value.leaps.values():
            equity -= amount * self._worth.get(currency, ZERO)
            unrealized -= amount * self._worth.get(currency, ZERO)
        for currency, proved in self._proved_worth.items():
            worth = self._worth[currency]
            if leaps(worth, proved.value):
                amount, gained = self.amounts_in(currency)
                bad = sum((a for c, a in self.value.leaps.values() if c == currency), start=ZERO)
                equity -= (amount - bad) * (worth - proved.value)
                unrealized -= (gained - bad) * (worth - proved.value)
        return equity, unrealized

    def believed_mark(self, symbol: str) -> Decimal | None:
        """The mark of a symbol, or the price that has evidence where that is a bad tick; of one
        that is suspected of a split, the price that it counts at (X-93)."""
        for account in self.book.accounts:
            if symbol in account.suspected:
                return account.suspected[symbol].mark
        mark, proved = self.mark(symbol), self.proved_price(symbol)
        if mark is None or proved is None:
            return mark
        return proved if leaps(mark, proved) else mark

    def believed_rates(self) -> dict[str, Decimal]:
        """As `known_rates`, with the worth that has evidence where the newest is a bad tick."""
        rates = self.known_rates()
        for currency, proved in self._proved_worth.items():
            if currency in rates and leaps(rates[currency], proved.value):
                rates[currency] = proved.value
        return rates

    def market_value(self, position: Position) -> Decimal:
        """Signed value of one holding at its mark, in its currency; at cost without a mark."""
        frozen = self.suspicion_of(position)
        if frozen is not None:
            return position.market_value(frozen.mark)
        mark = self.mark(position.symbol)
        return position.cost if mark is None else position.market_value(mark)

    def equity_of(self, account: str) -> Decimal:
        """What one account is worth, in the base currency."""
        return self.in_base(self._amounts_of(account))

    def own_equity_of(self, account: str) -> Decimal | None:
        """What one account is worth, in its own currency, which itself needs no rate.

        None where it has something in another one and nothing tells what its own is worth in that.
        """
        own = self.book.account(account).currency or self.base
        amounts = self._amounts_of(account)
        for currency, amount in self.unexplained_in(account).items():
            amounts[currency] = amounts.get(currency, ZERO) + amount
        equity = amounts.pop(own, ZERO)
        if not any(amounts.values()):
            return equity
        worth = self.worth(own)
        return None if worth is None else equity + self.in_base(amounts) / worth

    def _amounts_of(self, account: str) -> dict[str, Decimal]:
        """Cash and what is held in one account, by currency."""
        state = self.book.account(account)
        amounts = dict(state.cash)
        for symbol, position in state.positions.items():
            currency = self.book.currency_of(symbol)
            amounts[currency] = amounts.get(currency, ZERO) + self.market_value(position)
        return amounts

    @property
    def unrealized(self) -> Decimal:
        """Profit of everything held at its mark, before commission."""
        return self.in_base(self.value.unrealized)

    @property
    def daily_pnl(self) -> Decimal:
        """What the day has earned so far (X-13, X-75)."""
        return self.pnl_of_day(self.equity)

    def pnl_of_day(self, equity: Decimal) -> Decimal:
        """The same at an equity."""
        session = self.book.data.session
        if session is None:
            return ZERO
        return session.earned(equity, self.unexplained)

    @property
    def unrealized_ever(self) -> Decimal:
        """Profit since the accounts were first seen that no sale has realised: of what is held, and
        what moves of rates made of cash and of cost in other currencies (X-75, X-86)."""
        data = self.book.data
        start = data.starting_equity or ZERO
        earned = self.equity - self.unexplained - start - data.flows - data.adjustments
        return earned - data.realized + data.commission

    @property
    def drawdown(self) -> Decimal:
        """Fall from the high-water mark as a fraction of it."""
        return self.fall_of(self.equity)

    def fall_of(self, equity: Decimal) -> Decimal:
        """The same at an equity; what nothing explains is in neither (X-75)."""
        explained = equity - self.unexplained
        peak = max(self.peak_equity, explained)
        return (peak - explained) / peak if peak > 0 else ZERO

    @property
    def peak_equity(self) -> Decimal:
        """The high-water mark: the highest equity, as far as evidence carried it."""
        return self.book.data.peak_equity + self.reach.above

    @property
    def peak_of_day(self) -> Decimal | None:
        """The highest equity of the day; None before the first one."""
        session = self.book.data.session
        return None if session is None else session.peak_equity + self.reach.day_above

    def measure(self, equity: Decimal) -> None:
        """Remember how far `equity` goes, which evidence carries; what nothing explains does not
        count (X-75)."""
        data = self.book.data
        if data.starting_equity is not None:
            peak = data.peak_equity
            of_day = peak if data.session is None else data.session.peak_equity
            self.reach.see(equity - self.unexplained, peak, of_day)

    # --- exposure ---------------------------------------------------------------------------------

    def groups_of(self, symbol: str) -> tuple[str, str]:
        """The groups that limits add exposure up by: the name and its sector."""
        name = self.name_of(symbol)
        return f"name:{name}", f"sector:{self._sector(name)}"

    def name_of(self, symbol: str) -> str:
        """What limits add a symbol up by: what it derives from in the end.

        An option on a future counts in the future's root, as the future does.
        """
        name, seen = self.instrument(symbol).underlying, {symbol}
        while name not in seen:
            seen.add(name)
            name = self.instrument(name).underlying
        return name

    def sector_of(self, symbol: str) -> str:
        """The sector of a symbol's name; the unknown share one bucket (A-085)."""
        return self._sector(self.name_of(symbol))

    def _sector(self, name: str) -> str:
        return self.sectors.get(name, "UNKNOWN")

    def exposed_at(self, instrument: Instrument, price: Decimal) -> Decimal | None:
        """The price at which one unit counts as exposure, never below `price`, its own (A-084).

        Every sum of exposure, what an order adds to it and what a size may come to are counted at
        it. None while there is no price of what the instrument leans on.
        """
        contract = instrument.contract
        name = "" if contract is None else contract.leans_on
        if contract is None or not name:
            return price
        spot = self.mark(name)
        if spot is None or not is_positive(spot):
            return None
        return contract.exposed_at(price, spot, self._priced_with(instrument.symbol, name))

    def _priced_with(self, symbol: str, other: str) -> Decimal | None:
        """The newest price of a symbol, the middle of its sides where both are shown; None where
        it and the newest price of the `other` are not of the same time."""
        market = self.market
        quote, beside = market.quotes.get(symbol), market.quotes.get(other)
        if quote is None or beside is None:
            return None
        if not market.is_fresh(symbol, beside.time) or not market.is_fresh(other, quote.time):
            return None
        price = quote.last
        if quote.bid is not None and quote.ask is not None:
            price = (quote.bid + quote.ask) / 2
        return price if is_positive(price) else None

    def unmeasured(self, group: str = "") -> str:
        """One sentence on what is held or being opened, of a group where one is named, and whose
        exposure nobody can tell: it counts at its own value meanwhile. Empty where there is none.
        """
        for symbol in sorted(self.book.leaning):
            instrument = self.instrument(symbol)
            if group and group not in self.groups_of(symbol):
                continue
            if self.exposed_at(instrument, ZERO) is None:
                return (
                    f"There is no price of {instrument.leans_on}, "
                    f"by which {symbol} counts as exposure."
                )
        return ""

    def exposed(self, order: Order) -> Decimal:
        """What an entry counts as, in the base currency; zero where it does not."""
        own = self.in_base(self.book.reservations.of(order))
        return own + self._beyond(order.symbol, order) if own else own

    def _beyond(self, symbol: str, order: Order | None = None) -> Decimal:
        """What a symbol counts as beyond its own value, in the base currency: what is held and the
        entries in it, or one `order` alone."""
        instrument = self.instrument(symbol)
        price = self.exposed_at(instrument, ZERO)
        if price is None:
            return ZERO
        held = [] if order is not None else self.book.held(symbol)
        parts = [
            (abs(p.quantity) * p.multiplier, abs(self.market_value(p)))
            for p in held
            if self.book.account(p.account).open
        ]
        parts += self.book.reservations.leaning_in(symbol, order)
        beyond = sum((max(units * price - own, ZERO) for units, own in parts), start=ZERO)
        return beyond * self._worth.get(instrument.currency, ZERO)

    def exposure(self, symbol: str) -> Decimal:
        """Gross exposure to one name: what is held of it and of what derives from it in any
        account, working and UNKNOWN entries included (U-51)."""
        return self._in_group(f"name:{self.name_of(symbol)}")

    def sector_exposure(self, sector: str) -> Decimal:
        """Gross exposure to one sector, working entries included."""
        return self._in_group(f"sector:{sector}")

    def _in_group(self, group: str) -> Decimal:
        total = ZERO
        for symbol in self.book.leaning:
            if group in self.groups_of(symbol):
                total += self._beyond(symbol)
        currencies = self.value.gross | self.book.reservations.by_currency
        for sums in (self.value.gross_in, self.book.reservations.by_group):
            for currency in currencies:
                amount = sums.get((group, currency), ZERO)
                if amount:
                    total += amount * self._worth.get(currency, ZERO)
        return total

    @property
    def gross_exposure(self) -> Decimal:
        """Gross exposure to everything, working and UNKNOWN entries included."""
        own = self.in_base(self.value.gross) + self.in_base(self.book.reservations.by_currency)
        return own + sum(map(self._beyond, self.book.leaning), start=ZERO)

    def buying_power(self, account: str) -> Decimal:
        """What new exposure in an account may still cost, in the base currency (X-79).

        The venue's number, less the reservations that it does not contain.
        """
        state, nets = self.book.account(account), self._nets(account)
        reservations = self.book.reservations
        reserved = ZERO
        for place, amount in reservations.by_account.items():
            if place[0] == account:
                inside = reservations.contained_in.get(place, ZERO) if nets else ZERO
                reserved += (amount - inside) * self._worth.get(place[1], ZERO)
        told = state.buying_power + (state.netted if nets else ZERO)
        return told * self._worth.get(state.currency or self.base, ZERO) - reserved

    def _nets(self, account: str) -> bool:
        """Whether the venue's number is less what its working orders may cost."""
        able = self._able.get(account)
        return able is not None and able.nets_buying_power
