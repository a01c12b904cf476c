"""Axion's records of orders, positions and accounts (A-041, A-042, A-045). Prices and money are
Decimals."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from engine.domain.order import OrderStatus
from engine.facade.bridge import Number
from engine.state.order import Order as Known


class Order(msgspec.Struct):
    """An order as its caller writes it (A-045).

    `metadata["stop_loss"]` rests a protective stop behind its fill; without one what it opens is
    unprotected, and the console says so. `metadata["trade_type"]` is day, swing or scalp.
    """

    ticker: str
    side: str
    qty: Number
    order_type: str = "market"
    limit_price: Number | None = None
    stop_price: Number | None = None
    time_in_force: str = "day"
    signal_id: str = ""
    """Marks the order: a second one of this id gets the answer of the first, and does nothing."""
    metadata: dict[str, Any] = {}


class OrderResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an order (A-045). Its fills come later: `pending` is no fill (A-244)."""

    order_id: str
    status: str
    """filled, partial, pending, rejected or cancelled (A-022)."""
    filled_qty: Decimal
    filled_price: Decimal | None
    """The mean price; None before a fill."""
    broker: str
    """The account it went to; none where it was refused here."""
    timestamp: datetime
    rejection_reason: str = ""


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """What is held of a ticker (A-042)."""

    ticker: str
    direction: str
    """long or short."""
    entry_price: Decimal
    current_price: Decimal | None
    """None where no price is known."""
    shares: Decimal
    """Never below 0: the direction has the sign."""
    stop_loss: Decimal | None
    target_price: Decimal | None
    entry_time: str
    unrealized_pnl: Decimal | None
    trade_type: str
    broker: str


class AccountState(msgspec.Struct, frozen=True, kw_only=True):
    """What an account, or all of them in the base currency, come to (A-041)."""

    equity: Decimal
    cash: Decimal
    buying_power: Decimal
    open_positions: list[Position]
    daily_pnl: Decimal | None = None
    """Of all accounts; None where one is asked about."""
    starting_equity: Decimal | None = None


_RESULTS: Final = {
    OrderStatus.FILLED: "filled",
    OrderStatus.CANCELED: "cancelled",
    OrderStatus.EXPIRED: "cancelled",
    OrderStatus.REJECTED: "rejected",
}


def result_of(order: Known) -> OrderResult:
    """The result that an order stands at now."""
    word = _RESULTS.get(order.status, "partial" if order.filled else "pending")
    return OrderResult(
        order_id=order.client_order_id,
        status=word,
        filled_qty=order.filled,
        filled_price=order.notional / order.filled if order.filled else None,
        broker=order.account,
        timestamp=datetime.fromtimestamp(order.updated_at // 1_000 / 1_000_000, UTC),
        rejection_reason=order.reject_code,
    )


def position_of(row: dict[str, Any]) -> Position:
    """The position of a row of the engine's status."""

    def number(name: str) -> Decimal | None:
        return None if row[name] is None else Decimal(row[name])

    quantity = Decimal(row["quantity"])
    return Position(
        ticker=row["symbol"],
        direction="long" if quantity > 0 else "short",
        entry_price=Decimal(row["average_price"]),
        current_price=number("last"),
        shares=abs(quantity),
        stop_loss=number("stop"),
        target_price=number("target"),
        entry_time=row["opened_at"],
        unrealized_pnl=number("unrealized_pnl"),
        trade_type=row["trade_type"],
        broker=row["broker"],
    )
