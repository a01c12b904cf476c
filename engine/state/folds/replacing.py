"""Changes of working orders, by the venue itself or by another order (X-88)."""

from typing import Any

from engine.domain import events as ev
from engine.domain.instant import Nanos
from engine.domain.order import OrderStatus, Replacement
from engine.state.book import Book
from engine.state.cover import guard_anew
from engine.state.folds.order_update import ask_size, in_new_units, update_order
from engine.state.folds.rule import Rules
from engine.state.order import DROPPED_WITHIN, Order, Pending
from engine.state.position import StopResized


def _replace_requested(book: Book, event: ev.ReplaceRequested, at: Nanos) -> None:
    order = book.order_in(event.account, event.client_order_id)
    if order is None:
        return
    update_order(
        book,
        order,
        at,
        status=OrderStatus.PENDING_REPLACE,
        pending=Pending(
            quantity=event.quantity,
            limit_price=event.limit_price,
            stop_price=event.stop_price,
            time_in_force=event.time_in_force,
            reserved=event.reserved,
            new_client_order_id=event.new_client_order_id,
        ),
    )
    ask_size(book, order, event.quantity - order.filled)
    if not event.native:
        book.enter(event.account).replacing[event.client_order_id] = order.symbol


def _replaced(book: Book, event: ev.OrderReplaced, at: Nanos) -> None:
    book.hear(event.account, at)
    order = book.order_in(event.account, event.client_order_id)
    if order is None:
        return
    outdated = book.account(event.account).old_units.pop(event.client_order_id, None)
    _note_stop(book, order, event, at)
    if outdated is None and not isinstance(event.numerator, int):
        _note_size(book, order, event, at)
    waits = order.pending is not None and not order.pending.native
    told = Replacement(
        quantity=event.quantity,
        limit_price=event.limit_price,
        stop_price=event.stop_price,
        time_in_force=event.time_in_force,
    )
    if order.filled >= event.quantity:
        status = OrderStatus.FILLED
    elif order.status is OrderStatus.PENDING_CANCEL or waits:
        status = order.status
    else:
        status = OrderStatus.PARTIALLY_FILLED if order.filled else OrderStatus.NEW
    # what only we know of one that the split of its holding outdated is of the new units already
    n, m = event.numerator, event.denominator
    renewed: dict[str, Any] = {}
    if outdated is None and isinstance(n, int) and isinstance(m, int):
        renewed = {**in_new_units(order, n, m), "rescaled": True}
    update_order(
        book,
        order,
        at,
        **{"rescaled": False, **renewed},
        status=status,
        quantity=event.quantity,
        limit_price=event.limit_price if event.limit_price is not None else order.limit_price,
        stop_price=event.stop_price if event.stop_price is not None else order.stop_price,
        time_in_force=event.time_in_force or order.time_in_force,
        reserved=event.reserved if event.reserved is not None else order.reserved,
        pending=order.pending if waits else None,
        replaced_at=at,
        unasked_from=None if order.answered_by(told) else order.replacement,
        told_otherwise=None,
        queries=0,
    )


def _note_stop(book: Book, order: Order, event: ev.OrderReplaced, at: Nanos) -> None:
    """Whether the venue works a stop of ours at the price that it was asked for at."""
    position = book.holding(order.account, order.symbol)
    if position is None or not order.is_protective or event.stop_price is None:
        return
    asked = order.asked_stop
    if event.stop_price == asked:
        if position.stop_off is not None:
            book.amend(position, stop_off=None, stop_off_since=0)
    elif position.stop_off != asked:
        book.amend(position, stop_off=asked, stop_off_since=at)


def _note_size(book: Book, order: Order, event: ev.OrderReplaced, at: Nanos) -> None:
    """Whether the venue works a stop of ours for the quantity that it was asked for."""
    position, asked = book.holding(order.account, order.symbol), order.asked_size
    if position is None or not order.is_protective:
        return
    known, left = position.stop_resized, event.quantity - order.filled
    if left == asked or (known is not None and left == known.asked):
        if known is not None:
            book.amend(position, stop_resized=None)
    elif asked is not None and (
        known is None or known.asked != asked or _was_seen_as_made(book, order)
    ):
        book.amend(position, stop_resized=StopResized(asked=asked, since=at))


def _was_seen_as_made(book: Book, order: Order) -> bool:
    """Whether the last look at its venue showed a stop with the terms that it was made with, long
    after it was accepted: what the venue makes of it now is not what it made of it then."""
    if not order.accepted_at or order.replaced_at or order.pending is not None:
        return False
    return book.account(order.account).seen_at - order.accepted_at >= DROPPED_WITHIN


def _replace_abandoned(book: Book, event: ev.ReplaceAbandoned, at: Nanos) -> None:
    book.end_replacing(event.account, event.client_order_id)
    order = book.order_in(event.account, event.client_order_id)
    if order is not None and order.reduce_only:
        wanted = order.quantity if order.pending is None else order.pending.quantity
        guard_anew(book, event.account, order.symbol, at, wanted - order.filled)


RULES: Rules = {
    ev.ReplaceRequested: _replace_requested,
    ev.OrderReplaced: _replaced,
    ev.ReplaceAbandoned: _replace_abandoned,
}
