"""The plan that carries a close, of all or of a part, through to its end (rule 3, A-173)."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from engine.domain import events as ev
from engine.domain.codes import Code, Outcome
from engine.domain.instant import LATEST, NS_PER_SECOND, Nanos
from engine.domain.money import ZERO, plain
from engine.domain.order import OrderStatus
from engine.domain.position import ExitDecision, ExitReason
from engine.domain.run import Severity
from engine.exits.reducible import against, in_lots, room, there, wanted_by, working_for
from engine.exits.stops import is_trading
from engine.plans.outcome import not_closed
from engine.plans.reducing import (
    EXIT,
    ask_for_stop,
    cancel,
    exit_order,
    is_ending,
    last,
    may_send,
)
from engine.plans.too_small import is_refused_as_small
from engine.state.order import Order
from engine.state.pauses import before_attempt
from engine.state.position import ExitPlan, Position
from engine.world import World

DOUBT_TOLD: Final = 5 * NS_PER_SECOND
"""A close that has been UNKNOWN for so long is told."""

NOT_HELD: Final = "NOT_HELD"
"""The code of a close of what the venue does not hold."""

_URGENT = frozenset({ExitReason.MANUAL, ExitReason.KILL})
"""Closes that wait for no stop that trades: it is cancelled, and they follow its end (X-78)."""

_UNKNOWN = OrderStatus.UNKNOWN
_UNANSWERED = frozenset({OrderStatus.CREATED, OrderStatus.PENDING_NEW})


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
    """Record the decision to close; the first step follows when the current rule has ended (A-173).

    `quantity` is a part of the position, None all of it. A close that is under way goes on; only
    the close of a part gives way to that of the whole.
    """
    under_way = position.exiting
    if under_way is not None and (under_way.is_whole or quantity is not None):
        return
    yield _planned(
        position,
        ExitDecision(
            reason=reason,
            detail=detail,
            priority=priority,
            quantity=quantity,
            attempt=position.exit_attempt + 1,
            measured=measured,
            limit=limit,
        ),
    )


def close_now(
    world: World, position: Position, reason: ExitReason, detail: str
) -> Iterator[ev.Event]:
    """Record the decision of a person or a kill to close all of it.

    It takes the place of a close that has no order at the venue and may be waiting: for the market,
    or between two attempts. Whoever had asked for that one is told.
    """
    under_way = position.exiting
    waiting = under_way is not None and under_way.is_whole and under_way.reason not in _URGENT
    if under_way is None or not waiting or any(o.closes for o in working_for(world, position)):
        yield from plan_exit(position, reason=reason, priority=0, detail=detail)
        return
    yield _planned(
        position,
        ExitDecision(
            reason=reason,
            detail=detail,
            priority=0,
            quantity=None,
            attempt=position.exit_attempt + 1,
            measured="",
            limit="",
        ),
    )
    text = f"{position.symbol} is closed by another order: {reason}"
    yield from not_closed(world, position, under_way, Outcome.CANCELLED, "", text)


def _planned(position: Position, decision: ExitDecision) -> ev.ExitPlanned:
    """The event that records a decision to close a position."""
    return ev.ExitPlanned(
        account=position.account,
        symbol=position.symbol,
        position_id=position.position_id,
        decision=decision,
    )


def close_waits(world: World, position: Position, now: Nanos) -> bool:
    """Whether a close that is wanted sends nothing for now, so that the stop is to rest (rule 3).

    It waits for the market, for the first look at the venue, and between two attempts.
    """
    plan = position.exiting
    if plan is None:
        return False
    failed = _failed(world, position, plan)
    return not _can_send(world, position, plan, now) or (
        failed is not None and not _is_due(world, position, plan, failed, now)
    )


def advance(world: World, account: str, symbol: str, now: Nanos) -> Iterator[ev.Event]:
    """Take the next step of a close: make room, send the order, try again, or end it."""
    position = world.book.holding(account, symbol)
    if position is None or position.exiting is None:
        return
    yield from _close(world, position, position.exiting, working_for(world, position), now)


def same_until(world: World, account: str, symbol: str, now: Nanos) -> Nanos:
    """A close that is wanted may go on at any second: it is tried again after pauses."""
    position = world.book.holding(account, symbol)
    return LATEST if position is None or position.exiting is None else now


def is_left_to_trade(world: World, stop: Order, now: Nanos) -> bool:
    """Whether a stop trades, and what is wanted of it waits: for all but the close of a person or
    a kill (X-78)."""
    position = world.book.holding(stop.account, stop.symbol)
    if position is None or stop.side.sign * position.quantity > 0:
        return False
    plan = position.exiting
    at_once = plan is not None and plan.reason in _URGENT
    return not at_once and is_trading(world, position, stop, now)


def _close(
    world: World, position: Position, plan: ExitPlan, live: list[Order], now: Nanos
) -> Iterator[ev.Event]:
    for order in tuple(world.book.working(position.account, position.symbol)):
        if order.adds_exposure and plan.is_whole:
            yield from cancel(order, "the position is being closed")
    able = world.able(position.account).reduce_only
    closing = [o for o in live if o.closes]
    others = [o for o in live if o not in closing]
    for order in closing:
        # One that sells all that is held, as an earlier process may have sent, does the work.
        if order.attempt < plan.attempt and order.leaves < there(world, position):
            yield from cancel(order, "another close has taken its place")
    # Where the venue never lets reducing orders sell more than is held, the close of all does not
    # wait for a part of which nobody knows what became.
    lost = able and all(o.attempt < plan.attempt and o.status is _UNKNOWN for o in closing)
    if closing and not lost:
        yield from _in_doubt(position, plan, closing, now)
        return
    if plan.quantity is not None and not plan.quantity:
        yield _abandoned(position, plan, "the part is closed")
        return
    if not there(world, position):
        yield from _nothing_there(position, plan)
        return
    if not in_lots(world, position, there(world, position)):
        yield from _too_little(world, position, plan, "less than a lot")
        return
    if plan.quantity is not None and not in_lots(world, position, plan.quantity):
        why = "less than a lot is left of the part, which the venue does not take"
        yield _abandoned(position, plan, why)
        return
    if _is_worth_too_little(world, position, plan):
        yield from _too_little(world, position, plan, "less than the smallest amount of an order")
        return
    yield from _attempt(world, position, plan, others, now)


def _attempt(
    world: World, position: Position, plan: ExitPlan, others: list[Order], now: Nanos
) -> Iterator[ev.Event]:
    """Room among the `others` that reduce, and the order; or the next attempt after one failed.

    Where the venue would fill both, the order waits until what works beside it leaves room for it:
    that of all for the end of everything.
    """
    able = world.able(position.account).reduce_only
    failed = _failed(world, position, plan)
    if failed is not None:
        yield from _refused(position, plan, failed)
    for order in _in_the_way(world, position, plan, others, now):
        yield from cancel(order, "it makes room for the close")
    if failed is not None:
        if _is_due(world, position, plan, failed, now):
            yield _next_attempt(position, plan, failed)
    elif (able or _has_room(world, position, plan)) and _can_send(world, position, plan, now):
        before = () if able else tuple(ask_for_stop(world, position, now))
        yield from before or (ev.OrderIntended(terms=exit_order(world, position, plan, now)),)


def _in_the_way(
    world: World, position: Position, plan: ExitPlan, others: list[Order], now: Nanos
) -> list[Order]:
    """Those of the `others` that do not fit beside the close into what is held (rule 3, X-85).

    Of a person's, stops are kept before what sells at a price, and older ones before newer. A stop
    stays where the venue joins it with the close, and while the close waits; one that trades does
    so for its seconds, but for the close of a person or a kill (X-78). Beside the close of a part
    ours is brought to size by the plan that protects.
    """
    able = world.able(position.account)
    rests = able.reduce_only or close_waits(world, position, now)
    by_hand = plan.reason in _URGENT
    left = abs(position.quantity) - wanted_by(world, position, plan)
    found = []
    for order in sorted(others, key=lambda order: not order.protects):
        stays = order.protects and rests
        stays |= not by_hand and is_trading(world, position, order, now)
        cut = order.is_protective and able.native_stop and not plan.is_whole
        if stays or cut or is_ending(order):
            continue
        if plan.is_whole or order.reach > left:
            found.append(order)
        else:
            left -= order.reach
    return found


def _has_room(world: World, position: Position, plan: ExitPlan) -> bool:
    """Whether the close and all that works beside it are for no more than is held."""
    return not against(world, position) if plan.is_whole else room(world, position) >= 0


def _can_send(world: World, position: Position, plan: ExitPlan, now: Nanos) -> bool:
    """The venue was seen since the start, and the market is not known to be closed (X-92).

    A person's close and a kill are sent all the same where the stop can stand beside them.
    """
    if not may_send(world, position.account):
        return False
    alone = world.able(position.account).reduce_only or not _has_stop(world, position)
    return (plan.reason in _URGENT and alone) or not world.is_shut(position.symbol, now)


def _has_stop(world: World, position: Position) -> bool:
    return position.stop is not None or any(o.protects for o in working_for(world, position))


def _failed(world: World, position: Position, plan: ExitPlan) -> Order | None:
    """The order of the plan's attempt, where it has ended and something is still held."""
    newest = last(world, position, EXIT)
    if newest is None or newest.attempt != plan.attempt or newest.is_working:
        return None
    return newest


def _is_due(world: World, position: Position, plan: ExitPlan, failed: Order, now: Nanos) -> bool:
    """Whether another attempt may follow; one that has sold something is gone on with at once.

    A venue that asked to wait is not asked before that, and one that is closed not before it opens.
    Once a symbol that was halted trades again, the pause is the shortest: to wait for the market is
    no failure (X-92). Where the stop is placed again in between, for all of it, the pause begins
    once the venue works it; one that leaves room for a part was made for this attempt, and is
    waited for no longer.
    """
    if failed.reject_code == Code.MARKET_CLOSED and world.is_shut(position.symbol, now):
        return False
    if failed.filled:
        return True
    if now < failed.retry_at:
        return False
    working = world.book.working(position.account, position.symbol)
    joins = world.able(position.account).reduce_only
    covering = not joins and (plan.is_whole or not _has_room(world, position, plan))
    stops = [order for order in working if order.is_protective] if covering else []
    if any(order.status in _UNANSWERED for order in stops):
        return False
    since = max([failed.updated_at, *(order.accepted_at for order in stops)])
    closed = failed.reject_code == Code.MARKET_CLOSED
    trades = closed and world.market.traded.get(position.symbol, 0) > failed.updated_at
    return now - since >= before_attempt(1 if trades else plan.failures + 1)


def _in_doubt(
    position: Position, plan: ExitPlan, closing: list[Order], now: Nanos
) -> Iterator[ev.Event]:
    """Say once that nobody knows what became of the close: no other is sent beside it (rule 1)."""
    since = max(order.unclear_at for order in closing)
    unknown = all(order.status is _UNKNOWN for order in closing)
    if not unknown or now - since < DOUBT_TOLD or plan.refused == Code.UNKNOWN_STATE:
        return
    yield _told_once(position, Code.UNKNOWN_STATE)
    yield ev.Alarmed(
        code="EXIT_UNKNOWN",
        severity=Severity.CRITICAL,
        subject=position.symbol,
        text=f"nobody knows what became of the close of {position.symbol} in {position.account}: "
        "the venue is asked until it says",
    )


def _told_once(position: Position, code: str) -> ev.ExitRefused:
    """The event that keeps why a close goes no further, so that its alarm is raised once."""
    return ev.ExitRefused(
        account=position.account,
        symbol=position.symbol,
        position_id=position.position_id,
        code=code,
    )


def _nothing_there(position: Position, plan: ExitPlan) -> Iterator[ev.Event]:
    """The venue holds none of it: an order would open the other side. Say so once and wait until a
    look or a person explains it."""
    if plan.refused == NOT_HELD:
        return
    yield _told_once(position, NOT_HELD)
    yield ev.Alarmed(
        code="EXIT_WITHOUT_HOLDING",
        severity=Severity.CRITICAL,
        subject=position.symbol,
        text=f"the close of {position.symbol} in {position.account} is not sent: the venue holds "
        "none of it; compare with `reconcile`",
    )


def _is_worth_too_little(world: World, position: Position, plan: ExitPlan) -> bool:
    """Whether the venue has refused the attempt of a close, and what is to be closed is worth less
    than it takes in an order: of a part that is the order, else all that is held."""
    failed = _failed(world, position, plan)
    held = abs(position.quantity) if plan.is_whole else ZERO
    return failed is not None and is_refused_as_small(world, failed, held)


def _too_little(world: World, position: Position, plan: ExitPlan, why: str) -> Iterator[ev.Event]:
    """No order can close what is left: `why`, it is less than what."""
    yield _abandoned(position, plan, f"{why} is left, which the venue does not take")
    reason = (
        f"{plain(abs(position.quantity))} {position.symbol} in {position.account} are not closed: "
        f"{why}, which the venue does not take"
    )
    yield from not_closed(world, position, plan, Outcome.REJECTED, Code.BAD_LOT, reason)


def _abandoned(position: Position, plan: ExitPlan, detail: str) -> ev.ExitAbandoned:
    """The close ends here; what is still held is protected again."""
    return ev.ExitAbandoned(
        account=position.account,
        symbol=position.symbol,
        position_id=position.position_id,
        reason=plan.reason,
        detail=detail,
    )


def _refused(position: Position, plan: ExitPlan, failed: Order) -> Iterator[ev.Event]:
    """Say that the venue refused the close, once for each reason in a row.

    That its market is closed is no failure: the close waits (X-92).
    """
    if failed.status is not OrderStatus.REJECTED or failed.reject_code == plan.refused:
        return
    yield _told_once(position, failed.reject_code)
    if failed.reject_code == Code.MARKET_CLOSED:
        yield ev.Alarmed(
            code="EXIT_WAITS",
            severity=Severity.WARNING,
            subject=position.symbol,
            text=f"the close of {position.symbol} in {position.account} waits for the market to "
            f"open: {failed.reason}",
        )
        return
    yield ev.Alarmed(
        code="EXIT_REFUSED",
        severity=Severity.CRITICAL,
        subject=position.symbol,
        text=f"the close of {position.symbol} in {position.account} is refused "
        f"({failed.reject_code}) and tried again: {failed.reason}",
    )


def _next_attempt(position: Position, plan: ExitPlan, failed: Order) -> ev.ExitPlanned:
    """The same close once more, under a new id."""
    decision = ExitDecision(
        reason=plan.reason,
        detail=plan.detail,
        priority=plan.priority,
        quantity=plan.quantity,
        attempt=plan.attempt + 1,
        measured=failed.status,
        limit="FILLED",
    )
    return _planned(position, decision)
