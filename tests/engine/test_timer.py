"""When the timer rings: for what is due, and in a replay for no beat that leads to nothing."""

import asyncio

from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.order import Purpose
from engine.runtime.clock import SteadyTime, VirtualClock
from engine.runtime.lag import LagMeter
from engine.runtime.timer import Timer
from engine.runtime.virtual_time import run_virtual
from engine.state.book import Book
from tests.engine.driver import CoreDriver
from tests.engine.worlds import signal

START: Nanos = 1_000 * NS_PER_SECOND
SECONDS = 200.0

Seen = list[tuple[str, Nanos]]


def ticks_of(calms: list[float], inputs: list[float], *, told: bool) -> tuple[Seen, int]:
    """Ticks that were not in calm and the inputs between them, each at its time; and all ticks.

    After the nth tick that is not in calm there is calm for the nth of `calms` seconds, or until
    something comes in. `told`: whether the timer is told of it.
    """
    seen: Seen = []
    every = 0

    async def main(clock: VirtualClock) -> None:
        time = SteadyTime(clock)
        calm: Nanos = 0
        left = list(calms)

        def tick() -> None:
            nonlocal calm, every
            every += 1
            if time.now() >= calm:
                seen.append(("tick", time.now()))
                calm = time.now() + round((left.pop(0) if left else 0) * NS_PER_SECOND)

        timer = Timer(
            Book(),
            clock=clock,
            time=time,
            lag=LagMeter(),
            tick=tick,
            calm=lambda: calm if told else 0,
        )
        running = asyncio.get_running_loop().create_task(timer.run())
        for pause in inputs:
            await clock.sleep(pause)
            timer.rouse()
            calm = 0
            seen.append(("input", time.now()))
        await clock.sleep(max(SECONDS - sum(inputs), 0))
        running.cancel()

    run_virtual(main, START, 10 * SECONDS)
    return seen, every


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from([0.0, 5.0, 10.0, 19.5, 20.0, 20.5, 30.0, 65.0]), max_size=12),
    st.lists(st.sampled_from([0.0, 0.25, 9.75, 10.0, 17.0, 33.0]), max_size=10),
)
@example([60.0], [30.0])
@example([60.0], [30.0, 0.0])
def test_a_tick_that_may_lead_to_something_comes_when_it_would_without_calm(
    calms: list[float], inputs: list[float]
) -> None:
    with_calm, _ = ticks_of(calms, inputs, told=True)
    without, _ = ticks_of(calms, inputs, told=False)
    assert with_calm == without


def test_the_beats_in_calm_are_left_out() -> None:
    assert ticks_of([100.0], [], told=False)[1] == 19
    assert ticks_of([100.0], [], told=True)[1] == 19 - 9


def test_an_answer_is_due_before_a_moment_only_after_its_deadline() -> None:
    desk = CoreDriver().price("NVDA", "100")
    desk.signal(signal("NVDA", entry="100", stop="95"))
    due = desk.book.deadlines.next()
    assert due is not None
    assert not desk.book.deadlines.is_before(due)
    assert desk.book.deadlines.is_before(due + 1)
    desk.accept(desk.last(Purpose.ENTRY))
    after = desk.book.deadlines.next()
    assert after is not None
    assert after > due
    assert not desk.book.deadlines.is_before(due + 1)
    assert desk.book.deadlines.is_before(after + 1)
