"""P1, the copy behind the venue's stop (A-160, A-172)."""

from decimal import Decimal
from typing import Final

from engine.domain.instant import LATEST, Nanos
from engine.domain.money import plain
from engine.domain.position import ExitReason
from engine.exits.answer import Exit, ExitRule
from engine.exits.stops import breach_key, left_to_stops
from engine.state.position import Position
from engine.world import World


def is_beyond(position: Position, last: Decimal) -> bool:
    """True if `last` has reached the stop: at or below for a long, at or above for a short."""
    if position.stop is None:
        return False
    return last <= position.stop if position.is_long else last >= position.stop


def hard_stop(world: World, position: Position, now: Nanos) -> Exit | None:
    """P1, the copy behind the venue's stop: touched and confirmed (A-160, A-172, X-01, X-71).

    A stop that rests for all of it has its time to trade first. One that began to trade and did not
    go on closes what is left, wherever the price is by then (X-78).
    """
    last = world.market.mark(position.symbol)
    if last is None or position.stop is None or world.prices.suspicion_of(position) is not None:
        return None
    touched = is_beyond(position, last) and world.breaches.confirmed(
        breach_key(position.account, position.symbol)
    )
    if not touched and not _stopped_halfway(world, position):
        return None
    if now < left_to_stops(world, position):
        return None
    return Exit(measured=plain(last), limit=plain(position.stop), detail="hard")


def _stopped_halfway(world: World, position: Position) -> bool:
    working = world.book.reducing(position.account, position.symbol)
    return any(order.is_protective and order.filled and order.rests for order in working)


def stop_has_traded(world: World, position: Position, now: Nanos) -> Nanos:
    """`same_until` of `hard_stop`: the moment at which a stop that trades has had its time."""
    until = left_to_stops(world, position)
    return until if until > now else LATEST


HARD_STOP: Final = ExitRule(
    reason=ExitReason.STOP_LOSS,
    priority=1,
    config_key="exits.stop_mode",
    ask=hard_stop,
    same_until=stop_has_traded,
)
