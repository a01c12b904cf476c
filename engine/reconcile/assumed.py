"""Fills that no venue told: how much an order may have had of them, and at what price (X-75)."""

from decimal import Decimal
from typing import Final

from engine.domain import events as ev
from engine.domain.account import VenueOrder, VenuePosition, VenueSnapshot
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.money import ZERO, is_near, plain
from engine.domain.order import ASSUMED, Fill, OrderStatus, Side
from engine.state.account import AccountState
from engine.state.book import Book
from engine.state.order import Order

ANSWERED: Final = NS_PER_SECOND
"""So long after it was asked about an order a venue that is up has answered."""


def in_doubt_since(order: Order) -> Nanos:
    """Since when nothing new is on its way about an order in doubt."""
    return max(order.unclear_at, order.sent_at, order.created_at)


def was_asked(order: Order, bound: Nanos) -> bool:
    """Whether the venue was asked about an order in doubt when nothing of it could be on its way
    any more, which is so after `bound` nanoseconds: it knows the order then, or never had it."""
    return order.asked_at - in_doubt_since(order) > bound


def awaited(
    account: AccountState, snapshot: VenueSnapshot, found: ev.Difference, bound: Nanos
) -> list[Order]:
    """The orders in doubt whose fills would explain a difference, and of which the venue may still
    say that they have none: it was not asked in time, or too short a while before this look.

    Nothing is taken over meanwhile, for the difference may be another's doing (rule 1). A venue
    that does not answer about an order holds nobody up for longer.
    """
    return [
        order
        for order in account.orders.values()
        if order.symbol == found.symbol
        and order.side.sign * found.missing < 0
        and order.status is OrderStatus.UNKNOWN
        and order.told_filled is None
        and (not was_asked(order, bound) or snapshot.requested_at - order.asked_at < ANSWERED)
    ]


def told_of(order: Order, listed: VenueOrder | None) -> tuple[Decimal, Decimal | None]:
    """How much of an order may have filled in all, and at which mean price, as far as the venue has
    said: of one that has ended there, or that it lists as it works."""
    if order.status is OrderStatus.UNKNOWN:
        if order.told_filled is None:
            return order.most, None
        return order.told_filled, order.told_average
    return (ZERO, None) if listed is None else (listed.filled, listed.average_price)


def proposed_fill(
    book: Book, order: Order, quantity: Decimal, price: Decimal, snapshot: VenueSnapshot
) -> ev.OrderFilled:
    """The proposal to take an order for filled by so much, before the venue was asked: what it told
    then contains that."""
    cumulative = order.filled + quantity
    return ev.OrderFilled(
        account=order.account,
        fill=assumed_fill(order, quantity, price, snapshot.requested_at - 1),
        multiplier=book.multiplier(order.symbol),
        cumulative=cumulative,
        average_price=round((order.notional + quantity * price) / cumulative, 8),
    )


def assumed_fill(order: Order, quantity: Decimal, price: Decimal, at: Nanos) -> Fill:
    """The fill of an order that no venue told, under an id of its own (X-91)."""
    return Fill(
        execution_id=f"{ASSUMED}{order.client_order_id}-{plain(order.filled + quantity)}",
        client_order_id=order.client_order_id,
        venue_order_id=order.venue_order_id,
        account=order.account,
        symbol=order.symbol,
        side=order.side,
        quantity=quantity,
        price=price,
        time=at,
    )


def price_of(
    book: Book,
    order: Order,
    theirs: VenuePosition | None,
    filled: Decimal,
    mean: Decimal | None,
) -> Decimal | None:
    """At what price an order is assumed to have filled what of it was not told.

    Where the venue says at which `mean` all of it did that is `filled`, so that this is its mean.
    Else it is the venue's average of what the order opened, else the last price known, as far as
    its terms allow that, else that of its terms; None where there is none.
    """
    known = _price_known(book, order, theirs)
    if mean is None or filled <= order.filled:
        return known
    price = (filled * mean - order.notional) / (filled - order.filled)
    return price if price > 0 and (known is None or is_near(price, known)) else known


def _price_known(book: Book, order: Order, theirs: VenuePosition | None) -> Decimal | None:
    ours = book.holding(order.account, order.symbol)
    opened = theirs.average_price if theirs is not None and ours is None else None
    if opened is not None and opened > 0:
        return opened
    prices = (book.data.marks.get(order.symbol), order.limit_price, order.stop_price)
    price = next((p for p in (*prices, order.reference) if p is not None and p > 0), None)
    return None if price is None else _allowed(order, price)


def _allowed(order: Order, price: Decimal) -> Decimal:
    """The price, or the nearest at which the terms of the order let it fill."""
    sells = order.side is Side.SELL
    if order.stop_price is not None:
        price = min(price, order.stop_price) if sells else max(price, order.stop_price)
    if order.limit_price is not None:
        price = max(price, order.limit_price) if sells else min(price, order.limit_price)
    return price
