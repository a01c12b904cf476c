"""The plan that carries a close, of all or of a part, through to its end (rule 3, A-173)."""

from collections.abc import Iterator
from decimal import Decimal

from engine.domain import events as ev
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.order import OrderStatus, Purpose
from engine.domain.position import ExitDecision, ExitReason
from engine.domain.run import Severity
from engine.plans.reducing import EXIT, cancel, exit_order, in_lots, last, may_send, working_for
from engine.state.order import Order
from engine.state.position import ExitPlan, Position
from engine.world import World

RETRY_SECONDS = (0, 1, 2, 4, 8, 15, 30, 60)
"""Pauses between attempts at a close that fails; it is never given up."""

_UNKNOWN = OrderStatus.UNKNOWN
CLOSING = frozenset({Purpose.EXIT, Purpose.FLATTEN})
"""The purposes of orders that close a position, or a part of one."""


def plan_exit(
    position: Position,
    *,
    reason: ExitReason,
    priority: int,
    detail: str = "",
    measured: str = "",
    limit: str = "",
    quantity: Decimal | None = None,
) -> Iterator[ev.Event]:
    """Decide to close; the plan takes the first step once the rule that asks ended (A-173).

    `quantity` is a part of the position, None all of it. A close that is under way goes on; only
    the close of a part gives way to that of the whole.
    """
    under_way = position.exiting
    if under_way is not None and (under_way.is_whole or quantity is not None):
        return
    yield ev.ExitPlanned(
        account=position.account,
        symbol=position.symbol,
        position_id=position.position_id,
        decision=ExitDecision(
            reason=reason,
            detail=detail,
            priority=priority,
            quantity=quantity,
            attempt=position.exit_attempt + 1,
            measured=measured,
            limit=limit,
        ),
    )


def advance(world: World, account: str, symbol: str, now: Nanos) -> Iterator[ev.Event]:
    """The next step of a close that is under way: room, the order, another attempt, its end."""
    position = world.book.holding(account, symbol)
    if position is None or position.exiting is None:
        return
    yield from _close(world, position, position.exiting, working_for(world, position), now)


def _close(
    world: World, position: Position, plan: ExitPlan, live: list[Order], now: Nanos
) -> Iterator[ev.Event]:
    for order in tuple(world.book.working(position.account, position.symbol)):
        if order.reserved:
            yield from cancel(order, "the position is being closed")
    able = world.able(position.account).reduce_only
    closing = [o for o in live if o.purpose in CLOSING]
    others = [o for o in live if o not in closing]
    for order in closing:
        # One that sells all that is held, as an earlier process may have sent, does the work.
        if order.attempt < plan.attempt and order.leaves < abs(position.quantity):
            yield from cancel(order, "another close has taken its place")
    # Where the venue never lets reducing orders sell more than is held, the close of all does not
    # wait for a part of which nobody knows what became.
    lost = able and all(o.attempt < plan.attempt and o.status is _UNKNOWN for o in closing)
    if closing and not lost:
        return
    if plan.quantity is not None and not plan.quantity:
        yield _abandoned(position, plan, "the part is closed")
        return
    for order in others:
        if not (able and order.protects):
            yield from cancel(order, "it makes room for the close")
    if others and not able:
        return
    newest = last(world, position, EXIT)
    if newest is not None and newest.attempt == plan.attempt:
        yield from _next_attempt(world, position, plan, newest, now)
        return
    yield from _send(world, position, plan, now)


def _send(world: World, position: Position, plan: ExitPlan, now: Nanos) -> Iterator[ev.Event]:
    """The order of the plan's attempt, once the market is open and the venue was seen."""
    if not in_lots(world, position, abs(position.quantity)):
        yield _abandoned(position, plan, "less than a lot is left, which the venue does not take")
    elif world.is_open(position.symbol, now) and may_send(world, position.account):
        yield ev.OrderIntended(terms=exit_order(world, position, plan, now))


def _abandoned(position: Position, plan: ExitPlan, detail: str) -> ev.ExitAbandoned:
    """The close ends here; what is still held is protected again."""
    return ev.ExitAbandoned(
        account=position.account,
        symbol=position.symbol,
        position_id=position.position_id,
        reason=plan.reason,
        detail=detail,
    )


def _next_attempt(
    world: World, position: Position, plan: ExitPlan, newest: Order, now: Nanos
) -> Iterator[ev.Event]:
    """The order of this attempt ended and something is still held."""
    if newest.status is OrderStatus.REJECTED and newest.reject_code != plan.refused:
        yield ev.ExitRefused(
            account=position.account,
            symbol=position.symbol,
            position_id=position.position_id,
            code=newest.reject_code,
        )
        yield ev.Alarmed(
            code="EXIT_REFUSED",
            severity=Severity.CRITICAL,
            subject=position.symbol,
            text=f"the close of {position.symbol} in {position.account} is refused "
            f"({newest.reject_code}) and tried again: {newest.reason}",
        )
    pause = RETRY_SECONDS[min(plan.attempt, len(RETRY_SECONDS) - 1)]
    if not newest.filled and now - newest.updated_at < pause * NS_PER_SECOND:
        return
    if not world.able(position.account).reduce_only and not newest.filled:
        yield _abandoned(position, plan, newest.reason or newest.status)
        return
    yield ev.ExitPlanned(
        account=position.account,
        symbol=position.symbol,
        position_id=position.position_id,
        decision=ExitDecision(
            reason=plan.reason,
            detail=plan.detail,
            priority=plan.priority,
            quantity=plan.quantity,
            attempt=plan.attempt + 1,
            measured=newest.status,
            limit="FILLED",
        ),
    )
