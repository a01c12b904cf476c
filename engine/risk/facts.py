"""What a row of the gate may read: each fact under one name.

A row declares what it reads by the names of its parameters: a field of the request, or an attribute
here (`engine.risk.gate`). Nothing else reaches it, so that what a verdict leaned on can be read off
the row.
"""

from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import msgspec

from engine.domain.instant import Nanos
from engine.domain.instrument import Instrument
from engine.domain.market import Quote
from engine.domain.money import ONE, ZERO, is_positive, tighter_stop
from engine.domain.order import OrderStatus
from engine.domain.run import Halt, RunState
from engine.domain.suspicion import CORPORATE_ACTION
from engine.ports import Capabilities
from engine.risk.request import Request
from engine.sizing.added import Added, AddedRisk
from engine.sizing.open_risk import at_stop, of_order
from engine.state.account import AccountState
from engine.state.book import RATE_WINDOW
from engine.state.order import Order
from engine.state.portfolio import SessionState
from engine.state.position import Position
from engine.state.prints import print_of
from engine.state.rates import Rate
from engine.world import World
from engine.world.looks import seen_at
from engine.world.overload import Overload

T = TypeVar("T")

PRICED_NAMED = 12
"""Symbols with a price that a refusal names at most."""


class kept(cached_property[T]):  # noqa: N801 - a decorator, written as the one it is made of
    """A fact that is worked out once, when the first row asks for it.

    As `cached_property` is from Python 3.12 on: the lock that it takes before costs more than most
    facts do, and facts are asked in one thread.
    """

    if not TYPE_CHECKING:  # its type is that of `cached_property`

        def __get__(self, facts: Any, owner: type | None = None) -> Any:
            if facts is None:
                return self
            value = facts.__dict__[self.attrname] = self.func(facts)
            return value


class kept_for_quantity(kept[T]):  # noqa: N801 - as `kept`
    """A fact that is kept and depends on the quantity: with another one it is worked out anew."""

    names: ClassVar[list[str]] = []
    """The names of all facts that depend on the quantity."""

    def __set_name__(self, owner: type, name: str) -> None:
        super().__set_name__(owner, name)
        self.names.append(name)


class Spot(msgspec.Struct, frozen=True, kw_only=True):
    """The price of the instrument that another one's exposure leans on."""

    symbol: str
    usable: bool
    """Whether there is one that is a usable number, fresh or not."""
    age: Nanos | None
    """How old the newest is; None where no feed told one."""
    is_fresh: bool
    """True while it may be leaned on."""


class Related(msgspec.Struct, frozen=True, kw_only=True):
    """Another symbol of the same underlying, and what is held of it and works in it."""

    symbol: str
    lean: int
    """Which way it leans on the underlying where it is bought: +1 or -1."""
    held: list[Position]
    """What is held of it, in any account."""
    entries: list[Order]
    """Working entries in it, in any account."""
    mark: Decimal | None
    """Its newest price; None where that is not a usable number."""
    is_fresh: bool
    """True while that may be traded on."""


class Facts:
    """The world as one request meets it at one moment.

    What several rows lean on is worked out once, when the first of them asks for it: `kept`, or
    `kept_for_quantity` where it leans on the quantity, which a row may make smaller.
    """

    __slots__ = {
        "__dict__": "The facts that are kept.",
        "_book": "",
        "_world": "",
        "instrument": "What is traded.",
        "now": "The moment of the decision.",
        "request": "What is asked.",
    }
    """Rows read these most: an attribute takes a fifth of the time of a property."""

    def __init__(self, world: World, request: Request, now: Nanos) -> None:
        self.request = request
        self.instrument: Instrument = request.instrument
        self.now = now
        self._world = world
        self._book = world.book

    def of(self, request: Request) -> "Facts":
        """The facts of the same request with another quantity."""
        other = Facts(self._world, request, self.now)
        other.__dict__.update(self.__dict__)
        for name in kept_for_quantity.names:
            other.__dict__.pop(name, None)
        return other

    # --- the request ------------------------------------------------------------------------------

    @property
    def reduces(self) -> bool:
        """True where exposure can only shrink."""
        return self.request.kind.reduces

    # --- the portfolio ----------------------------------------------------------------------------

    @property
    def halt(self) -> Halt | None:
        """The halt that is latched."""
        return self._book.data.halt

    @property
    def run_state(self) -> RunState:
        """What the engine may do."""
        return self._book.run_state

    @property
    def against_entries(self) -> tuple[str, ...]:
        """What keeps entries back: restrictions with their reasons, those of the accounts where
        none takes any, and the reason of a pause."""
        data = self._book.data
        none_enters = self.run_state is RunState.REDUCE_ONLY and not data.restrictions
        if not data.restrictions and not data.paused and not none_enters:
            return ()
        causes = [f"{cause} ({item.reason})" for cause, item in data.restrictions.items()]
        for account in self._book.accounts if none_enters else ():
            causes += [f"{account.name}: {reason}" for reason in account.barred.values()]
        if data.paused:
            causes.append(data.pause_reason)
        return tuple(filter(None, causes))

    @property
    def overload(self) -> Overload:
        """Whether more comes in than can be decided in time."""
        return self._world.overload

    @kept
    def session(self) -> SessionState | None:
        """The portfolio's trading day."""
        return self._book.data.session

    @property
    def base(self) -> str:
        """The currency that the portfolio is counted in."""
        return self._world.base

    @kept
    def equity(self) -> Decimal:
        """What everything is worth, in the base currency."""
        return self._world.equity

    @property
    def daily_pnl(self) -> Decimal:
        """The day's profit, unrealised included, in the base currency."""
        return self._world.pnl_of_day(self.equity)

    @property
    def fallen(self) -> Decimal:
        """The fall of equity from its highest, as a fraction of that."""
        return self._world.fall_of(self.equity)

    @property
    def slots_used(self) -> int:
        """Positions that are open or being opened."""
        return self._book.slots_used

    @property
    def has_slot(self) -> bool:
        """True where the symbol is held or being opened already."""
        return bool(self.held) or self.request.symbol in self._book.reservations.by_symbol

    @property
    def orders_working(self) -> int:
        """Orders that work, UNKNOWN ones among them."""
        return self._book.index.count

    @property
    def recent_entries(self) -> int:
        """Entries that were intended within the last minute."""
        return self._book.sent_since(self.now - RATE_WINDOW)

    @property
    def by_signal(self) -> bool:
        """Whether a signal asks for the order, also for a leg of what it wants, not a person."""
        return self.request.automatic

    @property
    def same_order_at(self) -> Nanos | None:
        """When the same order was made before, None where it never was."""
        request = self.request
        wanted = print_of(
            request.account,
            request.symbol,
            request.side,
            request.quantity or ZERO,
            request.limit_price,
            request.stop_price,
        )
        return self._book.data.prints.get(wanted)

    # --- signals before this one ------------------------------------------------------------------

    @property
    def heard(self) -> bool:
        """True where a signal of this id was accepted before."""
        signal = self.request.signal
        return signal is not None and signal.signal_id in self._book.seen_signals

    @property
    def same_signal_at(self) -> Nanos | None:
        """When a signal of the same content was accepted last, None where none was."""
        signal = self.request.signal
        return None if signal is None else self._book.data.window.get(signal.content)

    # --- the account ------------------------------------------------------------------------------

    @kept
    def venue_account(self) -> AccountState:
        """The account that the order goes to: its balances, its link, its last comparison."""
        return self._book.account(self.request.account)

    @property
    def account_max_age(self) -> int:
        """After how many seconds the last look at a venue is too old for an entry (X-84)."""
        own = self._world.limits.account_max_age_seconds
        return own or self._world.config.execution.reconcile_seconds + 30

    @property
    def account_seen_at(self) -> Nanos:
        """When that account was last seen as it is (X-84)."""
        return seen_at(self._world, self.venue_account, self.now)

    @property
    def able(self) -> Capabilities:
        """What its venue can do."""
        return self._world.able(self.request.account)

    @property
    def blocks(self) -> Mapping[str, str]:
        """What is unexplained of the symbol there: causes with their reasons."""
        blocked, symbol = self.venue_account.blocked, self.request.symbol
        found = blocked.get(symbol) or {}
        name = self.instrument.leans_on
        if name and CORPORATE_ACTION in blocked.get(name, {}):
            return found | {CORPORATE_ACTION: blocked[name][CORPORATE_ACTION]}
        return found

    @property
    def unclear(self) -> tuple[Order, ...]:
        """Orders in the symbol there that are UNKNOWN."""
        if not self._book.index.unclear:
            return ()
        working = self._book.working(self.request.account, self.request.symbol)
        return tuple(order for order in working if order.status is OrderStatus.UNKNOWN)

    @kept
    def rates(self) -> Mapping[str, Rate | None]:
        """The rate of each other currency that the order is paid or its account is kept in."""
        base = self.base
        paid, kept_in = self.instrument.currency, self.venue_account.currency or base
        if paid == base == kept_in:
            return {}
        return {
            currency: self._world.rates.rate(currency, self.now)
            for currency in sorted({paid, kept_in} - {base})
        }

    @property
    def buying_power(self) -> Decimal:
        """What new exposure there may still cost, what this order holds already included."""
        return self._world.buying_power(self.request.account) + self.request.freed

    @property
    def fee_rate(self) -> Decimal:
        """What the broker charges of a trade as far as the config says, as a fraction of it."""
        return self._world.config.brokers.of(self.request.account).fee_rate

    # --- what is held and works in the symbol -----------------------------------------------------

    @kept
    def held(self) -> list[Position]:
        """What is held of the symbol, in any account."""
        return self._book.held(self.request.symbol)

    @property
    def opposing(self) -> Order | None:
        """A working entry the other way round, in any account."""
        symbol, sign = self.request.symbol, self.request.sign
        if not self._book.count_entries(symbol, -sign):
            return None
        entries = self._book.entries_in(symbol)
        return next((order for order in entries if order.side.sign != sign), None)

    @kept
    def entries_here(self) -> list[Order]:
        """Working entries in the symbol and account on the order's side, but for the one that it
        changes."""
        request = self.request
        if not self._book.count_entries(request.symbol, request.sign):
            return []
        return [
            order
            for order in self._book.working(request.account, request.symbol)
            if order.adds_exposure
            and order.side.sign == request.sign
            and order.client_order_id != request.changes
        ]

    @property
    def unlike(self) -> Position | Order | None:
        """What the order would become one position with, though only one of them is managed."""
        request = self.request
        held = request.position
        if held is not None:
            return held if held.managed is not request.managed else None
        others = (o for o in self.entries_here if o.is_managed is not request.managed)
        return next(others, None)

    @property
    def entries_working(self) -> int:
        """Working entries in the symbol, in any account and either way round."""
        return sum(self._book.count_entries(self.request.symbol, sign) for sign in (1, -1))

    @kept
    def related(self) -> list[Related]:
        """What is held and works in other symbols of the same underlying."""
        name, symbol = self.instrument.underlying, self.request.symbol
        symbols = [other for other in self._book.of_underlying(name) if other != symbol]
        if name != symbol and (self._book.held(name) or self._book.has_entries(name)):
            symbols.append(name)
        return [self._related(other) for other in symbols]

    def _related(self, symbol: str) -> Related:
        world = self._world
        return Related(
            symbol=symbol,
            lean=world.instrument(symbol).lean,
            held=self._book.held(symbol),
            entries=list(self._book.entries_in(symbol)),
            mark=usable_mark(world, symbol),
            is_fresh=world.market.is_fresh(symbol, self.now),
        )

    # --- its stop ---------------------------------------------------------------------------------

    @property
    def fill_prices(self) -> tuple[Decimal | None, ...]:
        """What its fill may come to, as far as a stop is concerned: its limit and its trigger, the
        market's price unless that must reach the trigger first, and what its signal saw."""
        request = self.request
        prices: list[Decimal | None] = [request.entry]
        if request.stop_price is not None:
            prices.append(request.stop_price)
        elif self.mark is not None:
            prices.append(self.mark)
        if request.signal is not None:
            prices.append(request.signal.entry_price)
        return tuple(dict.fromkeys(prices))

    @property
    def stop_after(self) -> Decimal | None:
        """The stop that will protect all of the position once the order has filled (X-82)."""
        request = self.request
        held = request.position
        first = None if held is None or held.sign != request.sign else held.stop
        return tighter_stop(first, request.stop, sell=request.sign > 0)

    @property
    def adds_risk(self) -> AddedRisk | None:
        """What the order adds to the open risk of its position at that stop (X-82).

        None where there is no stop or no such limit, where it only reduces, and for a first entry
        that nothing else goes with: sizing holds a signal's to the limit by itself, and of a
        person's a first stop always passes (X-85), for the order would pass without one.
        """
        request, stop, share = self.request, self.stop_after, self._world.limits.risk_per_trade
        if stop is None or share is None or request.kind.reduces:
            return None
        held, multiplier = request.position, self.instrument.multiplier
        if held is None and not self._joins_entries:
            return None
        buffer = self._world.config.execution.slippage_buffer
        before = ZERO if held is None else at_stop(held, stop)
        for order in self.entries_here:
            before += of_order(order, stop, multiplier, buffer)
        unit = (self._worst_entry - stop) * request.sign
        rate = self._worth
        return AddedRisk(
            adds=Added(
                leaves=max((request.quantity or ZERO) - request.filled, ZERO),
                filled=request.filled,
                unit_value=unit * multiplier * rate,
                freed=ZERO,
                lot=self.instrument.lot,
            ),
            before=before * rate,
            limit=share * self.equity,
            stop=stop,
        )

    @property
    def _joins_entries(self) -> bool:
        """True for a change of an order beside another entry; a signal enters beside none."""
        return self.request.signal is None and bool(self.entries_here)

    @property
    def _worst_entry(self) -> Decimal:
        """The price of a fill that is furthest from its stop (U-51): dearest to buy, cheapest to
        sell."""
        request = self.request
        if request.sign > 0:
            return self.worst_price
        if request.limit_price is not None:
            return request.limit_price
        prices = [price for price in (request.entry, self.mark) if price is not None]
        quote = self.quote
        if quote is not None and quote.bid is not None and is_positive(quote.bid):
            prices.append(quote.bid)
        worst = min(prices, default=Decimal("NaN"))
        return worst * (ONE - self._world.config.execution.slippage_buffer)

    # --- its market -------------------------------------------------------------------------------

    @property
    def last(self) -> Decimal | None:
        """The newest price, usable or not."""
        return self._world.market.mark(self.request.symbol)

    @kept
    def mark(self) -> Decimal | None:
        """The newest price, fresh or not; None where it is not a usable number."""
        return usable_mark(self._world, self.request.symbol)

    @property
    def priced_instead(self) -> tuple[str, ...]:
        """Where the symbol has no price: what has one and differs in the size of its letters alone,
        else the symbols that are configured. Nothing where it has one."""
        symbol, market = self.request.symbol, self._world.market
        if self.mark is not None:
            return ()
        alike = [name for name in market.quotes if name.casefold() == symbol.casefold()]
        names = [n for n in alike if n != symbol] or self._world.config.market.symbols
        return tuple(n for n in names if market.mark(n) is not None)[:PRICED_NAMED]

    @property
    def quote(self) -> Quote | None:
        """The newest quote."""
        return self._world.market.quotes.get(self.request.symbol)

    @property
    def quote_age(self) -> Nanos | None:
        """How old the newest quote is."""
        return self._world.market.age(self.request.symbol, self.now)

    @property
    def is_fresh(self) -> bool:
        """True while the newest price may be traded on."""
        return self._world.market.is_fresh(self.request.symbol, self.now)

    @property
    def spot(self) -> Spot | None:
        """The price of the instrument that this one's exposure leans on; None where it leans on
        none."""
        name = self.instrument.leans_on
        if not name:
            return None
        market = self._world.market
        return Spot(
            symbol=name,
            usable=usable_mark(self._world, name) is not None,
            age=market.age(name, self.now),
            is_fresh=market.is_fresh(name, self.now),
        )

    # --- exposure ---------------------------------------------------------------------------------

    @kept
    def worst_price(self) -> Decimal:
        """The dearest price a unit may come to, at which its cost is counted (A-066).

        A buy with a limit costs its limit at most; anything else the worse of its reference and
        the market, and `execution.slippage_buffer` on top. NaN without any price: every comparison
        with it fails, and the check with it (U-53).
        """
        request = self.request
        if request.sign > 0 and request.limit_price is not None:
            return request.limit_price
        prices = [price for price in (request.entry, self.mark) if price is not None]
        quote = self.quote
        if request.sign > 0 and quote is not None and quote.ask is not None:
            prices += [quote.ask] if is_positive(quote.ask) else []
        worst = max(prices, default=Decimal("NaN"))
        return worst * (ONE + self._world.config.execution.slippage_buffer)

    @kept
    def unit_value(self) -> Decimal:
        """What one unit is worth at worst, in the base currency; NaN without a rate."""
        return self._valued(self.worst_price)

    @property
    def _worth(self) -> Decimal:
        """What the instrument's currency is worth in the base currency; NaN without a rate."""
        currency = self.instrument.currency
        return ONE if currency == self.base else self._world.worth(currency) or Decimal("NaN")

    def _valued(self, price: Decimal) -> Decimal:
        """One unit at a price, in the base currency; NaN without a rate."""
        return price * self.instrument.multiplier * self._worth

    @kept_for_quantity
    def adds(self) -> Added:
        """What the order costs at worst."""
        request = self.request
        return Added(
            leaves=(request.quantity or ZERO) - request.filled,
            filled=request.filled,
            unit_value=self.unit_value,
            freed=request.freed,
            lot=request.instrument.lot,
        )

    @kept_for_quantity
    def exposes(self) -> Added:
        """What the order adds to exposure at worst: what it costs, or more where it leans on
        another instrument (A-084); NaN while nobody can tell."""
        if not self.instrument.leans_on:
            return self.adds
        price = self._world.exposed_at(self.instrument, self.worst_price)
        return msgspec.structs.replace(
            self.adds,
            unit_value=self._valued(Decimal("NaN") if price is None else price),
            freed=self.request.freed_exposure,
        )

    @property
    def name(self) -> str:
        """What limits add the instrument up by: a stock with its options, a root with its futures
        and the options on them."""
        return self._world.name_of(self.request.symbol)

    @property
    def name_exposure(self) -> Decimal:
        """Gross exposure to the name, working entries included, in the base currency."""
        return self._world.exposure(self.request.symbol)

    @property
    def unmeasured_name(self) -> str:
        """Why nobody can tell the exposure to the name; empty where it can be told."""
        if not self._book.leaning:
            return ""
        return self._world.unmeasured(self._world.groups_of(self.request.symbol)[0])

    @property
    def unmeasured_sector(self) -> str:
        """Why nobody can tell that to its sector; empty where it can be told."""
        if not self._book.leaning:
            return ""
        return self._world.unmeasured(self._world.groups_of(self.request.symbol)[1])

    @property
    def unmeasured(self) -> str:
        """Why nobody can tell that to everything; empty where it can be told."""
        return self._world.unmeasured()

    @kept
    def sector(self) -> str:
        """The sector of the name."""
        return self._world.sector_of(self.request.symbol)

    @property
    def sector_exposure(self) -> Decimal:
        """Gross exposure to that sector, working entries included, in the base currency."""
        return self._world.sector_exposure(self.sector)

    @property
    def gross_exposure(self) -> Decimal:
        """Gross exposure to everything, working entries included, in the base currency."""
        return self._world.gross_exposure


def usable_mark(world: World, symbol: str) -> Decimal | None:
    """The newest price of a symbol, fresh or not; None where it is not a usable number."""
    last = world.market.mark(symbol)
    return last if is_positive(last) else None
