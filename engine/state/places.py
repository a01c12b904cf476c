"""Where an event happened: the accounts and symbols that it is about."""

from functools import cache

from engine.domain.events import Event, IntentOpened
from engine.domain.schema import account_of
from engine.state.book import Book, Place


def places_of(book: Book, event: Event) -> tuple[Place, ...]:
    """The accounts and symbols that an event is about; none for one of the portfolio."""
    if isinstance(event, IntentOpened):
        return tuple((terms.account, terms.symbol) for terms in event.legs)
    account = account_of(event)
    if not account:
        return ()
    symbol = _symbol_of(book, event)
    return () if symbol is None else ((account, symbol),)


@cache
def _telling(kind: type[Event]) -> str:
    """The field of an event that tells its symbol; "" where there is none."""
    for field in ("symbol", "terms", "fill", "trade", "client_order_id"):
        if field in kind.__struct_fields__:
            return field
    return ""


def _symbol_of(book: Book, event: Event) -> str | None:
    """The symbol of an event, of the value it holds, or of the order it names."""
    field = _telling(type(event))
    if not field:
        return None
    told = getattr(event, field)
    if field == "symbol":
        return str(told)
    if field == "client_order_id":
        order = book.order(told)
        return None if order is None else order.symbol
    return str(told.symbol)
