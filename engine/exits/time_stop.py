"""P5, the end of a day trade that has come to nothing (A-164, X-04)."""

from decimal import Decimal
from typing import Final

from engine.domain.instant import LATEST, NS_PER_SECOND, Nanos
from engine.domain.money import plain
from engine.domain.position import ExitReason
from engine.domain.signal import TradeType
from engine.exits.answer import Exit, ExitRule
from engine.exits.price import close_price, is_so
from engine.state.position import Position
from engine.world import World


def time_stop(world: World, position: Position, now: Nanos) -> Exit | None:
    """A day trade that has been held for so long has gained no more than so much of its entry.

    A price that is taken for a bad tick takes no progress away (X-71).
    """
    if not _concerns(position) or now < _due_at(world, position):
        return None
    quote = world.market.quotes.get(position.symbol)
    if quote is None or world.prices.suspicion_of(position) is not None:
        return None
    price, least = close_price(quote, position), world.config.exits.time_stop_progress_pct
    if not is_so(world, position.symbol, price, lambda p: _gained(position, p) <= least):
        return None
    return Exit(measured=plain(_gained(position, price)), limit=plain(least))


def _concerns(position: Position) -> bool:
    """Scalps have shorter times of their own; what no signal opened is left to its owner (X-80). Of
    a price that is not above 0 no gain is a fraction."""
    is_ours = position.managed and position.trade_type is TradeType.DAY
    return is_ours and position.average_price > 0


def _due_at(world: World, position: Position) -> Nanos:
    return position.opened_at + world.config.exits.time_stop_minutes * 60 * NS_PER_SECOND


def _gained(position: Position, price: Decimal) -> Decimal:
    """What a close at that price would gain, as a fraction of what was paid."""
    paid = position.average_price
    return (price - paid) * position.sign / paid


def time_is_over(world: World, position: Position, now: Nanos) -> Nanos:
    """`same_until` of `time_stop`: the moment from which on only prices matter."""
    due = _due_at(world, position)
    return due if _concerns(position) and due > now else LATEST


TIME_STOP: Final = ExitRule(
    reason=ExitReason.TIME_STOP,
    priority=5,
    config_key="exits.time_stop_minutes",
    ask=time_stop,
    same_until=time_is_over,
)
