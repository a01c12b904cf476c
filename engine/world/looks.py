"""When an account is compared with its venue next, and since when its word stands (A-372, X-84)."""

from typing import Final

from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.money import ZERO
from engine.domain.order import RESTING
from engine.state import pauses
from engine.state.account import SETTLING, AccountState
from engine.world.market import SILENT, MarketView
from engine.world.world import World

RARELY: Final = 3_600 * NS_PER_SECOND
"""Between two looks at an account that tells all and has told nothing."""

LATE: Final = 30 * NS_PER_SECOND
"""A look that is overdue by more leaves the account unseen."""


def next_look(world: World, account: AccountState) -> Nanos:
    """When an account that was compared is compared again: after the interval of the config, and
    soon after a short was bought back of which only the venue knows what that gives back (X-79)."""
    usual = _next_usual(world, account)
    return min(usual, account.freed_at + SETTLING) if account.freed_at else usual


def _next_usual(world: World, account: AccountState) -> Nanos:
    """When it is by the interval.

    Where its venue tells all, looks between which nothing was told are left out, but for one an
    hour, and fewer while no prices come (`_next_rare`). Those that are left come when they would
    have come anyway.
    """
    every = world.config.execution.reconcile_seconds * NS_PER_SECOND
    seen = account.reconciled_at
    if account.is_polled:
        return seen + pauses.POLL
    if not _tells_all(world, account):
        return seen + every
    if _is_doubtful(account):
        return seen + every
    told = _told_since(world, account, seen - SETTLING)
    if told:
        # At the whole interval that ends with it, or ends next.
        return seen + max(-(-(min(told) - seen) // every), 1) * every
    return seen + every if _may_change(account) else _next_rare(world.market, seen, every)


def _next_rare(market: MarketView, seen: Nanos, every: Nanos) -> Nanos:
    """When an account that has told nothing is looked at next: after an hour.

    In a silence of prices that is longer than any market closes, as a gap of a recording is, each
    look comes once the silence has become twice as long, so that they stay few however long it is.
    With the first price after it the next look is due. `seen` is the last look.
    """
    silence = seen - market.told if market.told else 0
    if silence > SILENT:
        return seen + silence // every * every
    return max(seen + max(RARELY // every, 1) * every, market.resumed)


def seen_at(world: World, account: AccountState, now: Nanos) -> Nanos:
    """Since when nobody has seen an account: the last look, or now where the venue tells all and
    the next look is not overdue."""
    if account.look_failed or account.silent_since or not _tells_all(world, account):
        return account.seen_at
    return now if now <= next_look(world, account) + LATE else account.seen_at


def max_age_seconds(world: World) -> int:
    """After how many seconds the last look at a venue is too old for an entry (X-84)."""
    return world.limits.account_max_age_seconds or world.config.execution.reconcile_seconds + 30


def unseen_since(world: World, account: AccountState, now: Nanos) -> Nanos:
    """When an account was last seen that was seen too long ago for an entry (X-84); 0: it was not,
    or was never compared yet."""
    seen = seen_at(world, account, now)
    return seen if seen and now - seen > max_age_seconds(world) * NS_PER_SECOND else 0


def _tells_all(world: World, account: AccountState) -> bool:
    """Whether looks may be left out: the config asks for no age of its own."""
    asked = world.limits.account_max_age_seconds
    return not asked and world.has(account.name) and world.able(account.name).tells_all


def _is_doubtful(account: AccountState) -> bool:
    """Whether the last look left anything open: such an account is looked at as ever."""
    return (
        not account.reconciled_clean
        or account.look_failed
        or bool(account.unsettled or account.missing or account.suspected)
        or account.kill is not None
        or not account.unexplained.is_nothing
    )


def _may_change(account: AccountState) -> bool:
    """Whether a look may find something although nothing was told: what is in flight, and a buying
    power that moves with prices, as that of a short and of money in other currencies does."""
    return (
        any(position.quantity < ZERO for position in account.positions.values())
        or any(order.status not in RESTING for order in account.orders.values())
        or any(currency != account.currency for currency in account.cash)
    )


def _told_since(world: World, account: AccountState, at: Nanos) -> list[Nanos]:
    """When something was told after `at` of the orders of an account, or of what is held there."""
    told = [account.last_fill] if account.last_fill > at else []
    told += [
        order.created_at if order.created_at > at else order.updated_at
        for order in account.orders.values()
        if order.updated_at > at
    ]
    return told + [order.updated_at for order in world.book.ended.since(account.name, at + 1)]
