"""A venue with a truth of its own, and the faulty line to it (the Broker port in virtual time)."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from random import Random
from typing import Any, Final, TypeVar

from engine.domain.account import Account, VenueOrder, VenuePosition
from engine.domain.instant import Nanos
from engine.domain.instrument import Instrument, default_instrument
from engine.domain.market import Quote
from engine.domain.order import (
    Fill,
    Order,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from engine.domain.run import LinkState
from engine.orders.lifecycle import DUPLICATE_ID
from engine.ports import (
    Ambiguous,
    BrokerError,
    Capabilities,
    LinkReport,
    NotSent,
    OrderReport,
    Rejected,
    Report,
    Throttled,
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
T = TypeVar("T")


class Working:
    """An order as the venue has it."""

    __slots__ = ("filled", "order", "quantity", "status", "stop_price", "triggered", "venue_id")

    def __init__(self, order: Order, venue_id: str) -> None:
        self.order = order
        self.venue_id = venue_id
        self.quantity = order.quantity
        self.filled = ZERO
        self.status = _S.NEW
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
            limit_price=order.limit_price,
            stop_price=self.stop_price,
            status=self.status,
            reduce_only=order.reduce_only,
        )


class Venue:
    """Accepts, matches and remembers. What it holds is what is true.

    `capabilities` say what it does: reduce-only orders are clipped where it says so, else sells
    beyond what is free are refused where nothing may be shorted, else nothing is checked.
    """

    def __init__(self, agenda: Agenda, random: Random, capabilities: Capabilities) -> None:
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
        self.line: Line | None = None
        self.link_up = True
        self.in_flight = 0
        """Requests to submit that may still arrive."""
        self.on_accept: Callable[[Order, bool], None] = lambda order, again: None
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
        limit = order.limit_price
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

    def _reducible(self, order: Order) -> Decimal:
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
            broker=NAME,
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

    def accept(self, order: Order) -> None:
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
        self._report(working)
        if self.random.random() < 0.5:
            self._meet(working)
        else:
            self.agenda.after(self.random.uniform(0.001, 0.5), lambda: self._meet(working))

    def _admit(self, order: Order) -> None:
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
        if working.triggered and self.random.random() < self.faults.cancel_race:
            price = self.prices[working.order.symbol]
            part = Decimal(self.random.randint(1, int(working.leaves)))
            self._fill(working, part, working.order.limit_price or price)
        if working.is_open:
            self._end(working, _S.CANCELED, "on request")

    def modify(self, key: str, quantity: Decimal, stop_price: Decimal | None) -> None:
        """A replace. Raises Rejected."""
        working = self.orders.get(key)
        if working is None or not working.is_open:
            raise Rejected("NOT_WORKING", f"{key} does not work")
        refused = self.random.random() < self.faults.replace_refused
        if not self.capabilities.native_modify or refused or quantity <= working.filled:
            raise Rejected("NO_REPLACE", "it cannot be replaced")
        more, spot = quantity - working.quantity, not self.capabilities.shorting
        if spot and more > self._free(working.order.symbol):
            raise Rejected("INSUFFICIENT", "not so much is free")
        working.quantity = quantity
        if stop_price is not None:
            working.stop_price = stop_price
        self._report(working, quantity=quantity, stop_price=working.stop_price)

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
        quantity: Decimal | None = None,
        stop_price: Decimal | None = None,
        text: str = "",
    ) -> None:
        if self.line is None or not self.link_up:
            return
        report = OrderReport(
            broker=NAME,
            client_order_id=working.order.client_order_id,
            venue_order_id=working.venue_id,
            symbol=working.order.symbol,
            status=working.status,
            fill=fill,
            filled=working.filled,
            quantity=quantity,
            stop_price=stop_price,
            text=text,
            time=self.agenda.now,
        )
        self.line.carry(report)

    def set_link(self, *, up: bool) -> None:
        """Cut the line, or let it come back."""
        self.link_up = up
        if self.line is not None:
            self.line.told(LinkState.CONNECTED if up else LinkState.DISCONNECTED)

    def account(self) -> Account:
        """Balances now."""
        worth = sum((q * self.prices[s] for s, q in self.positions.items()), ZERO)
        gross = sum((abs(q) * self.prices[s] for s, q in self.positions.items()), ZERO)
        equity = self.cash + worth
        return Account(
            account_id=ACCOUNT,
            cash=self.cash,
            equity=equity,
            buying_power=max(equity * 2 - gross, ZERO),
            as_of=self.agenda.now,
        )


def capabilities(random: Random) -> Capabilities:
    """What this run's venue can do."""
    reduce_only = random.random() < 0.7
    margin = random.random() < 0.5
    return Capabilities(
        order_types=frozenset(OrderType),
        times_in_force=frozenset(TimeInForce),
        native_stop=True,
        native_modify=random.random() < 0.6,
        reduce_only=reduce_only,
        shorting=reduce_only or margin,
        fractional=False,
        deduplicates=random.random() < 0.5,
        late_arrival_seconds=LATE_SECONDS,
        timeout_seconds=TIMEOUTS[1],
        cancel_all=True,
    )


class Line:
    """One process's connection to the venue: requests and reports meet the faults here."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._reports: deque[Report] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._alive = True
        self.on_submit: Callable[[Order], None] = lambda order: None
        venue.line = self

    # --- the port ---------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The name under `[brokers]`."""
        return NAME

    @property
    def capabilities(self) -> Capabilities:
        """The venue's."""
        return self._venue.capabilities

    async def connect(self) -> None:
        """Open the line."""
        if not self._venue.link_up:
            raise NotSent("the venue cannot be reached")
        self.told(LinkState.CONNECTED)

    async def disconnect(self) -> None:
        """Close the line; nothing is cancelled."""
        self.die()

    async def submit_order(self, order: Order) -> None:
        """Hand an order over."""
        self.on_submit(order)
        venue = self._venue

        def arrive() -> None:
            venue.in_flight -= 1
            venue.accept(order)

        def lost() -> None:
            venue.in_flight -= 1

        venue.in_flight += 1
        await self._ask(arrive, lost)

    async def cancel_order(self, client_order_id: str) -> None:
        """Ask for a cancel."""
        await self._ask(lambda: self._venue.cancel(client_order_id))

    async def cancel_all(self) -> None:
        """Ask for a cancel of everything."""
        for key in tuple(self._venue.open):
            await self.cancel_order(key)

    async def modify_order(
        self, client_order_id: str, quantity: Decimal, stop_price: Decimal | None
    ) -> None:
        """Ask for a replace."""
        await self._ask(lambda: self._venue.modify(client_order_id, quantity, stop_price))

    async def get_order(self, client_order_id: str) -> VenueOrder | None:
        """The order as it stands."""

        def look() -> VenueOrder | None:
            known = self._venue.orders.get(client_order_id)
            return None if known is None else known.stated()

        return await self._read(look)

    async def get_open_orders(self) -> tuple[VenueOrder, ...]:
        """Everything that works."""
        return await self._read(lambda: tuple(w.stated() for w in self._venue.open.values()))

    async def get_fills_since(self, since: Nanos) -> tuple[Fill, ...]:
        """Executions from then on."""
        return await self._read(lambda: tuple(f for f in self._venue.fills if f.time >= since))

    async def get_positions(self) -> tuple[VenuePosition, ...]:
        """Holdings."""
        venue = self._venue
        return await self._read(
            lambda: tuple(
                VenuePosition(symbol=s, quantity=q, average_price=venue.costs[s])
                for s, q in venue.positions.items()
            )
        )

    async def get_account(self) -> Account:
        """Balances."""
        return await self._read(self._venue.account)

    async def instrument(self, symbol: str) -> Instrument:
        """Grid and calendar."""
        return default_instrument(symbol, "SIM")

    async def server_time(self) -> Nanos:
        """The venue's clock."""
        return self._venue.agenda.now

    async def reports(self) -> AsyncIterator[Report]:
        """What the venue says, as it comes."""
        while self._alive:
            while self._reports:
                yield self._reports.popleft()
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    # --- faults -----------------------------------------------------------------------------------

    async def _ask(
        self, act: Callable[[], object], lost: Callable[[], None] = lambda: None
    ) -> None:
        """A request that changes something there."""
        venue, faults = self._venue, self._venue.faults
        random = venue.random
        draw = random.random()
        if not venue.link_up or (draw := draw - faults.not_sent) < 0:
            lost()
            raise NotSent("no connection")
        if (draw := draw - faults.throttled) < 0:
            lost()
            raise Throttled("too fast", 1.0)
        if (draw := draw - faults.lost_request) < 0:
            lost()
            await self._time_out()
        if (draw := draw - faults.late_request) < 0:
            wait = random.uniform(*TIMEOUTS)
            late = wait + random.uniform(0, LATE_SECONDS)
            venue.agenda.after(late, lambda: _quietly(act))
            await self._time_out(wait)
        if (draw := draw - faults.lost_answer) < 0:
            venue.agenda.after(random.uniform(0.001, 0.05), lambda: _quietly(act))
            await self._time_out()
        slow = random.random() < faults.slow_request
        await self._answer(act, random.uniform(0, LATE_SECONDS) if slow else 0.0)

    async def _read(self, look: Callable[[], T]) -> T:
        """A question; its failure is an error, never an empty answer."""
        venue = self._venue
        if not venue.link_up:
            raise NotSent("no connection")
        if venue.faults.read_failed and venue.random.random() < venue.faults.read_failed:
            await self._time_out()
        answer: T = await self._answer(look)
        return answer

    async def _time_out(self, seconds: float | None = None) -> None:
        wait = self._venue.random.uniform(*TIMEOUTS) if seconds is None else seconds
        await asyncio.sleep(wait)
        raise Ambiguous(f"no answer within {wait:.1f} s")

    async def _answer(self, act: Callable[[], Any], slow: float = 0.0) -> Any:
        venue = self._venue
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def arrive() -> None:
            result: Any = None
            error: BrokerError | None = None
            try:
                result = act()
            except BrokerError as refused:
                error = refused
            if not venue.link_up:
                error = Ambiguous("the connection broke before the answer")
            back = venue.random.uniform(0.001, 0.05)
            if venue.faults.delayed and venue.random.random() < 0.2:
                back += venue.random.uniform(0, 1)
            venue.agenda.after(back, lambda: self._settle(future, result, error))

        venue.agenda.after(slow + venue.random.uniform(0.001, 0.03), arrive)
        return await future

    def _settle(
        self, future: "asyncio.Future[Any]", result: object, error: BrokerError | None
    ) -> None:
        if not self._alive or future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)

    def carry(self, report: OrderReport) -> None:
        """Put a report on its way."""
        venue, faults = self._venue, self._venue.faults
        if faults.dropped and venue.random.random() < faults.dropped:
            return
        copies = 2 if faults.duplicated and venue.random.random() < faults.duplicated else 1
        for _ in range(copies):
            delay = venue.random.uniform(0.001, 0.03)
            if faults.delayed and venue.random.random() < faults.delayed:
                delay += venue.random.uniform(0, 3)
            venue.agenda.after(delay, lambda: self._deliver(report))

    def told(self, state: LinkState) -> None:
        """The connection's own report; it is never late."""
        self._put(LinkReport(broker=NAME, state=state, time=self._venue.agenda.now))

    def die(self) -> None:
        """The process is gone; what it asked for may still arrive."""
        self._alive = False
        if self._venue.line is self:
            self._venue.line = None

    def _deliver(self, report: Report) -> None:
        if self._alive and self._venue.link_up:
            self._put(report)

    def _put(self, report: Report) -> None:
        self._reports.append(report)
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)


def _quietly(act: Callable[[], object]) -> None:
    """It arrives, and nobody hears the answer."""
    try:
        act()
    except BrokerError:
        return
