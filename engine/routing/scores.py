"""How good a venue is for an order: how likely it fills there, how soon, and a score (A-464 to
A-467)."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from engine.domain.money import ONE, ZERO
from engine.domain.order import OrderType
from engine.reference.venues import Venue
from engine.routing.terms import Nbbo, Priority, RoutedOrder

_BY_PRIORITY: Final = {
    Priority.AGGRESSIVE: Decimal("0.10"),
    Priority.NEUTRAL: ZERO,
    Priority.PASSIVE: Decimal("-0.05"),
}
_SIZE: Final = Decimal(5)
_SLOWEST_MS: Final = Decimal(10)
_MOST_IMPROVED: Final = Decimal("0.001")
_MOST_ADVERSE: Final = Decimal("0.10")

_FILLS: Final = Decimal("0.30")
_COSTS: Final = Decimal("0.25")
_IMPROVES: Final = Decimal("0.20")
_ANSWERS: Final = Decimal("0.15")
_IS_FAIR: Final = Decimal("0.10")


def priority_of(order: RoutedOrder, nbbo: Nbbo | None) -> Priority:
    """How the order meets the market: by its type and limit, never by its side (A-467, D-36).

    A market order, and a stop, which becomes one, is aggressive, and so is a limit that reaches the
    best price of the other side. A limit where no best prices are known is neutral.
    """
    limit = order.limit_price
    if order.type in (OrderType.MARKET, OrderType.STOP) or limit is None:
        return Priority.AGGRESSIVE
    if nbbo is None:
        return Priority.NEUTRAL
    own, far = (nbbo.bid, nbbo.ask) if order.side.sign > 0 else (nbbo.ask, nbbo.bid)
    if (limit - far) * order.side.sign >= 0:
        return Priority.AGGRESSIVE
    return Priority.PASSIVE if (limit - own) * order.side.sign <= 0 else Priority.NEUTRAL


def fill_probability(venue: Venue, order: RoutedOrder, priority: Priority) -> Decimal:
    """How likely the whole order fills at the venue, from 0 to 1 (A-464); 0 where not measured.

    It is the venue's fill rate, less as the order is a larger part of a day's volume.
    """
    if venue.fill_rate is None:
        return ZERO
    room = max(ZERO, ONE - _SIZE * order.participation)
    return _clamped(venue.fill_rate * room + _BY_PRIORITY[priority])


def expected_ms(venue: Venue, probability: Decimal) -> Decimal | None:
    """After how many milliseconds the order is expected to be filled (A-464); None: never, or
    nobody knows."""
    if venue.latency_ms is None or not probability:
        return None
    return venue.latency_ms + venue.latency_ms / probability


def cost_terms(fees: Sequence[Decimal]) -> list[Decimal]:
    """The cost term of each venue, from its fee for a unit among those of all: 1 for the least fee,
    0 for the greatest (A-466, D-35). A rebate is a fee below 0, so that it scores above any fee.
    """
    least, greatest = min(fees, default=ZERO), max(fees, default=ZERO)
    if least == greatest:
        return [ONE for _ in fees]
    return [_clamped((greatest - fee) / (greatest - least)) for fee in fees]


def score(venue: Venue, probability: Decimal, cost_term: Decimal) -> Decimal:
    """The score of a venue from 0 to 1, more is better (A-465); `cost_term` as in `cost_terms`.

    A latency that was not measured scores as 10 ms and more.
    """
    latency = _SLOWEST_MS if venue.latency_ms is None else venue.latency_ms
    return (
        _FILLS * probability
        + _COSTS * cost_term
        + _ANSWERS * max(ZERO, ONE - latency / _SLOWEST_MS)
        + _IMPROVES * min(ONE, venue.price_improvement / _MOST_IMPROVED)
        + _IS_FAIR * max(ZERO, ONE - venue.adverse_selection / _MOST_ADVERSE)
    )


def _clamped(number: Decimal) -> Decimal:
    return min(ONE, max(ZERO, number))
