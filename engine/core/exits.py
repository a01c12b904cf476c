"""The exit rules asked about one position, and its close that missed the hour (A-160, X-83)."""

from collections.abc import Iterator

from engine.domain import events as ev
from engine.domain.instant import Nanos
from engine.domain.money import plain
from engine.domain.position import ExitReason
from engine.domain.run import Phase, Severity
from engine.exits import table
from engine.exits.end_of_day import EOD_PRIORITY
from engine.exits.hours import before_close, is_late
from engine.plans.exit import plan_exit
from engine.plans.too_small import is_too_small
from engine.state.position import Position
from engine.world import World


def ask_exits(world: World, position: Position, now: Nanos) -> Iterator[ev.Event]:
    """Ask all exit rules; the one with the lowest priority number closes the position (A-160).

    What is less than the venue takes in an order no rule can close: it would try at every price.
    """
    if position.is_closing or world.book.data.phase is not Phase.RUNNING:
        return
    if is_too_small(world, position):
        return
    if world.is_shut(position.symbol, now):
        yield from _end_missed(world, position, now)
        return
    decided = table.ask_all(world, position, now)
    if decided is None:
        return
    yield from plan_exit(
        position,
        reason=decided.reason,
        priority=decided.priority,
        detail=decided.found.detail,
        measured=decided.found.measured,
        limit=decided.found.limit,
    )


def _end_missed(world: World, position: Position, now: Nanos) -> Iterator[ev.Event]:
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
        limit=before_close(world),
    )
