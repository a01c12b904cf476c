"""What stands still on row 0 is sent rarely, and never looks younger than it is (DESIGN G10)."""

import pytest

from console.desk.values import Lag
from console.ui.header import SLOW_MS, since, steady
from console.ui.panes.base import whole_age
from engine.domain.instant import NS_PER_SECOND

HALF = NS_PER_SECOND // 2


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (4, "4s"),
        (5, "5s"),
        (9, "5s"),
        (10, "10s"),
        (59, "55s"),
        (60, "1m"),
        (119, "1m"),
        (120, "2m"),
        (3_600, "1h"),
    ],
)
def test_an_age_grows_in_longer_steps_the_older_it_is(seconds: int, text: str) -> None:
    assert whole_age(seconds * NS_PER_SECOND) == text
    assert whole_age(seconds * NS_PER_SECOND + NS_PER_SECOND - 1) == text


def test_an_age_of_the_future_is_none() -> None:
    assert whole_age(-NS_PER_SECOND) == "0s"
    assert since(NS_PER_SECOND, 0) == 0


@pytest.mark.parametrize("then", [0, 1, HALF, NS_PER_SECOND - 1])
def test_an_age_of_row_0_grows_with_its_clock_and_hides_nothing(then: int) -> None:
    assert since(then, then + NS_PER_SECOND - 1) == 0
    for now in range(then + NS_PER_SECOND, 8 * NS_PER_SECOND, NS_PER_SECOND // 4):
        age = since(then, now)
        assert age // NS_PER_SECOND >= (now - then) // NS_PER_SECOND
        assert age - (now - then) < NS_PER_SECOND
        if now % NS_PER_SECOND:
            assert since(then, now - now % NS_PER_SECOND) in (0, age)


@pytest.mark.parametrize(
    ("shown", "now", "changes"),
    [
        ((1.0, 4.0), (1.9, 4.9), False),
        ((1.0, 4.0), (2.0, 4.0), True),
        ((1.0, 4.0), (1.0, 5.0), True),
        ((1.0, 10.0), (1.0, 11.9), False),
        ((1.0, 10.0), (1.0, 12.0), True),
        ((1.0, SLOW_MS), (1.0, SLOW_MS + 0.1), True),
        ((1.0, SLOW_MS + 0.1), (1.0, SLOW_MS), True),
    ],
)
def test_the_lag_that_is_shown_changes_with_news_alone(
    shown: tuple[float, float], now: tuple[float, float], changes: bool
) -> None:
    assert steady(Lag(*shown), Lag(*now)) == Lag(*(now if changes else shown))


def test_a_lag_that_was_not_known_is_shown_and_one_that_is_not_known_is_not() -> None:
    assert steady(None, Lag(1, 2)) == Lag(1, 2)
    assert steady(Lag(1, 2), None) is None
