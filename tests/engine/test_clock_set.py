"""The machine's clock is set: followed once it is sure, and no entries until then (X-92, X-94).

What the time is, is reckoned here from the scene alone: true seconds since the start, and what
somebody set the wall by.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from console.virtual import Rehearsal
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import ClockSet
from engine.domain.instant import NS_PER_SECOND, Nanos, parse_rfc3339
from engine.domain.order import Side
from engine.domain.run import RunState, Trigger
from engine.ports import Clock
from engine.runtime.clock import SteadyClock, SteadyTime
from engine.runtime.virtual_time import run_virtual
from tests.brokers.kit import D
from tests.engine.driver import CoreDriver, one
from tests.engine.test_attacks import HOUR, Settable, house
from tests.engine.test_restart import restarted

SECOND, MINUTE, DAY = NS_PER_SECOND, 60 * NS_PER_SECOND, 24 * HOUR
Scene = Callable[[Settable, SteadyTime], Awaitable[None]]


def play(scene: Scene) -> None:
    async def main(virtual: Clock) -> None:
        clock = Settable(virtual)
        await scene(clock, SteadyTime(clock))

    run_virtual(main, 0, 10 * 86_400.0)


async def wait(clock: Settable, time: SteadyTime, seconds: float, every: float = 0.5) -> None:
    """Let time pass and ask for it all the while, as an engine does; it never runs backward."""
    before, end = time.now(), clock.monotonic() + round(seconds * SECOND)
    while clock.monotonic() < end:
        await clock.sleep(min(every, (end - clock.monotonic()) / SECOND))
        assert time.now() >= before
        before = time.now()


def off(clock: Settable, time: SteadyTime) -> Nanos:
    """How far the time is ahead of what really passed."""
    return time.now() - clock.monotonic()


@pytest.mark.parametrize("by", [8 * HOUR, -8 * HOUR, 365 * DAY, 2 * MINUTE])
@pytest.mark.parametrize("seconds", [0.5, 2, 4.9])
def test_a_wall_that_is_set_and_set_right_again_is_never_followed(
    by: Nanos, seconds: float
) -> None:
    async def scene(clock: Settable, time: SteadyTime) -> None:
        for _ in range(3):
            clock.set_by = by
            await wait(clock, time, seconds)
            assert time.set_by == by
            clock.set_by = 0
            await wait(clock, time, 3600, every=60)
            assert off(clock, time) == 0
            assert time.set_by == 0

    play(scene)


@pytest.mark.parametrize(
    ("by", "after"),
    [
        (2 * SECOND, 5),
        (5 * MINUTE, 5),
        (6 * MINUTE, 6),
        (HOUR, 60),
        (8 * HOUR, 480),
        (10 * HOUR, 600),
        (365 * DAY, 600),
    ],
)
def test_a_wall_that_stays_set_forward_is_followed_after_a_sixtieth_of_the_step(
    by: Nanos, after: int
) -> None:
    async def scene(clock: Settable, time: SteadyTime) -> None:
        clock.set_by = by
        assert off(clock, time) == 0
        await wait(clock, time, after - 0.001)
        assert off(clock, time) == 0
        await wait(clock, time, 0.001)
        assert (off(clock, time), time.set_by) == (by, 0)
        await wait(clock, time, 100)
        assert off(clock, time) == by

    play(scene)


@pytest.mark.parametrize(("by", "followed"), [(SECOND, True), (SECOND + 1, False)])
def test_a_second_is_followed_at_once(by: Nanos, followed: bool) -> None:
    async def scene(clock: Settable, time: SteadyTime) -> None:
        clock.set_by = by
        assert off(clock, time) == (by if followed else 0)

    play(scene)


def test_a_wall_that_is_set_again_begins_anew() -> None:
    async def scene(clock: Settable, time: SteadyTime) -> None:
        for hours in (1, 2, 1, 2, 1):
            clock.set_by = hours * HOUR
            await wait(clock, time, 59)
            assert off(clock, time) == 0

    play(scene)


def test_a_wall_set_back_is_waited_for_at_half_speed_so_that_deadlines_still_come() -> None:
    async def scene(clock: Settable, time: SteadyTime) -> None:
        clock.set_by = -HOUR
        await wait(clock, time, 59)
        assert off(clock, time) == 0
        await wait(clock, time, 1)
        at = time.now()
        await wait(clock, time, 1000)
        assert time.now() - at == pytest.approx(500 * SECOND, abs=SECOND)
        # An hour is caught up with in two.
        await wait(clock, time, 6200, every=10)
        assert off(clock, time) == -HOUR

    play(scene)


@pytest.mark.parametrize("ahead", [1, 2, 3, SECOND])
def test_what_is_waited_for_in_ever_smaller_steps_comes(ahead: Nanos) -> None:
    """Half of what is left each time, as by a wait of a clock that is half as slow."""

    async def scene(clock: Settable, time: SteadyTime) -> None:
        clock.set_by = -HOUR
        await wait(clock, time, 61)
        due, steps = time.now() + ahead, 0
        while time.now() < due:
            await clock.sleep((due - time.now()) / SECOND)
            steps += 1
        assert steps < 100

    play(scene)


def test_a_machine_that_was_suspended_has_another_time_at_once() -> None:
    """Its monotonic clock went on, so that nobody has set anything."""

    async def scene(clock: Settable, time: SteadyTime) -> None:
        await clock.sleep(8 * 3600)
        assert (time.now(), time.set_by) == (8 * HOUR, 0)

    play(scene)


# --- no entries meanwhile -------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "refused"), [(5, False), (5.001, True), (-5.001, True)])
def test_no_entry_while_the_clock_is_off_by_more_than_five_seconds(
    seconds: float, refused: bool
) -> None:
    desk = CoreDriver().price("NVDA", "100")
    desk.give(ClockSet(round(seconds * SECOND)))
    assert (desk.book.run_state is RunState.REDUCE_ONLY) is refused
    found = desk.place(Side.BUY, 1)
    assert any(isinstance(event, ev.OrderRefused) for event in found) is refused


def test_entries_come_back_with_the_clock_and_not_by_hand() -> None:
    desk = CoreDriver().price("NVDA", "100")
    assert one(desk.give(ClockSet(8 * HOUR)), ev.Restricted).cause is Trigger.CLOCK_SKEW
    told = one(desk.give(ask.Unpause(by="me")), ev.CommandRefused)
    assert "the machine's clock was set, and is not followed yet" in told.reason
    assert desk.book.run_state is RunState.REDUCE_ONLY
    desk.give(ClockSet(0))
    assert desk.book.run_state is RunState.ACTIVE


def test_a_new_process_starts_without_it() -> None:
    desk = CoreDriver()
    desk.give(ClockSet(8 * HOUR))
    assert Trigger.CLOCK_SKEW not in restarted(desk.later(1)).book.data.restrictions


def test_an_engine_whose_clock_is_set_for_two_seconds_closes_an_hour_later(tmp_path: Path) -> None:
    async def main(virtual: Clock) -> None:
        wall = Settable(virtual)
        clock = SteadyClock(wall)
        home = house(clock, tmp_path)
        await home.engine.start()
        hand = Rehearsal(home, clock)
        order = ask.PlaceOrder(by="me", symbol="NVDA", side=Side.BUY, quantity=D(5))
        hand.price("NVDA", "100")
        await hand.wait(1)
        assert (await hand.engine.command(order)).ok
        for _ in range(3):
            hand.price("NVDA", "100")
            await hand.wait(1)
        assert hand.held("NVDA") == 5
        wall.set_by = 8 * HOUR
        hand.price("NVDA", "100")
        await hand.wait(2)
        assert hand.engine.state.run_state is RunState.REDUCE_ONLY
        wall.set_by = 0
        for _ in range(360):
            await hand.wait(10)
            hand.price("NVDA", "100")
        assert hand.engine.state.run_state is RunState.ACTIVE
        await hand.engine.command(ask.ClosePosition(by="me", symbol="NVDA"))
        for _ in range(3):
            hand.price("NVDA", "100")
            await hand.wait(1)
        assert hand.held("NVDA") == 0
        await home.engine.stop("the scene ends")
        home.close()

    run_virtual(main, parse_rfc3339("2013-10-07T16:00:00Z"), 86_400.0)
