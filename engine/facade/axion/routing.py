"""Axion's venue routing: it decides and sends nothing (A-460 to A-472).

What it decides between are the venues that are handed in, by default the published table. A broker
that offers no choice of venue gets an order as it is: `venues=()`.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from engine.domain.money import ZERO
from engine.domain.order import HAVE_LIMIT
from engine.facade.axion.records import Order
from engine.facade.bridge import Number, exact, side_of, type_of
from engine.reference.venues import Venue, us_equities
from engine.routing.terms import Nbbo, RoutedOrder, RoutingRules, Strategy
from engine.routing.venue_router import Candidate, RoutingDecision, Slice, route

BestPrices = Nbbo | Mapping[str, Number] | tuple[Number, Number]
"""The best bid and offer: as such, as `{"bid": …, "ask": …}`, or in that order."""


class SmartRouter:
    """Shares an order out among venues."""

    def __init__(
        self,
        venues: Sequence[Venue] | None = None,
        strategy: str = Strategy.SMART,
        rules: RoutingRules | None = None,
    ) -> None:
        """Raises ValueError for a strategy that is none (A-461)."""
        self.venues = us_equities() if venues is None else tuple(venues)
        self.strategy = Strategy(strategy)
        self.rules = RoutingRules() if rules is None else rules

    def route(
        self,
        order: Order,
        *,
        price: Number | None = None,
        adv: Number | None = None,
        nbbo: BestPrices | None = None,
    ) -> RoutingDecision:
        """The decision on an order (A-471): slices that add up to it, and why.

        `price` is what costs are counted at, by default the limit, else the middle of the best
        prices; `adv` is the average volume of a day, in shares. Without `nbbo` nothing is compared,
        and the order passes through. Raises ValueError without any price.
        """
        best = _best(nbbo)
        asked = _asked(order, price, adv, best)
        return route(asked, self.venues, strategy=self.strategy, nbbo=best, rules=self.rules)

    def route_order(  # noqa: PLR0917 - as published
        self,
        order_id: str,
        symbol: str,
        side: str,
        qty: Number,
        price: Number | None = None,
        adv: Number | None = None,
        nbbo: BestPrices | None = None,
    ) -> RoutingDecision:
        """The same by its other name (X-47): a market order of these terms."""
        order = Order(ticker=symbol, side=side, qty=qty, signal_id=order_id)
        return self.route(order, price=price, adv=adv, nbbo=nbbo)

    def split_order(self, order: Order, **market: Any) -> tuple[Slice, ...]:
        """The slices of `route`, which takes the same."""
        return self.route(order, **market).slices


class RouteScorer:
    """Says how good each venue is for an order, with or without the best prices."""

    def __init__(self, rules: RoutingRules | None = None) -> None:
        given = RoutingRules() if rules is None else rules
        self.rules = msgspec.structs.replace(given, nbbo_check=False)

    def score(
        self,
        venues: Sequence[Venue],
        order: Order,
        *,
        price: Number | None = None,
        adv: Number | None = None,
        nbbo: BestPrices | None = None,
    ) -> list[Candidate]:
        """Every venue with its score, fill probability and cost, the best first; those that may get
        nothing come last and say why. Raises ValueError as `SmartRouter.route`."""
        best = _best(nbbo)
        asked = _asked(order, price, adv, best)
        found = route(asked, venues, nbbo=best, rules=self.rules).candidates
        return sorted(found, key=lambda one: (bool(one.excluded), -one.score))


class CostOptimizer:
    """Puts the cheapest of several routes first."""

    def optimize(self, routes: Iterable[Candidate]) -> list[Candidate]:
        """The routes by what the order is expected to cost there, the least first; what may get
        nothing is left out. A rebate makes a route cheaper (A-466)."""
        able = [one for one in routes if one.cost is not None and not one.excluded]
        return sorted(able, key=lambda one: ZERO if one.cost is None else one.cost.total)


def _best(given: BestPrices | None) -> Nbbo | None:
    if given is None or isinstance(given, Nbbo):
        return given
    bid, ask = (given["bid"], given["ask"]) if isinstance(given, Mapping) else given
    return Nbbo(bid=exact(bid), ask=exact(ask))


def _asked(
    order: Order, price: Number | None, adv: Number | None, best: Nbbo | None
) -> RoutedOrder:
    """The order as the router asks it. Raises ValueError without any price to count by."""
    kind = type_of(order.order_type)
    limit = None
    if kind in HAVE_LIMIT and order.limit_price is not None:
        limit = exact(order.limit_price)
    reference: Decimal | None = limit if price is None else exact(price)
    if reference is None and best is not None:
        reference = best.mid
    if reference is None:
        raise ValueError(f"{order.ticker} cannot be routed: no price is known to count costs by")
    return RoutedOrder(
        order_id=order.signal_id,
        symbol=order.ticker,
        side=side_of(order.side),
        type=kind,
        quantity=exact(order.qty),
        limit_price=limit,
        reference=reference,
        average_daily_volume=None if adv is None else exact(adv),
    )
