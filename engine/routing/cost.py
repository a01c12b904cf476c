"""What an order is expected to cost at a venue (A-468)."""

from decimal import Decimal

import msgspec

from engine.domain.money import ONE, ZERO
from engine.reference.venues import Venue
from engine.routing.terms import Priority, RoutedOrder, RoutingRules


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of what an order, or a slice of one, is expected to cost, in the currency of its
    instrument. Below 0 is a gain."""

    fee: Decimal
    """A rebate is below 0."""
    spread: Decimal
    impact: Decimal
    """What the order itself moves the price by; 0 where the day's volume is not known."""
    unfilled: Decimal
    improvement: Decimal
    """What fills are better than the quote, below 0."""

    @property
    def total(self) -> Decimal:
        """All of it."""
        return self.fee + self.spread + self.impact + self.unfilled + self.improvement


def cost_of(
    venue: Venue,
    order: RoutedOrder,
    priority: Priority,
    rules: RoutingRules,
    quantity: Decimal | None = None,
) -> Cost:
    """What so much of an order, without `quantity` all of it, is expected to cost at a venue.

    A slice moves the price as its part of the whole order does: an order is no smaller to the
    market because it is sent to several venues. Where no fill rate was measured nothing is expected
    to fill.
    """
    part = order.quantity if quantity is None else quantity
    notional = part * order.reference
    filled = ZERO if venue.fill_rate is None else venue.fill_rate
    takes = priority is Priority.AGGRESSIVE
    return Cost(
        fee=venue.fee(order.reference, takes=takes) * part,
        spread=notional * rules.spread / 2,
        impact=notional * rules.impact * order.participation.sqrt(),
        unfilled=notional * (ONE - filled) * rules.unfilled,
        improvement=-venue.price_improvement * notional,
    )
