"""What an order brings to a position that it adds to: its stop and its target (X-82, X-83)."""

from decimal import Decimal

from engine.domain.money import tighter_stop
from engine.state.order import Order
from engine.state.position import Position


def stop_with(position: Position, stop: Decimal | None) -> Decimal | None:
    """The stop of a position once an order with the stop `stop` has added to it: the tighter of
    both protects all of it (X-82); None without any."""
    return tighter_stop(position.stop, stop, sell=position.is_long)


def stop_to_come(position: Position | None, order: Order) -> Decimal | None:
    """The stop that the next fill of a working entry brings: its own; None where it has none, or
    has brought it to `position` already, for what the operator decided since stands (X-82).

    `position` is what its account holds of its symbol.
    """
    if position is None or position.sign != order.side.sign or not has_brought(position, order):
        return order.stop_loss
    return None


def has_brought(position: Position, order: Order) -> bool:
    """Whether an order that adds to a position has had its first fill, by itself or by the one that
    it took the place of."""
    ours = {position.first_order_id, position.order_id}
    return bool(order.filled or ours.intersection(names_of(order)))


def names_of(order: Order) -> set[str]:
    """The ids that an order is known by: its own, and that of the one it took the place of.

    An order that took nobody's place is not known by the empty id, which is that of the order
    behind a holding that was taken over from the venue: none.
    """
    return {order.client_order_id, order.orig_client_order_id} - {""}


def brought_by(position: Position, order: Order) -> dict[str, object]:
    """What the first fill of an order that adds changes; nothing at its later ones."""
    if has_brought(position, order):
        return {"order_id": order.client_order_id}
    moved: dict[str, object] = {
        "adds": position.adds + 1,
        "stop": stop_with(position, order.stop_loss),
        "order_id": order.client_order_id,
    }
    if position.stop is None and order.stop_loss is not None:
        # A first stop has the usual time to rest at the venue.
        moved["unprotected_since"] = 0
    if order.target is not None and not order.signal_id:
        moved |= {"target": order.target, "default_target": False}
    return moved
