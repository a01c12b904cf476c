"""Open risk: what is lost at the stops, and what no stop bounds (X-82, INTERFACE `open_risk`)."""

from engine.domain.money import ZERO
from engine.domain.open_risk import OpenRisk
from engine.world import World


def open_risk(world: World) -> OpenRisk:
    """The open risk of all accounts together; no price of the market is looked at."""
    at_stops, entries = ZERO, ZERO
    bare = set()
    for position in world.book.holdings():
        if position.stop is None:
            bare.add(position.symbol)
            continue
        away = (position.entry_price - position.stop) * position.sign
        loss = abs(position.quantity) * max(away, ZERO) * position.multiplier
        at_stops += world.in_base({world.book.currency_of(position.symbol): loss})
    for order in world.book.orders():
        if not order.adds_exposure or order.stop_loss is None:
            continue
        away = abs(order.reserved - order.stop_loss) * world.book.multiplier(order.symbol)
        entries += world.in_base({world.book.currency_of(order.symbol): order.leaves * away})
    return OpenRisk(at_stops=at_stops, entries=entries, unprotected=tuple(sorted(bare)))
