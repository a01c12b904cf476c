"""What can stop the engine by itself: one row a trigger (U-52, A-180 to A-184).

A row measures and returns a finding, or None. What follows from a finding (kill, reduce only or
alert, by the config key of the trigger's name) is decided in `engine.core.consequences`. Loss
limits hold at the limit, not beyond it (A-180). They are asked of equity as far as evidence carries
it: what is realised counts at once, what rests on a mark once that mark is proved (X-71, X-74).
None is asked of an equity that is not known: what an account keeps counts for nothing in it before
a rate of its currency was told (X-86).
"""

from collections.abc import Callable, Iterator
from decimal import Decimal

import msgspec

from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.money import ZERO, plain
from engine.domain.run import LinkState, Trigger
from engine.state.recent import count_after
from engine.state.sent import RATE_WINDOW
from engine.world import World
from engine.world.money import Equity

_CONNECTED = LinkState.CONNECTED

REJECT_STORM = 10
"""Venue rejections within a minute (U-52)."""

FIRST_LOOKS = 60 * NS_PER_SECOND
"""So long after a start the floor of equity waits for accounts that were never looked at, and for
rates of money that they hold beside that which they are kept in."""


class Trip(msgspec.Struct, frozen=True):
    """A trigger's condition holds: what was measured against which limit.

    Where it is no number, `limit` is "" and `measured` says in words what was found.
    """

    measured: str
    limit: str
    reason: str

    @property
    def text(self) -> str:
        """All of it as one sentence."""
        return f"{self.reason}: {self.measured}" + (f" against {self.limit}" if self.limit else "")


class TriggerRule(msgspec.Struct, frozen=True, kw_only=True):
    """One row: a trigger, and the question it asks of the world at an equity.

    `by_time`: it may begin to hold while time passes and nothing else happens, although every
    account is connected and has been looked at.
    """

    trigger: Trigger
    ask: Callable[[World, Nanos, Equity], Trip | None]
    by_time: bool = True


def _daily_loss(world: World, now: Nanos, equity: Equity) -> Trip | None:
    session, limit = world.book.data.session, world.limits.daily_loss
    if session is None or limit is None or session.loss_basis <= 0 or world.money.is_unknown:
        return None
    lost, basis = -world.money.pnl_of_day(equity), session.loss_basis
    if lost < limit * basis:
        return None
    return Trip(_share(lost / basis), _share(limit), "the day's loss reached its limit")


def _min_equity(world: World, now: Nanos, equity: Equity) -> Trip | None:
    floor = world.limits.min_equity
    if world.book.data.starting_equity is None or floor is None or floor <= 0:
        return None
    if equity.whole >= floor or is_waiting(world, now) or world.money.unknown:
        return None
    return Trip(plain(equity.whole), plain(floor), "equity fell below its floor")


def is_waiting(world: World, now: Nanos) -> bool:
    """Whether the floor of equity waits, shortly after a start, for what is not known yet: accounts
    that were never looked at, and rates of what they hold (X-86)."""
    if now - world.book.data.started_at >= FIRST_LOOKS:
        return False
    return _is_unseen_yet(world, now) or world.currencies.has_untold


def _is_unseen_yet(world: World, now: Nanos) -> bool:
    """Whether some account was never looked at, shortly after a start: what it is worth is missing
    in equity, and nobody has lost it."""
    if now - world.book.data.started_at >= FIRST_LOOKS:
        return False
    return any(account.balances is None for account in world.book.accounts)


def _drawdown(world: World, now: Nanos, equity: Equity) -> Trip | None:
    limit = world.limits.drawdown
    if limit is None or world.book.data.starting_equity is None or world.money.is_unknown:
        return None
    peak = world.money.peak_equity
    if peak - equity.explained < limit * peak or peak <= 0:
        return None
    return Trip(_share(world.money.fall_of(equity)), _share(limit), "drawdown reached its limit")


def _loss_streak(world: World, now: Nanos, equity: Equity) -> Trip | None:
    limit = world.limits.loss_streak_count
    streak = world.book.data.loss_streak
    if not limit or streak < limit:
        return None
    return Trip(str(streak), str(limit), "too many large losses in a row")


def _broker_lost(world: World, now: Nanos, equity: Equity) -> Trip | None:
    seconds = world.limits.api_timeout_seconds
    for account in world.book.accounts:
        link = account.link
        if link is None or not account.exposed:
            continue
        since = link.since
        if link.state is _CONNECTED:
            if not account.silent_since:
                continue
            # Whoever answers a whole look meanwhile is there, whatever else is not answered.
            since = max(account.silent_since, account.seen_at)
        down = now - since
        if down > seconds * NS_PER_SECOND:
            text = f"{account.name} has been unreachable while it holds exposure or orders"
            return Trip(str(down // NS_PER_SECOND), str(seconds), text)
    return None


def _reject_storm(world: World, now: Nanos, equity: Equity) -> Trip | None:
    rejects = world.book.data.rejects
    if len(rejects) < REJECT_STORM:
        return None  # asked at every price of what is held, and most often there are a few
    recent = count_after(rejects, now - RATE_WINDOW)
    if recent < REJECT_STORM:
        return None
    return Trip(str(recent), str(REJECT_STORM), "the venue refused too many orders in a minute")


RULES: tuple[TriggerRule, ...] = (
    TriggerRule(trigger=Trigger.DAILY_LOSS, ask=_daily_loss, by_time=False),
    TriggerRule(trigger=Trigger.MIN_EQUITY, ask=_min_equity, by_time=False),
    TriggerRule(trigger=Trigger.DRAWDOWN, ask=_drawdown, by_time=False),
    TriggerRule(trigger=Trigger.LOSS_STREAK, ask=_loss_streak, by_time=False),
    TriggerRule(trigger=Trigger.BROKER_LOST, ask=_broker_lost, by_time=False),
    TriggerRule(trigger=Trigger.REJECT_STORM, ask=_reject_storm, by_time=False),
)
"""The triggers that are asked again and again; the others are fired by what they are about."""


def _share(value: Decimal) -> str:
    return plain(round(value, 6))


def ask_all(world: World, now: Nanos, equity: Equity) -> Iterator[tuple[Trigger, Trip]]:
    """Every trigger whose condition holds at an equity, as far as evidence carries it (X-74)."""
    asked, tripped = _asked_at(world), False
    for rule in RULES:
        finding = rule.ask(world, now, equity)
        if finding is not None:
            tripped = True
            yield rule.trigger, finding
    if not tripped and not _may_trip_by_time(world, now):
        world.untripped = asked


def none_trips(world: World) -> bool:
    """Whether no trigger can hold: when they were asked last none did, and neither the book nor
    proved equity has changed since. They are asked at every price of what is held, and most prices
    change nothing that they look at."""
    return _asked_at(world) == world.untripped


def _asked_at(world: World) -> tuple[int, int, int]:
    """What the answers of the triggers follow from: the events so far, and every change of what
    evidence says of prices and of rates."""
    return world.book.data.seq, world.prices.moved, world.currencies.moved


def _may_trip_by_time(world: World, now: Nanos) -> bool:
    """Whether a trigger may begin to hold although no event comes and no proved price moves.

    A link that is down, or a venue that is silent, counts by the clock, and so does the minute in
    which the floor waits for the first looks and rates (A-183). What nothing explains is worth what
    the newest price says, proved or not.
    """
    if any(rule.by_time for rule in RULES) or is_waiting(world, now):
        return True
    return any(
        not account.is_connected or account.silent_since or not account.unexplained.is_nothing
        for account in world.book.accounts
    )


def holding(world: World, now: Nanos) -> dict[Trigger, Trip]:
    """Every trigger whose condition holds now, by evidence or by the newest marks alone (X-69)."""
    found: dict[Trigger, Trip] = {}
    for rule in RULES:
        for equity in (world.money.newest, world.money.proved):
            finding = rule.ask(world, now, equity)
            if finding is not None:
                found.setdefault(rule.trigger, finding)
    return found


def losses(world: World, pnl: Decimal, basis: Decimal) -> int:
    """The loss streak after a trade with this profit on this entry notional (X-05)."""
    size = world.limits.loss_streak_pct
    streak = world.book.data.loss_streak
    if pnl >= ZERO:
        return 0
    if size is not None and basis > 0 and -pnl / basis >= size:
        return streak + 1
    return streak
