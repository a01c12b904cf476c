"""Stock sizing: the published table literally, its bounds, and what it never does (T-02)."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.money import is_multiple
from engine.sizing.stock import ConvictionMode, SizedOrder, conviction_multiplier, size

D = Decimal


def sized(
    *,
    equity: str = "100000",
    entry: str = "100",
    stop: str = "95",
    conviction: int = 80,
    risk: str | None = "0.05",
    cap: str | None = "0.15",
    lot: str = "1",
    multiplier: str = "1",
    mode: ConvictionMode = "seed",
    market: str | None = None,
) -> SizedOrder:
    return size(
        equity=D(equity),
        entry=D(entry),
        stop=D(stop),
        conviction=conviction,
        risk_per_trade=None if risk is None else D(risk),
        single_name=None if cap is None else D(cap),
        lot=D(lot),
        multiplier=D(multiplier),
        mode=mode,
        market=None if market is None else D(market),
    )


def bounds(order: SizedOrder) -> dict[str, Decimal]:
    return {bound.name: bound.quantity for bound in order.bounds}


def test_the_worked_example_is_capped_at_150_for_both_convictions() -> None:
    """T-02, A-105: risk 5,000, raw 1,000, cap 150; the cap binds with and without the half."""
    high, medium = sized(conviction=80), sized(conviction=60)
    assert high.quantity == medium.quantity == 150
    assert high.risk_amount == 5_000
    assert bounds(high) == {"risk_per_trade": 1_000, "single_name": 150}
    assert bounds(medium) == {"risk_per_trade": 500, "single_name": 150}
    assert high.binding == medium.binding == "single_name"


def test_scaled_cap_halves_what_the_cap_leaves() -> None:
    """T-02, X-07: min(raw, cap) x multiplier."""
    assert sized(conviction=60, mode="scaled_cap").quantity == 75
    assert sized(conviction=80, mode="scaled_cap").quantity == 150


@pytest.mark.parametrize(
    ("stop", "floored", "distance"),
    [
        ("99.95", True, "0.02"),  # 0.0005
        ("99.9001", True, "0.02"),  # just below 0.001
        ("99.9", False, "0.001"),  # exactly 0.001 is not below it
        ("99.8999", False, "0.001001"),
    ],
)
def test_a_stop_closer_than_a_thousandth_counts_as_two_percent(
    stop: str, floored: bool, distance: str
) -> None:
    """T-02, A-101."""
    order = sized(stop=stop, cap=None)
    assert order.floored is floored
    assert order.stop_distance == D(distance)
    if floored:
        assert order.quantity == 2_500


def test_the_published_nvda_example_is_17_shares() -> None:
    """A-493: risk 5,000, stop distance 2.353 %, raw 250, cap 17."""
    order = sized(entry="850", stop="830", conviction=75)
    assert order.quantity == 17
    assert bounds(order) == {"risk_per_trade": 250, "single_name": 17}
    assert round(order.stop_distance, 5) == D("0.02353")


@pytest.mark.parametrize(
    ("conviction", "expected"),
    [(0, "0"), (30, "0"), (49, "0"), (50, "0.5"), (74, "0.5"), (75, "1"), (100, "1")],
)
def test_conviction_multiplier_at_its_boundaries(conviction: int, expected: str) -> None:
    """A-103, D-61: below 50 nothing is sized at all."""
    assert conviction_multiplier(conviction) == D(expected)
    assert (sized(conviction=conviction).quantity > 0) is (D(expected) > 0)


def test_a_share_dearer_than_the_cap_is_not_forced_to_one() -> None:
    """T-02, A-104: a 50,000 share on a 10,000 account is size zero."""
    order = sized(equity="10000", entry="50000", stop="49000")
    assert order.quantity == 0
    assert order.binding == "single_name"


def test_the_first_leg_is_whole_where_there_is_no_second() -> None:
    """X-70: no further half for a limit order."""
    assert sized(conviction=60, cap=None).quantity == 500


def test_short_sizes_as_long() -> None:
    assert sized(stop="105", cap=None).quantity == sized(stop="95", cap=None).quantity == 1_000


def test_truncated_to_the_lot_never_rounded_up() -> None:
    """A-104, U-01."""
    assert sized(entry="99", stop="96", cap="0.1").quantity == 101
    assert sized(entry="99", stop="96", cap="0.1", lot="100").quantity == 100
    assert sized(entry="7", stop="6", cap="0.1", lot="0.001").quantity == D("1428.571")


def test_a_multiplier_makes_units_dearer() -> None:
    """U-01: one contract of multiplier 50 is worth 50 units."""
    assert sized(multiplier="50").quantity == 3


def test_without_any_limit_nothing_is_bought() -> None:
    """U-53: no bound at all is no size."""
    assert sized(risk=None, cap=None).quantity == 0
    assert sized(risk=None).quantity == 150


def test_a_market_that_ran_away_from_the_stop_bounds_the_size_further() -> None:
    """A-108: the risk is that of the price that is paid."""
    here, away = sized(cap=None, market="100"), sized(cap=None, market="105")
    assert here.quantity == 1_000
    assert away.quantity == 500
    assert away.binding == "risk_at_market"
    assert sized(cap=None, market="98").quantity == 1_000


@given(
    equity=st.decimals("1000", "10000000", places=2),
    entry=st.decimals("0.5", "5000", places=2),
    gap=st.decimals("0.0005", "0.5", places=4),
    conviction=st.integers(0, 100),
    mode=st.sampled_from(["seed", "scaled_cap"]),
    risk=st.decimals("0.001", "0.05", places=3),
    cap=st.decimals("0.01", "0.25", places=2),
    lot=st.sampled_from(["1", "100", "0.001"]),
)
def test_no_bound_is_ever_exceeded(
    *,
    equity: Decimal,
    entry: Decimal,
    gap: Decimal,
    conviction: int,
    mode: ConvictionMode,
    risk: Decimal,
    cap: Decimal,
    lot: str,
) -> None:
    """U-15: on the grid, not negative, within every bound, and one of them named."""
    order = size(
        equity=equity,
        entry=entry,
        stop=entry * (1 - gap),
        conviction=conviction,
        risk_per_trade=risk,
        single_name=cap,
        lot=D(lot),
        mode=mode,
    )
    assert order.quantity >= 0
    assert is_multiple(order.quantity, D(lot))
    assert all(order.quantity <= bound.quantity for bound in order.bounds)
    assert order.binding in bounds(order)
    assert order.quantity * entry <= cap * equity
    if conviction < 50:
        assert order.quantity == 0
