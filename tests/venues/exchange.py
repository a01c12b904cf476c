"""An account at an exchange, in the plainest terms: what every local venue server is made of.

It shares no code with the engine nor with the paper venue: orders are matched against one price a
symbol, and money is added up here by itself, so that what an adapter tells can be checked with it.
Each server translates it into the words of its venue, faults included.
"""

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

Change = Literal["new", "fill", "canceled", "expired", "rejected", "replaced"]
Kind = Literal["market", "limit", "stop", "stop_limit"]
Tif = Literal["day", "gtc", "ioc", "fok"]
Heard = Callable[[Change, "Order", "Execution | None"], None]

ZERO = Decimal(0)


class Refused(Exception):  # noqa: N818 - it is what the exchange does
    """The exchange refuses; `code` is one of ours, each server has its venue's for it."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


@dataclass
class Rules:
    """The grid of one symbol."""

    symbol: str
    tick: Decimal = Decimal("0.01")
    lot: Decimal = Decimal(1)
    min_notional: Decimal = ZERO
    base: str = ""
    """What a coin or a currency pair consists of; "" for a share."""
    quote: str = "USD"


@dataclass
class Execution:
    """One trade of ours."""

    id: str
    order_id: str
    symbol: str
    sign: int
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_currency: str
    time: int


@dataclass
class Order:
    """One order as the exchange has it."""

    id: str
    client_id: str
    symbol: str
    sign: int
    quantity: Decimal
    kind: Kind
    limit: Decimal | None
    stop: Decimal | None
    tif: Tif
    reduce_only: bool
    created: int
    status: Literal["new", "filled", "canceled", "expired", "rejected", "replaced"] = "new"
    filled: Decimal = ZERO
    paid: Decimal = ZERO
    triggered: bool = False
    reason: str = ""
    updated: int = 0
    replaces: str = ""
    replaced_by: str = ""
    executions: list[Execution] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        return self.status == "new"

    @property
    def average(self) -> Decimal | None:
        return self.paid / self.filled if self.filled else None

    @property
    def left(self) -> Decimal:
        return self.quantity - self.filled


class Exchange:
    """One account, its orders and its money. `listeners` hear of every change, in order."""

    def __init__(
        self,
        rules: tuple[Rules, ...],
        *,
        cash: Decimal = Decimal(100_000),
        fee_rate: Decimal = ZERO,
        shorts: bool = True,
        unique_for_ever: bool = False,
        unique_while_open: bool = True,
        reduce_only: bool = False,
        account_id: str = "ACCOUNT1",
        currency: str = "USD",
    ) -> None:
        self.rules = {rule.symbol: rule for rule in rules}
        self.currency = currency
        self.cash: dict[str, Decimal] = {currency: cash}
        self.fee_rate = fee_rate
        self.shorts = shorts
        self.unique_for_ever = unique_for_ever
        self.unique_while_open = unique_while_open
        self.reduce_only = reduce_only
        self.account_id = account_id
        self.orders: dict[str, Order] = {}
        self.executions: list[Execution] = []
        self.positions: dict[str, Decimal] = {}
        self.costs: dict[str, Decimal] = {}
        """What is held cost so much a unit on average."""
        self.prices: dict[str, Decimal] = {}
        self.listeners: list[Heard] = []
        self.wall: Callable[[], int] = time.time_ns
        """Our clock, UTC nanoseconds; a run in skipped time puts its own here."""
        self.skew = 0
        """Nanoseconds that its clock is ahead of ours."""
        self.slices = 1
        """A fill comes in so many executions."""
        self.fills = True
        """False: nothing fills, until `fill` is called or it is True again at a price."""
        self._ids = itertools.count(1)
        self._last_time = 0

    # --- time and ids

    def now(self) -> int:
        """Nanoseconds UTC; never the same twice, so that `since` can be exact."""
        self._last_time = max(self.wall() + self.skew, self._last_time + 1_000_000)
        return self._last_time

    def next_id(self) -> str:
        return str(next(self._ids))

    # --- orders

    def by_client_id(self, client_id: str) -> Order | None:
        """The newest order of that id."""
        found = [o for o in self.orders.values() if o.client_id == client_id and client_id]
        return found[-1] if found else None

    @property
    def open_orders(self) -> list[Order]:
        return [o for o in self.orders.values() if o.is_open]

    def place(
        self,
        *,
        client_id: str,
        symbol: str,
        sign: int,
        quantity: Decimal,
        kind: Kind,
        limit: Decimal | None = None,
        stop: Decimal | None = None,
        tif: Tif = "gtc",
        reduce_only: bool = False,
        order_id: str = "",
        replaces: str = "",
    ) -> Order:
        """Take an order, or raise Refused. It may have filled by the time this returns."""
        rule = self.rules.get(symbol)
        if rule is None:
            raise Refused("SYMBOL", f"no such symbol {symbol}")
        known = self.by_client_id(client_id)
        if known is not None and (
            self.unique_for_ever or (self.unique_while_open and known.is_open)
        ):
            raise Refused("DUPLICATE", f"the client id {client_id} is in use")
        if quantity <= 0 or quantity % rule.lot:
            raise Refused("QUANTITY", f"{quantity} is off the lot {rule.lot}")
        for price in (limit, stop):
            if price is not None and (price <= 0 or price % rule.tick):
                raise Refused("PRICE", f"{price} is off the tick {rule.tick}")
        price = limit or stop or self.prices.get(symbol)
        if price is None:
            raise Refused("NO_PRICE", f"{symbol} has no price")
        if quantity * price < rule.min_notional:
            raise Refused("NOTIONAL", f"{quantity * price} is less than {rule.min_notional}")
        held = self.positions.get(symbol, ZERO)
        if reduce_only and held * sign >= 0:
            raise Refused("REDUCE_ONLY", "nothing to reduce")
        if sign > 0 and not reduce_only and quantity * price > self.buying_power:
            raise Refused("FUNDS", f"{quantity * price} is more than {self.buying_power}")
        if sign < 0 and not self.shorts and quantity > held - self._offered(symbol, kind):
            raise Refused("FUNDS", f"only {held} {symbol} are held")
        now = self.now()
        order = Order(
            id=order_id or self.next_id(), client_id=client_id, symbol=symbol, sign=sign,
            quantity=quantity, kind=kind, limit=limit, stop=stop, tif=tif,
            reduce_only=reduce_only, created=now, updated=now, replaces=replaces,
        )  # fmt: skip
        self.orders[order.id] = order
        self._tell("new", order)
        self._match(order)
        if order.is_open and tif in {"ioc", "fok"}:
            self._end(order, "expired", "not filled at once")
        return order

    def _offered(self, symbol: str, kind: Kind) -> Decimal:
        """What other sells of it hold back; a stop beside a limit is allowed to overlap."""
        if kind in {"stop", "stop_limit"}:
            return ZERO
        sells = (o for o in self.open_orders if o.symbol == symbol and o.sign < 0)
        return sum((o.left for o in sells if o.kind == "limit"), ZERO)

    def cancel(self, order_id: str, reason: str = "asked for") -> Order:
        """End an order, or raise Refused."""
        order = self.orders.get(order_id)
        if order is None:
            raise Refused("UNKNOWN", f"no order {order_id}")
        if not order.is_open:
            raise Refused("ENDED", f"order {order_id} is {order.status}")
        self._end(order, "canceled", reason)
        return order

    def change(
        self,
        order_id: str,
        *,
        quantity: Decimal | None = None,
        limit: Decimal | None = None,
        stop: Decimal | None = None,
    ) -> Order:
        """Other terms of a working order in its place, or Refused; `quantity` with what filled."""
        order = self.orders.get(order_id)
        if order is None or not order.is_open:
            raise Refused("ENDED", f"order {order_id} does not work")
        if quantity is not None:
            if quantity <= order.filled:
                raise Refused("QUANTITY", f"{order.filled} have filled already")
            order.quantity = quantity
        order.limit = limit if limit is not None else order.limit
        order.stop = stop if stop is not None else order.stop
        order.updated = self.now()
        self._tell("replaced", order)
        self._match(order)
        return order

    def _end(self, order: Order, status: Literal["canceled", "expired"], reason: str) -> None:
        order.status, order.reason, order.updated = status, reason, self.now()
        self._tell(status, order)

    def reject(self, order_id: str, reason: str) -> None:
        """Refuse an order that was taken before."""
        order = self.orders[order_id]
        order.status, order.reason, order.updated = "rejected", reason, self.now()
        self._tell("rejected", order)

    # --- prices and fills

    def set_price(self, symbol: str, price: Decimal) -> None:
        """The market is there now: what can fill does."""
        self.prices[symbol] = price
        for order in self.open_orders:
            if order.symbol == symbol:
                self._match(order)

    def _match(self, order: Order) -> None:
        price = self.prices.get(order.symbol)
        if price is None or not order.is_open or not self.fills:
            return
        if order.kind in {"stop", "stop_limit"} and not order.triggered:
            assert order.stop is not None
            if (price - order.stop) * order.sign < 0:
                return
            order.triggered = True
        if order.kind in {"limit", "stop_limit"}:
            assert order.limit is not None
            if (order.limit - price) * order.sign < 0:
                return
        left = order.left
        if order.reduce_only:
            held = self.positions.get(order.symbol, ZERO)
            left = min(left, max(-held * order.sign, ZERO))
        step = self.rules[order.symbol].lot
        part = max((left / self.slices) // step * step, min(step, left))
        while left > 0:
            quantity = min(part, left) if left - part >= part else left
            self.fill(order.id, quantity, price)
            left -= quantity
        if order.left and order.reduce_only:
            self._end(order, "canceled", "nothing is left to reduce")

    def fill(self, order_id: str, quantity: Decimal, price: Decimal) -> Execution:
        """Execute a part of an order, whatever its state: a late fill too."""
        order = self.orders[order_id]
        rule = self.rules[order.symbol]
        done = Execution(
            id=f"x{self.next_id()}", order_id=order.id, symbol=order.symbol, sign=order.sign,
            quantity=quantity, price=price, fee=quantity * price * self.fee_rate,
            fee_currency=rule.quote, time=self.now(),
        )  # fmt: skip
        order.filled += quantity
        order.paid += quantity * price
        order.updated = done.time
        order.executions.append(done)
        if order.filled >= order.quantity:
            order.status = "filled"
        self.executions.append(done)
        self._book(done)
        self._tell("fill", order, done)
        return done

    def _book(self, done: Execution) -> None:
        quote = self.rules[done.symbol].quote
        self.cash[quote] = (
            self.cash.get(quote, ZERO) - done.sign * done.quantity * done.price - done.fee
        )
        held, signed = self.positions.get(done.symbol, ZERO), done.sign * done.quantity
        cost, after = self.costs.get(done.symbol, ZERO), held + signed
        if held * signed >= 0:
            self.costs[done.symbol] = (held * cost + signed * done.price) / after
        elif held * after < 0:
            self.costs[done.symbol] = done.price
        if after:
            self.positions[done.symbol] = after
        else:
            self.positions.pop(done.symbol, None)
            self.costs.pop(done.symbol, None)

    # --- money

    @property
    def equity(self) -> Decimal:
        worth = (q * self.prices.get(s, self.costs[s]) for s, q in self.positions.items())
        return sum(self.cash.values(), ZERO) + sum(worth, ZERO)

    @property
    def buying_power(self) -> Decimal:
        """The cash that no working buy may cost."""
        waiting = sum(
            (
                o.left * (o.limit or o.stop or self.prices.get(o.symbol, ZERO))
                for o in self.open_orders
                if o.sign > 0 and not o.reduce_only
            ),
            ZERO,
        )
        return max(self.cash[self.currency] - waiting, ZERO)

    def _tell(self, change: Change, order: Order, done: Execution | None = None) -> None:
        for heard in tuple(self.listeners):
            heard(change, order, done)
