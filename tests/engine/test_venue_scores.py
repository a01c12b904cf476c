"""Fill probability, score and expected cost of a venue, by arithmetic of the test's own (A-464 to
A-468)."""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from engine.domain.order import OrderType, Side
from engine.reference.venues import FeeModel, FeeUnit, Venue, VenueType, us_equities
from engine.routing.cost import cost_of
from engine.routing.scores import (
    cost_terms,
    expected_ms,
    fill_probability,
    priority_of,
    score,
)
from engine.routing.terms import Nbbo, Priority, RoutedOrder, RoutingRules

NBBO = Nbbo(bid=Decimal("99.98"), ask=Decimal("100.02"))
NASDAQ = next(v for v in us_equities() if v.name == "NASDAQ")


def order(**given: Any) -> RoutedOrder:
    plain: dict[str, Any] = {
        "order_id": "o-1",
        "symbol": "AAPL",
        "side": Side.BUY,
        "type": OrderType.MARKET,
        "quantity": Decimal(1000),
        "reference": Decimal(100),
        "average_daily_volume": Decimal(1_000_000),
    }
    return RoutedOrder(**plain | given)


def venue(**given: Any) -> Venue:
    plain: dict[str, Any] = {
        "name": "X",
        "type": VenueType.LIT_EXCHANGE,
        "fee_model": FeeModel.MAKER_TAKER,
        "fee_unit": FeeUnit.UNIT,
        "maker": Decimal("-0.002"),
        "taker": Decimal("0.003"),
        "latency_ms": Decimal("0.8"),
        "fill_rate": Decimal("0.85"),
        "as_of": date(2026, 11, 30),
    }
    return Venue(**plain | given)


@pytest.mark.parametrize(
    ("side", "limit", "expected"),
    [
        (Side.BUY, "99.97", Priority.PASSIVE),
        (Side.BUY, "99.98", Priority.PASSIVE),
        (Side.BUY, "99.99", Priority.NEUTRAL),
        (Side.BUY, "100.01", Priority.NEUTRAL),
        (Side.BUY, "100.02", Priority.AGGRESSIVE),
        (Side.BUY, "100.03", Priority.AGGRESSIVE),
        (Side.SELL, "100.03", Priority.PASSIVE),
        (Side.SELL, "100.02", Priority.PASSIVE),
        (Side.SELL, "100.01", Priority.NEUTRAL),
        (Side.SELL, "99.99", Priority.NEUTRAL),
        (Side.SELL, "99.98", Priority.AGGRESSIVE),
        (Side.SELL, "99.97", Priority.AGGRESSIVE),
        (Side.SELL_SHORT, "99.98", Priority.AGGRESSIVE),
        (Side.SELL_SHORT, "100.02", Priority.PASSIVE),
    ],
)
def test_A467_D36_a_limit_is_as_aggressive_as_its_price(
    side: Side, limit: str, expected: Priority
) -> None:
    given = order(side=side, type=OrderType.LIMIT, limit_price=Decimal(limit))
    assert priority_of(given, NBBO) is expected


@pytest.mark.parametrize("side", Side)
def test_A467_D36_a_market_order_is_aggressive_on_both_sides(side: Side) -> None:
    assert priority_of(order(side=side), NBBO) is Priority.AGGRESSIVE
    assert priority_of(order(side=side, type=OrderType.STOP), None) is Priority.AGGRESSIVE


def test_A467_a_limit_without_best_prices_is_neutral() -> None:
    given = order(type=OrderType.LIMIT, limit_price=Decimal(500))
    assert priority_of(given, None) is Priority.NEUTRAL


@pytest.mark.parametrize(
    ("quantity", "volume", "priority", "expected"),
    [
        # 0.88 x (1 - 5 x 0.001) = 0.8756, and 0.10 more or 0.05 less
        ("1000", "1000000", Priority.NEUTRAL, "0.8756"),
        ("1000", "1000000", Priority.AGGRESSIVE, "0.9756"),
        ("1000", "1000000", Priority.PASSIVE, "0.8256"),
        # 1 - 5 x 0.2 = 0: nothing is left from a fifth of a day's volume on
        ("199999", "1000000", Priority.NEUTRAL, "0.0000044"),
        ("200000", "1000000", Priority.NEUTRAL, "0"),
        ("200001", "1000000", Priority.NEUTRAL, "0"),
        ("200001", "1000000", Priority.AGGRESSIVE, "0.10"),
        ("200001", "1000000", Priority.PASSIVE, "0"),
    ],
)
def test_A464_fill_probability(
    quantity: str, volume: str, priority: Priority, expected: str
) -> None:
    given = order(quantity=Decimal(quantity), average_daily_volume=Decimal(volume))
    assert fill_probability(NASDAQ, given, priority) == Decimal(expected)


def test_A464_is_never_above_one() -> None:
    given = order(average_daily_volume=None)
    assert fill_probability(venue(fill_rate=Decimal("0.95")), given, Priority.AGGRESSIVE) == 1


def test_A464_without_a_days_volume_the_size_is_not_counted() -> None:
    given = order(quantity=Decimal(10**9), average_daily_volume=None)
    assert fill_probability(NASDAQ, given, Priority.NEUTRAL) == Decimal("0.88")


def test_A464_expected_time_is_the_latency_and_the_latency_by_the_probability() -> None:
    assert expected_ms(venue(latency_ms=Decimal("0.5")), Decimal("0.8")) == Decimal("1.125")
    assert expected_ms(venue(latency_ms=Decimal("0.5")), Decimal(0)) is None
    assert expected_ms(venue(latency_ms=None), Decimal(1)) is None


def test_A466_the_least_fee_scores_one_and_the_greatest_nothing() -> None:
    assert cost_terms([Decimal("-0.002"), Decimal("0.0005"), Decimal("0.003")]) == [
        1,
        Decimal("0.5"),
        0,
    ]
    assert cost_terms([Decimal("0.003"), Decimal("0.003")]) == [1, 1]
    assert cost_terms([Decimal("-0.003")]) == [1]
    assert cost_terms([]) == []


def test_A466_D35_a_rebate_scores_above_the_fee_of_its_size() -> None:
    rebate, fee = cost_terms([Decimal("-0.003"), Decimal("0.003")])
    assert rebate > fee
    free, paid = cost_terms([Decimal(0), Decimal("0.0001")])
    assert free > paid


def test_A465_the_score_adds_its_five_terms() -> None:
    one = venue(price_improvement=Decimal("0.0004"), adverse_selection=Decimal("0.02"))
    expected = (
        Fraction(30, 100) * Fraction(9, 10)  # fills with 0.9
        + Fraction(25, 100) * Fraction(1, 4)  # the cost term
        + Fraction(15, 100) * (1 - Fraction(8, 10) / 10)  # 0.8 ms
        + Fraction(20, 100) * Fraction(4, 10)  # 4 bps of 10
        + Fraction(10, 100) * (1 - Fraction(2, 10))  # 0.02 of 0.10
    )
    assert Fraction(score(one, Decimal("0.9"), Decimal("0.25"))) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"latency_ms": Decimal("9.9")}, "0.1015"),
        ({"latency_ms": Decimal(10)}, "0.10"),
        ({"latency_ms": Decimal(11)}, "0.10"),
        ({"latency_ms": None}, "0.10"),
        ({"latency_ms": Decimal(10), "price_improvement": Decimal("0.001")}, "0.30"),
        ({"latency_ms": Decimal(10), "price_improvement": Decimal("0.002")}, "0.30"),
        ({"latency_ms": Decimal(10), "adverse_selection": Decimal("0.099")}, "0.001"),
        ({"latency_ms": Decimal(10), "adverse_selection": Decimal("0.10")}, "0"),
        ({"latency_ms": Decimal(10), "adverse_selection": Decimal("0.11")}, "0"),
    ],
)
def test_A465_no_term_leaves_its_range(given: dict[str, Any], expected: str) -> None:
    assert score(venue(**given), Decimal(0), Decimal(0)) == Decimal(expected)


def test_A468_the_cost_adds_its_five_parts() -> None:
    one = venue(price_improvement=Decimal("0.0001"))
    cost = cost_of(one, order(quantity=Decimal(10_000)), Priority.AGGRESSIVE, RoutingRules())
    # 10,000 at 100 are 1,000,000, one hundredth of a day's volume
    assert cost.fee == Decimal(30)
    assert cost.spread == Decimal(100)  # 1 bps
    assert cost.impact == Decimal(10_000)  # 0.1 x sqrt(0.01) = 100 bps
    assert cost.unfilled == Decimal(30)  # 15 % x 2 bps
    assert cost.improvement == Decimal(-100)  # 1 bps
    assert cost.total == 30 + 100 + 10_000 + 30 - 100


def test_A468_a_rebate_lowers_the_cost() -> None:
    passive = cost_of(NASDAQ, order(), Priority.PASSIVE, RoutingRules())
    assert passive.fee == Decimal("-2.5")
    neutral = cost_of(NASDAQ, order(), Priority.NEUTRAL, RoutingRules())
    assert neutral.fee == Decimal("-2.5")


def test_A468_a_slice_moves_the_price_as_its_order_does() -> None:
    whole = order(quantity=Decimal(10_000))
    rules = RoutingRules()
    parts = [cost_of(NASDAQ, whole, Priority.AGGRESSIVE, rules, Decimal(n)) for n in (2_500, 7_500)]
    together = cost_of(NASDAQ, whole, Priority.AGGRESSIVE, rules)
    assert sum(part.total for part in parts) == together.total


def test_A468_the_coefficients_are_rules() -> None:
    rules = RoutingRules(impact=Decimal(0), spread=Decimal("0.0010"), unfilled=Decimal(0))
    cost = cost_of(NASDAQ, order(), Priority.AGGRESSIVE, rules)
    assert (cost.fee, cost.spread, cost.impact, cost.unfilled) == (3, 50, 0, 0)
