"""What stands still on row 0 is sent rarely (DESIGN G10)."""

import pytest

from console.desk.values import Lag
from console.ui.header import SLOW_MS, steady


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
