"""Where an event happened: the accounts and symbols that it is about."""

from collections.abc import Callable
from typing import Any

from engine.domain.events import EVENT_TYPES, Event, IntentOpened
from engine.state.book import Book
from engine.state.order_index import Place


def place_of(book: Book, event: Event) -> Place | None:
    """The account and symbol that an event is about; None for one of the portfolio, and for one
    that is about several."""
    find = _FINDERS.get(type(event))
    return None if find is None else find(book, event)


def places_of(event: IntentOpened) -> tuple[Place, ...]:
    """The accounts and symbols that the orders of an intent are for."""
    return tuple((terms.account, terms.symbol) for terms in event.legs)


Finder = Callable[[Book, Any], Place | None]


def _itself(book: Book, event: Any) -> Place | None:
    return (event.account, event.symbol) if event.account else None


def _terms(book: Book, event: Any) -> Place | None:
    return (event.account, event.terms.symbol) if event.account else None


def _fill(book: Book, event: Any) -> Place | None:
    return (event.account, event.fill.symbol) if event.account else None


def _trade(book: Book, event: Any) -> Place | None:
    return (event.account, event.trade.symbol) if event.account else None


def _order(book: Book, event: Any) -> Place | None:
    order = book.order_in(event.account, event.client_order_id) if event.account else None
    return None if order is None else (event.account, order.symbol)


_BY_FIELD: dict[str, Finder] = {
    "symbol": _itself,
    "terms": _terms,
    "fill": _fill,
    "trade": _trade,
    "client_order_id": _order,
}
"""How the symbol is found, by the first of these fields that an event has: its own, that of the
value it holds, or that of the order it names."""


def _finder_of(kind: type[Event]) -> Finder | None:
    if not hasattr(kind, "account"):
        return None
    fields = kind.__struct_fields__
    return next((find for field, find in _BY_FIELD.items() if field in fields), None)


_FINDERS = {kind: find for kind in EVENT_TYPES.values() if (find := _finder_of(kind)) is not None}
