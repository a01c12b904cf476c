"""Axion's order router and its Alpaca broker, over a running engine (A-240 to A-245, A-452, A-453).

The calls are synchronous (X-22) and are made from a thread that is not the engine's.
"""

from asyncio import AbstractEventLoop
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar, Final

from engine.domain.money import ZERO
from engine.domain.signal import TradeType
from engine.facade.axion.records import (
    AccountState,
    Order,
    OrderResult,
    Position,
    position_of,
    result_of,
)
from engine.facade.bridge import (
    Bridge,
    drop_keys,
    need_world,
    side_of,
    tif_of,
    type_of,
)
from engine.runtime.engine import Engine

_BY: Final = "axion"
"""Who the journal says asked."""


async def _submit(bridge: Bridge, order: Order, *, routed: bool) -> OrderResult:
    """The result of an order that was handed to the engine's gate, once its venue has answered."""
    placed = await bridge.place(
        by=_BY,
        symbol=order.ticker,
        side=side_of(order.side),
        quantity=order.qty,
        type_=type_of(order.order_type),
        limit_price=order.limit_price,
        stop_price=order.stop_price,
        protect=order.metadata.get("stop_loss"),
        time_in_force=tif_of(order.time_in_force),
        hold=TradeType(order.metadata.get("trade_type", TradeType.DAY)),
        intent_id=order.signal_id,
        routed=routed,
    )
    if placed.order is not None:
        return result_of(placed.order)
    return OrderResult(
        order_id=placed.order_id,
        status="rejected" if placed.refusal else "pending",
        filled_qty=ZERO,
        filled_price=None,
        broker="none" if placed.refusal or routed else bridge.account,
        timestamp=datetime.fromtimestamp(bridge.engine.clock.now() // 1_000 / 1_000_000, UTC),
        rejection_reason=placed.refusal,
    )


class OrderRouter:
    """Axion's way to a broker (A-240): the engine's routes choose the account, and its fallback.

    `submit_order` and `cancel_order` are other names of `submit` and `cancel` (X-47).
    """

    def __init__(
        self, config: Any = None, *, engine: Engine, loop: AbstractEventLoop | None = None
    ) -> None:
        """`config` may have `primary_broker` and `fallback_broker`, which must be those of the
        engine's `[account]`: ValueError otherwise. `loop` is that of the engine, needed in every
        thread but its own."""
        own = engine.world.config.account
        for key, name in (("primary_broker", own.primary), ("fallback_broker", own.fallback)):
            given = getattr(config, key, None)
            if given is not None and given != name:
                raise ValueError(f"{key} is {given!r} and [account] says {name!r}, which decides")
        self._bridge = Bridge.to(engine, kind="", account=own.primary, loop=loop)

    def submit(self, order: Order) -> OrderResult:
        """Hand an order to the engine's gate. A refusal is `rejected`, with the code of the check.

        Raises ValueError for a word that is none, NoAnswerError where nobody knows whether it will
        leave.
        """
        return self._bridge.wait(_submit(self._bridge, order, routed=True))

    def cancel(self, order_id: str) -> bool:
        """Ask for the cancel of an order of any account; True where it was asked for."""
        return self._bridge.wait(self._cancel(order_id))

    async def _cancel(self, order_id: str) -> bool:
        order = self._bridge.engine.book.order(order_id)
        if order is None:
            return False
        here = Bridge(self._bridge.engine, order.account, self._bridge.loop)
        return (await here.cancel(_BY, order_id)).ok

    submit_order = submit
    cancel_order = cancel

    def get_positions(self) -> list[Position]:
        """What all accounts hold."""
        return self._bridge.ask(self._positions)

    def _positions(self) -> list[Position]:
        return [position_of(row) for row in self._bridge.engine.status()["positions"]]

    def get_account(self) -> AccountState:
        """All accounts together, in the base currency."""
        return self._bridge.ask(self._account)

    def _account(self) -> AccountState:
        told = self._bridge.engine.status()["account"]
        starting = told["starting_equity"]
        return AccountState(
            equity=Decimal(told["equity"]),
            cash=Decimal(told["cash"]),
            buying_power=Decimal(told["buying_power"]),
            open_positions=self._positions(),
            daily_pnl=Decimal(told["daily_pnl"]),
            starting_equity=None if starting is None else Decimal(starting),
        )


class AlpacaBroker:
    """Axion's broker at Alpaca (A-452, A-453): one account of the engine."""

    kind: ClassVar[str] = "alpaca"

    def __init__(
        self,
        api_key: str = "",
        secret_key: str = "",
        paper: bool = True,
        *,
        engine: Engine,
        account: str = "",
        loop: AbstractEventLoop | None = None,
    ) -> None:
        """`account` is the account's name, by default the only one at Alpaca. Keys are dropped with
        a warning. Raises ValueError where `paper` is not what the account is configured for."""
        self._bridge = Bridge.to(engine, kind=self.kind, account=account, loop=loop)
        drop_keys(self.account, api_key, secret_key)
        need_world(engine, self.account, live=not paper, named=f"paper={paper}")

    @property
    def account(self) -> str:
        """The account's name under `[brokers]`."""
        return self._bridge.account

    def connect(self) -> bool:
        """True where the engine is connected to the account's venue: this opens no connection."""
        return self._bridge.wait(self._bridge.connect())

    def disconnect(self) -> None:
        """This broker makes no more calls. The engine stays connected: it watches what is held."""
        self._bridge.connected = False

    @property
    def is_connected(self) -> bool:
        """Whether `connect` succeeded and the engine's link still stands."""
        return self._bridge.connected and self._bridge.ask(lambda: self._bridge.reaches_venue)

    def submit_order(self, order: Order) -> OrderResult:
        """As `OrderRouter.submit`, to this account."""
        self._bridge.need_connection()
        return self._bridge.wait(_submit(self._bridge, order, routed=False))

    def cancel_order(self, order_id: str) -> bool:
        """Ask for the cancel of an order; True where it was asked for."""
        self._bridge.need_connection()
        return self._bridge.wait(self._bridge.cancel(_BY, order_id)).ok

    def cancel_all_orders(self) -> int:
        """Ask for the cancel of every order but protective stops; of how many it was asked."""
        self._bridge.need_connection()
        return self._bridge.wait(self._bridge.cancel_all(_BY))

    def get_order(self, order_id: str) -> OrderResult | None:
        """Where an order is; None for one that is none of this account's."""
        self._bridge.need_connection()
        found = self._bridge.ask(lambda: self._bridge.order(order_id))
        return None if found is None else result_of(found)

    def get_orders(self, status: str = "open", limit: int = 50) -> list[OrderResult]:
        """The newest `limit` orders of the account: open, closed or all, the newest first."""
        self._bridge.need_connection()
        return self._bridge.ask(lambda: self._orders(status, limit))

    def _orders(self, status: str, limit: int) -> list[OrderResult]:
        account = self._bridge.engine.book.account(self.account)
        lists = {"open": [account.orders], "closed": [account.closed]}
        lists["all"] = [account.orders, account.closed]
        if status not in lists:
            raise ValueError(f"status is {status!r}; open, closed or all is allowed")
        found = [order for one in lists[status] for order in one.values()]
        found.sort(key=lambda order: order.created_at, reverse=True)
        return [result_of(order) for order in found[:limit]]

    def get_positions(self) -> list[Position]:
        """What the account holds."""
        self._bridge.need_connection()
        rows = self._bridge.ask(lambda: self._bridge.status_rows("positions"))
        return [position_of(row) for row in rows]

    def get_position(self, ticker: str) -> Position | None:
        """What the account holds of a ticker; None where that is nothing."""
        return next((one for one in self.get_positions() if one.ticker == ticker), None)

    def get_account(self) -> AccountState:
        """What the account is worth, in its own currency; NaN where that is not known."""
        positions = self.get_positions()
        bridge = self._bridge
        return bridge.ask(
            lambda: AccountState(
                equity=bridge.own_equity(),
                cash=bridge.own_cash(),
                buying_power=Decimal(bridge.balances()["buying_power"]),
                open_positions=positions,
            )
        )

    def get_last_price(self, ticker: str) -> Decimal | None:
        """The last price that the engine heard; None where it heard none."""
        return self._bridge.ask(lambda: self._bridge.engine.world.prices.mark(ticker))

    def get_last_prices(self, tickers: Iterable[str]) -> dict[str, Decimal | None]:
        """The same of several."""
        return {ticker: self.get_last_price(ticker) for ticker in tickers}
