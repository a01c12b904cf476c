"""Open risk: what is lost at the stops, and what no stop bounds (X-82, INTERFACE `open_risk`)."""

from decimal import Decimal

from engine.domain.money import ZERO, tighter_stop
from engine.domain.open_risk import OpenRisk
from engine.sizing.open_risk import at_stop, of_order
from engine.state.brought import stop_to_come
from engine.state.cover import own_stops
from engine.state.order import Order
from engine.state.position import Position
from engine.world import World


def open_risk(world: World) -> OpenRisk:
    """The open risk of all accounts together; no price of the market is looked at.

    What lacks a stop is named and in no figure: a position that an operator's own stop covers in
    part is in both, and so is what filled at the venue of an order whose fills are missing here.
    """
    held, entries = ZERO, ZERO
    bare = set()
    for position in world.book.holdings():
        loss, left = _at_stops(world, position)
        held += world.currencies.in_base({world.book.currency_of(position.symbol): loss})
        if left or position.told_unprotected:
            bare.add(position.symbol)
    for order in world.book.orders():
        if not order.adds_exposure:
            continue
        if order.untold:
            bare.add(order.symbol)
        stop = _stop_of(world, order)
        if stop is None:
            bare.add(order.symbol)
            continue
        buffer = world.config.execution.slippage_buffer
        loss = of_order(order, stop, world.book.multiplier(order.symbol), buffer)
        entries += world.currencies.in_base({world.book.currency_of(order.symbol): loss})
    return OpenRisk(at_stops=held, entries=entries, unprotected=tuple(sorted(bare)))


def _at_stops(world: World, position: Position) -> tuple[Decimal, Decimal]:
    """What a position loses at its stops, and how much of it has none.

    A stop that the operator rests covers its part (X-85); that of the position covers the rest.
    """
    left, loss = abs(position.quantity), ZERO
    for part, price in own_stops(world.book, position):
        loss += max(at_stop(position, price, part), ZERO)
        left -= part
    if left and position.stop is not None:
        loss += max(at_stop(position, position.stop, left), ZERO)
        left = ZERO
    return loss, left


def _stop_of(world: World, order: Order) -> Decimal | None:
    """The stop that what an entry buys will be under: the tighter of what it brings and that of
    what is held."""
    position = world.book.holding(order.account, order.symbol)
    brings = stop_to_come(position, order)
    if position is None or position.sign != order.side.sign:
        return brings
    return tighter_stop(position.stop, brings, sell=position.is_long)
