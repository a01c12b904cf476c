"""A budget of requests, with a part that only what reduces risk may use (C-200)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.net.budget import Budget, Need, budget_of
from engine.domain.instant import NS_PER_SECOND
from engine.ports import Banned, Throttled


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


@given(
    st.integers(1, 2000), st.sampled_from([1.0, 2.0, 10.0, 60.0]), st.lists(st.integers(0, 10**9))
)
def test_there_is_room_after_so_long_as_was_said(
    size: int, seconds: float, pauses: list[int]
) -> None:
    watch = Watch()
    room = Budget("venue", size=size, seconds=seconds, monotonic=watch, reserved=0)
    room.take(size)
    for pause in pauses:
        watch.now += pause
        try:
            room.take()
        except Throttled as error:
            watch.pass_by(error.retry_after)
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


@pytest.mark.parametrize("need", Need)
def test_within_the_limits_own_window_nothing_passes_while_the_venue_wants_us_to_wait(
    need: Need,
) -> None:
    watch = Watch()
    room = budget(watch)
    room.heed(Throttled("slower", 0.9), need=need)
    room.heed(Throttled("slower", 0.5), need=need)
    watch.pass_by(0.8)
    with pytest.raises(Throttled) as error:
        room.take(need=Need.REDUCE)
    assert error.value.retry_after == pytest.approx(0.1)
    watch.pass_by(0.1)
    room.take(need=Need.REDUCE)
    room.take()


def test_a_longer_wait_keeps_back_what_reduces_risk_no_longer_than_the_window() -> None:
    """What was counted has left the count by then, and only what is kept is used of the next."""
    watch = Watch()
    room = budget(watch)
    refused = room.heed(Throttled("slower", 600), need=Need.REDUCE)
    assert refused.retry_after == 1  # for the cancel itself, too
    assert room.heed(Throttled("slower", 600), need=Need.ADD).retry_after == 600
    watch.pass_by(0.99)
    with pytest.raises(Throttled) as error:
        room.take(need=Need.REDUCE)
    assert error.value.retry_after == pytest.approx(0.01)
    watch.pass_by(0.01)
    room.take(need=Need.REDUCE)
    with pytest.raises(Throttled) as error:
        room.take()
    assert error.value.retry_after == pytest.approx(599)
    watch.pass_by(599)
    room.take()


@pytest.mark.parametrize("seconds", [120, 259_200])
def test_a_ban_keeps_everything_back_until_its_end(seconds: int) -> None:
    """Whoever goes on asking is banned for longer."""
    watch = Watch()
    room = budget(watch)
    assert room.heed(Banned("banned", seconds), need=Need.REDUCE).retry_after == seconds
    watch.pass_by(seconds - 0.1)
    with pytest.raises(Banned) as error:
        room.take(need=Need.REDUCE)
    assert error.value.retry_after == pytest.approx(0.1)
    watch.pass_by(0.1)
    room.take(need=Need.REDUCE)


def test_a_shorter_word_after_a_ban_does_not_end_it() -> None:
    watch = Watch()
    room = budget(watch)
    room.heed(Banned("banned", 120), need=Need.ADD)
    room.heed(Throttled("slower", 5), need=Need.REDUCE)
    watch.pass_by(119)
    with pytest.raises(Banned):
        room.take(need=Need.REDUCE)


def test_what_is_counted_by_address_is_one_budget_whoever_asks() -> None:
    def make() -> Budget:
        return budget(Watch())

    shared: dict[str, Budget] = {}
    first = budget_of(shared, "https://api.venue.test", make)
    assert budget_of(shared, "https://API.venue.test/v3", make) is first
    for other in ("https://api.venue.test:8443", "https://test.venue.test"):
        assert budget_of(shared, other, make) is not first
    assert budget_of({}, "https://api.venue.test", make) is not first
