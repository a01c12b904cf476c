"""The lag of the loop that the banner shows is that of the last minute (G1)."""

from engine.domain.instant import NS_PER_SECOND
from engine.runtime.lag import LagMeter


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> int:
        return round(self.seconds * NS_PER_SECOND)


def test_g1_a_stall_is_told_for_a_minute_and_not_for_ever() -> None:
    """An engine in which little happens makes few calls: a stall stood for a quarter of an hour."""
    clock = Hand()
    meter = LagMeter(clock)
    assert meter.quantile(0.99) == 0
    meter.add(1.14)
    for _ in range(60):
        clock.seconds += 1
        meter.add(0.002)
        assert meter.quantile(0.99) == 1140
    clock.seconds += 0.001
    assert meter.quantile(0.99) == 2
    assert meter.quantile(0.5) == 2


def test_g1_calls_that_came_in_time_are_no_lag() -> None:
    clock = Hand()
    meter = LagMeter(clock)
    meter.add(-0.5)
    assert meter.quantile(0.99) == 0


def test_g1_a_figure_is_that_of_the_newest_calls_only() -> None:
    meter = LagMeter(Hand(), kept=3)
    for seconds in (9, 0.001, 0.002, 0.003):
        meter.add(seconds)
    assert meter.quantile(0.99) == 3
    assert meter.quantile(0) == 1
