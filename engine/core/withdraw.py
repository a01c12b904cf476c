"""Working entries that end by the hour (X-83)."""

from collections.abc import Iterator

from engine.domain import events as ev
from engine.domain.codes import Code
from engine.domain.instant import Nanos
from engine.domain.signal import TradeType
from engine.exits.hours import is_late
from engine.plans.reducing import cancel
from engine.world import World


def end_late_entries(world: World, now: Nanos) -> Iterator[ev.Event]:
    """Cancel the working entries of day trades and scalps whose session ends (X-83)."""
    for symbol in tuple(world.book.day_entries):
        if not is_late(world, symbol, TradeType.DAY, now):
            continue
        for key, account in tuple(world.book.day_entries[symbol].items()):
            order = world.book.order_in(account, key)
            if order is not None and world.has(account):
                yield from cancel(order, Code.MARKET_CLOSED)
