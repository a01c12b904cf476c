"""The exits: one row each, asked at every price and second; the lowest priority wins (A-160 ff).

They are the hard stop, the profit target and the close at the end of the day.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

import msgspec

from engine.domain.instant import LATEST, NS_PER_SECOND, Nanos
from engine.domain.market import Quote
from engine.domain.money import plain, round_price
from engine.domain.position import ExitReason
from engine.exits.hours import before_close
from engine.exits.stops import breach_key, left_to_stops
from engine.state.position import Position
from engine.world import World
from engine.world.evidence import leaps

EOD_PRIORITY: Final = 6


class Exit(msgspec.Struct, frozen=True, kw_only=True):
    """A rule's condition holds: what was measured against which limit."""

    measured: str
    limit: str
    detail: str = ""


class ExitRule(msgspec.Struct, frozen=True, kw_only=True):
    """One row: the reason it closes for, its priority, its config key, its question.

    `same_until` says up to which moment the answer cannot change by time alone; None where it may
    at any second. Of prices it leans on those of the position's own symbol, at which it is asked.
    """

    reason: ExitReason
    priority: int
    config_key: str
    ask: Callable[[World, Position, Nanos], Exit | None]
    same_until: Callable[[World, Position, Nanos], Nanos] | None = None


class WinningExit(msgspec.Struct, frozen=True, kw_only=True):
    """The rule that won."""

    reason: ExitReason
    priority: int
    found: Exit


def exit_price(quote: Quote, position: Position) -> Decimal:
    """The price a close would meet: the worse of last and the side it trades on."""
    if position.is_long:
        return min(quote.last, quote.bid) if quote.bid else quote.last
    return max(quote.last, quote.ask) if quote.ask else quote.last


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


def by_price(world: World, position: Position, now: Nanos) -> Nanos:
    """`same_until` of a rule that leans on prices and on the position, and on no clock."""
    return LATEST


def end_of_day(world: World, position: Position, now: Nanos) -> Exit | None:
    """P6: day trades and scalps are flat before the session ends, early closes too (A-165, D-11).

    One that was left over from an earlier session is closed in the next.
    """
    if not position.trade_type.ends_with_session:
        return None
    known = world.calendar(world.instrument(position.symbol).calendar)
    if known is None or not known.has_session_end:
        return None
    late = known.last_minutes(now, world.config.exits.eod_close_minutes_before)
    if late is None:
        return None
    left_over = known.session_date(position.opened_at) < known.session_date(now)
    if now < late and not left_over:
        return None
    close = known.close_of(now)
    if close is None:
        return None
    return Exit(
        measured=f"{(close - now) // NS_PER_SECOND} s to the close",
        limit=before_close(world),
        detail="left over" if left_over else "",
    )


def same_day(world: World, position: Position, now: Nanos) -> Nanos:
    """`same_until` of `end_of_day`: the last minutes of the session, else the next one."""
    known = world.calendar(world.instrument(position.symbol).calendar)
    if known is None or not position.trade_type.ends_with_session:
        return LATEST
    late = known.last_minutes(now, world.config.exits.eod_close_minutes_before)
    return late if late is not None and late > now else known.constant_until(now)


EXITS: tuple[ExitRule, ...] = (
    ExitRule(
        reason=ExitReason.STOP_LOSS,
        priority=1,
        config_key="exits.stop_mode",
        ask=hard_stop,
        same_until=stop_has_traded,
    ),
    ExitRule(
        reason=ExitReason.TARGET,
        priority=4,
        config_key="exits.reward_to_risk_target",
        ask=profit_target,
        same_until=by_price,
    ),
    ExitRule(
        reason=ExitReason.EOD,
        priority=EOD_PRIORITY,
        config_key="exits.eod_close_minutes_before",
        ask=end_of_day,
        same_until=same_day,
    ),
)


def ask_all(
    world: World, position: Position, now: Nanos, rules: tuple[ExitRule, ...] | None = None
) -> WinningExit | None:
    """Evaluate every rule, those of `EXITS` unless others are given; the lowest priority wins."""
    decided: WinningExit | None = None
    for rule in EXITS if rules is None else rules:
        found = rule.ask(world, position, now)
        if found is not None and (decided is None or rule.priority < decided.priority):
            decided = WinningExit(reason=rule.reason, priority=rule.priority, found=found)
    return decided
