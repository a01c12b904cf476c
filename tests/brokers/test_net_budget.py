"""A budget of requests, with a part that only what reduces risk may use (C-200)."""

import pytest

from brokers.net.budget import Budget, Need
from engine.domain.instant import NS_PER_SECOND
from engine.ports import Throttled


class Watch:
    """A monotonic clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 5 * NS_PER_SECOND

    def __call__(self) -> int:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += round(seconds * NS_PER_SECOND)


def budget(watch: Watch) -> Budget:
    """Ten a second, of which two are kept."""
    return Budget("venue", size=10, seconds=1, monotonic=watch, reserved=0.2)


def test_ordinary_requests_leave_the_reserve_and_urgent_ones_use_it() -> None:
    room = budget(Watch())
    for _ in range(8):
        room.take()
    with pytest.raises(Throttled) as error:
        room.take()
    assert error.value.retry_after == pytest.approx(0.1)
    room.take(need=Need.REDUCE)
    room.take(need=Need.REDUCE)
    with pytest.raises(Throttled):
        room.take(need=Need.REDUCE)


def test_a_look_leaves_half_of_the_reserve() -> None:
    """It waits for less than an entry does, and takes no cancel its place."""
    watch = Watch()
    room = budget(watch)
    room.take(8)
    with pytest.raises(Throttled):
        room.take()
    room.take(need=Need.LOOK)
    with pytest.raises(Throttled) as error:
        room.take(need=Need.LOOK)
    assert error.value.retry_after == pytest.approx(0.1)
    room.take(need=Need.REDUCE)


def test_it_fills_up_evenly_and_never_beyond_its_size() -> None:
    watch = Watch()
    room = budget(watch)
    for _ in range(8):
        room.take()
    watch.pass_by(0.1)
    room.take()
    with pytest.raises(Throttled):
        room.take()
    watch.pass_by(3600)
    for _ in range(8):
        room.take()
    with pytest.raises(Throttled):
        room.take()


def test_a_request_that_was_refused_uses_nothing() -> None:
    room = budget(Watch())
    with pytest.raises(Throttled):
        room.take(9)
    room.take(8)


def test_what_the_venue_says_is_left_counts_where_it_is_less() -> None:
    room = budget(Watch())
    room.told_left(50)
    room.take(8)
    room = budget(Watch())
    room.told_left(3)
    room.take()
    with pytest.raises(Throttled):
        room.take()


def test_nothing_passes_while_the_venue_wants_us_to_wait() -> None:
    watch = Watch()
    room = budget(watch)
    room.shut(2)
    room.shut(1)
    watch.pass_by(1.9)
    with pytest.raises(Throttled) as error:
        room.take(need=Need.REDUCE)
    assert error.value.retry_after == pytest.approx(0.1)
    watch.pass_by(0.1)
    room.take()
