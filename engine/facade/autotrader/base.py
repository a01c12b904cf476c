"""Autotrader's adapter interface, over one account of a running engine.

The calls are asynchronous and may be awaited on any loop.
"""

from abc import ABC, abstractmethod
from asyncio import AbstractEventLoop
from collections.abc import Callable
from decimal import Decimal
from typing import Any, ClassVar, Final

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain import order as ours
from engine.facade.autotrader.records import (
    BrokerConfig,
    Fill,
    Order,
    OrderSide,
    OrderStatus,
    OrderType,
    Position,
    moment,
    status_of,
)
from engine.facade.bridge import (
    Bridge,
    drop_keys,
    exact,
    side_of,
    tif_of,
)
from engine.runtime.engine import Engine
from engine.state.order import Order as Known

_BY: Final = "autotrader"
"""Who the journal says asked."""

_CHANGES: Final = frozenset({"quantity", "price", "stop_price", "time_in_force"})


class BaseBrokerAdapter(ABC):
    """The nine operations (C-120 to C-129)."""

    @abstractmethod
    async def connect(self) -> bool: ...

    @abstractmethod
    async def disconnect(self) -> None: ...

    @abstractmethod
    async def submit_order(self, order: Order) -> Order: ...

    @abstractmethod
    async def cancel_order(self, order_id: str) -> bool: ...

    @abstractmethod
    async def modify_order(self, order_id: str, **changes: Any) -> Order: ...

    @abstractmethod
    async def get_order_status(self, order_id: str) -> Order: ...

    @abstractmethod
    async def get_positions(self) -> list[Position]: ...

    @abstractmethod
    async def get_account_balance(self) -> dict[str, Any]: ...

    @abstractmethod
    def subscribe_fills(self, callback: Callable[[Fill], None]) -> None: ...


class EngineAdapter(BaseBrokerAdapter):
    """The nine operations over one account of an engine."""

    kind: ClassVar[str]
    """The kind of venue that the adapter is published for."""

    def __init__(
        self,
        config: BrokerConfig | None,
        engine: Engine,
        account: str,
        loop: AbstractEventLoop | None,
    ) -> None:
        self.config = BrokerConfig() if config is None else config
        self._bridge = Bridge.to(engine, kind=self.kind, account=account, loop=loop)
        given = self.config
        drop_keys(self.account, given.api_key, given.api_secret, given.passphrase)

    @property
    def account(self) -> str:
        """The account's name under `[brokers]`."""
        return self._bridge.account

    @property
    def engine(self) -> Engine:
        """The engine that does the work."""
        return self._bridge.engine

    @property
    def is_connected(self) -> bool:
        """Whether `connect` succeeded and the engine's link still stands."""
        return self._bridge.connected and self._bridge.reaches_venue

    async def connect(self) -> bool:
        """True where the engine is connected to the account's venue: this opens no connection."""
        return await self._bridge.on_loop(self._bridge.connect())

    async def disconnect(self) -> None:
        """This adapter makes no more calls. The engine stays connected: it watches what is held,
        and cancels nothing (C-552)."""
        self._bridge.connected = False

    async def submit_order(self, order: Order) -> Order:
        """Hand an order to the engine's gate, and fill in its id and status once the venue has
        answered, or `BrokerConfig.timeout` seconds have passed.

        A refusal is REJECTED with `reject_reason`, which begins with the code of the check. Raises
        NotConnectedError when not connected, ValueError for a word that is none, NoAnswerError
        where nobody knows whether it will leave.
        """
        self._bridge.need_connection()
        return await self._bridge.on_loop(self._submit(order))

    async def _submit(self, order: Order) -> Order:
        type_, tif = _type_and_tif(order)
        bridge = self._bridge
        placed = await bridge.place(
            by=_BY,
            symbol=order.symbol,
            side=side_of(order.side),
            quantity=order.quantity,
            type_=type_,
            limit_price=order.price,
            stop_price=order.stop_price,
            time_in_force=tif,
            seconds=self.config.timeout,
        )
        order.account = self.account
        order.order_id = placed.order_id
        if placed.refusal:
            order.status = OrderStatus.REJECTED
            order.reject_reason = placed.refusal
        return order if placed.order is None else _filled_in(order, placed.order)

    async def cancel_order(self, order_id: str) -> bool:
        """True: the cancel was asked for. The end of the order is a report (C-123)."""
        self._bridge.need_connection()
        return (await self._bridge.on_loop(self._bridge.cancel(_BY, order_id))).ok

    async def modify_order(self, order_id: str, **changes: Any) -> Order:
        """Change `quantity`, `price`, `stop_price` or `time_in_force` of a working order, natively
        or by cancel, proof and a new order (C-124, X-88); `quantity` is the new total.

        The order that comes back is that which works then: its id may be another one. Raises
        TypeError for another change, ValueError where the engine refuses it.
        """
        self._bridge.need_connection()
        if not changes or not changes.keys() <= _CHANGES:
            allowed = ", ".join(sorted(_CHANGES))
            raise TypeError(f"{', '.join(sorted(changes)) or 'nothing'} is changed; {allowed} may")
        return await self._bridge.on_loop(self._modify(order_id, changes))

    async def _modify(self, order_id: str, changes: dict[str, Any]) -> Order:
        def number(name: str) -> Decimal | None:
            return None if changes.get(name) is None else exact(changes[name])

        tif = changes.get("time_in_force")
        self._known(order_id)
        told = await self.engine.command(
            ask.ModifyOrder(
                by=_BY,
                client_order_id=order_id,
                quantity=number("quantity"),
                limit_price=number("price"),
                stop_price=number("stop_price"),
                time_in_force=None if tif is None else tif_of(tif),
            )
        )
        if not told.ok:
            raise ValueError(f"{told.code}: {told.error}")
        now = str(told.data.get("client_order_id", order_id))
        return _order(self._known(now if self._bridge.order(now) is not None else order_id))

    async def get_order_status(self, order_id: str) -> Order:
        """An order as the engine knows it. Raises KeyError for none of this account's."""
        self._bridge.need_connection()
        return await self._bridge.on_loop(self._bridge.read(lambda: _order(self._known(order_id))))

    def _known(self, order_id: str) -> Known:
        order = self._bridge.order(order_id)
        if order is None:
            raise KeyError(f"{self.account} has no order {order_id!r}")
        return order

    async def get_positions(self) -> list[Position]:
        """What the account holds, as a list (X-22)."""
        self._bridge.need_connection()
        return await self._bridge.on_loop(self._bridge.read(self._positions))

    def _positions(self) -> list[Position]:
        return [
            Position(
                symbol=row["symbol"],
                quantity=Decimal(row["quantity"]),
                avg_entry_price=Decimal(row["average_price"]),
                current_price=None if row["last"] is None else Decimal(row["last"]),
                unrealized_pnl=None
                if row["unrealized_pnl"] is None
                else Decimal(row["unrealized_pnl"]),
                realized_pnl=Decimal(row["realized_pnl"]),
            )
            for row in self._bridge.status_rows("positions")
        ]

    async def get_account_balance(self) -> dict[str, Any]:
        """`currency`, `cash`, `equity`, `buying_power`, and `position_value` and `total_equity` as
        published (C-154, X-22); NaN where the equity is not known."""
        self._bridge.need_connection()
        return await self._bridge.on_loop(self._bridge.read(self._balance))

    def _balance(self) -> dict[str, Any]:
        row = self._bridge.balances()
        cash, equity = self._bridge.own_cash(), self._bridge.own_equity()
        return {
            "currency": row["currency"],
            "cash": cash,
            "equity": equity,
            "buying_power": Decimal(row["buying_power"]),
            "position_value": equity - cash,
            "total_equity": equity,
        }

    async def failure_stats(self) -> dict[str, Any]:
        """What the engine's status says of `resiliency` (C-423)."""
        look = self._bridge.read(lambda: dict(self.engine.status()["resiliency"]))
        return await self._bridge.on_loop(look)

    def subscribe_fills(self, callback: Callable[[Fill], None]) -> None:
        """Call `callback` with every fill of the account from now on, on the engine's loop; one
        that raises stops no other (C-128)."""
        self._bridge.hear_fills(lambda event: callback(_fill(event, self.engine)))


def _type_and_tif(order: Order) -> tuple[ours.OrderType, ours.TimeInForce]:
    """X-26: IOC and FOK are times in force. Raises ValueError where both fields say one."""
    kind, word = OrderType(order.order_type), order.time_in_force.upper()
    if kind not in (OrderType.IOC, OrderType.FOK):
        return ours.OrderType(kind.upper()), tif_of(word)
    if word not in ("GTC", kind.upper()):
        raise ValueError(f"the order is {kind.upper()} and its time in force {word}")
    plain = ours.OrderType.MARKET if order.price is None else ours.OrderType.LIMIT
    return plain, tif_of(kind)


def _filled_in(order: Order, made: Known) -> Order:
    order.order_id = made.client_order_id
    order.status = status_of(made)
    order.filled_quantity = made.filled
    order.avg_fill_price = made.notional / made.filled if made.filled else Decimal(0)
    order.commission = made.commission
    order.submitted_at = moment(made.sent_at)
    order.filled_at = moment(made.filled_at)
    order.reject_reason = made.reject_code
    order.metadata = order.metadata | {"venue_order_id": made.venue_order_id}
    return order


def _order(known: Known) -> Order:
    """The published record of an order that the engine knows."""
    return _filled_in(
        Order(
            symbol=known.symbol,
            side=OrderSide.BUY if known.side.sign > 0 else OrderSide.SELL,
            order_type=OrderType(known.type.lower()),
            quantity=known.quantity,
            price=known.limit_price,
            stop_price=known.stop_price,
            time_in_force=known.time_in_force,
            account=known.account,
        ),
        known,
    )


def _fill(event: ev.OrderFilled, engine: Engine) -> Fill:
    fill = event.fill
    return Fill(
        order_id=fill.client_order_id,
        symbol=fill.symbol,
        side=OrderSide.BUY if fill.side.sign > 0 else OrderSide.SELL,
        quantity=fill.quantity,
        price=fill.price,
        commission=fill.commission,
        commission_currency=fill.commission_currency or engine.book.currency_of(fill.symbol),
        timestamp=moment(fill.time),
        execution_id=fill.execution_id,
        liquidity=fill.liquidity,
    )
