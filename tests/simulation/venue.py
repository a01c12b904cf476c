"""A venue with a truth of its own: it accepts, matches and remembers, and misbehaves by chance."""

from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Final, Protocol

from engine.core.sends import DUPLICATE_ID
from engine.domain.account import Account, VenueOrder
from engine.domain.instant import Nanos
from engine.domain.market import Quote
from engine.domain.order import (
    Fill,
    OrderStatus,
    OrderTerms,
    OrderType,
    Purpose,
    Replacement,
    Side,
    TimeInForce,
)
from engine.ports import (
    Capabilities,
    OrderReport,
    Rejected,
)
from tests.simulation.agenda import Agenda
from tests.simulation.faults import Faults

NAME: Final = "paper"
ACCOUNT: Final = "simulated"
CASH: Final = Decimal(100_000)
ZERO: Final = Decimal(0)
ONE: Final = Decimal(1)
FEE: Final = Decimal("0.001")
CENT: Final = Decimal("0.01")
LATE_SECONDS: Final = 2.0
"""How long after a time-out a request may still arrive."""
TIMEOUTS: Final = (0.5, 3.0)

_S = OrderStatus


class Listener(Protocol):
    """Who is told what happens: the line of the process that is connected."""

    def carry(self, report: OrderReport) -> None:
        """Put a report on its way."""
        ...

    def cut(self) -> None:
        """The connection is gone."""
        ...

    def die(self) -> None:
        """The process is gone."""
        ...


class Working:
    """An order as the venue has it."""

    __slots__ = (
        "filled",
        "limit_price",
        "order",
        "quantity",
        "status",
        "stop_price",
        "triggered",
        "venue_id",
    )

    def __init__(self, order: OrderTerms, venue_id: str) -> None:
        self.order = order
        self.venue_id = venue_id
        self.quantity = order.quantity
        self.filled = ZERO
        self.status = _S.NEW
        self.limit_price = order.limit_price
        self.stop_price = order.stop_price
        self.triggered = order.stop_price is None

    @property
    def leaves(self) -> Decimal:
        """What may still fill."""
        return self.quantity - self.filled

    @property
    def is_open(self) -> bool:
        """True until it ended."""
        return self.status in (_S.NEW, _S.PARTIALLY_FILLED)

    def stated(self) -> VenueOrder:
        """As an answer to a question."""
        order = self.order
        return VenueOrder(
            client_order_id=order.client_order_id,
            venue_order_id=self.venue_id,
            symbol=order.symbol,
            side=order.side,
            type=order.type,
            quantity=self.quantity,
            filled=self.filled,
            limit_price=self.limit_price,
            stop_price=self.stop_price,
            status=self.status,
            reduce_only=order.reduce_only,
        )


class Stranger:
    """An order of somebody else in our account: far from the market, it never fills."""

    __slots__ = ("since", "symbol", "until")

    def __init__(self, symbol: str, since: Nanos) -> None:
        self.symbol = symbol
        self.since = since
        self.until: Nanos | None = None
        """When it was withdrawn."""


class Venue:
    """Accepts, matches and remembers. What it holds is what is true.

    `capabilities` say what it does: reduce-only orders are clipped where it says so, else sells
    beyond what is free are refused where nothing may be shorted, else nothing is checked.
    """

    def __init__(
        self,
        agenda: Agenda,
        random: Random,
        capabilities: Capabilities,
        *,
        name: str = NAME,
        account_id: str = ACCOUNT,
    ) -> None:
        self.name = name
        self.account_id = account_id
        self.agenda = agenda
        self.random = random
        self.capabilities = capabilities
        self.faults = Faults()
        self.cash = CASH
        self.positions: dict[str, Decimal] = {}
        self.costs: dict[str, Decimal] = {}
        self.orders: dict[str, Working] = {}
        self.open: dict[str, Working] = {}
        self.fills: list[Fill] = []
        self.prices: dict[str, Decimal] = {}
        self.line: Listener | None = None
        self.link_up = True
        self.starts = 1
        """How often it was started; what was on its way to an earlier start is lost."""
        self.strangers: dict[str, Stranger] = {}
        """Orders that somebody else placed in the account."""
        self.in_flight = 0
        """Requests to submit that may still arrive."""
        self.on_accept: Callable[[OrderTerms, bool], None] = lambda order, again: None
        self.on_work: Callable[[Working], None] = lambda working: None
        """Told of an order that works from now on, or works with other terms."""
        self.on_fill: Callable[[Working, Fill, Decimal, Decimal], None] = lambda *_: None
        self._ids = 0
        self._joins = random.random() < 0.7
        """Whether reduce-only orders end with the position they reduce."""

    # --- prices -----------------------------------------------------------------------------------

    def on_price(self, quote: Quote) -> None:
        """A price: stops trigger, limits fill."""
        symbol = quote.symbol
        self.prices[symbol] = quote.last
        if not self.open:
            return
        for working in [w for w in self.open.values() if w.order.symbol == symbol]:
            self._meet(working)

    def _meet(self, working: Working) -> None:
        """One order against the newest price."""
        order = working.order
        price = self.prices.get(order.symbol)
        if price is None or not working.is_open:
            return
        buy = order.side is Side.BUY
        if not working.triggered:
            stop = working.stop_price
            assert stop is not None
            if (price < stop) if buy else (price > stop):
                return
            working.triggered = True
        limit = working.limit_price
        if limit is not None and ((price > limit) if buy else (price < limit)):
            return
        at = price + CENT if buy else price - CENT
        self._trade(working, at if limit is None else limit)

    def _trade(self, working: Working, price: Decimal) -> None:
        if working.leaves > 1 and self.random.random() < self.faults.partial:
            part = Decimal(self.random.randint(1, int(working.leaves) - 1))
            self._fill(working, part, price)
            if working.is_open:
                self.agenda.after(self.random.uniform(0.05, 2.0), lambda: self._meet(working))
        else:
            self._fill(working, working.leaves, price)

    def _reducible(self, order: OrderTerms) -> Decimal:
        held = self.positions.get(order.symbol, ZERO)
        return max(-held * order.side.sign, ZERO)

    def _fill(self, working: Working, quantity: Decimal, price: Decimal) -> None:
        order = working.order
        if order.reduce_only and self.capabilities.reduce_only:
            quantity = min(quantity, self._reducible(order))
            if not quantity:
                self._end(working, _S.CANCELED, "nothing is left to reduce")
                return
        symbol = order.symbol
        before = self.positions.get(symbol, ZERO)
        after = before + quantity * order.side.sign
        fee = quantity * price * FEE
        self.cash -= quantity * price * order.side.sign + fee
        self._cost(symbol, before, after, price)
        if after:
            self.positions[symbol] = after
        else:
            self.positions.pop(symbol, None)
        working.filled += quantity
        working.status = _S.PARTIALLY_FILLED if working.leaves > 0 else _S.FILLED
        if not working.is_open:
            self.open.pop(order.client_order_id, None)
        fill = Fill(
            execution_id=f"x{len(self.fills) + 1}",
            client_order_id=order.client_order_id,
            venue_order_id=working.venue_id,
            account=self.name,
            symbol=symbol,
            side=order.side,
            quantity=quantity,
            price=price,
            commission=fee,
            time=self.agenda.now,
        )
        self.fills.append(fill)
        self.on_fill(working, fill, before, after)
        self._report(working, fill=fill)
        if not after and self._joins and self.capabilities.reduce_only:
            for other in [w for w in self.open.values() if w.order.symbol == symbol]:
                if other.order.reduce_only:
                    self._end(other, _S.CANCELED, "the position is flat")

    def _cost(self, symbol: str, before: Decimal, after: Decimal, price: Decimal) -> None:
        if not after:
            self.costs.pop(symbol, None)
        elif before * after <= 0:
            self.costs[symbol] = price
        elif abs(after) > abs(before):
            old = self.costs[symbol]
            self.costs[symbol] = (old * before + price * (after - before)) / after

    # --- requests, as they arrive -----------------------------------------------------------------

    def accept(self, order: OrderTerms) -> None:
        """A new order. Raises Rejected."""
        key = order.client_order_id
        known = self.orders.get(key)
        if known is not None and (self.capabilities.deduplicates or known.is_open):
            raise Rejected(DUPLICATE_ID, f"{key} was used before")
        self._admit(order)
        self._ids += 1
        working = Working(order, f"v{self._ids}")
        self.on_accept(order, known is not None)
        self.orders[key] = working
        self.open[key] = working
        self.on_work(working)
        self._report(working)
        if self.random.random() < 0.5:
            self._meet(working)
        else:
            self.agenda.after(self.random.uniform(0.001, 0.5), lambda: self._meet(working))

    def _admit(self, order: OrderTerms) -> None:
        draw, faults = self.random.random(), self.faults
        if draw < (faults.stop_rejected if order.is_protective else faults.rejected):
            raise Rejected("REFUSED", "the venue does not like it")
        if self.capabilities.reduce_only:
            if order.reduce_only and not self._reducible(order):
                raise Rejected("REDUCE_ONLY", "there is nothing to reduce")
        elif not self.capabilities.shorting and order.side is not Side.BUY:
            free = self._free(order.symbol)
            if order.quantity > free:
                raise Rejected("INSUFFICIENT", f"{free} are free")

    def _free(self, symbol: str) -> Decimal:
        """What is held of a symbol and no working order sells."""
        bound = (w for w in self.open.values() if w.order.symbol == symbol)
        sold = sum((w.leaves for w in bound if w.order.side is not Side.BUY), ZERO)
        return self.positions.get(symbol, ZERO) - sold

    def cancel(self, key: str) -> None:
        """A cancel. Raises Rejected."""
        working = self.orders.get(key)
        if working is None or not working.is_open:
            raise Rejected("NOT_WORKING", f"{key} does not work")
        if self.random.random() < self.faults.cancel_ignored:
            return
        stranger = key in self.strangers
        if working.triggered and not stranger and self.random.random() < self.faults.cancel_race:
            price = self.prices[working.order.symbol]
            part = Decimal(self.random.randint(1, int(working.leaves)))
            self._fill(working, part, working.limit_price or price)
        if working.is_open:
            self._end(working, _S.CANCELED, "on request")

    def modify(self, key: str, wanted: Replacement) -> None:
        """A replace. Raises Rejected."""
        working = self.orders.get(key)
        if working is None or not working.is_open:
            raise Rejected("NOT_WORKING", f"{key} does not work")
        quantity = wanted.quantity
        refused = self.random.random() < self.faults.replace_refused
        if not self.capabilities.native_modify or refused or quantity <= working.filled:
            raise Rejected("NO_REPLACE", "it cannot be replaced")
        more, spot = quantity - working.quantity, not self.capabilities.shorting
        if spot and more > self._free(working.order.symbol):
            raise Rejected("INSUFFICIENT", "not so much is free")
        working.quantity = quantity
        working.limit_price = wanted.limit_price or working.limit_price
        working.stop_price = wanted.stop_price or working.stop_price
        self.on_work(working)
        self._report(working, changed=True)

    def _end(self, working: Working, status: OrderStatus, text: str) -> None:
        working.status = status
        self.open.pop(working.order.client_order_id, None)
        self._report(working, text=text)

    # --- reports ----------------------------------------------------------------------------------

    def _report(
        self,
        working: Working,
        *,
        fill: Fill | None = None,
        changed: bool = False,
        text: str = "",
    ) -> None:
        if self.line is None:
            return
        report = OrderReport(
            account=self.name,
            client_order_id=working.order.client_order_id,
            venue_order_id=working.venue_id,
            symbol=working.order.symbol,
            status=working.status,
            fill=fill,
            filled=working.filled,
            quantity=working.quantity if changed else None,
            limit_price=working.limit_price if changed else None,
            stop_price=working.stop_price if changed else None,
            text=text,
            time=self.agenda.now,
        )
        self.line.carry(report)

    def set_link(self, *, up: bool) -> None:
        """Cut the line, or let it be connected to again."""
        self.link_up = up
        if not up and self.line is not None:
            self.line.cut()

    def restart(self) -> None:
        """End and start again: what works and what is held stays, what was on its way is lost."""
        self.starts += 1
        self.set_link(up=False)

    # --- somebody else in the account -------------------------------------------------------------

    def somebody_orders(self, symbol: str) -> None:
        """An order that this program knows nothing of; its report comes like any other."""
        key = f"somebody{len(self.strangers) + 1}"
        order = OrderTerms(
            client_order_id=key,
            intent_id="theirs",
            account=self.name,
            symbol=symbol,
            side=Side.BUY,
            type=OrderType.LIMIT,
            time_in_force=TimeInForce.GTC,
            quantity=Decimal(3),
            limit_price=(self.prices[symbol] / 4).quantize(CENT),
            purpose=Purpose.MANUAL,
        )
        self._ids += 1
        working = Working(order, f"v{self._ids}")
        self.strangers[key] = Stranger(symbol, self.agenda.now)
        self.orders[key] = self.open[key] = working
        self._report(working)

    def somebody_withdraws(self) -> None:
        """Every such order is withdrawn by who placed it."""
        for key, stranger in self.strangers.items():
            stranger.until = stranger.until or self.agenda.now
            if self.orders[key].is_open:
                self._end(self.orders[key], _S.CANCELED, "withdrawn")

    def account(self) -> Account:
        """Balances now."""
        worth = sum((q * self.prices[s] for s, q in self.positions.items()), ZERO)
        gross = sum((abs(q) * self.prices[s] for s, q in self.positions.items()), ZERO)
        equity = self.cash + worth
        return Account(
            account_id=self.account_id,
            cash=self.cash,
            equity=equity,
            buying_power=max(equity * 2 - gross, ZERO),
            as_of=self.agenda.now,
        )


def capabilities(random: Random, joins: float = 0.7) -> Capabilities:
    """What this run's venue can do; `joins` is the chance that it joins what reduces."""
    reduce_only = random.random() < joins
    margin, native_modify = random.random() < 0.5, random.random() < 0.6
    return Capabilities(
        order_types=frozenset(OrderType),
        times_in_force=frozenset(TimeInForce),
        native_stop=True,
        native_modify=native_modify,
        reduce_only=reduce_only,
        shorting=reduce_only or margin,
        fractional=False,
        deduplicates=random.random() < 0.5,
        late_arrival_seconds=LATE_SECONDS,
        timeout_seconds=TIMEOUTS[1],
        cancel_all=True,
        cancels_together=native_modify,
    )
