"""Stops that somebody else rests in an account, for more than is held (X-85)."""

from collections.abc import Iterator
from decimal import Decimal

from engine.domain import events as ev
from engine.domain.account import VenueSnapshot
from engine.domain.money import ZERO, plain
from engine.domain.order import HAVE_STOP, VENUE
from engine.domain.run import Severity
from engine.state.order import Order
from engine.world import World

NAMED = 3
"""So many of them are named in the alarm."""


def beyond(world: World, snapshot: VenueSnapshot) -> dict[str, Decimal]:
    """By symbol, how much more than is held the stops of others that the venue lists are for.

    Only those that were taken over count; where the venue bounds what reduces, one that it flags so
    takes off no more than is held. Of a symbol that cannot be read it is what it was before.
    """
    before = world.book.account(snapshot.account).stops_beyond
    found = {symbol: more for symbol, more in before.items() if symbol in snapshot.unreadable}
    for order in _able_to_flip(world, snapshot):
        held = world.book.holding(order.account, order.symbol)
        if held is not None and order.side.sign * held.quantity < 0:
            left = found.get(order.symbol, -abs(held.quantity))
            found[order.symbol] = left + order.leaves
    return {symbol: more for symbol, more in found.items() if more > ZERO}


def tell_beyond(
    world: World, snapshot: VenueSnapshot, found: dict[str, Decimal]
) -> Iterator[ev.Event]:
    """Raise an alarm for each symbol of which such stops are for more, by as much as was `found`
    now, than at the look before this one."""
    before = world.book.account(snapshot.account).stops_beyond
    for symbol, more in found.items():
        if more <= before.get(symbol, ZERO):
            continue
        stops = [order for order in _able_to_flip(world, snapshot) if order.symbol == symbol]
        names = ", ".join(f"{o.client_order_id} for {plain(o.leaves)}" for o in stops[:NAMED])
        others = f" and {len(stops) - NAMED} more" if len(stops) > NAMED else ""
        yield ev.Alarmed(
            code="STOP_TOO_LARGE",
            severity=Severity.CRITICAL,
            subject=symbol,
            text=f"stops that somebody else rests in {snapshot.account} are for {plain(more)} "
            f"{symbol} more than is held, and would open the other side: {names}{others}; cancel "
            "or change them",
        )


def _able_to_flip(world: World, snapshot: VenueSnapshot) -> Iterator[Order]:
    """The stops of others that work here and there, and that nothing bounds to what is held."""
    bounds = world.able(snapshot.account).reduce_only
    for theirs in snapshot.orders:
        if theirs.type not in HAVE_STOP or (bounds and theirs.reduce_only):
            continue
        order = world.book.order_in(snapshot.account, theirs.client_order_id)
        if order is not None and order.intent_id == VENUE and order.is_working:
            yield order
