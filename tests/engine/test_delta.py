"""By how much an option moves with its underlying (A-084)."""

from decimal import Decimal
from math import log
from statistics import NormalDist

import pytest

from engine.domain.instruments.delta import call_delta

D = Decimal
NORMAL = NormalDist()


@pytest.mark.parametrize(
    # at the money: (1 + price / spot) / 2
    ("price", "delta"),
    [("0.02", "0.5001"), ("10", "0.55"), ("20", "0.6"), ("50", "0.75"), ("99.98", "0.9999")],
)
def test_at_the_money_its_price_tells_it_by_hand(price: str, delta: str) -> None:
    assert call_delta(D(price), D(100), D(100)) == D(delta)


def _priced(strike: int, w: float) -> tuple[float, float]:
    """What a call on an underlying at 100 is worth, and its delta."""
    far = log(100 / strike) / w + w / 2
    return 100 * NORMAL.cdf(far) - strike * NORMAL.cdf(far - w), NORMAL.cdf(far)


def _shown() -> list[tuple[int, float]]:
    """Strikes and volatilities whose price says more than exercising would bring, by a cent."""
    grid = [(k, w) for k in (50, 80, 95, 100, 105, 120, 200) for w in (0.05, 0.1, 0.2, 0.5, 1, 3)]
    return [(k, w) for k, w in grid if _priced(k, w)[0] - max(100 - k, 0) >= 0.01]


@pytest.mark.parametrize(("strike", "w"), _shown())
def test_the_price_that_a_volatility_makes_tells_its_delta(strike: int, w: float) -> None:
    price, delta = _priced(strike, w)
    assert abs(float(call_delta(D(repr(price)), D(100), D(strike))) - delta) <= 0.0001


@pytest.mark.parametrize(
    ("price", "delta_is_one"),
    # exercising it brings 20; it cannot be worth more than its underlying
    [("19.99", True), ("20", True), ("21", False), ("90", False), ("100", True), ("101", True)],
)
def test_what_no_volatility_explains_moves_as_its_underlying(
    *, price: str, delta_is_one: bool
) -> None:
    assert (call_delta(D(price), D(100), D(80)) == 1) is delta_is_one


@pytest.mark.parametrize("price", ["0.01", "0.00000001"])
def test_the_smallest_price_far_from_the_money_hardly_moves(price: str) -> None:
    assert 0 <= call_delta(D(price), D(100), D(1_000_000)) <= D("0.01")
