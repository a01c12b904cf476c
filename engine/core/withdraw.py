"""What ends by the hour, and entries where nothing may be entered any more."""

from collections.abc import Iterator
from typing import Final

from engine.domain import events as ev
from engine.domain.codes import Code
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.money import plain
from engine.domain.position import ExitReason
from engine.domain.run import Severity, Trigger
from engine.domain.signal import TradeType
from engine.exits.hours import is_late
from engine.exits.rules import EOD_PRIORITY
from engine.plans.exit import plan_exit
from engine.plans.reducing import cancel
from engine.state.account import AccountState
from engine.state.position import Position
from engine.world import World

LOST_SECONDS: Final = 5
"""A link that is down for so long is lost (X-77)."""


def end_late_entries(world: World, now: Nanos) -> Iterator[ev.Event]:
    """Cancel the working entries of day trades and scalps whose session ends (X-83)."""
    for symbol in tuple(world.book.index.day_entries):
        if not is_late(world, symbol, TradeType.DAY, now):
            continue
        for key, account in tuple(world.book.index.day_entries[symbol].items()):
            order = world.book.order_in(account, key)
            if order is not None and world.has(account):
                yield from cancel(order, Code.MARKET_CLOSED)


def end_missed(world: World, position: Position, now: Nanos) -> Iterator[ev.Event]:
    """The close of a day trade that is still held while its market is shut, told once (X-83).

    It waits for the open, and its stop stays (X-92).
    """
    if not is_late(world, position.symbol, position.trade_type, now):
        return
    yield ev.Alarmed(
        code="EOD_MISSED",
        severity=Severity.CRITICAL,
        subject=position.symbol,
        text=f"{plain(position.quantity)} {position.symbol} in {position.account} are held beyond "
        "the close of their market: they are closed when it opens again",
    )
    yield from plan_exit(
        position,
        reason=ExitReason.EOD,
        priority=EOD_PRIORITY,
        detail="missed",
        measured="closed",
        limit=f"{world.config.exits.eod_close_minutes_before} min before the close",
    )


def lose_links(world: World, now: Nanos) -> Iterator[ev.Event]:
    """Restrict each account whose link is lost to what reduces, until it is there again (X-77)."""
    for account in world.book.accounts:
        link = account.link
        if link is None or not account.link_is_down or Trigger.BROKER_LOST in account.barred:
            continue
        if now - link.since >= LOST_SECONDS * NS_PER_SECOND:
            yield ev.Restricted(
                cause=Trigger.BROKER_LOST, reason="its link is lost", account=account.name
            )


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


def _causes(world: World, account: AccountState) -> str:
    return ", ".join((*world.book.data.restrictions, *account.barred))
