"""Until when no tick can lead to anything (DESIGN, Time and determinism).

A tick asks every rule again, once a second while anything is held, and nearly always in vain: in a
replay that was more than half of all work. After a tick that led to nothing, the state stays what
it is until something comes in, and only a rule that looks at the clock can find more than it just
did. A price that leads to nothing leaves most of that as it is. What is said here may be too early
a moment, never too late a one.
"""

from engine.core.day import MARK_SECONDS
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.run import Phase
from engine.exits import rules as exits
from engine.exits.hours import late_from
from engine.plans import table as plans
from engine.risk import triggers
from engine.state.account import AccountState
from engine.state.position import Position
from engine.state.waiting import waiting_places
from engine.world import World
from engine.world.looks import next_look


def calm_until(world: World, now: Nanos) -> Nanos:
    """Before which moment a tick leads to nothing, if nothing else comes in; `now`: any may.

    To be asked after a tick at `now` that led to no event.
    """
    data = world.book.data
    if data.phase is not Phase.RUNNING or data.halt is not None or data.restrictions:
        return now
    if world.rates.ageing or any(rule.by_time for rule in triggers.RULES):
        return now
    moments = [world.home.constant_until(now)]
    if (due := world.book.deadlines.next()) is not None:
        moments.append(due)
    # A mark that was due and was not made found equity unchanged, which it stays.
    if (marks := data.marked_at + MARK_SECONDS * NS_PER_SECOND) > now:
        moments.append(marks)
    if any(account.barred or account.suspected for account in world.book.accounts):
        return now
    moments += [next_look(world, a) if _is_quiet(a) else now for a in world.book.accounts]
    moments += data.queued.values()
    moments += [late_from(world, symbol, now) for symbol in world.book.index.day_entries]
    for position in world.holdings():
        moments += _moments(world, position, now)
        moments.append(plans.same_until(world, position.account, position.symbol, now))
    for account, symbol in waiting_places(world.book):
        moments.append(plans.same_until(world, account, symbol, now))
    return min(moments)


def price_moves(world: World, now: Nanos) -> bool:
    """Whether a price that led to no event may lead the next tick to one: calm is over then.

    The rules that lean on prices were asked when it came; a mark of equity, what rates and what
    nothing explains make of equity are left to the tick. What a breach of a stop leads to is told
    by `Breaches.changes`.
    """
    if world.rates.ageing:
        return True
    data = world.book.data
    may_mark = now >= data.marked_at + MARK_SECONDS * NS_PER_SECOND
    for account in data.accounts.values():
        if not account.unexplained.is_nothing:
            return True
        if may_mark and (account.positions or account.cash.keys() - {world.base}):
            return True
    return False


def _is_quiet(account: AccountState) -> bool:
    """Connected and compared, with no question open and no kill under way."""
    under_way = account.snapshot_asked or account.kill is not None or account.silent_since
    return account.is_connected and account.compared and not under_way


def _moments(world: World, position: Position, now: Nanos) -> list[Nanos]:
    """When a rule may find something new about a position."""
    if position.stop is not None and position.unprotected_since:
        return [now]  # what has no stop in time is closed, or told
    moments = [
        now if rule.same_until is None else rule.same_until(world, position, now)
        for rule in exits.EXITS
    ]
    known = world.calendar(world.instrument(position.symbol).calendar)
    if known is not None:
        moments.append(known.constant_until(now))
    return moments
