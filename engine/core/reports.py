"""What an order becomes: reports, failures, queries and deadlines (U-20, C-300 to C-304)."""

from collections.abc import Iterator
from decimal import Decimal

from engine.core import fills
from engine.domain import events as ev
from engine.domain.account import VenueOrder
from engine.domain.codes import Code
from engine.domain.inputs import (
    CancelFailed,
    GateClosed,
    ModifyFailed,
    QueryAnswered,
    QueryFailed,
    Sending,
    SubmitFailed,
)
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.money import ZERO, is_positive, plain
from engine.domain.order import TERMINAL, Fill, OrderStatus, Replacement, Side
from engine.domain.run import Severity, Trigger
from engine.plans.outcome import after_end
from engine.plans.reducing import adopt
from engine.ports import (
    Ambiguous,
    AuthFailed,
    MarketClosed,
    NotSent,
    OrderReport,
    Rejected,
    Throttled,
)
from engine.state.deadlines import due_at
from engine.state.order import Order, Pending
from engine.world import World

REPLACED = "REPLACED"
"""Why an order ended whose place another takes (X-88)."""

DUPLICATE_ID = "DUPLICATE_ID"
"""How an adapter says that the venue knows the client order id already: it is live, ask."""

_S = OrderStatus
_UNACKNOWLEDGED = frozenset({_S.CREATED, _S.PENDING_NEW, _S.UNKNOWN, _S.SUSPENDED})
_ASKED = frozenset({_S.PENDING_CANCEL, _S.PENDING_REPLACE})


def sending(world: World, given: Sending, now: Nanos) -> Iterator[ev.Event]:
    """The order is being handed to the broker."""
    order = world.book.order(given.client_order_id)
    if order is not None:
        yield ev.OrderSent(account=order.account, client_order_id=order.client_order_id)


def gate_closed(world: World, given: GateClosed, now: Nanos) -> Iterator[ev.Event]:
    """The gate shut, or a cancel came, between decision and socket: it provably never left.

    Unless an earlier process sent it, as the venue has told meanwhile.
    """
    order = world.book.order(given.client_order_id)
    if order is None or order.accepted_at or order.filled or order.status.is_terminal:
        return
    if order.cancel_wanted:
        yield ev.OrderCanceled(
            account=order.account, client_order_id=order.client_order_id, reason=order.reason
        )
    else:
        yield ev.OrderRejected(
            account=order.account,
            client_order_id=given.client_order_id,
            code=Code.KILL_SWITCH if given.halted else Code.NOT_SENT,
            text=given.reason,
        )
    yield from after_end(world, given.client_order_id)


def submit_failed(world: World, given: SubmitFailed, now: Nanos) -> Iterator[ev.Event]:
    """The six ways a submit can fail, each with its own consequence (C-403, C-402)."""
    order = world.book.order(given.client_order_id)
    if order is None or order.status.is_terminal:
        return
    key, error = given.client_order_id, given.error
    match error:
        case Rejected(code=code) if code == DUPLICATE_ID:
            yield ev.OrderUnclear(
                account=order.account, client_order_id=key, reason="the venue knows this id already"
            )
            yield ev.OrderQueried(account=order.account, client_order_id=key, reason="duplicate id")
            return
        case Rejected():
            yield ev.OrderRejected(
                account=order.account, client_order_id=key, code=error.code, text=error.text
            )
        case MarketClosed():
            yield ev.OrderRejected(
                account=order.account, client_order_id=key, code=Code.MARKET_CLOSED, text=str(error)
            )
        case NotSent() | Throttled():
            yield ev.OrderRejected(
                account=order.account, client_order_id=key, code=Code.NOT_SENT, text=str(error)
            )
            if order.reserved:
                yield ev.DeadLettered(letter_id=key, terms=order.terms, error=str(error))
        case AuthFailed():
            yield ev.OrderRejected(
                account=order.account, client_order_id=key, code="AUTH_FAILED", text=str(error)
            )
            yield from _credentials_refused(world, order.account)
        case _:
            yield ev.OrderUnclear(account=order.account, client_order_id=key, reason=str(error))
            yield ev.OrderQueried(
                account=order.account, client_order_id=key, reason="no answer to the submit"
            )
            return
    yield from after_end(world, key)


def _credentials_refused(world: World, account: str) -> Iterator[ev.Event]:
    """Its entries end (C-403), and those of the portfolio where no other account takes any."""
    text = f"{account} does not accept the credentials"
    others = [a for a in world.book.accounts if a.name != account and not a.barred]
    if not others:
        yield ev.Restricted(cause=Trigger.BROKER_LOST, reason=text)
    elif Trigger.BROKER_LOST in world.book.account(account).barred:
        return
    else:
        yield ev.Restricted(
            cause=Trigger.BROKER_LOST, reason="its credentials are not accepted", account=account
        )
    yield ev.Alarmed(code="AUTH_FAILED", severity=Severity.CRITICAL, subject=account, text=text)


def cancel_failed(world: World, given: CancelFailed, now: Nanos) -> Iterator[ev.Event]:
    """A cancel that was not taken proves nothing: the venue is asked.

    Where it was to make room for another order, and was refused, the change is given up.
    """
    order = world.book.order(given.client_order_id)
    if order is None or order.status.is_terminal:
        return
    if _makes_room(order) and not isinstance(given.error, Ambiguous):
        yield from unchanged(order, str(given.error))
    yield ev.OrderQueried(
        account=order.account, client_order_id=given.client_order_id, reason=str(given.error)
    )


def modify_failed(world: World, given: ModifyFailed, now: Nanos) -> Iterator[ev.Event]:
    """A replace that was refused leaves the old order; a stop is then cancelled and placed anew."""
    order = world.book.order(given.client_order_id)
    if order is None or order.status.is_terminal:
        return
    key = given.client_order_id
    if isinstance(given.error, Ambiguous):
        yield ev.OrderUnclear(account=order.account, client_order_id=key, reason=str(given.error))
        yield ev.OrderQueried(
            account=order.account, client_order_id=key, reason="no answer to the replace"
        )
        return
    if order.status is not _S.PENDING_REPLACE:
        return  # a cancel is under way, or the venue is being asked
    if not order.is_protective:
        yield from unchanged(order, str(given.error))
        return
    yield ev.CancelRefused(
        account=order.account, client_order_id=key, status=_works_as(order), text=str(given.error)
    )
    if isinstance(given.error, NotSent | Throttled):
        return  # the stop rests as it did, and its plan asks again
    yield ev.CancelRequested(
        account=order.account, client_order_id=key, reason="the venue would not replace it"
    )


def unchanged(order: Order, why: str) -> Iterator[ev.Event]:
    """The order works as it was, and whoever asked for the change is told."""
    yield ev.CancelRefused(
        account=order.account,
        client_order_id=order.client_order_id,
        status=_works_as(order),
        text=why,
    )
    yield ev.Alarmed(
        code="MODIFY_REFUSED",
        severity=Severity.WARNING,
        subject=order.symbol,
        text=f"order {order.client_order_id} in {order.symbol} was not changed and works as it "
        f"was: {why}",
    )


def _works_as(order: Order) -> OrderStatus:
    return _S.PARTIALLY_FILLED if order.filled else _S.NEW


def _makes_room(order: Order) -> bool:
    """It is being cancelled so that another order can take its place (X-88)."""
    return order.pending is not None and not order.pending.native


def report(world: World, given: OrderReport, now: Nanos) -> Iterator[ev.Event]:
    """An execution report, in whatever order it comes (U-21).

    Its fill is a fact and is taken whatever else it says (rule 2). A report whose own numbers
    cannot be those of an order is then left aside, and the venue is asked.
    """
    if given.fill is not None:
        yield from fills.take(world, given.fill, now)
    fault = _number_fault(given)
    if fault:
        yield ev.Alarmed(
            code="BAD_REPORT",
            severity=Severity.CRITICAL,
            subject=given.symbol,
            text=f"a report on order {given.client_order_id} is left aside: {fault}",
        )
        if world.book.works(given.client_order_id):
            yield ev.OrderQueried(
                account=given.account, client_order_id=given.client_order_id, reason=fault
            )
        return
    if world.book.order_in(given.account, given.client_order_id) is None:
        yield from adopt(world, given.account, given.symbol, given.client_order_id, now)
    order = world.book.order_in(given.account, given.client_order_id)
    if order is None:
        if given.fill is None and given.status not in TERMINAL:
            yield ev.Alarmed(
                code="FOREIGN_ORDER",
                severity=Severity.WARNING,
                subject=given.symbol,
                text=f"{given.symbol}: the venue works order {given.client_order_id}, "
                "which is not ours; the next reconcile shows it",
            )
        return
    yield from _status(order, given)
    yield from after_end(world, given.client_order_id)


def _number_fault(given: OrderReport) -> str:
    """Which number of a report can be no number of an order; "" where all can."""
    numbers = {
        "quantity": given.quantity,
        "filled": given.filled,
        "limit_price": given.limit_price,
        "stop_price": given.stop_price,
    }
    for name, number in numbers.items():
        if number is None or (name == "filled" and number.is_finite() and number >= 0):
            continue
        if not is_positive(number):
            return f"{name} is {number}"
    return ""


def _status(order: Order, given: OrderReport) -> Iterator[ev.Event]:
    key, current, said = order.client_order_id, order.status, given.status
    if _untold(order, given):
        reason = "cancelled there, and what of it filled is not told"
        yield ev.OrderUnclear(account=order.account, client_order_id=key, reason=reason)
        yield ev.OrderQueried(account=order.account, client_order_id=key, reason=reason)
        return
    if said.is_terminal and not current.is_terminal and _fills_missing(order, said, given.filled):
        yield ev.OrderUnclear(
            account=order.account, client_order_id=key, reason=f"{said} there, fills missing here"
        )
        yield ev.OrderQueried(
            account=order.account, client_order_id=key, reason="fills missing here"
        )
        return
    match said:
        case _S.NEW | _S.PARTIALLY_FILLED if given.quantity is not None:
            theirs = Replacement(
                quantity=given.quantity,
                limit_price=given.limit_price,
                stop_price=given.stop_price,
                time_in_force=given.time_in_force,
            )
            if not current.is_terminal and (order.answered_by(theirs) or order.differs(theirs)):
                yield from _told(order, theirs)
        case _S.NEW | _S.PARTIALLY_FILLED if current in _UNACKNOWLEDGED:
            yield ev.OrderAccepted(
                account=order.account, client_order_id=key, venue_order_id=given.venue_order_id
            )
            if order.cancel_wanted:
                yield ev.CancelRequested(
                    account=order.account, client_order_id=key, reason=order.reason
                )
        case _S.FILLED if not current.is_terminal:
            yield ev.OrderSettled(
                account=order.account,
                client_order_id=key,
                venue_order_id=given.venue_order_id or order.venue_order_id,
                status=said,
                reason="all of it, the venue says",
            )
        case _S.CANCELED if not current.is_terminal:
            text = REPLACED if _makes_room(order) else given.text
            yield ev.OrderCanceled(account=order.account, client_order_id=key, reason=text)
        case _S.EXPIRED if not current.is_terminal:
            yield ev.OrderExpired(account=order.account, client_order_id=key)
        case _S.REJECTED if not current.is_terminal:
            yield ev.OrderRejected(
                account=order.account,
                client_order_id=key,
                code=given.code or Code.BROKER_REJECT,
                text=given.text,
            )
        case _S.SUSPENDED if current in _UNACKNOWLEDGED:
            yield ev.OrderSettled(
                account=order.account,
                client_order_id=key,
                venue_order_id=given.venue_order_id,
                status=_S.SUSPENDED,
                reason="held by the venue",
            )
        case _:
            pass


def _untold(order: Order, given: OrderReport) -> bool:
    """A cancel that makes room for another order, and does not say how much filled before it.

    That decides how much the next one is for, so that such a report is no proof (X-88).
    """
    ends = given.status is _S.CANCELED and not order.status.is_terminal
    return ends and _makes_room(order) and given.filled is None


def _told(order: Order, theirs: Replacement) -> Iterator[ev.Event]:
    """The venue says that the order works with these terms.

    Where nobody asked for them the report may be an old one that comes again: it is believed where
    the order can then do no less than before, and else the venue is asked (rule 1).
    """
    unasked = not order.is_protective and not order.answered_by(theirs)
    if unasked:
        yield _otherwise(order, theirs)
    if theirs.quantity < order.filled:
        text = f"{plain(theirs.quantity)} there, {plain(order.filled)} filled here"
    elif unasked and _is_less(order, theirs):
        text = f"{plain(theirs.quantity)} there, which was not asked for"
    else:
        yield replaced(order, theirs)
        return
    key = order.client_order_id
    yield ev.OrderUnclear(account=order.account, client_order_id=key, reason=text)
    yield ev.OrderQueried(account=order.account, client_order_id=key, reason=text)


def _is_less(order: Order, theirs: Replacement) -> bool:
    """True where the order, with these terms, can fill or cost less than it counts as now."""
    if theirs.quantity < order.most:
        return True
    reserved = replaced(order, theirs).reserved
    price = order.reserved if reserved is None else reserved
    return (theirs.quantity - order.filled) * price < order.exposure


def _otherwise(order: Order, theirs: Replacement) -> ev.Alarmed:
    """The venue made of an order what nobody asked for, or says so."""
    return ev.Alarmed(
        code="REPLACED_OTHERWISE",
        severity=Severity.CRITICAL,
        subject=order.symbol,
        text=f"the venue says that order {order.client_order_id} in {order.symbol} works for "
        f"{plain(theirs.quantity)}"
        + (f" at {plain(theirs.limit_price)}" if theirs.limit_price is not None else "")
        + ", which was not asked for",
    )


def _fills_missing(order: Order, said: OrderStatus, filled: Decimal | None) -> bool:
    """True if the venue counts more as filled than its fills that reached us (U-21)."""
    if filled is None:
        return said is _S.FILLED and order.filled < order.quantity
    return order.filled < filled


def replaced(order: Order, theirs: Replacement) -> ev.OrderReplaced:
    """The order works with the venue's terms from now on; its exposure is counted by them."""
    asked, reserved = order.pending, None
    if order.reserved and asked is not None and asked.limit_price == theirs.limit_price:
        reserved = asked.reserved
    elif order.reserved and theirs.limit_price not in (None, order.limit_price):
        reserved = theirs.limit_price
        if order.side is not Side.BUY and reserved is not None:
            reserved = max(order.reserved, reserved)
    return ev.OrderReplaced(
        account=order.account,
        client_order_id=order.client_order_id,
        quantity=theirs.quantity,
        limit_price=theirs.limit_price,
        stop_price=theirs.stop_price,
        time_in_force=theirs.time_in_force,
        reserved=reserved,
    )


def query_answered(world: World, given: QueryAnswered, now: Nanos) -> Iterator[ev.Event]:
    """Evidence from the venue: fills first, then the order as it stands there."""
    for fill in given.fills:
        yield from fills.take(world, fill, now)
    order = world.book.order(given.client_order_id)
    if order is None or order.status.is_terminal:
        return
    if given.order is None:
        yield from _not_found(world, order, given.asked_at)
    elif _may_still_change(world, order, given):
        return
    else:
        told = {f.key: f for f in given.fills if f.client_order_id == order.client_order_id}
        taken = [fill for fill in told.values() if fill.content in world.book.seen_fills]
        yield from _settle(order, given.order, taken, given.asked_at)
    yield from after_end(world, given.client_order_id)


def _may_still_change(world: World, order: Order, given: QueryAnswered) -> bool:
    """True while a change that nobody answered may reach the venue yet (X-88, rule 1).

    Until then the order stays UNKNOWN, and keeps the larger exposure.
    """
    there = given.order
    if there is None or there.status.is_terminal or order.status is not _S.UNKNOWN:
        return False
    return (
        _awaits_change(order)
        and not order.differs(there.terms)
        and not lost(world, order, given.asked_at)
    )


def _awaits_change(order: Order) -> bool:
    """The venue was asked to change it, and nothing has proved or refused that yet."""
    return order.pending is not None and order.pending.native and not order.is_protective


def lost(world: World, order: Order, asked_at: Nanos) -> bool:
    """Whether a change that the venue did not show when it was asked cannot arrive any more."""
    bound = int(world.able(order.account).late_arrival_seconds * NS_PER_SECOND)
    return asked_at - max(order.unclear_at, order.sent_at) > bound


def _not_found(world: World, order: Order, asked_at: Nanos) -> Iterator[ev.Event]:
    """Gone, never there, or not there yet: only after the late-arrival bound is it known which.

    The bound counts from the time-out, which is when the order became UNKNOWN. The time-out of a
    process that ended before it was never seen: it is taken to be the longest there is.
    """
    known = order.accepted_at or order.filled
    if not known and order.status is not _S.UNKNOWN:
        yield ev.OrderUnclear(
            account=order.account,
            client_order_id=order.client_order_id,
            reason="the venue does not know it yet",
        )
        return
    able = world.able(order.account)
    bound = int(able.late_arrival_seconds * NS_PER_SECOND)
    sent = max(order.sent_at, order.created_at)
    seen = sent >= world.book.data.started_at
    timed_out = sent if seen else sent + int(able.timeout_seconds * NS_PER_SECOND)
    if order.check_first:
        # A process before the one that decided it may have sent it, in its last moment.
        before = order.created_at + int(able.timeout_seconds * NS_PER_SECOND)
        timed_out = max(timed_out, before)
    if asked_at - max(timed_out, order.unclear_at) <= bound:
        return
    key = order.client_order_id
    if known:
        yield ev.OrderSettled(
            account=order.account,
            client_order_id=key,
            venue_order_id=order.venue_order_id,
            status=_S.CANCELED,
            reason="the venue no longer knows it",
        )
        return
    yield ev.OrderRejected(
        account=order.account,
        client_order_id=key,
        code=Code.NOT_SENT,
        text="the venue never received it",
    )


def _settle(
    order: Order, venue: VenueOrder, taken: list[Fill], asked_at: Nanos
) -> Iterator[ev.Event]:
    """Take over what the venue said of an order when it was asked at `asked_at`.

    `taken` are the fills of it that came with the answer and are counted in what is held. They add
    up to more than the order's own count where some came before the order was known here (U-21).
    """
    key, current = order.client_order_id, order.status
    filled, notional = None, None
    counted = sum((fill.quantity for fill in taken), start=ZERO)
    if counted > order.filled:
        filled = counted
        notional = sum((fill.quantity * fill.price for fill in taken), start=ZERO)
    known = max(counted, order.filled)
    if venue.status.is_terminal and known < venue.filled:
        text = f"{venue.status} there, fills not reported yet"
        yield ev.OrderUnclear(account=order.account, client_order_id=key, reason=text)
        return
    if venue.status.is_terminal:
        if current is not venue.status:
            yield ev.OrderSettled(
                account=order.account,
                client_order_id=key,
                venue_order_id=venue.venue_order_id,
                status=venue.status,
                reason=REPLACED if _makes_room(order) else "as the venue says",
                filled=filled,
                notional=notional,
            )
        return
    theirs = venue.terms
    # What was asked before the newest report may be older than it.
    if order.updated_at <= asked_at and order.differs(theirs):
        yield replaced(order, theirs)
        current = current if _makes_room(order) else _S.NEW
    elif _awaits_change(order) and not order.cancel_wanted:
        yield from unchanged(order, "it never reached the venue")
        return
    status = _S.PARTIALLY_FILLED if known else _S.NEW
    if current in _UNACKNOWLEDGED or current in _ASKED:
        yield ev.OrderSettled(
            account=order.account,
            client_order_id=key,
            venue_order_id=venue.venue_order_id,
            status=status,
            reason="works there",
            filled=filled,
            notional=notional,
        )
    if order.cancel_wanted:
        yield ev.CancelRequested(account=order.account, client_order_id=key, reason=order.reason)
    elif order.pending is not None and _makes_room(order):
        yield again(order, order.pending)


def again(order: Order, wanted: Pending) -> ev.ReplaceRequested:
    """Its cancel was lost on the way: it is asked for once more."""
    return ev.ReplaceRequested(
        account=order.account,
        client_order_id=order.client_order_id,
        quantity=wanted.quantity,
        limit_price=wanted.limit_price,
        stop_price=wanted.stop_price,
        time_in_force=wanted.time_in_force,
        reserved=wanted.reserved,
        new_client_order_id=wanted.new_client_order_id,
        reason="the venue still works it",
    )


def query_failed(world: World, given: QueryFailed, now: Nanos) -> Iterator[ev.Event]:
    """Unanswered in doubt: UNKNOWN; the next deadline asks again (in-flight check)."""
    order = world.book.order(given.client_order_id)
    if order is None or order.status.is_terminal or order.status is _S.UNKNOWN:
        return
    if order.status in _UNACKNOWLEDGED or order.status in _ASKED:
        yield ev.OrderUnclear(
            account=order.account, client_order_id=given.client_order_id, reason=str(given.error)
        )


def deadlines(world: World, now: Nanos) -> Iterator[ev.Event]:
    """Orders about which nothing came in for too long."""
    for order in world.book.deadlines.pop(now):
        if order.account not in world.accounts:
            continue  # nobody here can ask about it
        key = order.client_order_id
        match order.status:
            case _S.NEW | _S.PARTIALLY_FILLED | _S.SUSPENDED:
                yield ev.CancelRequested(
                    account=order.account, client_order_id=key, reason=Code.ORDER_TIMEOUT
                )
            case _S.UNKNOWN if not world.book.account(order.account).is_connected:
                pass  # the question waits for the connection: see `overdue`
            case _S.UNKNOWN:
                yield ev.OrderQueried(
                    account=order.account, client_order_id=key, reason="still unknown"
                )
            case _ if order.queries:
                yield ev.OrderUnclear(
                    account=order.account, client_order_id=key, reason="the venue does not answer"
                )
                yield ev.OrderQueried(
                    account=order.account, client_order_id=key, reason="still unanswered"
                )
            case _:
                yield ev.OrderQueried(
                    account=order.account, client_order_id=key, reason="no answer in time"
                )


def overdue(world: World, account: str, now: Nanos) -> Iterator[ev.Event]:
    """Orders in doubt whose time to be asked about passed while there was no connection."""
    for order in tuple(world.book.account(account).orders.values()):
        if order.status is _S.UNKNOWN and due_at(order) <= now:
            yield ev.OrderQueried(
                account=account,
                client_order_id=order.client_order_id,
                reason="the connection is back",
            )


def doubtful(world: World) -> Iterator[ev.Event]:
    """After a start: whatever was under way when the process ended is asked about first (C-406)."""
    for order in tuple(world.orders()):
        if order.status in (_S.CREATED, _S.PENDING_NEW, *_ASKED):
            yield ev.OrderUnclear(
                account=order.account,
                client_order_id=order.client_order_id,
                reason="the process ended before an answer",
            )
    for order in tuple(world.orders()):
        if order.status is _S.UNKNOWN:
            yield ev.OrderQueried(
                account=order.account, client_order_id=order.client_order_id, reason="after a start"
            )
