"""The plan that ends orders which reduce nothing any more (rule 3)."""

from collections.abc import Iterator

from engine.domain import events as ev
from engine.domain.instant import LATEST, Nanos
from engine.domain.order import VENUE
from engine.exits.reducible import there, working_for
from engine.plans.reducing import cancel
from engine.state.position import Position
from engine.world import World


def advance(world: World, account: str, symbol: str, now: Nanos) -> Iterator[ev.Event]:
    """Cancel orders that would now open a position instead of reducing one."""
    position = world.book.holding(account, symbol)
    state = world.book.account(account)
    unexplained = state.unexplained.holdings.get(symbol)
    for order in tuple(world.book.reducing(account, symbol)):
        if not order.reduce_only:
            continue
        if unexplained is not None and order.side.sign * unexplained.quantity < 0:
            continue  # it takes off what the venue holds, which is not known here
        if order.protects and order.intent_id == VENUE and state.seen_at <= order.created_at:
            continue  # the list of holdings may be behind: another look shows what it protects
        if position is None:
            yield from cancel(order, "nothing is held")
        elif order.side.sign * position.quantity > 0:
            yield from cancel(order, "it belongs to a position that is gone")
    if position is not None:
        yield from _beyond(world, position)


def _beyond(world: World, position: Position) -> Iterator[ev.Event]:
    """Cancel what a person's orders would take off beyond what the venue holds; stops stay longest.

    Ours is brought to size by the plan that protects.
    """
    left = there(world, position)
    if left == abs(position.quantity):
        return
    theirs = [o for o in working_for(world, position) if not (o.is_protective or o.closes)]
    for order in sorted(theirs, key=lambda order: not order.protects):
        if order.reach > left:
            yield from cancel(order, "the venue does not hold so much")
        else:
            left -= order.reach


def same_until(world: World, account: str, symbol: str, now: Nanos) -> Nanos:
    """No step of it comes by time alone."""
    return LATEST
