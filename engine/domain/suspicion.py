"""A holding whose price looks as after a split (X-93)."""

from decimal import Decimal
from typing import Final

import msgspec

from engine.domain.instant import Nanos

CORPORATE_ACTION: Final = "corporate_action"
"""The cause that keeps entries away from such a symbol."""

CLOSE_TO: Final = Decimal("0.02")
"""So close to the ratio of a split a price has to be, as a fraction of it."""


class Suspicion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What made a holding suspected. `before` and `price` are those of the symbol, or of what it
    leans on, on both sides of the gap; n new for m old is `numerator`:`denominator`.

    Where a split was taken over before any price showed it, both are the price that it makes of the
    last one.
    """

    at: Nanos
    before: Decimal
    price: Decimal
    numerator: int
    denominator: int
    mark: Decimal
    """The price that the holding counts at meanwhile."""
    seen: bool = True
    """A price has shown the jump. Where the venue's orders, or another account, told of it first,
    none has yet."""
    by_order: bool = False
    """Its venue has changed an order there to the new units: what fills there is of them."""

    @property
    def awaits_price(self) -> bool:
        """A split was taken over, and what is held has had no price since."""
        return self.price == self.before

    @property
    def ratio(self) -> str:
        """The ratio as it is shown, n new for m old."""
        return f"{self.numerator}:{self.denominator}"
