"""The embedded default in its first hours: a fair market, and a halt is rare in it."""

import pytest

from tests.tools.first_hour import Outcome, play, standard_errors

pytestmark = pytest.mark.slow  # each seed is an hour of a whole engine


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    return [play(seed, hours=1, pace=3) for seed in range(8)]


def test_the_signals_neither_earn_nor_lose_before_costs(outcomes: list[Outcome]) -> None:
    """Student's t of 8 seeds exceeds 3.5 in one of a hundred fair markets; `make first-hours` asks
    100 seeds for 2."""
    assert abs(standard_errors([float(one.gross) for one in outcomes])) <= 3.5


def test_nobody_is_halted_in_the_first_hours(outcomes: list[Outcome]) -> None:
    assert [one.halt for one in outcomes if one.halted_after is not None] == []


def test_there_are_trades_to_look_at(outcomes: list[Outcome]) -> None:
    assert all(one.fills >= 4 for one in outcomes)


def test_what_costs_take_is_all_that_gross_and_net_differ_by(outcomes: list[Outcome]) -> None:
    """Commission is 10 bp, slippage 5 and half the spread at least 0.6: of 10 % a position."""
    for one in outcomes:
        assert 0 < one.gross - one.net < one.fills * 10_000 * 20 / 10_000


def test_the_same_seed_does_the_same_again(outcomes: list[Outcome]) -> None:
    assert play(0, hours=1, pace=3) == outcomes[0]
