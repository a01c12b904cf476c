"""Meridian's broker interface and its two clients, over one account of a running engine.

The calls are synchronous, as published, and are made from a thread that is not the engine's.
"""

from abc import ABC, abstractmethod
from asyncio import AbstractEventLoop
from decimal import Decimal
from typing import Any, ClassVar, Final

from engine.facade.bridge import (
    Bridge,
    drop_keys,
    need_world,
    side_of,
    tif_of,
    type_of,
)
from engine.facade.meridian.records import AccountInfo, Order, Position
from engine.runtime.engine import Engine

_BY: Final = "meridian"
"""Who the journal says asked."""


class BrokerBase(ABC):
    """The nine operations (M-10)."""

    @abstractmethod
    def connect(self) -> bool: ...

    @abstractmethod
    def disconnect(self) -> None: ...

    @abstractmethod
    def submit_order(self, order: Order) -> dict[str, Any]: ...

    @abstractmethod
    def cancel_order(self, order_id: str) -> bool: ...

    @abstractmethod
    def cancel_all_orders(self) -> bool: ...

    @abstractmethod
    def get_positions(self) -> list[Position]: ...

    @abstractmethod
    def get_account_info(self) -> AccountInfo: ...

    @abstractmethod
    def get_order_status(self, order_id: str) -> dict[str, Any]: ...

    @abstractmethod
    def is_market_open(self) -> bool: ...


class _Client(BrokerBase):
    """The nine operations over one account of an engine."""

    kind: ClassVar[str]
    """The kind of venue that the client is published for."""

    def __init__(self, engine: Engine, account: str, loop: AbstractEventLoop | None) -> None:
        self._bridge = Bridge.to(engine, kind=self.kind, account=account, loop=loop)

    @property
    def account(self) -> str:
        """The account's name under `[brokers]`."""
        return self._bridge.account

    def connect(self) -> bool:
        """True where the engine is connected to the account's venue and has looked at it."""
        return self._bridge.wait(self._bridge.connect())

    def disconnect(self) -> None:
        """This client makes no more calls. The engine stays connected: it watches what is held."""
        self._bridge.connected = False

    def submit_order(self, order: Order) -> dict[str, Any]:
        """Hand an order to the engine's gate: `order_id`, `status`, `symbol`, `qty`, `side`, once
        its venue has answered, or after 15 s.

        A refusal is no exception (M-14): `status` is failed, `error` says why and `code` which
        check; `order_id` is empty. Raises NotConnectedError when not connected, ValueError for a
        word that is none, NoAnswerError where nobody knows whether it will leave.
        """
        bridge = self._bridge
        bridge.need_connection()
        return bridge.wait(self._submit(order))

    async def _submit(self, order: Order) -> dict[str, Any]:
        placed = await self._bridge.place(
            by=_BY,
            symbol=order.symbol,
            side=side_of(order.side),
            quantity=order.qty,
            type_=type_of(order.order_type),
            limit_price=order.limit_price,
            stop_price=order.stop_price,
            time_in_force=tif_of(order.time_in_force),
        )
        answer: dict[str, Any] = {
            "order_id": placed.order_id,
            "status": "failed",
            "symbol": order.symbol,
            "qty": order.qty,
            "side": order.side,
        }
        if placed.refusal:
            return answer | {"code": placed.code, "error": placed.refusal}
        answer["status"] = "created" if placed.order is None else placed.order.status.lower()
        return answer

    def cancel_order(self, order_id: str) -> bool:
        """Ask for the cancel of an order; True where it was asked for: its end is a report."""
        self._bridge.need_connection()
        return self._bridge.wait(self._bridge.cancel(_BY, order_id)).ok

    def cancel_all_orders(self) -> bool:
        """Ask for the cancel of every order of the account but protective stops; True where that
        was asked for. Raises RuntimeError where the engine refuses it."""
        self._bridge.need_connection()
        self._bridge.wait(self._bridge.cancel_all(_BY))
        return True

    def get_positions(self) -> list[Position]:
        """What the account holds."""
        self._bridge.need_connection()
        rows = self._bridge.ask(lambda: self._bridge.status_rows("positions"))
        return [
            Position(
                symbol=row["symbol"],
                qty=Decimal(row["quantity"]),
                avg_entry_price=Decimal(row["average_price"]),
                current_price=_number(row["last"]),
                market_value=Decimal(row["market_value"]),
                unrealized_pnl=_number(row["unrealized_pnl"]),
            )
            for row in rows
        ]

    def get_account_info(self) -> AccountInfo:
        """What the account is worth; `portfolio_value` is its equity (M-16)."""
        self._bridge.need_connection()
        return self._bridge.ask(self._account_info)

    def _account_info(self) -> AccountInfo:
        equity = self._bridge.own_equity()
        return AccountInfo(
            equity=equity,
            cash=self._bridge.own_cash(),
            buying_power=Decimal(self._bridge.balances()["buying_power"]),
            portfolio_value=equity,
        )

    def get_order_status(self, order_id: str) -> dict[str, Any]:
        """`order_id`, `status`, `filled_qty` and `filled_avg_price`, None before a fill.

        Raises KeyError for an id that is no order of this account's.
        """
        self._bridge.need_connection()
        return self._bridge.ask(lambda: self._order_status(order_id))

    def _order_status(self, order_id: str) -> dict[str, Any]:
        order = self._bridge.order(order_id)
        if order is None:
            raise KeyError(f"{self.account} has no order {order_id!r}")
        return {
            "order_id": order_id,
            "status": order.status.lower(),
            "filled_qty": order.filled,
            "filled_avg_price": order.notional / order.filled if order.filled else None,
        }

    def is_market_open(self) -> bool:
        """Whether the market whose calendar the portfolio's day follows is in session (X-16)."""
        engine = self._bridge.engine
        return self._bridge.ask(lambda: engine.world.home.is_open(engine.clock.now()))


class AlpacaClient(_Client):
    """Meridian's client of Alpaca (M-15)."""

    kind = "alpaca"

    PAPER_URL: ClassVar = "https://paper-api.alpaca.markets"
    LIVE_URL: ClassVar = "https://api.alpaca.markets"

    def __init__(
        self,
        api_key: str = "",
        secret_key: str = "",
        base_url: str = PAPER_URL,
        *,
        engine: Engine,
        account: str = "",
        loop: AbstractEventLoop | None = None,
    ) -> None:
        """`engine` is a running one, `account` the account's name, by default its only one at
        Alpaca; `loop` is that of the engine, needed in every thread but its own.

        Keys are dropped with a warning. Raises ValueError for a `base_url` that is not of the world
        that the account is configured for, or is none of the two.
        """
        super().__init__(engine, account, loop)
        drop_keys(self.account, api_key, secret_key)
        if base_url not in (self.PAPER_URL, self.LIVE_URL):
            raise ValueError(
                f"base_url is {base_url!r}; {self.PAPER_URL} or {self.LIVE_URL} is allowed. "
                f"Another server is trading_url under [brokers.{self.account}]"
            )
        need_world(engine, self.account, live=base_url == self.LIVE_URL, named=base_url)


class IBKRClient(_Client):
    """Meridian's client of Interactive Brokers (M-16)."""

    kind = "ibkr"

    LIVE_PORTS: ClassVar = (7496, 4001)
    """TWS and Gateway with real money; with 7497 and 4002 they are on paper."""

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 7497,
        client_id: int = 1,
        *,
        engine: Engine,
        account: str = "",
        loop: AbstractEventLoop | None = None,
    ) -> None:
        """As `AlpacaClient`. Host, port and client id of the connection are the account's in the
        config; here the port only says which world is meant, and host and client id nothing.
        """
        super().__init__(engine, account, loop)
        live = port in self.LIVE_PORTS
        need_world(engine, self.account, live=live, named=f"port {port} at {host} ({client_id})")


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
