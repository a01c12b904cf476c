"""The plan that keeps a stop of the right size and price at the venue (rule 3, A-172)."""

from collections.abc import Iterator
from decimal import Decimal

from engine.domain import events as ev
from engine.domain.codes import Code
from engine.domain.instant import LATEST, NS_PER_SECOND, Nanos
from engine.domain.money import ZERO, early_stop, plain
from engine.domain.order import RESTING, UNACKNOWLEDGED, OrderStatus, TimeInForce
from engine.domain.position import ExitReason
from engine.domain.run import Severity
from engine.exits.reducible import in_lots, there, to_close, to_protect, working_for
from engine.exits.stops import is_trading, trades_until
from engine.plans.exit import close_waits, plan_exit
from engine.plans.reducing import (
    PROTECT,
    cancel,
    is_ending,
    is_in_doubt_since_start,
    last,
    may_send,
    stop_order,
)
from engine.plans.suspected_split import awaits_price
from engine.plans.too_small import is_too_small
from engine.state import pauses
from engine.state.cover import uncovered
from engine.state.order import Order
from engine.state.pauses import CHANGE_OF_STOP, as_long_again, before_attempt
from engine.state.position import Position
from engine.world import World

PROTECT_SECONDS = 5
"""A fill's stop must be acknowledged for all of it within this (DESIGN rule 3)."""

ROUNDING = Decimal("0.001")
"""No grid of a venue is wider than so much of a price (fault 31)."""

_S = OrderStatus


def advance(world: World, account: str, symbol: str, now: Nanos) -> Iterator[ev.Event]:
    """Place the stop of what is held, bring it to size and price, or close without one.

    Where no stop is wanted, one of ours that turns up is cancelled; somebody else's is left.

    While the position is being closed, the close decides what becomes of the stop: while the close
    waits, it rests again, for what is then held. The close of a part leaves it where it is; where
    the venue would fill both, it is for the rest.
    """
    position = world.book.holding(account, symbol)
    if position is None or _is_unclear(world, position):
        return  # its stop stays as it rests until it is known what it is for
    part = ZERO
    if position.exiting is not None and not close_waits(world, position, now):
        if position.is_closing:
            return
        part = to_close(world, position)
    stops = [order for order in working_for(world, position) if order.is_protective]
    if position.stop is None:
        # An operator took it away while it was unclear whether it rests, or unknown here.
        # One that trades by then has its seconds all the same.
        for order in stops:
            ours = order.intent_id == position.reducing_intent
            if ours and not is_trading(world, position, order, now):
                yield from cancel(order, "no stop is wanted any more")
        return
    if not world.able(account).native_stop:
        return
    wanted = to_protect(world, position, part)
    if not wanted:
        why = "another order takes it off" if there(world, position) else "the venue holds none"
        yield from _end(world, position, stops, why, now)
        return
    if stops:
        keep, *extra = stops
        yield from _end(world, position, extra, "one stop is enough", now)
        yield from _fit(world, position, keep, wanted, now)
        return
    yield from _place(world, position, position.stop, wanted, now)


def _is_unclear(world: World, position: Position) -> bool:
    """Whether it is suspected that a holding was split. Of one that was taken over as split it is
    known what its stop is for, though no price has shown it yet."""
    if world.prices.suspicion_of(position) is None:
        return False
    account = world.book.account(position.account)
    return not awaits_price(world, account, position.symbol)


def _end(
    world: World, position: Position, stops: list[Order], why: str, now: Nanos
) -> Iterator[ev.Event]:
    """Cancel stops that are too many, but for one that trades (X-78)."""
    for order in stops:
        if not is_trading(world, position, order, now):
            yield from cancel(order, why)


def same_until(world: World, account: str, symbol: str, now: Nanos) -> Nanos:
    """The end of a pause: before a stop is placed again, or its change is asked for again.

    Whether a position that is being closed wants its stop may change at any second.
    """
    position = world.book.holding(account, symbol)
    if position is None:
        return LATEST
    if position.exiting is not None:
        return now
    stops = [order for order in working_for(world, position) if order.is_protective]
    moments = [_changed_again_at(order) for order in stops]
    moments += [_asked_again_at(order, position.stop_off_since) for order in stops]
    if (resized := position.stop_resized) is not None:
        moments += [_asked_again_at(order, resized.since) for order in stops]
    moments += [trades_until(world, position, order) for order in stops]
    newest = None if stops else last(world, position, PROTECT)
    if newest is not None:
        moments.append(_placed_again_at(position, newest))
    if _waits_for_open(world, newest, now):
        moments.append(world.opens_at(symbol, now) or LATEST)
    return min((moment for moment in moments if moment > now), default=LATEST)


def _place(
    world: World, position: Position, stop: Decimal, wanted: Decimal, now: Nanos
) -> Iterator[ev.Event]:
    """The next stop, or the close of what cannot have one; a close that waits is one already.

    What is too small for an order has neither.
    """
    if is_too_small(world, position):
        return
    newest = last(world, position, PROTECT)
    if newest is not None and _waits_for_open(world, newest, now):
        return
    if newest is not None and _is_refused(world, newest, now):
        if not position.is_closing:
            yield from give_up(position, "the venue refused the stop")
        return
    if may_send(world, position.account) and not _must_wait(position, newest, now):
        yield ev.OrderIntended(terms=stop_order(world, position, stop, wanted, now))


def _is_refused(world: World, stop: Order, now: Nanos) -> bool:
    """Whether the venue has refused a stop for good.

    One that a closed market did not take is placed again in the session that began since.
    """
    if stop.status is not _S.REJECTED or stop.reject_code == Code.NOT_SENT:
        return False
    opened = world.opened_at(stop.symbol, now)
    return stop.reject_code != Code.MARKET_CLOSED or opened is None or stop.updated_at >= opened


def _waits_for_open(world: World, stop: Order | None, now: Nanos) -> bool:
    """Whether a stop was not taken since its market is closed, and that still is: nothing trades
    that it could protect, and it is placed again at the open."""
    if stop is None or stop.status is not _S.REJECTED or stop.reject_code != Code.MARKET_CLOSED:
        return False
    return world.is_shut(stop.symbol, now)


def give_up(position: Position, why: str) -> Iterator[ev.Event]:
    """Close a position that cannot be protected, and raise an alarm (DESIGN rule 3)."""
    yield _unprotected(position, abs(position.quantity))
    yield ev.Alarmed(
        code="UNPROTECTED",
        severity=Severity.CRITICAL,
        subject=position.symbol,
        text=f"{position.symbol} in {position.account} has no stop and is closed: {why}",
    )
    yield from plan_exit(position, reason=ExitReason.UNPROTECTED, priority=1, detail=why)


def overdue(world: World, position: Position, now: Nanos) -> bool:
    """True if a stop that should rest at the venue has not done so for too long.

    Before the first look since the start its venue may work a stop that is not known of here.
    """
    if position.exiting is not None or not _late(world, position, now):
        return False
    if world.book.account(position.account).seen_at < world.book.data.started_at:
        return False
    if world.prices.suspicion_of(position) is not None:
        return False
    if now <= _known_by(world, position):
        return False
    working = working_for(world, position)
    if any(_is_asked_about(world, order, now) for order in working):
        return False
    bound = now - PROTECT_SECONDS * NS_PER_SECOND
    stops = sum((o.covers + _in_time(o, bound) for o in working if o.is_protective), start=ZERO)
    # Where both may fill, a stop of the operator's is left out of ours before it is known to rest.
    theirs = (o.leaves - o.covers for o in working if o.protects and not o.is_protective)
    joins = world.able(position.account).reduce_only
    due = ZERO if joins else sum(theirs, start=ZERO)
    return to_protect(world, position) + due > stops


def _known_by(world: World, position: Position) -> Nanos:
    """Until when it is found out whether a stop rests that an earlier process may have sent; 0
    where none can have been.

    Nothing is sent beside such a stop before it can no longer arrive (rule 1). A close would have
    to wait as long, or would take off what the stop protects; the engine's own copy of it closes
    where a price passes it, and that nothing is known to protect is told meanwhile. Then there are
    the seconds in which an answer proves that it is lost, and those of the stop that takes its
    place.
    """
    stop = last(world, position, PROTECT)
    if stop is None or stop.accepted_at or stop.filled or stop.status.is_terminal:
        return 0
    started, able = world.book.data.started_at, world.able(position.account)
    if is_in_doubt_since_start(stop, started):
        begins = started + able.arrival
    elif stop.check_first and stop.status in UNACKNOWLEDGED:
        begins = max(started + (0 if able.deduplicates else able.arrival), stop.created_at)
    else:
        return 0
    return begins + PROTECT_SECONDS * NS_PER_SECOND


def _is_asked_about(world: World, order: Order, now: Nanos) -> bool:
    """Whether a stop that had rested is not known to its venue all at once, and that is not settled
    yet: it is told, and by then it rests again or has another in its place (rule 1).

    The questions go on for longer than an answer may be behind, each pause twice the one before.
    """
    in_doubt = order.is_protective and order.status is _S.UNKNOWN and order.accepted_at
    explained = order.cancel_wanted or order.pending is not None or order.told_filled is not None
    if not in_doubt or explained:
        return False
    return now - order.unclear_at <= 2 * max(world.able(order.account).lag, pauses.ANSWER)


def tell(world: World, position: Position, now: Nanos) -> Iterator[ev.Event]:
    """Raise one alarm for a position that has no stop and is not closed for that reason.

    Its close is under way and in doubt, or an order waits for the end of its stop, or its venue has
    not answered since the start.
    """
    if position.told_unprotected or not _late(world, position, now):
        return
    working = working_for(world, position)
    resting = (o.leaves for o in working if not o.protects and o.status in RESTING)
    bound = now - PROTECT_SECONDS * NS_PER_SECOND
    known = sum((o.covers + _in_time(o, bound) for o in working), start=sum(resting, start=ZERO))
    bare = in_lots(world, position, max(there(world, position) - known, ZERO))
    if not bare:
        return
    yield _unprotected(position, bare)
    yield ev.Alarmed(
        code="UNPROTECTED",
        severity=Severity.CRITICAL,
        subject=position.symbol,
        text=f"{plain(bare)} {position.symbol} in {position.account} have no stop that is known to "
        f"rest, for more than {PROTECT_SECONDS} s",
    )


def _unprotected(position: Position, quantity: Decimal) -> ev.Unprotected:
    return ev.Unprotected(
        account=position.account,
        symbol=position.symbol,
        position_id=position.position_id,
        quantity=quantity,
    )


def _late(world: World, position: Position, now: Nanos) -> bool:
    """Whether a stop for all of a position has not been known to rest for too long."""
    if position.stop is None or not world.able(position.account).native_stop:
        return False
    if is_too_small(world, position):
        return False
    since = position.unprotected_since
    if not since:
        return False
    newest = last(world, position, PROTECT)
    if _waits_for_open(world, newest, now):
        return False
    held = newest is not None and newest.status is _S.SUSPENDED
    if held and world.is_shut(position.symbol, now):
        return False  # done for the day: nothing trades that it could protect
    if held or (newest is not None and newest.time_in_force is TimeInForce.DAY):
        since = max(since, world.opened_at(position.symbol, now) or 0)  # it ended before that
    if now - max(since, world.book.data.running_at) <= PROTECT_SECONDS * NS_PER_SECOND:
        return False
    able = world.able(position.account)
    if able.reduce_only and able.odd_lots:
        return True
    left = uncovered(world.book, position) - _put_off(world, position, now)
    return bool(in_lots(world, position, max(left, ZERO)))


def why_bare(world: World, position: Position) -> str:
    """Why a position has no stop that is known to rest, though its time is over."""
    newest = last(world, position, PROTECT)
    if newest is not None and newest.status is _S.SUSPENDED:
        return "its venue holds the stop, which may not trade"
    return "its stop was not acknowledged in time"


def _put_off(world: World, position: Position, now: Nanos) -> Decimal:
    """How much of a position a stop still has its seconds for, though the position had them.

    A stop that rested, and is brought to another size or became unclear, has them from then on. One
    of the operator's has its own time to be acknowledged.

    What another order takes off is no stop's to cover, where the venue would fill both: once that
    order rests no longer, or has ended with something left that no order in its place takes off,
    the stop has its time to grow by that, and after a close that had taken the stop away, by all of
    it.
    """
    account, bound = world.book.account(position.account), now - PROTECT_SECONDS * NS_PER_SECOND
    joins = world.able(position.account).reduce_only
    found = ZERO
    for order in account.closed.values():
        if order.symbol != position.symbol or order.updated_at < bound:
            continue
        if order.is_protective:
            left = max(order.quantity - order.filled, ZERO)
            found += left if order.rested_until >= bound else ZERO
        elif order.closes and not _has_stop_since(world, position, order.updated_at):
            found += abs(position.quantity)
        elif order.reduce_only:
            found += max(order.most - order.filled - _taken_over(world, order), ZERO)
    for order in working_for(world, position):
        if not order.protects:
            still = order.rests or order.rested_until >= bound
            found += order.reach if still and not joins else ZERO
        found += _in_time(order, bound)
    return found


def _in_time(order: Order, bound: Nanos) -> Decimal:
    """How much of a stop that is not known to rest has its seconds still: one that rested, or one
    of the operator's that is new or unclear, since `bound`. What a change that was asked for before
    may have taken off it has none."""
    if order.covers or not order.protects:
        return ZERO
    since = order.rested_until
    if not order.is_protective:
        since = max(since, order.created_at, order.unclear_at)
    return order.least if since >= bound else ZERO


def _has_stop_since(world: World, position: Position, end: Nanos) -> bool:
    """Whether a stop of ours that works was made before `end`, as it is beside the close of a part.

    The order may not have been sent, or be in doubt: it has its own time to be acknowledged.
    """
    working = working_for(world, position)
    return any(order.is_protective and order.created_at < end for order in working)


def _taken_over(world: World, ended: Order) -> Decimal:
    """How much the order that was made in the place of one that ended is for (X-88)."""
    wanted = ended.pending
    if wanted is None or wanted.native:
        return ZERO
    second = world.book.order_in(ended.account, wanted.new_client_order_id)
    return ZERO if second is None else second.quantity


def _must_wait(position: Position, newest: Order | None, now: Nanos) -> bool:
    """True while another stop should not be placed yet: the venue dropped the newest."""
    if newest is None or newest.cancel_wanted or newest.status is _S.FILLED:
        return False
    return now < (_placed_again_at(position, newest) if newest.was_dropped else newest.retry_at)


def _placed_again_at(position: Position, newest: Order) -> Nanos:
    """When a stop that was dropped is placed again; after the first in a row at once."""
    failed = max(position.stops_dropped - 1, 0)
    return max(newest.updated_at + before_attempt(failed), newest.retry_at)


def _changed_again_at(stop: Order) -> Nanos:
    """When a change of a stop that was refused, or did not reach the venue, is asked for again."""
    return max(stop.refused_at + CHANGE_OF_STOP, stop.retry_at)


def _is_off(position: Position, stop: Order, price: Decimal) -> bool:
    """Whether the venue was asked for that price of a stop and works it at another one."""
    return position.stop_off == price != stop.stop_price


def _is_rounded(world: World, stop: Order, price: Decimal) -> bool:
    """Whether the price of a stop lies so near one that was asked for as a venue may round it."""
    if stop.stop_price is None:
        return False
    tick = world.instrument(stop.symbol, stop.account).tick_at(price)
    return abs(stop.stop_price - price) <= max(tick, price * ROUNDING)


def _asked_again_at(stop: Order, since: Nanos) -> Nanos:
    """When terms are asked for again that the venue has not made those of a stop since then."""
    waited = max(stop.updated_at - since, 0)
    return stop.updated_at + as_long_again(CHANGE_OF_STOP, waited)


def _sized_again_at(position: Position, stop: Order, wanted: Decimal) -> Nanos:
    """When a quantity is asked for again that the venue has not made that of a stop; 0 where it has
    not been asked for since what is held, or is to be protected, changed."""
    known = position.stop_resized
    if known is None or known.asked != wanted:
        return 0
    return _asked_again_at(stop, known.since)


def _fit(
    world: World, position: Position, stop: Order, wanted: Decimal, now: Nanos
) -> Iterator[ev.Event]:
    """Bring a stop that rests to the size and the price that are wanted.

    One that its venue works at another price than was asked for rests on: where that is a rounding
    it is asked for no other, and elsewhere after a pause, for to move it may take it away. So it is
    where its venue works it for another quantity.
    """
    price = position.stop or stop.stop_price or ZERO
    tick = world.instrument(stop.symbol, stop.account).tick_at(price)
    price = early_stop(price, tick, sell=position.is_long)
    able = world.able(stop.account)
    # Where the venue lets both fill, one that grows late takes back the room it has made (rule 3).
    unanswered = stop.pending is not None and not able.reduce_only
    off = _is_off(position, stop, price) and stop.leaves == wanted and not unanswered
    again_at = _asked_again_at(stop, position.stop_off_since)
    if off and (_is_rounded(world, stop, price) or now < again_at):
        return
    stays = stop.stop_price == price or _is_off(position, stop, price)
    if stays and not unanswered and now < _sized_again_at(position, stop, wanted):
        return
    fits = (stop.leaves, stop.stop_price) == (wanted, price) and not unanswered
    if fits or stop.status not in RESTING or is_ending(stop):
        return
    if is_trading(world, position, stop, now):
        return
    if now < _changed_again_at(stop):
        return
    if not world.book.account(stop.account).is_connected:
        return  # it rests as it is until the venue can be asked
    if unanswered:
        yield from cancel(stop, "a change of it was not answered and may still arrive")
        return
    if not able.native_modify:
        yield from cancel(stop, "its size or its price no longer fits")
        return
    yield ev.ReplaceRequested(
        account=stop.account,
        client_order_id=stop.client_order_id,
        quantity=stop.filled + wanted,
        stop_price=price,
        reason=f"{plain(wanted)} are to be protected at {plain(price)}",
    )
