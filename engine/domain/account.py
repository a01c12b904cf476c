"""What the venue says of the account, its orders and holdings (A-041, C-126, C-127)."""

from decimal import Decimal

import msgspec

from engine.domain.instant import Nanos
from engine.domain.order import Fill, OrderStatus, OrderType, Side


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Balances at one moment. `buying_power` is what new exposure may cost."""

    account_id: str
    currency: str = "USD"
    cash: Decimal
    equity: Decimal
    buying_power: Decimal
    as_of: Nanos


class VenuePosition(msgspec.Struct, frozen=True, kw_only=True):
    """A holding as the venue states it, signed."""

    symbol: str
    quantity: Decimal
    average_price: Decimal


class VenueOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the venue states it."""

    client_order_id: str
    venue_order_id: str
    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal
    filled: Decimal
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    status: OrderStatus
    reduce_only: bool = False


class VenueSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one reconcile compares with. A part that failed is never an empty part."""

    broker: str
    account: Account
    positions: tuple[VenuePosition, ...]
    orders: tuple[VenueOrder, ...]
    fills: tuple[Fill, ...]
    requested_at: Nanos
    as_of: Nanos
