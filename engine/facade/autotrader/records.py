"""Autotrader's enumerations and records (C-100 to C-106). Prices and money are Decimals."""

from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

import msgspec

from engine.domain import order as ours
from engine.domain.instant import Nanos
from engine.domain.money import ZERO
from engine.facade.bridge import Number
from engine.state.order import Order as Known


class OrderType(StrEnum):
    """What an order is (C-100). IOC and FOK are a LIMIT, or without a price a MARKET order, with
    that time in force (X-26)."""

    MARKET = "market"
    LIMIT = "limit"
    IOC = "ioc"
    FOK = "fok"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"


class OrderSide(StrEnum):
    """Buy or sell (C-101)."""

    BUY = "buy"
    SELL = "sell"


class OrderStatus(StrEnum):
    """Where an order is (C-102)."""

    PENDING = "pending"
    SUBMITTED = "submitted"
    PARTIAL_FILL = "partial_fill"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"


_OPEN: Final = frozenset({OrderStatus.SUBMITTED, OrderStatus.PARTIAL_FILL})
_COMPLETED: Final = frozenset(
    {OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.REJECTED, OrderStatus.EXPIRED}
)


class Order(msgspec.Struct):
    """An order (C-103). What is asked is the caller's; the rest is filled in by the adapter."""

    symbol: str
    side: OrderSide
    order_type: OrderType
    quantity: Number
    price: Number | None = None
    """The limit."""
    stop_price: Number | None = None
    time_in_force: str = "GTC"
    order_id: str = ""
    """The engine's id of it, which the calls take; the venue's is `metadata["venue_order_id"]`."""
    status: OrderStatus = OrderStatus.PENDING
    filled_quantity: Decimal = ZERO
    avg_fill_price: Decimal = ZERO
    commission: Decimal = ZERO
    submitted_at: datetime | None = None
    filled_at: datetime | None = None
    reject_reason: str = ""
    account: str = ""
    metadata: dict[str, Any] = {}

    @property
    def is_open(self) -> bool:
        """It works at its venue."""
        return self.status in _OPEN

    @property
    def is_completed(self) -> bool:
        """Nothing more is expected of it."""
        return self.status in _COMPLETED

    @property
    def remaining_quantity(self) -> Decimal:
        """What has not filled."""
        return Decimal(str(self.quantity)) - self.filled_quantity


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """One execution (C-104); `commission` is in `commission_currency`."""

    order_id: str
    symbol: str
    side: OrderSide
    quantity: Decimal
    price: Decimal
    commission: Decimal
    commission_currency: str
    timestamp: datetime | None
    """The venue's time; None where it gives none."""
    execution_id: str
    liquidity: str = ""
    """maker, taker, or "" where the venue does not say."""
    metadata: dict[str, Any] = {}

    @property
    def notional(self) -> Decimal:
        """Quantity times price."""
        return self.quantity * self.price


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """What is held of a symbol (C-105); `quantity` is below 0 for a short."""

    symbol: str
    quantity: Decimal
    avg_entry_price: Decimal
    current_price: Decimal | None
    """None where no price is known."""
    unrealized_pnl: Decimal | None
    realized_pnl: Decimal
    metadata: dict[str, Any] = {}

    @property
    def is_long(self) -> bool:
        """More than nothing is held."""
        return self.quantity > 0

    @property
    def is_short(self) -> bool:
        """Less than nothing is held."""
        return self.quantity < 0

    @property
    def is_flat(self) -> bool:
        """Nothing is held."""
        return not self.quantity


class BrokerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What an adapter is made with (C-106). Keys are dropped with a warning; retries are those of
    `[resiliency]`."""

    api_key: str = ""
    api_secret: str = ""
    passphrase: str = ""
    timeout: float = 30.0
    """Seconds in which the venue's answer to an order is waited for; then it is told as it is."""


_STATUS: Final = {
    ours.OrderStatus.CREATED: OrderStatus.PENDING,
    ours.OrderStatus.PENDING_NEW: OrderStatus.PENDING,
    ours.OrderStatus.FILLED: OrderStatus.FILLED,
    ours.OrderStatus.CANCELED: OrderStatus.CANCELLED,
    ours.OrderStatus.REJECTED: OrderStatus.REJECTED,
    ours.OrderStatus.EXPIRED: OrderStatus.EXPIRED,
}
"""All others work, or may work, at the venue: an UNKNOWN order too."""


def status_of(order: Known) -> OrderStatus:
    """The published word for where an order is."""
    word = _STATUS.get(order.status)
    if word is not None:
        return word
    return OrderStatus.PARTIAL_FILL if order.filled else OrderStatus.SUBMITTED


def moment(at: Nanos) -> datetime | None:
    """A time, to the microsecond; None where there is none."""
    return datetime.fromtimestamp(at // 1_000 / 1_000_000, UTC) if at else None
