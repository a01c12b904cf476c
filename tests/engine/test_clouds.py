"""EMA clouds on completed bars: A-140…A-145, X-38, E-03, the flip edge of T-04 and D-09."""

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.indicators.clouds import (
    FOUR_LAYERS,
    PERIODS,
    CloudPlace,
    Clouds,
    CloudSnapshot,
    CloudState,
    Layer,
    PriceSource,
    Slope,
)

FIVE_LAYERS = (*FOUR_LAYERS, Layer.LONG_TERM)


def closes(clouds: Clouds, *prices: float) -> CloudSnapshot:
    """Feed bars that are one price each."""
    for price in prices:
        clouds.update(price, price, price)
    assert clouds.current is not None
    return clouds.current


def closed_form(prices: Sequence[float], period: int) -> float:
    """The exponential average written out as one weighted sum, oldest price as the seed."""
    alpha = 2 / (period + 1)
    total = (1 - alpha) ** (len(prices) - 1) * prices[0]
    for age, price in enumerate(reversed(prices[1:])):
        total += alpha * (1 - alpha) ** age * price
    return total


def test_A140_the_names_and_periods_of_the_layers() -> None:
    assert PERIODS == {
        Layer.FAST: (5, 12),
        Layer.PULLBACK: (8, 9),
        Layer.TREND: (20, 21),
        Layer.MACRO: (34, 50),
        Layer.LONG_TERM: (72, 89),
    }
    assert [state.layer for state in closes(Clouds(), 10).states] == list(FOUR_LAYERS)


def test_A142_three_bars_computed_by_hand() -> None:
    """Fast cloud, α = 1/3 and 2/13: 10, 31/3, 98/9 and 10, 132/13, 1764/169."""
    fast = closes(Clouds(), 10, 11, 12)[Layer.FAST]
    assert fast.short == pytest.approx(98 / 9, rel=1e-15)
    assert fast.long == pytest.approx(1764 / 169, rel=1e-15)
    assert fast.thickness == pytest.approx((98 / 9 - 1764 / 169) / 12, rel=1e-13)
    assert (fast.upper, fast.lower) == (fast.short, fast.long)
    assert fast.bullish is True


@given(st.lists(st.floats(0.5, 2.0), min_size=1, max_size=120))
def test_A142_the_stream_agrees_with_the_closed_form(prices: list[float]) -> None:
    snapshot = closes(Clouds(layers=FIVE_LAYERS), *prices)
    for state in snapshot.states:
        short, long = PERIODS[state.layer]
        assert state.short == pytest.approx(closed_form(prices, short), rel=1e-12)
        assert state.long == pytest.approx(closed_form(prices, long), rel=1e-12)


@pytest.mark.parametrize(("layers", "needed"), [(FOUR_LAYERS, 52), (FIVE_LAYERS, 91)])
def test_A142_ready_after_the_longest_period_and_two_more(
    layers: tuple[Layer, ...], needed: int
) -> None:
    clouds = Clouds(layers=layers)
    assert not closes(clouds, *[10.0] * (needed - 1)).ready
    assert closes(clouds, 10.0).ready


def test_A141_X38_close_is_the_default_and_hl2_the_choice() -> None:
    by_close, by_middle = Clouds(), Clouds(PriceSource.HL2)
    for high, low, close in ((12.0, 8.0, 11.0), (14.0, 10.0, 13.0)):
        by_close.update(high, low, close)
        by_middle.update(high, low, close)
    assert by_close.current is not None
    assert by_middle.current is not None
    assert by_close.current[Layer.FAST].short == pytest.approx(11 + 2 / 3)
    assert by_middle.current[Layer.FAST].short == pytest.approx(10 + 2 / 3)
    assert by_middle.current.close == 13


def test_A143_inside_includes_the_edges() -> None:
    clouds = Clouds()
    assert {state.place for state in closes(clouds, 10, 10).states} == {CloudPlace.INSIDE}
    assert {state.place for state in closes(clouds, 10.0001).states} == {CloudPlace.ABOVE}
    assert {state.place for state in closes(clouds, 9).states} == {CloudPlace.BELOW}


def _state(slope: float) -> CloudState:
    state = closes(Clouds(), 10)[Layer.FAST]
    return msgspec.structs.replace(state, slope=slope)


@pytest.mark.parametrize(
    ("slope", "trend"),
    [
        (0.001, Slope.FLAT),
        (0.001000001, Slope.RISING),
        (-0.001, Slope.FLAT),
        (-0.001000001, Slope.FALLING),
        (0.0, Slope.FLAT),
    ],
)
def test_A143_a_slope_counts_beyond_a_thousandth(slope: float, trend: Slope) -> None:
    assert _state(slope).trend is trend


def test_A143_the_slope_spans_five_bars_of_the_middle() -> None:
    clouds = Clouds()
    middles = []
    for bar in range(60):
        fast = closes(clouds, 100 + bar % 7 + bar)[Layer.FAST]
        middles.append((fast.short + fast.long) / 2)
        if bar < 5:
            assert fast.slope == 0
        else:
            assert fast.slope == pytest.approx((middles[-1] / middles[-6] - 1) / 5, rel=1e-9)


def test_A144_T04_a_touch_carries_the_colour_and_is_no_flip() -> None:
    clouds = Clouds()
    assert closes(clouds, *[100 + bar for bar in range(60)])[Layer.FAST].bullish is True
    for _ in range(2000):  # both averages meet at the price, closer than the touch
        snapshot = closes(clouds, 159.0)
        assert snapshot.flips == ()
    fast = snapshot[Layer.FAST]
    assert abs(fast.short - fast.long) < 1e-9 * 159
    assert fast.bullish is True
    assert closes(clouds, 160.0).flips == ()
    flipped = [layer for _ in range(60) for layer in closes(clouds, 150.0).flips]
    assert sorted(flipped) == sorted(FOUR_LAYERS)


def test_A144_no_colour_before_the_averages_part_and_the_first_is_no_flip() -> None:
    clouds = Clouds()
    assert closes(clouds, *[10.0] * 60)[Layer.FAST].bullish is None
    snapshot = closes(clouds, 9.0)
    assert snapshot[Layer.FAST].bullish is False
    assert snapshot.flips == ()


def test_T04_D09_a_flip_is_said_on_its_bar_only() -> None:
    """A state that is still against a position is no new edge (D-09)."""
    clouds = Clouds()
    closes(clouds, *[100 + bar for bar in range(60)])
    edges = []
    for bar in range(40):
        snapshot = closes(clouds, 150.0 - bar)
        if Layer.FAST in snapshot.flips:
            edges.append(bar)
    assert len(edges) == 1
    assert snapshot[Layer.FAST].bullish is False


@given(st.lists(st.floats(0.5, 2.0), min_size=2, max_size=200))
def test_T04_flips_are_exactly_the_changes_of_colour(prices: list[float]) -> None:
    clouds = Clouds()
    before: CloudSnapshot | None = None
    for price in prices:
        snapshot = closes(clouds, price)
        assert clouds.previous == before
        for index, state in enumerate(snapshot.states):
            colour = None if before is None else before.states[index].bullish
            assert state.flipped == (colour is not None and colour is not state.bullish)
        before = snapshot


def test_A146_a_cross_leaves_the_cloud_from_within_or_the_edge() -> None:
    clouds = Clouds()
    assert closes(clouds, *[10.0] * 5)[Layer.FAST].crossed == 0
    assert closes(clouds, 10.5)[Layer.FAST].crossed == 1  # the close before lay on the edge
    assert closes(clouds, 10.6)[Layer.FAST].crossed == 0  # already outside
    assert closes(clouds, 9.0)[Layer.FAST].crossed == -1  # through the whole cloud
    assert closes(clouds, 8.9)[Layer.FAST].crossed == 0


def test_A146_aligned_wants_every_colour_and_the_close_beyond_every_cloud() -> None:
    clouds = Clouds()
    assert closes(clouds, *[100 + bar for bar in range(60)]).aligned == 1
    inside = closes(clouds, clouds.current[Layer.TREND].upper if clouds.current else 0)
    assert all(state.bullish for state in inside.states)
    assert inside.aligned == 0
    assert closes(clouds, *[100 - bar / 2 for bar in range(120)]).aligned == -1


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 0.0, -1.0])
def test_a_price_that_is_none_is_refused_and_leaves_no_trace(bad: float) -> None:
    clouds = Clouds()
    closes(clouds, 10, 11)
    before = clouds.current
    for prices in ((bad, 10, 10), (10, bad, 10), (10, 10, bad)):
        with pytest.raises(ValueError, match="finite number above 0"):
            clouds.update(*prices)
    assert clouds.current is before
    after = closes(clouds, 12)
    assert after == closes(Clouds(), 10, 11, 12)


def test_a_layer_that_is_not_followed_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        closes(Clouds(), 10)[Layer.LONG_TERM]
