"""A new version of an order, and what follows from it for the position that it protects."""

from decimal import Decimal
from typing import Any

import msgspec

from engine.domain.instant import Nanos
from engine.domain.order import move
from engine.state.book import Book
from engine.state.cover import guard
from engine.state.holdings import scaled
from engine.state.order import Order


def update_order(book: Book, order: Order, at: Nanos, **fields: Any) -> None:
    """A new version of an order; a status moves along the table only.

    A position that loses its stop by it counts as unprotected from now.
    """
    status = fields.get("status", order.status)
    if status is not order.status:
        move(order.status, status)
    new = msgspec.structs.replace(order, updated_at=at, **fields)
    if order.reduce_only and ((order.rests and not new.rests) or (order.covers and not new.covers)):
        new = msgspec.structs.replace(new, rested_until=at)
    book.put(new)
    if new.status.is_terminal and order.is_protective:
        _count_dropped(book, new)
    if order.covers != new.covers:
        guard(book, order.account, order.symbol, at)


def _count_dropped(book: Book, stop: Order) -> None:
    """The next stop waits the longer, the more of them ended at once before it."""
    position = book.holding(stop.account, stop.symbol)
    if position is not None and stop.attempt == position.protect_attempt:
        dropped = position.stops_dropped + 1 if stop.was_dropped else 0
        if dropped != position.stops_dropped:
            book.amend(position, stops_dropped=dropped)


def ask_size(book: Book, order: Order, quantity: Decimal) -> None:
    """A stop is asked for, so much of it left to fill; that its venue works none for another
    quantity that was asked for before is of no matter any more (rule 3)."""
    position = book.holding(order.account, order.symbol)
    if position is None or position.stop_resized is None or not order.is_protective:
        return
    if position.stop_resized.asked != quantity:
        book.amend(position, stop_resized=None)


def in_new_units(order: Order, numerator: int, denominator: int) -> dict[str, Any]:
    """What only we know of an order as it is after a split, n new for m old: the stop and the
    target that an entry brings, and the prices that its fills are held against (X-93)."""
    return {
        name: scaled(price, numerator, denominator)
        for name in ("stop_loss", "target", "reference", "worst_price", "best_price")
        if (price := getattr(order, name)) is not None
    }
