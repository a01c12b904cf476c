"""What a report of the venue makes of an order, in whatever order reports come (U-20, U-21)."""

from collections.abc import Iterator
from decimal import Decimal

from engine.core import circuit, fills, letters
from engine.core.changes import take_terms
from engine.core.fallback import taken_after_all
from engine.domain import events as ev
from engine.domain.codes import Code
from engine.domain.inputs import OrdersReported
from engine.domain.instant import Nanos
from engine.domain.order import (
    MAY_BE_HELD,
    REPLACED,
    RESTING,
    TAKEN,
    TERMINAL,
    UNACKNOWLEDGED,
    OrderStatus,
    Replacement,
)
from engine.domain.run import Severity
from engine.plans.outcome import after_end, fell_short
from engine.plans.reducing import adopt
from engine.ports import OrderReport
from engine.state.order import Order
from engine.world import World

_S = OrderStatus
_UNHEARD = frozenset({_S.CREATED, _S.PENDING_NEW})


def report(world: World, given: OrderReport, now: Nanos) -> Iterator[ev.Event]:
    """Apply an execution report; reports may come in any order (U-21).

    Its fill is a fact and is taken whatever else it says (rule 2). A report whose own numbers
    cannot be those of an order is then left aside, and the venue is asked.
    """
    if given.fill is not None:
        yield from fills.take(world, given.fill, now)
    fault = given.fault
    if fault:
        if world.odd_reports.is_news(given):
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
    if given.status in TAKEN:
        yield from letters.reached(world, given.account, given.client_order_id)
    order = world.book.order_in(given.account, given.client_order_id)
    if order is not None:
        yield from circuit.answered(world, order)
    if order is None:
        yield from adopt(world, given.account, given.symbol, given.client_order_id, now)
        order = world.book.order_in(given.account, given.client_order_id)
    if order is None:
        yield from _foreign(world, given)
        return
    if order.is_working:
        yield from _status(world, order, given, now)
        if given.status in TERMINAL and _fills_missing(order, given.status, _counted(given)):
            yield from fills.trades_untold(world, given.account, given.client_order_id)
        yield from fell_short(world, given.account, given.client_order_id)
    elif not order.filled and (given.status is _S.FILLED or given.status not in TERMINAL):
        yield from taken_after_all(world, order)  # a fill would have told it
    yield from after_end(world, given.account, given.client_order_id)


def _foreign(world: World, given: OrderReport) -> Iterator[ev.Event]:
    """Tell once of an order that is not ours and that the venue works."""
    tells = given.fill is None and given.status not in TERMINAL
    if tells and world.odd_reports.is_news(given):
        yield ev.Alarmed(
            code="FOREIGN_ORDER",
            severity=Severity.WARNING,
            subject=given.symbol,
            text=f"{given.symbol}: the venue works order {given.client_order_id}, "
            "which is not ours; the next reconcile shows it",
        )


def many(world: World, given: OrdersReported, now: Nanos) -> Iterator[ev.Event]:
    """Many reports; plans and limits are asked once, when all of them are known."""
    for each in given.reports:
        yield from report(world, each, now)


def _status(world: World, order: Order, given: OrderReport, now: Nanos) -> Iterator[ev.Event]:
    """What a status makes of an order that works; an end stands, whatever comes later."""
    key, current, said = order.client_order_id, order.status, given.status
    if _untold(order, given):
        reason = "cancelled there, and what of it filled is not told"
        yield ev.OrderUnclear(account=order.account, client_order_id=key, reason=reason)
        yield ev.OrderQueried(account=order.account, client_order_id=key, reason=reason)
        return
    if said in TERMINAL and _fills_missing(order, said, _counted(given)):
        counted = _counted(given)
        yield ev.OrderUnclear(
            account=order.account,
            client_order_id=key,
            reason=f"{said} there, fills missing here",
            filled=order.quantity if counted is None else counted,
        )
        yield ev.OrderQueried(
            account=order.account, client_order_id=key, reason="fills missing here"
        )
        return
    match said:
        case _S.NEW | _S.PARTIALLY_FILLED:
            yield from _works(world, order, given, now)
        case _S.FILLED:
            yield ev.OrderSettled(
                account=order.account,
                client_order_id=key,
                venue_order_id=given.venue_order_id or order.venue_order_id,
                status=said,
                reason="all of it, the venue says",
            )
        case _S.CANCELED:
            text = REPLACED if order.makes_room else given.text
            yield ev.OrderCanceled(account=order.account, client_order_id=key, reason=text)
        case _S.EXPIRED:
            yield ev.OrderExpired(account=order.account, client_order_id=key)
        case _S.REJECTED:
            yield ev.OrderRejected(
                account=order.account,
                client_order_id=key,
                code=given.code or Code.BROKER_REJECT,
                text=given.text,
            )
        case _S.SUSPENDED if current in MAY_BE_HELD:
            yield ev.OrderSettled(
                account=order.account,
                client_order_id=key,
                venue_order_id=given.venue_order_id or order.venue_order_id,
                status=_S.SUSPENDED,
                reason="held by the venue",
            )
            if current in RESTING and order.protects:  # reports may come in any order
                yield ev.OrderQueried(
                    account=order.account,
                    client_order_id=key,
                    reason="it worked, and is told to be held",
                )
        case _:
            pass


def _works(world: World, order: Order, given: OrderReport, now: Nanos) -> Iterator[ev.Event]:
    """What it makes of an order that the venue works it: acknowledged, or with other terms.

    Many venues tell the terms in every report. Those of before a change that nobody answered prove
    nothing about that.
    """
    theirs = _terms(given)
    if theirs is None or not (order.answered_by(theirs) or order.differs(theirs)):
        if order.status in UNACKNOWLEDGED and (theirs is None or order.pending is None):
            yield from _accepted(order, given, now)
        return
    if order.status in _UNHEARD:
        yield from _accepted(order, given, now)
    known = world.book.order_in(order.account, order.client_order_id)
    if known is not None:
        yield from take_terms(world, known, theirs, now, proved=False)


def _accepted(order: Order, given: OrderReport, now: Nanos) -> Iterator[ev.Event]:
    """The acknowledgement of an order, and its cancel where that was wanted already."""
    key = order.client_order_id
    yield ev.OrderAccepted(
        account=order.account, client_order_id=key, venue_order_id=given.venue_order_id
    )
    if order.cancel_wanted and now >= order.cancel_at:
        yield ev.CancelRequested(
            account=order.account, client_order_id=key, reason=order.cancel_reason
        )


def _terms(given: OrderReport) -> Replacement | None:
    """The terms with which the venue works the order; None where the report does not say."""
    if given.quantity is None:
        return None
    return Replacement(
        quantity=given.quantity,
        limit_price=given.limit_price,
        stop_price=given.stop_price,
        time_in_force=given.time_in_force,
    )


def _untold(order: Order, given: OrderReport) -> bool:
    """A cancel that makes room for another order, and does not say how much filled before it.

    That decides how much the next one is for, so that such a report is no proof (X-88).
    """
    return order.makes_room and given.status is _S.CANCELED and given.filled is None


def _counted(given: OrderReport) -> Decimal | None:
    """How much has filled as the report says; None where it does not. An order that has filled with
    nothing is none: what a venue counts so late says nothing."""
    return given.filled or None if given.status is _S.FILLED else given.filled


def _fills_missing(order: Order, said: OrderStatus, filled: Decimal | None) -> bool:
    """True if the venue counts more as filled than its fills that reached us (U-21)."""
    if filled is None:
        return said is _S.FILLED and order.filled < order.quantity
    return order.filled < filled
