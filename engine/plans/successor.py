"""The order that takes the place of another: its id and its terms (X-88).

Both come from durable facts alone, so that a process that starts again works out the same order and
recognises one that an earlier process had sent.
"""

from decimal import Decimal

import msgspec

from engine.domain.ids import order_id
from engine.domain.order import OrderTerms
from engine.state.order import Order, Pending
from engine.world import World


def new_id(order: Order) -> str:
    """The id of the order that takes the place of this one; the same whenever it is worked out."""
    return order_id(order.created_at, "replace", order.client_order_id)


def successor(world: World, order: Order, wanted: Pending, reserved: Decimal) -> OrderTerms:
    """The order for what is left. `reserved` is the price per unit at which it counts as exposure.

    What only reduces does not wait for the disk: an earlier process may have sent it already.
    """
    before = order.created_at < world.book.data.started_at
    return msgspec.structs.replace(
        order.terms,
        client_order_id=wanted.new_client_order_id,
        orig_client_order_id=order.client_order_id,
        quantity=wanted.quantity - order.filled,
        limit_price=wanted.limit_price or order.limit_price,
        stop_price=wanted.stop_price or order.stop_price,
        time_in_force=wanted.time_in_force or order.time_in_force,
        reserved=reserved,
        reference=wanted.limit_price or order.reference,
        check_first=not reserved and before,
    )
