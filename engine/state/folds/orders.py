"""The life of an order but for its fills (U-20)."""

from typing import Any

import msgspec

from engine.domain import events as ev
from engine.domain.codes import Code
from engine.domain.instant import Nanos
from engine.domain.order import ADDING, OrderStatus
from engine.domain.run import CircuitState
from engine.state.book import Book
from engine.state.cover import guard
from engine.state.folds.intents import lead
from engine.state.folds.order_update import ask_size, update_order
from engine.state.folds.rule import Rules
from engine.state.letters import DeadLetter
from engine.state.order import Order
from engine.state.recent import forget
from engine.state.sent import FAILURE_WINDOW, FAILURES_KEPT, RATE_WINDOW, stamp
from engine.state.touched import (
    LetterClosed,
    LetterOpened,
)

OUR_OWN = frozenset({Code.NOT_SENT, Code.KILL_SWITCH, Code.MARKET_CLOSED})
"""Ends of orders that are no sign of a venue that refuses: it never saw them, or is closed."""


def _intended(book: Book, event: ev.OrderIntended, at: Nanos) -> None:
    data = book.data
    order = Order.of(event.terms, seq=data.seq, at=at)
    book.put(order)
    data.metrics.total += 1
    if order.adds_exposure and not order.orig_client_order_id:
        # One that takes the place of another is a change of it, as where the venue changes it.
        if data.session is not None and not order.parent_id:
            data.session.entries += 1  # one that goes on in the fallback is the same trade
        stamp(book, order, at)
    _number(book, order)
    ask_size(book, order, order.quantity)
    account = book.enter(order.account)
    if order.adds_exposure and account.circuit.state is not CircuitState.CLOSED:
        half = CircuitState.HALF_OPEN
        account.circuit = msgspec.structs.replace(
            account.circuit, state=half, probe=order.client_order_id
        )
    if data.intents:
        lead(book, order)
    book.end_replacing(order.account, order.orig_client_order_id)
    if data.queued:
        data.queued.pop(order.signal_id, None)
    entry = data.signals.get(order.signal_id)
    if entry is not None and order.purpose in ADDING and order.client_order_id not in entry.orders:
        entry = msgspec.structs.replace(entry, orders=(*entry.orders, order.client_order_id))
        data.signals[order.signal_id] = entry
        book.touch(entry)


def _number(book: Book, order: Order) -> None:
    """A position counts the orders that reduce it, so that each has an id of its own."""
    position = book.holding(order.account, order.symbol)
    if position is None or not order.attempt:
        return
    leg = "protect_attempt" if order.is_protective else "exit_attempt"
    if order.attempt > getattr(position, leg):
        book.amend(position, **{leg: order.attempt})


def _adopted(book: Book, event: ev.OrderAdopted, at: Nanos) -> None:
    state = event.state
    seen = at if state.listed else 0
    order = msgspec.structs.replace(
        Order.of(event.terms, seq=book.data.seq, at=at),
        status=state.status,
        venue_order_id=state.venue_order_id,
        filled=state.filled,
        notional=state.notional,
        sent_at=seen,
        accepted_at=seen,
        unclear_at=at if state.status is OrderStatus.UNKNOWN else 0,
    )
    book.put(order)
    book.data.metrics.total += 1
    _number(book, order)
    ask_size(book, order, order.quantity - order.filled)
    if book.data.intents:
        lead(book, order)
    book.end_replacing(order.account, order.orig_client_order_id)
    guard(book, order.account, order.symbol, at)


def _sent(book: Book, event: ev.OrderSent, at: Nanos) -> None:
    order = book.order_in(event.account, event.client_order_id)
    if order is not None and order.status is OrderStatus.CREATED:
        # What the question before it waited for is over.
        update_order(book, order, at, status=OrderStatus.PENDING_NEW, sent_at=at, put_off_until=0)
    elif order is not None:
        update_order(book, order, at, sent_at=at)


def _put_off(book: Book, event: ev.SendPutOff, at: Nanos) -> None:
    order = book.order_in(event.account, event.client_order_id)
    if order is not None:
        update_order(book, order, at, put_off_until=event.until)


def _accepted(book: Book, event: ev.OrderAccepted, at: Nanos) -> None:
    book.hear(event.account, at)
    order = book.order_in(event.account, event.client_order_id)
    if order is None:
        return
    status = OrderStatus.PARTIALLY_FILLED if order.filled else OrderStatus.NEW
    update_order(
        book,
        order,
        at,
        status=status,
        venue_order_id=event.venue_order_id or order.venue_order_id,
        accepted_at=order.accepted_at or at,
        queries=0,
    )


def _rejected(book: Book, event: ev.OrderRejected, at: Nanos) -> None:
    data = book.data
    order = book.order_in(event.account, event.client_order_id)
    if order is not None:
        status = OrderStatus.REJECTED
        update_order(
            book,
            order,
            at,
            status=status,
            reject_code=event.code,
            reason=event.text,
            retry_at=event.retry_at,
        )
        if event.code == Code.NOT_SENT and order.sent_at and not order.unclear_at:
            _failed(book, at)
    if event.code not in OUR_OWN:
        forget(data.rejects, at - RATE_WINDOW)
        data.rejects.append(at)


def _unclear(book: Book, event: ev.OrderUnclear, at: Nanos) -> None:
    order = book.order_in(event.account, event.client_order_id)
    if order is not None:
        status = OrderStatus.UNKNOWN
        fields: dict[str, Any] = {"reason": event.reason, "unclear_at": at}
        if event.filled is not None:
            same = event.filled == order.told_filled and event.average_price is None
            mean = order.told_average if same else event.average_price
            fields |= {"told_filled": event.filled, "told_average": mean}
        if event.works_otherwise is not None:
            fields["told_otherwise"] = event.works_otherwise
        update_order(book, order, at, status=status, **fields)
    _failed(book, at)


def _failed(book: Book, at: Nanos) -> None:
    """Count an order that did not get through to its venue, with all its attempts as one."""
    data = book.data
    data.metrics.failures += 1
    data.metrics.last_failure = at
    forget(data.failed, at - FAILURE_WINDOW)
    del data.failed[: max(len(data.failed) + 1 - FAILURES_KEPT, 0)]
    data.failed.append(at)


def _queried(book: Book, event: ev.OrderQueried, at: Nanos) -> None:
    order = book.order_in(event.account, event.client_order_id)
    if order is not None:
        update_order(book, order, at, queries=order.queries + 1, asked_at=at)


def _cancel_requested(book: Book, event: ev.CancelRequested, at: Nanos) -> None:
    order = book.order_in(event.account, event.client_order_id)
    if order is None or order.status.is_terminal:
        return
    first = order.cancel_reason if order.cancel_wanted else event.reason
    fields: dict[str, Any] = {
        "reason": event.reason,
        "cancel_wanted": True,
        "cancel_reason": first,
        "cancel_at": 0,
    }
    if book.end_replacing(event.account, event.client_order_id):
        fields["pending"] = None
    if order.status is not OrderStatus.UNKNOWN:
        fields["status"] = OrderStatus.PENDING_CANCEL
    update_order(book, order, at, **fields)


def _cancel_refused(book: Book, event: ev.CancelRefused, at: Nanos) -> None:
    order = book.order_in(event.account, event.client_order_id)
    if order is not None:
        update_order(
            book,
            order,
            at,
            status=event.status,
            cancel_wanted=False,
            cancel_at=0,
            cancel_failures=0,
            refused_at=at,
            retry_at=event.retry_at,
            pending=None,
        )
    book.end_replacing(event.account, event.client_order_id)


def _cancel_put_off(book: Book, event: ev.CancelPutOff, at: Nanos) -> None:
    order = book.order_in(event.account, event.client_order_id)
    if order is None or order.status.is_terminal:
        return
    update_order(
        book,
        order,
        at,
        status=event.status or order.status,
        cancel_at=event.until,
        cancel_barred_until=event.barred_until,
        cancel_failures=order.cancel_failures + 1,
    )


def _canceled(book: Book, event: ev.OrderCanceled, at: Nanos) -> None:
    book.hear(event.account, at)
    order = book.order_in(event.account, event.client_order_id)
    if order is not None:
        reason = _why_canceled(order, event.reason)
        update_order(book, order, at, status=OrderStatus.CANCELED, reason=reason)


def _why_canceled(order: Order, told: str) -> str:
    """The reason for which we asked for it, else what the venue told."""
    return (order.cancel_reason if order.cancel_wanted else told) or order.reason


def _expired(book: Book, event: ev.OrderExpired, at: Nanos) -> None:
    book.hear(event.account, at)
    order = book.order_in(event.account, event.client_order_id)
    if order is not None:
        update_order(book, order, at, status=OrderStatus.EXPIRED)


def _settled(book: Book, event: ev.OrderSettled, at: Nanos) -> None:
    book.hear(event.account, at)
    order = book.order_in(event.account, event.client_order_id)
    if order is None:
        return
    fields: dict[str, Any] = {"venue_order_id": event.venue_order_id}
    if event.filled is not None:
        fields |= {"filled": event.filled, "notional": event.notional}
    if event.status.is_terminal:
        canceled = event.status is OrderStatus.CANCELED
        reason = _why_canceled(order, event.reason) if canceled else event.reason
        update_order(book, order, at, status=event.status, reason=reason, **fields)
    else:
        update_order(book, order, at, status=event.status, accepted_at=at, queries=0, **fields)


def _dead(book: Book, event: ev.DeadLettered, at: Nanos) -> None:
    book.data.letters[event.letter_id] = DeadLetter(event.terms, at)
    letter = LetterOpened(
        seq=book.data.seq, at=at, letter_id=event.letter_id, terms=event.terms, error=event.error
    )
    book.touch(letter, event.account)


def _dead_closed(book: Book, event: ev.DeadLetterClosed, at: Nanos) -> None:
    book.data.letters.pop(event.letter_id, None)
    closed = LetterClosed(at=at, letter_id=event.letter_id, action=event.action, by=event.by)
    book.touch(closed, event.account)


RULES: Rules = {
    ev.OrderIntended: _intended,
    ev.OrderAdopted: _adopted,
    ev.OrderSent: _sent,
    ev.SendPutOff: _put_off,
    ev.OrderAccepted: _accepted,
    ev.OrderRejected: _rejected,
    ev.OrderUnclear: _unclear,
    ev.OrderQueried: _queried,
    ev.CancelRequested: _cancel_requested,
    ev.CancelRefused: _cancel_refused,
    ev.CancelPutOff: _cancel_put_off,
    ev.OrderCanceled: _canceled,
    ev.OrderExpired: _expired,
    ev.OrderSettled: _settled,
    ev.DeadLettered: _dead,
    ev.DeadLetterClosed: _dead_closed,
}
