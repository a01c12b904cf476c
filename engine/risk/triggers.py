"""What can stop the engine by itself: one row a trigger (U-52, A-180 to A-184).

A row measures and returns a finding, or None. What follows from a finding (kill, reduce only or
alert, by the config key of the trigger's name) is decided in `engine.core.consequences`. Loss
limits hold at the limit, not beyond it (A-180).
"""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.money import ZERO, plain
from engine.domain.run import LinkState, Trigger
from engine.world import World

_CONNECTED = LinkState.CONNECTED

REJECT_STORM = 10
"""Venue rejections within a minute (U-52)."""


class Trip(msgspec.Struct, frozen=True):
    """A trigger's condition holds: what was measured against which limit."""

    measured: str
    limit: str
    reason: str


class TriggerRule(msgspec.Struct, frozen=True, kw_only=True):
    """One row: a trigger, whether it leans on marks, and the question it asks.

    `by_time`: it may begin to hold while time passes and nothing else happens, although every
    account is connected.
    """

    trigger: Trigger
    on_marks: bool
    ask: Callable[[World, Nanos], Trip | None]
    by_time: bool = True


def _daily_loss(world: World, now: Nanos) -> Trip | None:
    session, limit = world.book.data.session, world.limits.daily_loss
    if session is None or limit is None or session.starting_equity <= 0:
        return None
    loss = -world.daily_pnl / session.starting_equity
    if loss < limit:
        return None
    return Trip(_share(loss), _share(limit), "the day's loss reached its limit")


def _min_equity(world: World, now: Nanos) -> Trip | None:
    floor = world.limits.min_equity
    if (
        world.book.data.starting_equity is None
        or floor is None
        or floor <= 0
        or world.equity >= floor
    ):
        return None
    return Trip(plain(world.equity), plain(floor), "equity fell below its floor")


def _drawdown(world: World, now: Nanos) -> Trip | None:
    limit = world.limits.drawdown
    if limit is None or world.book.data.starting_equity is None or world.drawdown < limit:
        return None
    return Trip(_share(world.drawdown), _share(limit), "drawdown reached its limit")


def _loss_streak(world: World, now: Nanos) -> Trip | None:
    limit = world.limits.loss_streak_count
    streak = world.book.data.loss_streak
    if not limit or streak < limit:
        return None
    return Trip(str(streak), str(limit), "too many large losses in a row")


def _broker_lost(world: World, now: Nanos) -> Trip | None:
    seconds = world.limits.api_timeout_seconds
    for account in world.book.accounts:
        link = account.link
        if link is None or link.state is _CONNECTED or not account.exposed:
            continue
        down = now - link.since
        if down > seconds * NS_PER_SECOND:
            text = f"{account.name} has been unreachable while it holds exposure or orders"
            return Trip(str(down // NS_PER_SECOND), str(seconds), text)
    return None


def _reject_storm(world: World, now: Nanos) -> Trip | None:
    rejects = world.book.data.rejects
    if len(rejects) < REJECT_STORM:
        return None  # asked at every price of what is held, and most often there are a few
    recent = sum(1 for at in rejects if at > now - 60 * NS_PER_SECOND)
    if recent < REJECT_STORM:
        return None
    return Trip(str(recent), str(REJECT_STORM), "the venue refused too many orders in a minute")


RULES: tuple[TriggerRule, ...] = (
    TriggerRule(trigger=Trigger.DAILY_LOSS, on_marks=True, ask=_daily_loss, by_time=False),
    TriggerRule(trigger=Trigger.MIN_EQUITY, on_marks=True, ask=_min_equity, by_time=False),
    TriggerRule(trigger=Trigger.DRAWDOWN, on_marks=True, ask=_drawdown, by_time=False),
    TriggerRule(trigger=Trigger.LOSS_STREAK, on_marks=False, ask=_loss_streak, by_time=False),
    TriggerRule(trigger=Trigger.BROKER_LOST, on_marks=False, ask=_broker_lost, by_time=False),
    TriggerRule(trigger=Trigger.REJECT_STORM, on_marks=False, ask=_reject_storm, by_time=False),
)
"""The triggers that are asked again and again; the others are fired by what they are about."""

MARK_RULES = tuple(rule for rule in RULES if rule.on_marks)


def _share(value: Decimal) -> str:
    return plain(round(value, 6))


def holding(world: World, now: Nanos) -> list[tuple[Trigger, Trip]]:
    """Every trigger whose condition holds now, confirmed or not (X-69)."""
    found = ((rule.trigger, rule.ask(world, now)) for rule in RULES)
    return [(trigger, finding) for trigger, finding in found if finding is not None]


def observe(world: World, now: Nanos, *, certain: bool) -> None:
    """Note after a price event which limits on marks are breached."""
    for rule in MARK_RULES:
        world.breaches.see(
            rule.trigger,
            breached=rule.ask(world, now) is not None,
            at=now,
            traded_both_sides=certain,
        )


def forget(world: World) -> None:
    """Drop what was seen of the limits on marks: the holdings that it was about are gone (X-71)."""
    for rule in MARK_RULES:
        world.breaches.forget(rule.trigger)


def losses(world: World, pnl: Decimal, basis: Decimal) -> int:
    """The loss streak after a trade with this profit on this entry notional (X-05)."""
    size = world.limits.loss_streak_pct
    streak = world.book.data.loss_streak
    if pnl >= ZERO:
        return 0
    if size is not None and basis > 0 and -pnl / basis >= size:
        return streak + 1
    return streak
