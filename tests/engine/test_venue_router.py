"""Where an order goes: nothing lost, nothing invented, and one record of why (A-460 to A-472)."""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.order import Fill, OrderType, Side
from engine.reference.venues import FeeModel, FeeUnit, Venue, VenueType, us_equities
from engine.routing.realised import realised
from engine.routing.split import largest_remainder, split
from engine.routing.terms import Nbbo, Priority, RoutedOrder, RoutingRules, Strategy
from engine.routing.venue_router import BROKER, RoutingDecision, route

NBBO = Nbbo(bid=Decimal("99.98"), ask=Decimal("100.02"))


def order(quantity: str | Decimal = "5000", **given: Any) -> RoutedOrder:
    plain: dict[str, Any] = {
        "order_id": "o-1",
        "symbol": "AAPL",
        "side": Side.BUY,
        "type": OrderType.MARKET,
        "quantity": Decimal(quantity),
        "reference": Decimal(100),
        "average_daily_volume": Decimal(1_000_000),
    }
    return RoutedOrder(**plain | given)


def venue(name: str, **given: Any) -> Venue:
    plain: dict[str, Any] = {
        "type": VenueType.LIT_EXCHANGE,
        "fee_model": FeeModel.MAKER_TAKER,
        "fee_unit": FeeUnit.UNIT,
        "maker": Decimal("-0.002"),
        "taker": Decimal("0.003"),
        "latency_ms": Decimal("0.8"),
        "fill_rate": Decimal("0.85"),
        "as_of": date(2026, 11, 30),
    }
    return Venue(name=name, **plain | given)


def numbers(text: str) -> list[Decimal]:
    return [Decimal(number) for number in text.split()]


def sent(decision: RoutingDecision) -> dict[str, Decimal]:
    return {one.venue: one.quantity for one in decision.slices}


def routed(quantity: str, strategy: Strategy, **rules: Any) -> RoutingDecision:
    rule = RoutingRules(**rules)
    return route(order(quantity), us_equities(), strategy=strategy, nbbo=NBBO, rules=rule)


# --- the split ------------------------------------------------------------------------------------

positive = st.decimals(
    min_value="0.00000001", max_value="1000000000", allow_nan=False, allow_infinity=False, places=8
)
lots = st.sampled_from(numbers("1 100 0.01 0.00000001 2.5 7"))
weights = st.lists(
    st.decimals(min_value=0, max_value=1, allow_nan=False, places=12), min_size=1, max_size=12
)


@settings(max_examples=400, deadline=None)
@given(quantity=positive, parts=weights, lot=lots, least=positive)
def test_T12_slices_add_up_and_none_is_too_small(
    quantity: Decimal, parts: list[Decimal], lot: Decimal, least: Decimal
) -> None:
    slices = split(quantity, parts, lot=lot, least=least)
    assert len(slices) == len(parts)
    assert sum(map(Fraction, slices)) == Fraction(quantity)
    filled = [part for part in slices if part]
    assert all(part > 0 for part in filled)
    # The remainder rule: only an order that goes to one place is smaller than the least slice.
    assert len(filled) == 1 or all(part >= least for part in filled)
    no_lots = [part for part in filled if Fraction(part) % Fraction(lot)]
    assert len(no_lots) == (1 if Fraction(quantity) % Fraction(lot) else 0)


@settings(max_examples=200, deadline=None)
@given(units=st.integers(0, 10**9), parts=weights)
def test_T12_the_largest_remainder_is_within_one_unit_of_its_share(
    units: int, parts: list[Decimal]
) -> None:
    shares = largest_remainder(units, parts)
    assert sum(shares) == units
    exact = [Fraction(part) for part in parts] if any(parts) else [Fraction(1)] * len(parts)
    for share, part in zip(shares, exact, strict=True):
        assert abs(share - units * part / sum(exact)) < 1


def test_A470_the_largest_remainder_by_hand() -> None:
    # 10 x (0.45, 0.35, 0.20) = 4.5, 3.5, 2.0: of equal remainders the first gets the unit.
    assert largest_remainder(10, [Decimal("0.45"), Decimal("0.35"), Decimal("0.20")]) == [5, 3, 2]
    # 7 x 1/3 = 2.33 each.
    assert largest_remainder(7, [Decimal(1), Decimal(1), Decimal(1)]) == [3, 2, 2]
    assert largest_remainder(3, [Decimal(0), Decimal(0)]) == [2, 1]
    assert largest_remainder(0, [Decimal(1), Decimal(2)]) == [0, 0]


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        ("99", [99, 0, 0]),  # below the least slice: one place gets it
        ("100", [100, 0, 0]),
        ("199", [199, 0, 0]),
        ("200", [100, 100, 0]),
        ("299", [150, 149, 0]),
        ("300", [100, 100, 100]),
        ("301", [101, 100, 100]),
    ],
)
def test_A469_below_at_and_above_the_least_slice(quantity: str, expected: list[int]) -> None:
    thirds = [Decimal(1)] * 3
    assert list(split(Decimal(quantity), thirds, lot=Decimal(1), least=Decimal(100))) == expected


def test_A470_what_is_no_whole_lot_goes_to_the_largest_slice() -> None:
    lot, parts = Decimal(1), numbers("1 2")
    assert [*split(Decimal("10.75"), parts, lot=lot, least=lot)] == numbers("3 7.75")
    assert [*split(Decimal("0.4"), parts, lot=lot, least=Decimal("0.1"))] == numbers("0 0.4")


def test_A470_a_weight_of_nothing_gets_nothing() -> None:
    lot = Decimal(1)
    assert split(Decimal(10), numbers("0 1 1"), lot=lot, least=lot) == (0, 5, 5)


@pytest.mark.parametrize(
    ("quantity", "weights", "lot"), [("0", "1", "1"), ("1", "", "1"), ("1", "1", "0")]
)
def test_what_cannot_be_split_is_refused(quantity: str, weights: str, lot: str) -> None:
    with pytest.raises(ValueError, match="cannot be split by the weights"):
        split(Decimal(quantity), numbers(weights), lot=Decimal(lot), least=Decimal(1))


def test_A470_a_quantity_with_more_digits_than_a_sum_has_is_kept_whole() -> None:
    quantity = Decimal("123456789012345.123456789012345678")
    slices = split(quantity, numbers("1 1 1"), lot=Decimal("1e-18"), least=Decimal(1))
    assert sum(map(Fraction, slices)) == Fraction(quantity)


# --- the router -----------------------------------------------------------------------------------


def drawn(name: int, numbers: tuple[int, ...]) -> Venue:
    """A venue of small whole numbers: cheap to draw on a busy machine. The first two measure
    nothing where they are 0."""
    latency, filled, type_, maker, taker, improved, adverse = numbers
    return venue(
        f"V{name}",
        latency_ms=Decimal(latency - 1) / 10 if latency else None,
        fill_rate=Decimal(filled - 1) / 100 if filled else None,
        type=[*VenueType][type_],
        maker=Decimal(-maker) / 10_000,
        taker=Decimal(taker) / 10_000,
        price_improvement=Decimal(improved) / 10_000,
        adverse_selection=Decimal(adverse) / 100,
    )


venues = st.lists(
    st.tuples(*[st.integers(0, most) for most in (200, 101, 4, 30, 30, 20, 20)]), max_size=10
).map(lambda rows: [drawn(place, row) for place, row in enumerate(rows)])


@settings(max_examples=150, deadline=None)
@given(
    quantity=positive,
    among=venues,
    lot=lots,
    strategy=st.sampled_from(Strategy),
    nbbo=st.sampled_from([NBBO, None]),
    rules=st.builds(
        RoutingRules,
        max_venues=st.integers(1, 6),
        max_slices=st.integers(1, 6),
        min_slice=positive,
        dark_share=st.decimals(0, 1, places=2),
        nbbo_check=st.booleans(),
    ),
)
def test_T12_D37_no_order_gains_or_loses_by_being_routed(  # noqa: PLR0917 - drawn by name
    quantity: Decimal,
    among: list[Venue],
    lot: Decimal,
    strategy: Strategy,
    nbbo: Nbbo | None,
    rules: RoutingRules,
) -> None:
    asked = order(quantity, lot=lot)
    decision = route(asked, among, strategy=strategy, nbbo=nbbo, rules=rules)
    slices = decision.slices
    assert sum(Fraction(one.quantity) for one in slices) == Fraction(quantity)
    assert len(slices) <= min(rules.max_venues, rules.max_slices)
    assert len(slices) == 1 or all(one.quantity >= rules.min_slice for one in slices)
    names = [one.venue for one in slices]
    assert len(set(names)) == len(names)
    measured = {v.name for v in among if v.fill_rate is not None and v.latency_ms is not None}
    assert set(names) <= measured or names == [BROKER]
    assert (names == [BROKER]) == (not measured or (nbbo is None and rules.nbbo_check))
    assert decision.passes_through == (names == [BROKER])
    assert decision.reason


@settings(max_examples=100, deadline=None)
@given(quantity=st.integers(1, 10**6), among=venues)
def test_A470_no_more_than_its_share_goes_where_no_orders_are_shown(
    quantity: int, among: list[Venue]
) -> None:
    there = [venue("LIT"), *among]
    decision = route(order(str(quantity)), there, nbbo=NBBO)
    shown = {v.name for v in there if v.is_lit}
    dark = sum(one.quantity for one in decision.slices if one.venue not in shown)
    assert dark < Decimal("0.30") * quantity + 1


@pytest.mark.parametrize("strategy", Strategy)
@pytest.mark.parametrize("quantity", ["5000", "20000", "5003"])
def test_D37_the_orders_that_the_published_router_lost_a_part_of(
    quantity: str, strategy: Strategy
) -> None:
    # It routed 3,729 of 5,000, 14,920 of 20,000 and 5,000 of 5,003.
    assert sum(sent(routed(quantity, strategy)).values()) == Decimal(quantity)


def test_A470_equal_slices_where_it_fills_soonest() -> None:
    # latency + latency / p at p = fill rate x 0.975 + 0.10: MEMX .3, BZX .4, NASDAQ .5, BYX .5
    # and ARCA .6 are the five soonest; 3 of 5,003 are left over, and the first three get them.
    assert sent(routed("5003", Strategy.FASTEST_FILL)) == {
        "MEMX": 1001,
        "BZX": 1001,
        "NASDAQ": 1001,
        "BYX": 1000,
        "ARCA": 1000,
    }


def test_A470_equal_slices_are_no_more_than_fit() -> None:
    assert sent(routed("299", Strategy.FASTEST_FILL)) == {"MEMX": 150, "BZX": 149}
    assert sent(routed("99", Strategy.FASTEST_FILL)) == {"MEMX": 99}


def test_A470_smart_sends_three_tenths_where_no_orders_are_shown() -> None:
    found = sent(routed("20000", Strategy.SMART))
    assert found["DARK_MIDPOINT"] == 6000
    assert len(found) == 5
    assert sent(routed("20000", Strategy.LOWEST_IMPACT)) == found


@pytest.mark.parametrize(("quantity", "dark"), [("331", 0), ("332", 100), ("340", 102)])
def test_A470_where_no_orders_are_shown_nothing_goes_that_is_less_than_a_slice(
    quantity: str, dark: int
) -> None:
    found = sent(routed(quantity, Strategy.SMART))  # 0.3 x 331 = 99.3, x 332 = 99.6
    assert found.get("DARK_MIDPOINT", 0) == dark
    assert sum(found.values()) == int(quantity)


def test_A470_the_lit_part_is_shared_by_score() -> None:
    one = venue("A", fill_rate=Decimal("0.90"), taker=Decimal("0.003"))
    other = venue("B", fill_rate=Decimal("0.50"), taker=Decimal("0.003"))
    decision = route(order("10000"), [one, other], nbbo=NBBO)
    scores = {c.venue.name: Fraction(c.score) for c in decision.candidates}
    expected = 10_000 * scores["A"] / (scores["A"] + scores["B"])
    assert abs(Fraction(sent(decision)["A"]) - expected) < 1


def test_A470_single_venues() -> None:
    assert sent(routed("5000", Strategy.LOWEST_COST)) == {"BYX": 5000}  # it pays who takes
    assert len(routed("5000", Strategy.BEST_PRICE).slices) == 1


@pytest.mark.parametrize(
    ("side", "cheaper"), [(Side.BUY, "A"), (Side.SELL, "B"), (Side.SELL_SHORT, "B")]
)
def test_A460_the_best_price_is_the_one_of_the_side(side: Side, cheaper: str) -> None:
    quotes = {
        "A": Nbbo(bid=Decimal("99.90"), ask=Decimal("100.02")),
        "B": Nbbo(bid=Decimal("99.98"), ask=Decimal("100.10")),
    }
    rules = RoutingRules(trade_through_prevention=False)
    decision = route(
        order(side=side),
        [venue("A"), venue("B")],
        strategy=Strategy.BEST_PRICE,
        nbbo=NBBO,
        quotes=quotes,
        rules=rules,
    )
    assert sent(decision) == {cheaper: 5000}


@pytest.mark.parametrize(
    ("asks", "expected"),
    [
        ({"A": "100.01"}, {"A", "B"}),
        ({"A": "100.02"}, {"A", "B"}),
        ({"A": "100.03"}, {"B"}),
        ({"A": "100.03", "B": "100.03"}, {BROKER}),
    ],
)
def test_A469_no_part_trades_through_the_best_price(
    asks: dict[str, str], expected: set[str]
) -> None:
    quotes = {name: Nbbo(bid=Decimal("99.98"), ask=Decimal(ask)) for name, ask in asks.items()}
    decision = route(order(), [venue("A"), venue("B")], nbbo=NBBO, quotes=quotes)
    assert set(sent(decision)) == expected


def test_A469_an_order_that_waits_trades_through_nothing() -> None:
    waits = order(type=OrderType.LIMIT, limit_price=Decimal("99.98"))
    quotes = {"A": Nbbo(bid=Decimal("99.98"), ask=Decimal("100.03"))}
    decision = route(waits, [venue("A"), venue("B")], nbbo=NBBO, quotes=quotes)
    assert decision.priority is Priority.PASSIVE
    assert set(sent(decision)) == {"A", "B"}


@pytest.mark.parametrize(
    "nbbo",
    [
        None,
        Nbbo(bid=Decimal("100.03"), ask=Decimal("100.02")),
        Nbbo(bid=Decimal(0), ask=Decimal("100.02")),
        Nbbo(bid=Decimal("NaN"), ask=Decimal("100.02")),
    ],
)
def test_A469_without_best_prices_nothing_is_compared(nbbo: Nbbo | None) -> None:
    decision = route(order(), us_equities(), nbbo=nbbo)
    assert decision.passes_through
    assert decision.reason.startswith("nothing can be compared: the best bid and offer are ")
    assert decision.expected_cost is None
    unchecked = route(order(), us_equities(), nbbo=nbbo, rules=RoutingRules(nbbo_check=False))
    assert not unchecked.passes_through


def test_A472_a_broker_without_a_choice_of_venue_gets_the_order_as_it_is() -> None:
    decision = route(order(), [], nbbo=NBBO)
    assert sent(decision) == {BROKER: 5000}
    assert decision.passes_through
    assert decision.expected_cost is None
    assert decision.reason == "the broker offers no choice of venue"


def test_A471_the_record_holds_what_the_decision_was_made_of() -> None:
    decision = routed("5000", Strategy.SMART)
    assert decision.nbbo == NBBO
    assert decision.order.order_id == "o-1"
    assert decision.priority is Priority.AGGRESSIVE
    assert [c.venue.name for c in decision.candidates] == [v.name for v in us_equities()]
    left_out = {c.venue.name: c.excluded for c in decision.candidates if c.excluded}
    assert left_out == dict.fromkeys(
        ("EDGX", "EDGA"), "its fill rate and latency were not measured"
    )
    assert decision.expected_cost == sum(s.expected_cost or 0 for s in decision.slices)
    assert decision.reason == "30 % where no orders are shown, the rest by score"
    again = msgspec.json.decode(msgspec.json.encode(decision), type=RoutingDecision)
    assert again == decision


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"quantity": Decimal(0)}, "quantity is 0"),
        ({"quantity": Decimal("NaN")}, "quantity is NaN"),
        ({"reference": Decimal("-1")}, "reference is -1"),
        ({"lot": Decimal(0)}, "lot is 0"),
        ({"average_daily_volume": Decimal(0)}, "average_daily_volume is 0"),
        ({"type": OrderType.LIMIT}, "limit_price is None"),
    ],
)
def test_a_number_that_can_be_none_is_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=f"AAPL cannot be routed: {says}; a number above 0"):
        route(msgspec.structs.replace(order(), **given), us_equities(), nbbo=NBBO)


def test_two_venues_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two venues have one name"):
        route(order(), [venue("A"), venue("A")], nbbo=NBBO)


# --- what it came to ------------------------------------------------------------------------------


def fill(quantity: str, price: str, commission: str, currency: str = "") -> Fill:
    return Fill(
        execution_id=quantity,
        client_order_id="o-1",
        account="x",
        symbol="AAPL",
        side=Side.BUY,
        quantity=Decimal(quantity),
        price=Decimal(price),
        commission=Decimal(commission),
        commission_currency=currency,
        time=1,
    )


def test_A471_the_fills_are_compared_with_what_was_expected() -> None:
    decision = route(order("5000"), [venue("A")], nbbo=NBBO)
    told = realised(decision, [fill("1000", "100.02", "3"), fill("1500", "100.05", "4")], "USD")
    assert told.quantity == 2500
    assert told.commission == 7
    assert told.slippage == Decimal("0.02") * 1000 + Decimal("0.05") * 1500
    assert told.cost == 7 + 20 + 75
    assert decision.expected_cost is not None
    assert told.expected == decision.expected_cost / 2


def test_A471_a_sale_below_the_middle_costs() -> None:
    decision = route(order("5000", side=Side.SELL), [], nbbo=NBBO)
    told = realised(decision, [fill("1000", "99.98", "0")], "USD")
    assert (told.slippage, told.expected) == (20, None)


def test_A471_commission_in_another_asset_is_named_and_not_added() -> None:
    decision = route(order("5000"), [], nbbo=None)
    told = realised(
        decision, [fill("10", "100", "0.5", "BNB"), fill("1", "101", "1", "USD")], "USD"
    )
    assert (told.commission, told.slippage) == (1, 1)
    assert told.other_commission == (("BNB", Decimal("0.5")),)
