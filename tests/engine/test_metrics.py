"""The figures of a result, each worked by hand here (A-394, A-421, A-423, D-30).

The arithmetic is `fractions` and `statistics`, which share nothing with the library.
"""

import itertools
import statistics
from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.analytics.metrics import (
    calmar,
    grouped,
    performance_of,
    returns_of,
    sharpe,
    sortino,
    statistics_of,
)
from engine.domain.position import RoundTrip
from engine.domain.signal import TradeType

D = Decimal
YEAR = 252


def days(*ends: str) -> list[tuple[Decimal, Decimal]]:
    """Days that each begin with what the one before left."""
    amounts = list(map(D, ends))
    return list(itertools.pairwise(amounts))


def trip(pnl: str, r: str | None = None, signal_type: str = "cross", **more: object) -> RoundTrip:
    """A finished trade that came to so much after commission."""
    plain = RoundTrip(
        trade_id="t", position_id="p", symbol="AAA", direction="long", trade_type=TradeType.DAY,
        quantity=D(1), entry_price=D(100), exit_price=D(100), entry_time=0, exit_time=1,
        exit_reason="target", pnl=D(pnl), pnl_pct=D(0), fees=D(0),
        r_multiple=None if r is None else D(r), mae=None, mfe=None, signal_id="s",
        signal_type=signal_type, account="a",
    )  # fmt: skip
    return msgspec.structs.replace(plain, **more)


# --- of days


def test_a_return_is_a_fraction_of_what_the_day_began_with() -> None:
    assert returns_of([(D(100), D(101)), (D(200), D(190)), (D(0), D(5)), (D(-1), D(5))]) == [
        D("0.01"), D("-0.05"),
    ]  # fmt: skip


def test_D30_sharpe_by_hand() -> None:
    """1 % and 3 %: mean 2 %, sample deviation sqrt(2) %, times the root of 252."""
    returns = [D("0.01"), D("0.03")]
    assert sharpe(returns, YEAR) == D("22.449944")
    # a risk-free 2.52 % a year is 0.01 % a day: 1.99 / sqrt(2) * sqrt(252)
    assert sharpe(returns, YEAR, risk_free=D("0.0252")) == D("22.337695")
    assert sharpe(returns, 365) == D("27.018512")


@pytest.mark.parametrize("returns", [[], ["0.01"], ["0.01", "0.01"], ["0", "0", "0"]])
def test_A421_sharpe_is_null_where_it_is_not_defined(returns: list[str]) -> None:
    assert sharpe(list(map(D, returns)), YEAR) is None


def test_A421_sortino_by_hand() -> None:
    """2 %, -1 %, -2 %, 3 %: mean 0.5 %; downside sqrt((1 + 4) / 4) % = 1.118034 %."""
    assert sortino([D("0.02"), D("-0.01"), D("-0.02"), D("0.03")], YEAR) == D("7.099296")


@pytest.mark.parametrize("returns", [[], ["-0.01"], ["0.01", "0.02"], ["0", "0.01"]])
def test_A421_sortino_is_null_and_not_ten_without_losses(returns: list[str]) -> None:
    assert sortino(list(map(D, returns)), YEAR) is None


def test_calmar_by_hand() -> None:
    """Mean 0.5 % a day is 126 % a year; by a fall of 3 % that is 42."""
    assert calmar([D("0.02"), D("-0.01")], YEAR, D("0.03")) == D(42)
    assert calmar([D("0.02"), D("-0.01")], YEAR, D(0)) is None
    assert calmar([D("0.02")], YEAR, D("0.03")) is None


@given(st.lists(st.integers(-900, 3000), min_size=2, max_size=40))
def test_sharpe_agrees_with_other_arithmetic(changes: list[int]) -> None:
    returns = [D(change) / 10_000 for change in changes]
    exact = [Fraction(change, 10_000) for change in changes]
    found = sharpe(returns, YEAR)
    if len(set(exact)) == 1:
        assert found is None
        return
    expected = float(statistics.mean(exact)) / statistics.stdev(map(float, exact)) * YEAR**0.5
    assert found is not None
    assert float(found) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_the_performance_of_days_together() -> None:
    told = performance_of(days("100", "102", "100.98"), year=YEAR, worst=D("0.02"))
    assert told.days == 2
    assert told.sharpe == sharpe([D("0.02"), D("-0.01")], YEAR)
    assert told.sortino == sortino([D("0.02"), D("-0.01")], YEAR)
    assert told.calmar == D(63)  # 0.5 % times 252 by 2 %


# --- of trades


def test_A394_a_flat_result_is_neither_a_win_nor_a_loss() -> None:
    told = statistics_of([trip("30"), trip("10"), trip("-20"), trip("0")])
    assert (told.trades, told.wins, told.losses, told.scratches) == (4, 2, 1, 1)
    assert told.win_rate == D("0.666667")
    assert (told.gross_profit, told.gross_loss, told.total_pnl) == (40, 20, 20)
    assert told.expectancy == 5  # 20 by 4
    assert told.profit_factor == 2  # 40 by 20
    assert told.payoff == 1  # 20 a win by 20 a loss
    assert (told.largest_win, told.largest_loss) == (30, 20)


def test_what_is_not_defined_is_null() -> None:
    none = statistics_of([])
    assert none.trades == 0
    assert (none.win_rate, none.expectancy, none.profit_factor, none.payoff) == (None,) * 4
    won = statistics_of([trip("5")])
    assert (won.win_rate, won.profit_factor, won.payoff, won.largest_loss) == (1, None, None, None)
    lost = statistics_of([trip("-5")])
    assert (lost.win_rate, lost.profit_factor, lost.payoff) == (0, 0, None)
    flat = statistics_of([trip("0")])
    assert (flat.win_rate, flat.expectancy) == (None, 0)


def test_r_is_the_mean_of_the_trades_that_had_one() -> None:
    told = statistics_of([trip("30", "3"), trip("-10", "-1"), trip("5", None)])
    assert told.average_r == 1
    assert statistics_of([trip("5", None)]).average_r is None


@given(st.lists(st.integers(-10_000, 10_000), max_size=30))
def test_the_parts_add_up(amounts: list[int]) -> None:
    told = statistics_of([trip(str(D(amount) / 100)) for amount in amounts])
    assert told.wins + told.losses + told.scratches == told.trades == len(amounts)
    assert told.gross_profit - told.gross_loss == told.total_pnl == D(sum(amounts)) / 100


def test_A422_trades_are_told_by_what_led_to_them() -> None:
    told = grouped(
        [trip("1", signal_type="flip"), trip("-2"), trip("4")], lambda trip: trip.signal_type
    )
    assert list(told) == ["cross", "flip"]
    assert (told["cross"].trades, told["cross"].total_pnl) == (2, 2)
    assert (told["flip"].trades, told["flip"].total_pnl) == (1, 1)


def test_a_deviation_of_the_last_digit_is_a_figure_and_no_error() -> None:
    found = sharpe([D("0.01"), D("0.01") + D("1e-27")], YEAR)
    assert found is not None
    assert found > D("1e20")
