"""What the fills of a routed order cost, beside what was expected of it (A-471)."""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from engine.domain.money import ZERO
from engine.domain.order import Fill
from engine.routing.venue_router import RoutingDecision


class Realised(msgspec.Struct, frozen=True, kw_only=True):
    """What was expected and what came, in the currency of the instrument; more is dearer."""

    quantity: Decimal
    """What has filled."""
    expected: Decimal | None
    """The expected cost of as much as has filled; None where nothing was expected."""
    commission: Decimal
    slippage: Decimal
    """What the fills are worse than the middle of the best prices at the decision."""
    other_commission: tuple[tuple[str, Decimal], ...] = ()
    """Commission that was taken in other assets, in these: it is not part of `cost`."""

    @property
    def cost(self) -> Decimal:
        """What it came to."""
        return self.commission + self.slippage


def realised(decision: RoutingDecision, fills: Iterable[Fill], currency: str) -> Realised:
    """What the fills of an order cost against the middle price of its decision.

    `currency` is that of the instrument. Where the decision knew no best prices its reference price
    stands for their middle.
    """
    order, nbbo = decision.order, decision.nbbo
    middle = nbbo.mid if nbbo is not None and nbbo.is_usable else order.reference
    quantity = commission = slippage = ZERO
    others: dict[str, Decimal] = {}
    for fill in fills:
        quantity += fill.quantity
        slippage += (fill.price - middle) * fill.quantity * order.side.sign
        taken_in = fill.commission_currency or currency
        if taken_in == currency:
            commission += fill.commission
        else:
            others[taken_in] = others.get(taken_in, ZERO) + fill.commission
    expected = decision.expected_cost
    return Realised(
        quantity=quantity,
        expected=None if expected is None else expected * quantity / order.quantity,
        commission=commission,
        slippage=slippage,
        other_commission=tuple(sorted(others.items())),
    )
