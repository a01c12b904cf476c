"""The virtual-time loop: time jumps, order is fixed, a run that cannot end says so."""

import asyncio
import gc
import random
import threading
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.instant import NS_PER_SECOND, parse_rfc3339
from engine.runtime import virtual_time as virtual
from engine.runtime.clock import VirtualClock
from engine.runtime.virtual_time import (
    Deadlock,
    Livelock,
    SimulatedCrash,
    VirtualLoop,
    VirtualTimeLimit,
    run_virtual,
)

START = parse_rfc3339("2013-10-07T13:30:00Z")
DAY = 86_400


def _break() -> None:
    raise LookupError("a broken timer")


def running_loop() -> VirtualLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop


def test_a_year_of_sleep_takes_no_time_and_is_exact() -> None:
    async def main(clock: VirtualClock) -> tuple[int, int]:
        for _ in range(365):
            await clock.sleep(DAY)
        await clock.sleep(0.000_000_001)
        return clock.now(), clock.monotonic()

    elapsed = 365 * DAY * NS_PER_SECOND + 1
    assert run_virtual(main, START, 366 * DAY) == (START + elapsed, elapsed)


def test_time_stands_still_while_anything_is_ready() -> None:
    async def main(clock: VirtualClock) -> bool:
        clock.call_later(0.001, lambda: None)
        for _ in range(1000):
            await asyncio.sleep(0)
        return clock.now() == START

    assert run_virtual(main, START, 1)


@given(st.lists(st.integers(0, 3), max_size=40))
def test_timers_fire_by_instant_then_in_the_order_they_were_set(delays: list[int]) -> None:
    fired: list[int] = []

    async def main(clock: VirtualClock) -> None:
        for index, delay in enumerate(delays):
            clock.call_later(delay, lambda index=index: fired.append(index))  # type: ignore[misc]
        await clock.sleep(10)

    run_virtual(main, START, 100)
    assert fired == sorted(range(len(delays)), key=lambda index: delays[index])


@given(st.integers(0, 2**32))
@settings(max_examples=20)
def test_the_same_seed_gives_the_same_order(seed: int) -> None:
    def trace() -> list[tuple[int, int]]:
        rng = random.Random(seed)
        seen: list[tuple[int, int]] = []

        async def worker(clock: VirtualClock, name: int, lock: asyncio.Lock) -> None:
            for _ in range(5):
                await clock.sleep(rng.choice((0, 0.001, 0.001, 0.5)))
                async with lock:
                    seen.append((name, clock.now()))
                    await clock.sleep(rng.choice((0, 0.001)))

        async def main(clock: VirtualClock) -> None:
            lock = asyncio.Lock()
            async with asyncio.TaskGroup() as group:
                for name in range(8):
                    group.create_task(worker(clock, name, lock))

        run_virtual(main, START, 1000)
        return seen

    assert trace() == trace()


def test_timeouts_measure_virtual_time() -> None:
    async def main(clock: VirtualClock) -> int:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(300):
                await asyncio.get_running_loop().create_future()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 60)
        return clock.monotonic()

    assert run_virtual(main, START, 360) == 360 * NS_PER_SECOND


def test_a_cancelled_timer_neither_fires_nor_moves_time() -> None:
    async def main(clock: VirtualClock) -> int:
        timer = clock.call_later(1, lambda: pytest.fail("a cancelled timer fired"))
        timer.cancel()
        await clock.sleep(0.5)
        clock.call_later(5, lambda: None).cancel()
        await clock.sleep(0.25)
        return clock.monotonic()

    assert run_virtual(main, START, 1) == NS_PER_SECOND * 3 // 4


def test_cancelled_timers_do_not_pile_up() -> None:
    async def main(clock: VirtualClock) -> int:
        loop = running_loop()
        for _ in range(50_000):
            clock.call_later(1e6, lambda: None).cancel()
        return len(loop._timers)

    assert run_virtual(main, START, 1) <= virtual._COMPACT_AT_LEAST


def test_a_timer_that_is_due_runs_after_what_is_ready() -> None:
    order: list[str] = []

    async def main(clock: VirtualClock) -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(order.append, "soon")
        loop.call_later(0, order.append, "due")
        loop.call_at(loop.time() - 1, order.append, "past")
        loop.call_soon(order.append, "later")
        await clock.sleep(0)

    run_virtual(main, START, 1)
    assert order == ["soon", "due", "past", "later"]


def test_waiting_for_nothing_is_a_deadlock_that_names_the_tasks() -> None:
    async def main(clock: VirtualClock) -> None:
        await clock.sleep(2.5)
        waiter = asyncio.create_task(asyncio.Event().wait(), name="waits-for-godot")
        await waiter

    with pytest.raises(Deadlock, match=r"virtual second 2\.5.*waits-for-godot"):
        run_virtual(main, START, 100)


def test_a_timer_at_infinity_is_no_timer() -> None:
    async def main(clock: VirtualClock) -> None:
        await clock.sleep(float("inf"))

    with pytest.raises(Deadlock):
        run_virtual(main, START, 100)


@pytest.mark.parametrize(("seconds", "ends"), [(9.999, True), (10, True), (10.001, False)])
def test_the_limit_is_the_last_instant_that_runs(seconds: float, ends: bool) -> None:
    async def main(clock: VirtualClock) -> bool:
        await clock.sleep(seconds)
        return True

    if ends:
        assert run_virtual(main, START, 10)
    else:
        with pytest.raises(VirtualTimeLimit, match="limit of 10 virtual seconds"):
            run_virtual(main, START, 10)


def test_spinning_tasks_are_a_livelock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual, "ROUNDS_PER_INSTANT", 1000)

    async def main(clock: VirtualClock) -> None:
        while True:
            await clock.sleep(0)

    with pytest.raises(Livelock, match="without letting time pass"):
        run_virtual(main, START, 10)


def test_a_result_and_an_exception_come_out() -> None:
    async def answer(clock: VirtualClock) -> int:
        await clock.sleep(1)
        return 42

    async def fail(clock: VirtualClock) -> int:
        await clock.sleep(1)
        raise LookupError("no such order")

    assert run_virtual(answer, START, 10) == 42
    with pytest.raises(LookupError, match="no such order"):
        run_virtual(fail, START, 10)


def test_an_exception_in_a_timer_ends_the_run() -> None:
    async def main(clock: VirtualClock) -> None:
        clock.call_later(1, _break)
        await clock.sleep(5)

    with pytest.raises(LookupError, match="a broken timer"):
        run_virtual(main, START, 10)


def test_an_exception_handler_takes_the_exceptions_of_callbacks() -> None:
    async def main(clock: VirtualClock) -> list[object]:
        seen: list[object] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _loop, context: seen.append(type(context["exception"]))
        )
        clock.call_later(1, _break)
        await clock.sleep(5)
        return seen

    assert run_virtual(main, START, 10) == [LookupError]


def test_what_is_left_over_is_cancelled_in_the_order_of_its_creation() -> None:
    ended: list[int] = []

    async def worker(clock: VirtualClock, name: int) -> None:
        try:
            await clock.sleep(DAY)
        finally:
            await clock.sleep(1)
            ended.append(name)

    async def main(clock: VirtualClock) -> list[asyncio.Task[None]]:
        tasks = [asyncio.create_task(worker(clock, name)) for name in range(2000)]
        await clock.sleep(0)
        return tasks

    tasks = run_virtual(main, START, 10)
    assert ended == list(range(2000))
    assert all(task.cancelled() for task in tasks)


def test_a_task_that_will_not_end_is_named() -> None:
    async def stubborn() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await asyncio.Event().wait()

    async def main(clock: VirtualClock) -> list[asyncio.Task[None]]:
        task = asyncio.create_task(stubborn(), name="stubborn")
        kept.append(task)
        await clock.sleep(1)
        return [task]

    kept: list[asyncio.Task[None]] = []
    with pytest.raises(Deadlock, match="stubborn"):
        run_virtual(main, START, 10)
    kept[0].get_coro().close()  # type: ignore[union-attr,unused-ignore]
    kept[0].get_loop().set_exception_handler(lambda _loop, _context: None)


def test_asynchronous_generators_are_closed() -> None:
    closed: list[bool] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            for number in range(10):
                yield number
        finally:
            closed.append(True)

    async def main(_clock: VirtualClock) -> AsyncIterator[int]:
        stream = numbers()
        await anext(stream)
        return stream

    run_virtual(main, START, 10)
    assert closed == [True]


def test_threads_are_refused_in_words() -> None:
    async def main(_clock: VirtualClock) -> int:
        return await asyncio.to_thread(threading.get_ident)

    with pytest.raises(RuntimeError, match="was sent to a thread in virtual time"):
        run_virtual(main, START, 10, inline_executor=False)


def test_the_inline_executor_runs_in_the_loop_and_still_yields() -> None:
    order: list[str] = []

    async def main(_clock: VirtualClock) -> bool:
        asyncio.get_running_loop().call_soon(order.append, "other")
        ident = await asyncio.to_thread(threading.get_ident)
        order.append("answer")
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 // 0)
        return ident == threading.get_ident()

    assert run_virtual(main, START, 10)
    assert order == ["other", "answer"]


def test_a_call_from_another_thread_is_refused() -> None:
    caught: list[RuntimeError] = []

    async def main(_clock: VirtualClock) -> None:
        loop = asyncio.get_running_loop()

        def intrude() -> None:
            try:
                loop.call_soon_threadsafe(lambda: None)
            except RuntimeError as error:
                caught.append(error)

        thread = threading.Thread(target=intrude)
        thread.start()
        thread.join()

    run_virtual(main, START, 10)
    assert "another thread" in str(caught[0])


def test_a_closed_loop_takes_nothing() -> None:
    async def main(_clock: VirtualClock) -> VirtualLoop:
        return running_loop()

    loop = run_virtual(main, START, 10)
    assert loop.is_closed()
    with pytest.raises(RuntimeError, match="its run has ended"):
        loop.call_soon(print)


def test_a_loop_holds_no_file_descriptor() -> None:
    loop = VirtualLoop()
    assert not hasattr(loop, "_selector")
    assert not hasattr(loop, "_ssock")
    loop.close()


WORDS = ["intent", "sent", "acknowledged"]


def _outcome(step: int | None) -> tuple[list[str], SimulatedCrash | None]:
    """Three durable words with waits between them, then a tidy end, cut off before a step."""
    log: list[str] = []

    async def main(clock: VirtualClock) -> None:
        try:
            for word in WORDS:
                await clock.sleep(1)
                log.append(word)
        finally:
            log.append("tidy")

    try:
        run_virtual(main, START, 10, crash_at=step)
    except SimulatedCrash as crash:
        return log, crash
    return log, None


@pytest.mark.slow
def test_a_crash_before_any_step_leaves_a_prefix_and_runs_no_finally() -> None:
    assert _outcome(None) == ([*WORDS, "tidy"], None)
    reached = set()
    for step in range(1, 100):
        log, crash = _outcome(step)
        if crash is None or not crash.abandoned:  # main had ended before this step
            assert log == [*WORDS, "tidy"]
            break
        gc.collect()
        assert crash.step == step
        assert log == WORDS[: len(log)]
        reached.add(len(log))
        crash.bury()
        assert (log[-1:] == ["tidy"]) == (step > 1)  # before step 1 the `try` was not entered
    assert reached == {0, 1, 2}


def test_a_crash_is_reproducible_and_says_when() -> None:
    def crash() -> tuple[str, int]:
        with pytest.raises(SimulatedCrash) as caught:
            run_virtual(lambda clock: clock.sleep(3), START, 10, crash_at=2)
        caught.value.bury()
        return str(caught.value), caught.value.elapsed

    assert crash() == crash() == ("crashed before step 2, at virtual second 3.000000000", 3 * 10**9)


def test_bury_drops_what_dead_code_raises_and_schedules() -> None:
    async def main(clock: VirtualClock) -> None:
        async def worker() -> None:
            try:
                await clock.sleep(DAY)
            finally:
                asyncio.Event().set()
                clock.call_later(1, lambda: None)
                await clock.sleep(1)

        workers = [asyncio.create_task(worker()) for _ in range(3)]
        await asyncio.wait(workers)

    with pytest.raises(SimulatedCrash) as caught:
        run_virtual(main, START, DAY, crash_at=5)
    assert len(caught.value.abandoned) == 4
    caught.value.bury()
    assert not caught.value.abandoned


def test_a_crash_can_be_set_while_running_but_not_in_the_past() -> None:
    async def main(clock: VirtualClock) -> None:
        await clock.sleep(1)
        loop = running_loop()
        with pytest.raises(ValueError, match="has already run"):
            loop.crash_at(loop.steps)
        loop.crash_at(loop.steps + 1)
        await clock.sleep(1)

    with pytest.raises(SimulatedCrash) as caught:
        run_virtual(main, START, 10)
    caught.value.bury()
