"""The Clock port: one contract, three clocks (U-03)."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.instant import NS_PER_SECOND, parse_rfc3339
from engine.ports import Clock
from engine.runtime.clock import ScaledClock, SystemClock, VirtualClock
from engine.runtime.virtual_time import run_virtual

START = parse_rfc3339("2013-10-07T13:30:00Z")


class Hand:
    """A source of time that is moved by hand."""

    def __init__(self) -> None:
        self.nanos = 5_000_000

    def __call__(self) -> int:
        return self.nanos


def test_the_system_clock_reads_the_machine() -> None:
    clock: Clock = SystemClock()
    assert clock.now() > parse_rfc3339("2024-01-01T00:00:00Z")
    first = clock.monotonic()
    assert clock.monotonic() >= first


@pytest.mark.parametrize("clock", [SystemClock(), ScaledClock(START, 1000)])
async def test_a_real_clock_sleeps_and_sets_timers_on_the_running_loop(clock: Clock) -> None:
    fired = asyncio.Event()
    clock.call_later(0.001, fired.set)
    dropped = clock.call_later(0, lambda: pytest.fail("a cancelled timer fired"))
    dropped.cancel()
    before = clock.monotonic()
    await clock.sleep(0.001)
    assert clock.monotonic() > before
    await fired.wait()


@pytest.mark.parametrize("speed", [0.5, 1, 60, 1000])
def test_a_scaled_clock_runs_at_its_speed(speed: float) -> None:
    hand = Hand()
    clock = ScaledClock(START, speed, real=hand)
    assert (clock.now(), clock.monotonic(), clock.speed) == (START, 0, speed)
    hand.nanos += 2 * NS_PER_SECOND
    assert clock.monotonic() == int(2 * NS_PER_SECOND * speed)
    assert clock.now() - START == clock.monotonic()


@given(st.floats(0.001, 1000), st.lists(st.integers(0, 10**12)))
def test_a_scaled_clock_never_runs_backwards(speed: float, moves: list[int]) -> None:
    hand = Hand()
    clock = ScaledClock(START, speed, real=hand)
    last = clock.now()
    for move in moves:
        hand.nanos += move
        assert clock.now() >= last
        last = clock.now()


def test_a_scaled_clock_shortens_what_it_waits() -> None:
    async def main(virtual: VirtualClock) -> tuple[int, int, int]:
        clock = ScaledClock(START, 60, real=virtual.monotonic)
        rang: list[int] = []
        clock.call_later(30, lambda: rang.append(virtual.monotonic()))
        await clock.sleep(120)
        return virtual.monotonic(), clock.monotonic(), rang[0]

    assert run_virtual(main, START, 10) == (
        2 * NS_PER_SECOND,
        120 * NS_PER_SECOND,
        NS_PER_SECOND // 2,
    )


@pytest.mark.parametrize("speed", [0, -1, float("nan"), float("inf")])
def test_a_speed_is_positive_and_finite(speed: float) -> None:
    with pytest.raises(ValueError, match="finite number above 0"):
        ScaledClock(START, speed)


def test_the_virtual_clock_starts_where_it_is_told_and_follows_its_loop() -> None:
    async def main(clock: VirtualClock) -> list[int]:
        port: Clock = clock
        seen = [port.now() - START, port.monotonic()]
        port.call_later(1.5, lambda: seen.append(port.now() - START))
        await port.sleep(2)
        return [*seen, port.now() - START]

    assert run_virtual(main, START, 10) == [0, 0, 3 * NS_PER_SECOND // 2, 2 * NS_PER_SECOND]
