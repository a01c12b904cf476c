"""Which of a holding is covered by stops that rest at the venue, and since when one lacks them."""

from decimal import Decimal

from engine.domain.instant import Nanos
from engine.domain.money import ZERO
from engine.state.book import Book
from engine.state.position import Position


def uncovered(book: Book, position: Position) -> Decimal:
    """How much of a position no stop is known to cover."""
    return abs(position.quantity) - book.index.covered(position.account, position.symbol)


def covered(book: Book, position: Position) -> Decimal:
    """How much of a position stops that rest at the venue cover (INTERFACE `protected`)."""
    return abs(position.quantity) - max(uncovered(book, position), ZERO)


def own_stops(book: Book, position: Position) -> list[tuple[Decimal, Decimal]]:
    """The stops that an operator rests for a position, the tightest first (X-85): how much of
    it each covers, and its price. More than is held is covered by none."""
    orders = book.reducing(position.account, position.symbol)
    stops = [
        (order.stop_price, order.covers)
        for order in orders
        if order.covers and not order.is_protective and order.stop_price is not None
    ]
    left, found = abs(position.quantity), []
    for price, covers in sorted(stops, reverse=position.is_long):
        part = min(covers, left)
        left -= part
        if part:
            found.append((part, price))
    return found


def stop_of(book: Book, position: Position) -> Decimal | None:
    """The price at which the last of a position is stopped: where stops of the operator's cover
    all of it that of the loosest, else its own, else that of a stop which covers a part."""
    own = own_stops(book, position)
    whole = sum((part for part, _ in own), start=ZERO) == abs(position.quantity)
    if position.stop is not None and not whole:
        return position.stop
    return own[-1][1] if own else None


def guard(book: Book, account: str, symbol: str, at: Nanos) -> None:
    """Set or clear since when a position lacks a stop that is known to rest for all of it.

    What is not known to rest does not protect (A-172, rule 3).
    """
    position = book.holding(account, symbol)
    if position is None:
        return
    since = position.unprotected_since or at if uncovered(book, position) > 0 else 0
    if since != position.unprotected_since:
        told = position.told_unprotected and bool(since)
        book.amend(position, unprotected_since=since, told_unprotected=told)


def guard_anew(book: Book, account: str, symbol: str, at: Nanos, quantity: Decimal) -> None:
    """The `quantity` that an order was to take off is a stop's to cover again, from now on.

    Where that is all that no stop covers, the stop has its time from `at`. What lacked one
    before goes on being counted, and so does a position that is being closed.
    """
    position = book.holding(account, symbol)
    if position is None or not position.unprotected_since or position.exiting is not None:
        return
    if uncovered(book, position) <= quantity:
        book.amend(position, unprotected_since=at)
