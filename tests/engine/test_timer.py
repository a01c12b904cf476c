"""When the timer rings: for what is due, and in a replay for no beat that leads to nothing."""

import asyncio

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.order import Purpose
from engine.domain.run import Trigger
from engine.domain.signal import TradeType
from engine.runtime.clock import SteadyTime, VirtualClock
from engine.runtime.lag import LagMeter
from engine.runtime.timer import Timer
from engine.runtime.virtual_time import run_virtual
from engine.state.book import Book
from engine.state.portfolio import Restriction
from tests.configs import from_mapping
from tests.engine.driver import CoreDriver
from tests.engine.liar import Table, play
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
            lag=LagMeter(clock.monotonic),
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


def first_ticks(book: Book, count: int, seconds: float) -> list[float]:
    """When the first ticks come, in seconds from the start, while nothing happens."""
    ticks: list[float] = []

    async def main(clock: VirtualClock) -> None:
        time = SteadyTime(clock)
        timer = Timer(
            book,
            clock=clock,
            time=time,
            lag=LagMeter(clock.monotonic),
            tick=lambda: ticks.append((time.now() - START) / NS_PER_SECOND),
            calm=lambda: 0,
        )
        running = asyncio.get_running_loop().create_task(timer.run())
        await clock.sleep(seconds)
        running.cancel()

    run_virtual(main, START, 10 * SECONDS)
    return ticks[:count]


@pytest.mark.parametrize("after", [3.25, 9.75, 10.0])
def test_u50_a_tick_comes_when_a_restriction_ends(after: float) -> None:
    book = Book()
    until = START + round(after * NS_PER_SECOND)
    book.data.restrictions[Trigger.LOSS_STREAK] = Restriction(reason="a streak", until=until)
    assert first_ticks(book, 1, 11) == [after]


@pytest.mark.parametrize("cause", [Trigger.DAILY_LOSS, Trigger.DRAWDOWN])
@pytest.mark.parametrize("after", [-3.25, 3.25])
def test_x76_no_tick_is_made_for_one_that_no_time_ends(cause: Trigger, after: float) -> None:
    """A day's loss ends with its day, whatever time it names; another one is lifted by a person."""
    book = Book()
    until = START + round(after * NS_PER_SECOND) if cause is Trigger.DAILY_LOSS else 0
    book.data.restrictions[cause] = Restriction(reason="a loss", until=until)
    assert first_ticks(book, 2, 21) == [10, 20]


def test_x43_a_tick_comes_at_the_opening_that_a_signal_waits_for() -> None:
    """After it each second brings one, until the first fresh price of the session is there."""
    book = Book()
    book.data.queued["s-1"] = START + round(3.25 * NS_PER_SECOND)
    assert first_ticks(book, 4, 21) == [3.25, 4.25, 5.25, 6.25]


def test_u50_a_cooldown_is_lifted_when_it_is_over_though_nothing_is_open() -> None:
    async def scene(table: Table) -> None:
        await table.buy(10, hold=TradeType.SWING)
        table.engine.book.data.loss_streak = 5
        await table.until(lambda: bool(table.events(ev.Restricted)))
        (restricted,) = table.events(ev.Restricted)
        await table.wait(2.6)
        await table.engine.command(ask.ClosePosition(by="test", symbol="AAA"))
        await table.wait(1_900)
        assert table.held == 0
        (lifted,) = (r for r in table.records if isinstance(r.event, ev.Unrestricted))
        assert lifted.time == restricted.until

    play(scene, config=from_mapping({"profile": "autotrader"}))
