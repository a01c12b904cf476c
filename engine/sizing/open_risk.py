"""Open risk: what is lost where the stops trade, from what was paid (X-82).

Amounts are in the currency of the instrument, with its multiplier.
"""

from decimal import Decimal

from engine.domain.money import ONE, ZERO
from engine.domain.order import OrderTerms
from engine.state.order import Order, Pending
from engine.state.position import Position


def at_stop(position: Position, stop: Decimal, quantity: Decimal | None = None) -> Decimal:
    """What a position loses at a stop; below 0 where that locks a profit in.

    `quantity` is the unsigned part of it that the stop is for; None is all of it.
    """
    loss = position.cost - position.quantity * stop * position.multiplier
    if quantity is None or quantity == abs(position.quantity):
        return loss
    return loss * quantity / abs(position.quantity)


def of_order(order: Order, stop: Decimal, multiplier: Decimal, buffer: Decimal) -> Decimal:
    """What a working entry may still lose at a stop, from the worst price it may fill at.

    While a change of it is under way it is the larger of both. `buffer` is the fraction of its
    reference by which the fill of an order without a limit may be worse.
    """
    now = order.leaves * _away(order, order.reserved, order.limit_price, stop, buffer)
    if order.pending is not None and not order.status.is_terminal:
        now = max(now, _pending(order, order.pending, stop, buffer))
    return max(now, ZERO) * multiplier


def of_unfilled(order: Order, stop: Decimal, multiplier: Decimal, buffer: Decimal) -> Decimal:
    """What the unfilled part of an entry risks at a stop on the terms that it has, also where it
    was cancelled to be changed; the arguments are those of `of_order`."""
    away = _away(order, order.reserved, order.limit_price, stop, buffer)
    return max(order.quantity - order.filled, ZERO) * max(away, ZERO) * multiplier


def _pending(order: Order, wanted: Pending, stop: Decimal, buffer: Decimal) -> Decimal:
    limit = wanted.limit_price or order.limit_price
    left = max(wanted.quantity - order.filled, ZERO)
    return left * _away(order, wanted.reserved, limit, stop, buffer)


def _away(
    order: OrderTerms, reserved: Decimal, limit: Decimal | None, stop: Decimal, buffer: Decimal
) -> Decimal:
    """How far the worst fill of an entry is from a stop; below 0 where it is beyond it."""
    if order.side.sign > 0:
        return reserved - stop
    price = limit or (order.stop_price or order.reference or reserved) * (ONE - buffer)
    return stop - price
