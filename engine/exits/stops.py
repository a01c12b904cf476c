"""A stop that trades is left alone: neither moved, nor cut, nor cancelled, nor raced (X-78)."""

from typing import Final

from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.state.cover import uncovered
from engine.state.order import Order
from engine.state.position import Position
from engine.world import World

TRADING_SECONDS: Final = 5
"""So long a stop has to trade from the moment it was triggered, and from each of its fills."""


def breach_key(account: str, symbol: str) -> str:
    """Where `Breaches` keeps the evidence for a hard stop."""
    return f"stop:{account}:{symbol}"


def trades_until(world: World, position: Position, stop: Order) -> Nanos:
    """Until when a working stop of a position is left to trade; 0 where it is not triggered.

    It is triggered by a fill of it, and one of ours also where the price has reached it and that
    stands on evidence (X-71).
    """
    if not (stop.protects and stop.accepted_at and stop.is_working):
        return 0
    since = stop.filled_at
    if stop.is_protective:
        key = breach_key(position.account, position.symbol)
        since = max(since, world.breaches.confirmed_at(key))
    return since + TRADING_SECONDS * NS_PER_SECOND if since else 0


def is_trading(world: World, position: Position, stop: Order, now: Nanos) -> bool:
    """Whether a stop of a position is triggered and still has its time to trade."""
    return now < trades_until(world, position, stop)


def stop_trades(world: World, position: Position, now: Nanos) -> bool:
    """Whether a stop of ours is triggered and still has its time: nobody moves it or takes it away,
    but for a close (X-78)."""
    working = world.book.working(position.account, position.symbol)
    return any(order.is_protective and is_trading(world, position, order, now) for order in working)


def left_to_stops(world: World, position: Position) -> Nanos:
    """Until when the close of a position whose stop was reached is left to stops at the venue.

    0 where none is triggered, and where those that rest are for less than is held.
    """
    if uncovered(world.book, position) > 0:
        return 0
    working = world.book.reducing(position.account, position.symbol)
    return max((trades_until(world, position, order) for order in working), default=0)
