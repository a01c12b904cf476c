"""What mode shadow measures: paper fills beside the prices of the real venue (U-40)."""

from decimal import Decimal

from engine.domain.events.base import Event
from engine.domain.market import Quote
from engine.domain.order import Side


class ShadowQuoted(Event, frozen=True, kw_only=True):
    """The newest quote of the real venue when an order was decided."""

    account: str
    client_order_id: str
    symbol: str
    quote: Quote


class ShadowFilled(Event, frozen=True, kw_only=True):
    """A fill of the paper venue, beside the quotes of the real one.

    Rates are fractions of 1, and above 0 where they are to our disadvantage. None is not known.
    """

    account: str
    client_order_id: str
    execution_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    """At which the paper venue filled it."""
    multiplier: Decimal
    currency: str
    """Of the prices and of `cost`."""
    decided: Quote | None
    """The real venue's quote when the order was decided."""
    met: Quote | None
    """That which the paper venue filled it at."""
    expected: Decimal | None
    """What the real book asked a buyer for, or bid a seller, then; the last price where it showed
    no such side."""
    slippage: Decimal | None
    """By how much `price` is worse than `expected`."""
    assumed: Decimal
    """What the paper venue adds to the price of a market order."""
    drift: Decimal | None
    """By how much `expected` is worse than the same side of the quote at the decision."""
    cost: Decimal | None
    """What the difference of `price` and `expected` costs on all of it."""
