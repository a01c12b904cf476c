"""Keeping a holding protected, and carrying its close through to flat (rule 3, A-172, A-173).

One function looks at one symbol after anything happened to it, and says what to do next. It is a
state machine over facts in the book, so that it goes on after a crash at any step.
"""

from collections.abc import Iterator
from decimal import Decimal

from engine.domain import events as ev
from engine.domain.codes import Code
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.money import early_stop, plain
from engine.domain.order import OrderStatus, Purpose
from engine.domain.position import ExitDecision, ExitReason
from engine.domain.run import Phase
from engine.plans.reducing import EXIT, PROTECT, exit_order, last, stop_order, to_protect
from engine.state.order import Order
from engine.state.position import ExitPlan, Position
from engine.world import World

PROTECT_SECONDS = 5
"""A fill's stop must be acknowledged for all of it within this (DESIGN rule 3)."""

RETRY_SECONDS = (0, 1, 2, 4, 8, 15, 30, 60)
"""Pauses between attempts at a close that fails; it is never given up."""

_S = OrderStatus
_SETTLED = frozenset({_S.NEW, _S.PARTIALLY_FILLED, _S.SUSPENDED})
_CLOSING = frozenset({Purpose.EXIT, Purpose.FLATTEN})


def tend(world: World, account: str, symbol: str, now: Nanos) -> Iterator[ev.Event]:
    """Whatever this symbol needs now: a stop, another size of stop, the next step of a close."""
    book = world.book
    position = book.holding(account, symbol)
    reducing = [o for o in book.reducing(account, symbol) if o.reduce_only]
    if position is None:
        for order in reducing:
            yield from _cancel(order, "nothing is held")
        return
    wrong = [o for o in reducing if o.side.sign * position.quantity > 0]
    for order in wrong:
        yield from _cancel(order, "it belongs to a position that is gone")
    live = [o for o in reducing if o not in wrong]
    if position.exiting is not None:
        yield from _close(world, position, position.exiting, live, now)
    else:
        yield from _protect(world, position, [o for o in live if o.is_protective], now)


def plan_exit(
    world: World,
    position: Position,
    now: Nanos,
    *,
    reason: ExitReason,
    priority: int,
    detail: str = "",
    measured: str = "",
    limit: str = "",
    quantity: Decimal | None = None,
) -> Iterator[ev.Event]:
    """Decide to close, and take the first step (A-173).

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
    yield from tend(world, position.account, position.symbol, now)


def overdue(world: World, position: Position, now: Nanos) -> bool:
    """True if a stop that should rest at the venue has not done so for too long."""
    if position.stop is None or not world.able(position.account).native_stop or position.exiting:
        return False
    since = position.unprotected_since
    seen_at = world.book.account(position.account).seen_at
    if seen_at < world.book.data.started_at:
        return False
    counted = max(since, world.book.data.running_at)
    return bool(since) and now - counted > PROTECT_SECONDS * NS_PER_SECOND


def _cancel(order: Order, reason: str) -> Iterator[ev.Event]:
    if order.status in (_S.PENDING_CANCEL, _S.UNKNOWN):
        return
    yield ev.CancelRequested(
        account=order.account, client_order_id=order.client_order_id, reason=reason
    )


def _protect(
    world: World, position: Position, stops: list[Order], now: Nanos
) -> Iterator[ev.Event]:
    if position.stop is None or not world.able(position.account).native_stop:
        return
    wanted = to_protect(world, position)
    if not wanted:
        for order in stops:
            yield from _cancel(order, "another order takes it off")
        return
    if stops:
        keep, *extra = stops
        for order in extra:
            yield from _cancel(order, "one stop is enough")
        yield from _fit(world, position, keep, wanted, position.stop)
        return
    newest = last(world, position, PROTECT)
    if newest is not None and newest.status is _S.REJECTED and newest.reject_code != Code.NOT_SENT:
        yield from plan_exit(
            world,
            position,
            now,
            reason=ExitReason.UNPROTECTED,
            priority=1,
            detail="the venue refused the stop",
        )
        return
    if _may_send(world, position.account) and (newest is None or not _short_lived(newest, now)):
        yield ev.OrderIntended(terms=stop_order(world, position, position.stop, now))


def _short_lived(newest: Order, now: Nanos) -> bool:
    """True while a stop that the venue dropped at once should not be placed again yet."""
    pause = RETRY_SECONDS[min(newest.attempt, len(RETRY_SECONDS)) - 1] * NS_PER_SECOND
    lived = newest.updated_at - newest.created_at
    return lived < NS_PER_SECOND and now - newest.updated_at < pause


def _fit(
    world: World, position: Position, stop: Order, wanted: Decimal, price: Decimal
) -> Iterator[ev.Event]:
    """Bring a stop that rests to the size and the price that are wanted."""
    tick = world.instrument(stop.symbol).tick
    price = early_stop(price, tick, sell=position.is_long)
    if (stop.leaves, stop.stop_price) == (wanted, price) or stop.status not in _SETTLED:
        return
    if not world.able(stop.account).native_modify:
        yield from _cancel(stop, "its size or its price no longer fits")
        return
    yield ev.ReplaceRequested(
        account=stop.account,
        client_order_id=stop.client_order_id,
        quantity=stop.filled + wanted,
        stop_price=price,
        reason=f"{plain(wanted)} are to be protected at {plain(price)}",
    )


def _close(
    world: World, position: Position, plan: ExitPlan, live: list[Order], now: Nanos
) -> Iterator[ev.Event]:
    for order in tuple(world.book.working(position.account, position.symbol)):
        if order.reserved:
            yield from _cancel(order, "the position is being closed")
    able = world.able(position.account).reduce_only
    closing = [o for o in live if o.purpose in _CLOSING]
    others = [o for o in live if o not in closing]
    for order in closing:
        # One that sells all that is held, as an earlier process may have sent, does the work.
        if order.attempt < plan.attempt and order.leaves < abs(position.quantity):
            yield from _cancel(order, "another close has taken its place")
    if closing:
        return
    if plan.quantity is not None and not plan.quantity:
        yield from _abandon(world, position, plan, "the part is closed", now)
        return
    for order in others:
        if not (able and order.is_protective):
            yield from _cancel(order, "it makes room for the close")
    if others and not able:
        return
    newest = last(world, position, EXIT)
    if newest is not None and newest.attempt == plan.attempt:
        yield from _next_attempt(world, position, plan, newest, now)
        return
    if world.is_open(position.symbol, now) and _may_send(world, position.account):
        yield ev.OrderIntended(terms=exit_order(world, position, plan, now))


def _abandon(
    world: World, position: Position, plan: ExitPlan, detail: str, now: Nanos
) -> Iterator[ev.Event]:
    """The close ends here; what is still held is protected again."""
    yield ev.ExitAbandoned(
        account=position.account,
        symbol=position.symbol,
        position_id=position.position_id,
        reason=plan.reason,
        detail=detail,
    )
    yield from tend(world, position.account, position.symbol, now)


def _may_send(world: World, account: str) -> bool:
    """After a start the venue is looked at first: what is held may have changed."""
    data = world.book.data
    seen = world.book.account(account).seen_at >= data.started_at
    return data.phase is not Phase.STARTING and seen


def _next_attempt(
    world: World, position: Position, plan: ExitPlan, newest: Order, now: Nanos
) -> Iterator[ev.Event]:
    """The order of this attempt ended and something is still held."""
    pause = RETRY_SECONDS[min(plan.attempt, len(RETRY_SECONDS) - 1)]
    if not newest.filled and now - newest.updated_at < pause * NS_PER_SECOND:
        return
    if not world.able(position.account).reduce_only and not newest.filled:
        yield from _abandon(world, position, plan, newest.reason or newest.status, now)
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
    yield from tend(world, position.account, position.symbol, now)
