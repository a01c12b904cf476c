"""Entries that end: with their session, or where none may be entered any more (X-77, X-83)."""

from collections.abc import Iterator

from engine.domain import events as ev
from engine.domain.codes import Code
from engine.domain.instant import Nanos
from engine.domain.signal import TradeType
from engine.exits.hours import is_late
from engine.plans.reducing import cancel
from engine.state.account import AccountState
from engine.world import World


def end_late_entries(world: World, now: Nanos) -> Iterator[ev.Event]:
    """Cancel the working entries of day trades and scalps whose session ends (X-83)."""
    for symbol in tuple(world.book.index.day_entries):
        if not is_late(world, symbol, TradeType.DAY, now):
            continue
        for key, account in tuple(world.book.index.day_entries[symbol].items()):
            order = world.book.order_in(account, key)
            if order is not None and world.has(account):
                yield from cancel(order, Code.MARKET_CLOSED)


def end_withheld_entries(world: World) -> Iterator[ev.Event]:
    """Cancel the working entries of every account that takes no more of them (X-77, U-42).

    A halt cancels its own (X-52); a pause leaves them.
    """
    if not world.book.index.entries:
        return
    for account in world.book.accounts:
        causes = _causes(world, account)
        if not causes:
            continue
        for order in tuple(account.orders.values()):
            if order.adds_exposure:
                yield from cancel(order, f"only reducing is allowed: {causes}")


def withholding(world: World) -> frozenset[tuple[str, str]]:
    """What keeps entries away: each cause with the account that it is about, "" for all."""
    data = world.book.data
    causes = [("", str(cause)) for cause in data.restrictions] if data.restrictions else []
    for account in data.accounts.values():
        if account.barred:  # asked at every input, and hardly ever so
            causes += [(account.name, cause) for cause in account.barred]
    return frozenset(causes)


def _causes(world: World, account: AccountState) -> str:
    return ", ".join((*world.book.data.restrictions, *account.barred))
