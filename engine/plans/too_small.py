"""What no order can close, since it is less than the venue takes in one (X-52, C-154, C-403).

A fee in the coin that was bought, or the rest of a close, leaves it. It is named and left alone
until it has grown: to try again and again would change nothing.
"""

from decimal import Decimal
from typing import Final

from engine.domain.codes import Code
from engine.domain.money import ZERO, plain
from engine.domain.order import OrderStatus
from engine.exits.reducible import in_lots
from engine.plans.reducing import EXIT, last
from engine.state.order import Order
from engine.state.position import Position
from engine.world import World

_OTHER_REASONS: Final = frozenset(
    {Code.NOT_SENT, Code.KILL_SWITCH, Code.MARKET_CLOSED, "AUTH_FAILED"}
)
"""Codes of refusals that say nothing of the order's size."""


def is_too_small(world: World, position: Position) -> bool:
    """Whether no order can close anything of a holding: it is less than the venue's lot, or its
    venue has refused a close and all of it is worth less than the smallest amount of an order.

    That it is worth too little is never concluded from the amount alone: there are venues that
    take every order which reduces. Nothing is too small in an account that is not of this process.
    """
    if not world.has(position.account):
        return False
    if not in_lots(world, position, abs(position.quantity)):
        return True
    if not world.instrument(position.symbol, position.account).min_notional:
        return False
    newest = last(world, position, EXIT)
    return newest is not None and is_refused_as_small(world, newest, abs(position.quantity))


def is_refused_as_small(world: World, order: Order, quantity: Decimal = ZERO) -> bool:
    """Whether a venue has refused an order that is worth less than the smallest amount of one.

    `quantity`: what has to be worth less too, unsigned; 0 for the order alone. Of the prices that
    are known the highest counts; without one nothing is worth too little.
    """
    if order.status is not OrderStatus.REJECTED or order.reject_code in _OTHER_REASONS:
        return False
    prices = (world.prices.mark(order.symbol), world.prices.proved(order.symbol))
    price = max((price for price in prices if price is not None), default=None)
    if price is None:
        return False
    instrument = world.instrument(order.symbol, order.account)
    worth = max(order.quantity, quantity) * price * instrument.multiplier
    return worth < instrument.min_notional


def told_too_small(position: Position) -> str:
    """A holding that is too small as people read it: its symbol, its signed quantity, and that."""
    way = "sell" if position.is_long else "buy back"
    return f"{position.symbol} {plain(position.quantity)} too small to {way}"
