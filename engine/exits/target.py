"""P4, the profit target (A-163, D-10)."""

from decimal import Decimal
from typing import Final

from engine.domain.instant import Nanos
from engine.domain.market import Quote
from engine.domain.money import plain, round_price
from engine.domain.position import ExitReason
from engine.exits.answer import Exit, ExitRule, by_price
from engine.state.position import Position
from engine.world import World
from engine.world.evidence import leaps


def exit_price(quote: Quote, position: Position) -> Decimal:
    """The price a close would meet: the worse of last and the side it trades on."""
    if position.is_long:
        return min(quote.last, quote.bid) if quote.bid else quote.last
    return max(quote.last, quote.ask) if quote.ask else quote.last


def target_price(world: World, position: Position) -> Decimal | None:
    """The price that was decided; where the default applies, entry plus reward-to-risk times R
    (A-163, D-10, X-80); None without any."""
    risk = position.initial_risk
    if not position.default_target or risk is None:
        return position.target
    return position.entry_price + position.sign * world.config.exits.reward_to_risk_target * risk


def shown_target(world: World, position: Position) -> Decimal | None:
    """The target as it is shown: the first price on the instrument's grid that reaches it."""
    target = target_price(world, position)
    if target is None:
        return None
    tick = world.instrument(position.symbol, position.account).tick_at(target)
    return round_price(target, tick, up=position.sign > 0)


def profit_target(world: World, position: Position, now: Nanos) -> Exit | None:
    """P4: the price a close would meet has reached the target.

    A price that is taken for a bad tick closes nothing (X-71).
    """
    quote = world.market.quotes.get(position.symbol)
    target = target_price(world, position)
    if quote is None or target is None or world.prices.suspicion_of(position) is not None:
        return None
    price = exit_price(quote, position)
    if (price - target) * position.sign < 0 or _leaps(world, position, price, target):
        return None
    return Exit(measured=plain(price), limit=plain(target))


def _leaps(world: World, position: Position, price: Decimal, target: Decimal) -> bool:
    """Whether a price at the target is a bad tick, and the price that has evidence is not there."""
    proved = world.prices.proved(position.symbol)
    if proved is None or (proved - target) * position.sign >= 0:
        return False
    return leaps(price, proved)


TARGET: Final = ExitRule(
    reason=ExitReason.TARGET,
    priority=4,
    config_key="exits.reward_to_risk_target",
    ask=profit_target,
    same_until=by_price,
)
