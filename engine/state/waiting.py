"""What waits to be made into orders: legs of intents, and what takes the place of an order."""

from decimal import Decimal

from engine.domain.money import ZERO
from engine.state.book import Book
from engine.state.intents import Intent, IntentLeg
from engine.state.order_index import Place


def waiting_places(book: Book) -> list[Place]:
    """Where a plan waits although nothing may be held: for a leg, or for an order's end."""
    places: set[Place] = set()
    for account in book.data.accounts.values():
        if account.replacing:
            places |= {(account.name, symbol) for symbol in account.replacing.values()}
    for intent in book.data.intents.values():
        places |= {(leg.terms.account, leg.terms.symbol) for leg in intent.legs}
    return sorted(places)


def intents_at(book: Book, account: str, symbol: str) -> list[Intent]:
    """Intents of several orders that are about this symbol in this account."""
    intents = book.data.intents.values()
    return [intent for intent in intents if intent.touches(account, symbol)] if intents else []


def waiting_legs(book: Book) -> list[IntentLeg]:
    """The legs of intents of which no order was made yet."""
    intents = book.data.intents.values()
    return [leg for intent in intents for leg in intent.legs if leg.waits]


def waiting_leg(book: Book, client_order_id: str) -> IntentLeg | None:
    """The leg that waits for an order of this id to be made."""
    for leg in waiting_legs(book):
        if leg.terms.client_order_id == client_order_id:
            return leg
    return None


def to_come(book: Book, account: str, symbol: str, *, but: str = "") -> Decimal:
    """What orders that only reduce, and are still to be made, will take off in one place.

    They wait until a stop has made room, or take the place of one that has ended; the order
    `but`, or what takes its place, is left out.
    """
    found = ZERO
    for intent in intents_at(book, account, symbol):
        for leg in intent.legs:
            here = (leg.terms.account, leg.terms.symbol) == (account, symbol)
            if here and leg.waits and leg.terms.reduce_only:
                found += ZERO if leg.terms.client_order_id == but else leg.terms.quantity
    for key, where in book.account(account).replacing.items():
        order = book.order_in(account, key) if where == symbol and key != but else None
        if order is not None and order.pending is not None and order.status.is_terminal:
            left = order.pending.quantity - order.filled
            found += max(left, ZERO) if order.reduce_only else ZERO
    return found
