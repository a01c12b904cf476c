"""What became of the parts of an intent (DESIGN, Intents and plans)."""

from decimal import Decimal

import msgspec

from engine.domain.order import OrderStatus, Side


class LegDone(msgspec.Struct, frozen=True, kw_only=True):
    """One leg once nothing of it can fill any more.

    `client_order_id` is that of its newest order; `filled` is what all its orders have filled, in
    units of the instrument. `status` is CREATED where it was never sent.
    """

    client_order_id: str
    account: str
    symbol: str
    side: Side
    quantity: Decimal
    filled: Decimal
    status: OrderStatus
