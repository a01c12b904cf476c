"""Which venues an order goes to, how much to each, and why: one record of each decision (A-460,
A-471).

Where there is nothing to choose between, or nothing to judge it by, the order goes to its broker as
it is: a single route (A-472).
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Final

import msgspec

from engine.domain.money import ONE, ZERO, plain
from engine.reference.venues import Venue
from engine.routing.cost import Cost, cost_of
from engine.routing.scores import (
    cost_terms,
    expected_ms,
    fill_probability,
    priority_of,
    score,
)
from engine.routing.split import split
from engine.routing.terms import Nbbo, Priority, RoutedOrder, RoutingRules, Strategy

BROKER: Final = ""
"""The venue of a slice that goes to the broker, which sends it where it likes."""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One venue as it was judged for an order, all of which would go there."""

    venue: Venue
    score: Decimal = ZERO
    fill_probability: Decimal = ZERO
    expected_ms: Decimal | None = None
    """None: it is not expected to fill, or nobody knows when."""
    cost: Cost | None = None
    """None where it was not compared."""
    excluded: str = ""
    """Why it gets nothing, in words; "" where it may."""


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an order, for one venue; `BROKER` leaves the venue to the broker."""

    venue: str
    quantity: Decimal
    expected_cost: Decimal | None = None
    """In the currency of the instrument; None where the venue was not compared."""


class RoutingDecision(msgspec.Struct, frozen=True, kw_only=True):
    """The record of one decision: everything that it was made of, and what came out (A-471).

    The quantities of `slices` add up to that of `order`.
    """

    order: RoutedOrder
    strategy: Strategy
    priority: Priority
    nbbo: Nbbo | None
    candidates: tuple[Candidate, ...]
    slices: tuple[Slice, ...]
    reason: str

    @property
    def expected_cost(self) -> Decimal | None:
        """That of all slices; None where the order goes to its broker as it is."""
        costs = [one.expected_cost for one in self.slices]
        return None if None in costs else sum((c for c in costs if c is not None), start=ZERO)

    @property
    def passes_through(self) -> bool:
        """Whether the order goes to its broker as it is."""
        return self.slices[0].venue == BROKER


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What venues are judged by; `nbbo` is None where it is of no use."""

    order: RoutedOrder
    strategy: Strategy
    priority: Priority
    rules: RoutingRules
    nbbo: Nbbo | None
    quotes: Mapping[str, Nbbo]
    excluded: Mapping[str, str]

    @property
    def takes(self) -> bool:
        """Whether the order trades at once."""
        return self.priority is Priority.AGGRESSIVE


def route(
    order: RoutedOrder,
    venues: Sequence[Venue],
    *,
    strategy: Strategy = Strategy.SMART,
    nbbo: Nbbo | None = None,
    quotes: Mapping[str, Nbbo] | None = None,
    excluded: Mapping[str, str] | None = None,
    rules: RoutingRules | None = None,
) -> RoutingDecision:
    """Decide where an order goes.

    `venues` are those that the order can be sent to by name: none, where its broker offers no
    choice. `nbbo` are the best prices over all venues, `quotes` those of single venues by their
    name, as far as they are known; `excluded` says of a name why it may get nothing. Raises
    ValueError for an order with a number that can be none, and for two venues of one name.
    """
    if order.fault:
        raise ValueError(f"{order.symbol} cannot be routed: {order.fault}")
    names = [venue.name for venue in venues]
    if len(set(names)) < len(names):
        raise ValueError(f"two venues have one name: {', '.join(sorted(names))}")
    usable = nbbo if nbbo is not None and nbbo.is_usable else None
    asked = _Asked(
        order=order,
        strategy=strategy,
        priority=priority_of(order, usable),
        rules=rules or RoutingRules(),
        nbbo=usable,
        quotes=quotes or {},
        excluded=excluded or {},
    )
    candidates: tuple[Candidate, ...] = ()
    slices: tuple[Slice, ...] = (Slice(venue=BROKER, quantity=order.quantity),)
    if not venues:
        reason = "the broker offers no choice of venue"
    elif asked.rules.nbbo_check and usable is None:
        what = "not known" if nbbo is None else f"{nbbo.bid} to {nbbo.ask}, which are no prices"
        reason = f"nothing can be compared: the best bid and offer are {what}"
    else:
        candidates = _judged(asked, venues)
        able = [one for one in candidates if not one.excluded]
        if able:
            slices, reason = _sliced(asked, able)
        else:
            reason = "no venue may get anything of it"
    return RoutingDecision(
        order=order,
        strategy=strategy,
        priority=asked.priority,
        nbbo=nbbo,
        candidates=candidates,
        slices=slices,
        reason=reason,
    )


def _judged(asked: _Asked, venues: Sequence[Venue]) -> tuple[Candidate, ...]:
    """Every venue with its score, or with why it gets nothing; fees are compared among those that
    may get something."""
    order = asked.order
    excluded = {venue.name: _excluded(asked, venue) for venue in venues}
    able = [venue for venue in venues if not excluded[venue.name]]
    terms = cost_terms([venue.fee(order.reference, takes=asked.takes) for venue in able])
    term_of = {venue.name: term for venue, term in zip(able, terms, strict=True)}

    def judged(venue: Venue) -> Candidate:
        if excluded[venue.name]:
            return Candidate(venue=venue, excluded=excluded[venue.name])
        probability = fill_probability(venue, order, asked.priority)
        return Candidate(
            venue=venue,
            score=score(venue, probability, term_of[venue.name]),
            fill_probability=probability,
            expected_ms=expected_ms(venue, probability),
            cost=cost_of(venue, order, asked.priority, asked.rules),
        )

    return tuple(judged(venue) for venue in venues)


def _excluded(asked: _Asked, venue: Venue) -> str:
    """Why a venue gets nothing of the order; "" where it may (A-469)."""
    if why := asked.excluded.get(venue.name):
        return why
    if venue.fill_rate is None or venue.latency_ms is None:
        return "its fill rate and latency were not measured"
    own, nbbo = asked.quotes.get(venue.name), asked.nbbo
    if own is None or nbbo is None or not asked.rules.trade_through_prevention:
        return ""
    if not own.is_usable:
        return f"its bid and offer, {own.bid} and {own.ask}, are no prices"
    side = asked.order.side
    here, best = own.far(side), nbbo.far(side)
    if asked.takes and (here - best) * side.sign > 0:
        return f"its price of {plain(here)} is worse than the best one, {plain(best)}"
    return ""


def _sliced(asked: _Asked, able: list[Candidate]) -> tuple[tuple[Slice, ...], str]:
    """The slices of an order at the venues that may get something of it, and why in words.

    The quantity is shared out among the groups, and what a group gets within it.
    """
    order, rules = asked.order, asked.rules
    groups, why = _chosen(asked, able)
    shares = [group.share for group in groups]
    totals = split(order.quantity, shares, lot=order.lot, least=rules.min_slice)
    slices = []
    for group, total in zip(groups, totals, strict=True):
        if not total:
            continue
        parts = split(total, group.weights, lot=order.lot, least=rules.min_slice)
        for one, part in zip(group.members, parts, strict=True):
            if part:
                cost = cost_of(one.venue, order, asked.priority, rules, part).total
                slices.append(Slice(venue=one.venue.name, quantity=part, expected_cost=cost))
    return tuple(slices), why


class _Group(msgspec.Struct, frozen=True):
    """Venues that share a part of an order, each by its weight."""

    members: list[Candidate]
    weights: list[Decimal]
    share: Decimal = ONE


def _chosen(asked: _Asked, able: list[Candidate]) -> tuple[list[_Group], str]:
    """The venues that share the order, and why in words (A-470)."""
    order, rules = asked.order, asked.rules
    most = max(1, min(rules.max_venues, rules.max_slices))
    match asked.strategy:
        case Strategy.BEST_PRICE:
            best = min(able, key=partial(_by_price, asked))
            return [_Group([best], [ONE])], f"{best.venue.name} has the best price"
        case Strategy.LOWEST_COST:
            best = min(able, key=_by_cost)
            return [_Group([best], [ONE])], f"{best.venue.name} costs least"
        case Strategy.FASTEST_FILL:
            fitting = int(order.quantity // max(rules.min_slice, order.lot))
            fastest = sorted(able, key=_by_time)[: max(1, min(most, fitting))]
            equal = [ONE] * len(fastest)
            return [_Group(fastest, equal)], "equal slices where it fills soonest"
        case Strategy.SMART | Strategy.LOWEST_IMPACT:
            return _by_share(able, rules, most)


def _by_share(able: list[Candidate], rules: RoutingRules, most: int) -> tuple[list[_Group], str]:
    """The best venues by score: those that show no orders share `dark_share` by their scores, the
    others what is left; where there is only one of the two kinds it gets all."""
    ranked = sorted(able, key=lambda one: -one.score)
    lit = [one for one in ranked if one.venue.is_lit]
    dark = [one for one in ranked if not one.venue.is_lit]
    if not (lit and dark and rules.dark_share and most > 1):
        only = (lit or dark)[:most]
        alone = f"{only[0].venue.name} has the best score"
        return [_scored(only, ONE)], alone if len(only) == 1 else "shared by score"
    places = min(max(1, int(most * rules.dark_share)), most - 1)
    dark, share = dark[:places], rules.dark_share
    groups = [_scored(dark, share), _scored(lit[: most - len(dark)], ONE - share)]
    return groups, f"{plain(share * 100)} % where no orders are shown, the rest by score"


def _scored(members: list[Candidate], share: Decimal) -> _Group:
    return _Group(members, [one.score for one in members], share)


def _by_price(asked: _Asked, one: Candidate) -> tuple[Decimal, Decimal]:
    """Orders venues by the price that an order meets there, its improvement counted; equal prices
    by score. A venue whose own prices are not known has the best ones."""
    shown = asked.quotes.get(one.venue.name) or asked.nbbo
    sign = asked.order.side.sign
    price = asked.order.reference if shown is None else shown.far(asked.order.side)
    return price * (1 - sign * one.venue.price_improvement) * sign, -one.score


def _by_cost(one: Candidate) -> tuple[Decimal, Decimal]:
    return ZERO if one.cost is None else one.cost.total, -one.score


def _by_time(one: Candidate) -> tuple[bool, Decimal, Decimal]:
    return one.expected_ms is None, one.expected_ms or ZERO, -one.score
