"""The plan that ends orders which reduce nothing any more (rule 3)."""

from collections.abc import Iterator

from engine.domain import events as ev
from engine.domain.instant import LATEST, Nanos
from engine.plans.reducing import cancel
from engine.world import World


def advance(world: World, account: str, symbol: str, now: Nanos) -> Iterator[ev.Event]:
    """Cancel orders that would now open a position instead of reducing one."""
    position = world.book.holding(account, symbol)
    for order in tuple(world.book.reducing(account, symbol)):
        if not order.reduce_only:
            continue
        if position is None:
            yield from cancel(order, "nothing is held")
        elif order.side.sign * position.quantity > 0:
            yield from cancel(order, "it belongs to a position that is gone")


def same_until(world: World, account: str, symbol: str, now: Nanos) -> Nanos:
    """No step of it comes by time alone."""
    return LATEST
