"""P4, the profit target (A-163, D-10)."""

from decimal import Decimal
from typing import Final

from engine.domain.instant import Nanos
from engine.domain.money import plain, round_price
from engine.domain.position import ExitReason
from engine.exits.answer import Exit, ExitRule, by_price
from engine.exits.price import close_price, is_so
from engine.state.position import Position
from engine.world import World


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
    price = close_price(quote, position)
    if not is_so(world, position.symbol, price, lambda p: (p - target) * position.sign >= 0):
        return None
    return Exit(measured=plain(price), limit=plain(target))


TARGET: Final = ExitRule(
    reason=ExitReason.TARGET,
    priority=4,
    config_key="exits.reward_to_risk_target",
    ask=profit_target,
    same_until=by_price,
)
