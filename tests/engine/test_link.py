"""A connection as a fact, and the pauses before it is tried again (C-402, C-441, P-05)."""

import asyncio
from random import Random

import pytest

from engine.domain.instant import NS_PER_SECOND
from engine.ports import Ambiguous, NotSent
from engine.runtime.backoff import Backoff
from engine.runtime.clock import VirtualClock
from engine.runtime.link import Link
from engine.runtime.virtual_time import run_virtual
from tests.engine.worlds import MIDDAY

# --- the pauses between attempts ------------------------------------------------------------------


def test_C441_the_first_attempt_comes_at_once_and_pauses_double_up_to_four_seconds() -> None:
    backoff = Backoff()
    assert [backoff.pause() for _ in range(7)] == [0, 0.5, 1, 2, 4, 4, 4]


def test_C441_the_longest_outage_does_not_overflow_the_pause() -> None:
    backoff = Backoff()
    assert max(backoff.pause() for _ in range(5000)) == 4


def test_after_a_reset_the_next_attempt_is_a_first_one() -> None:
    backoff = Backoff()
    assert [backoff.pause() for _ in range(3)] == [0, 0.5, 1]
    backoff.reset()
    assert [backoff.pause() for _ in range(2)] == [0, 0.5]


def test_P05_a_spread_pause_stays_within_a_fifth_of_the_exact_one_and_below_five_seconds() -> None:
    exact = [0.5, 1.0, 2.0, 4.0, 4.0]
    for seed in range(200):
        backoff = Backoff(Random(seed))
        assert backoff.pause() == 0
        spread = [backoff.pause() for _ in exact]
        assert all(abs(s - e) <= e / 5 for s, e in zip(spread, exact, strict=True))
        assert max(spread) < 5


def test_equal_seeds_spread_equally_and_different_ones_do_not() -> None:
    def pauses(seed: int) -> list[float]:
        backoff = Backoff(Random(seed))
        return [backoff.pause() for _ in range(5)]

    assert pauses(1) == pauses(1) != pauses(2)


# --- what is asked over a link --------------------------------------------------------------------

BROKEN_AT = 1.0
"""When the connection breaks in the scenes below, in seconds after the question."""


def outcome_of(answer_at: float, grace: float) -> tuple[str, float]:
    """How a request ends that the venue answers at `answer_at`, and when; the link breaks at 1."""

    async def main(clock: VirtualClock) -> tuple[str, float]:
        link = Link("paper", lambda: 1)
        link.came_up()
        clock.call_later(BROKEN_AT, link.broke)
        try:
            async with link.request("orders", grace):
                await clock.sleep(answer_at)
        except Ambiguous:
            return "ambiguous", clock.monotonic() / NS_PER_SECOND
        return "answered", clock.monotonic() / NS_PER_SECOND

    return run_virtual(main, MIDDAY, 60)


@pytest.mark.parametrize(
    ("answer_at", "outcome"),
    [(0.999, ("answered", 0.999)), (1.001, ("ambiguous", 1.0)), (9.0, ("ambiguous", 1.0))],
)
def test_a_question_ends_with_the_connection_it_was_asked_on(
    answer_at: float, outcome: tuple[str, float]
) -> None:
    assert outcome_of(answer_at, grace=0) == outcome


@pytest.mark.parametrize(
    ("answer_at", "outcome"),
    [(2.999, ("answered", 2.999)), (3.001, ("ambiguous", 3.0)), (9.0, ("ambiguous", 3.0))],
)
def test_C402_what_changes_something_there_is_ambiguous_at_its_time_out_and_not_before(
    answer_at: float, outcome: tuple[str, float]
) -> None:
    """From then on the bound for late arrivals is counted."""
    assert outcome_of(answer_at, grace=3) == outcome


def test_a_time_out_that_passed_before_the_break_ends_a_request_at_the_break() -> None:
    assert outcome_of(9.0, grace=0.5) == ("ambiguous", BROKEN_AT)


def test_nothing_is_asked_without_a_connection() -> None:
    async def main(clock: VirtualClock) -> None:
        link = Link("paper", lambda: 1)
        for _ in range(2):
            with pytest.raises(NotSent, match="paper is not connected"):
                async with link.request("orders", 0):
                    pytest.fail("it was asked")
            link.came_up()
            link.broke()

    run_virtual(main, MIDDAY, 60)


def test_a_time_out_of_the_adapter_is_not_taken_for_a_break() -> None:
    async def main(clock: VirtualClock) -> None:
        link = Link("paper", lambda: 1)
        link.came_up()
        with pytest.raises(TimeoutError):
            async with link.request("orders", 0), asyncio.timeout(2):
                await clock.sleep(5)

    run_virtual(main, MIDDAY, 60)


def test_x84_what_is_asked_beside_is_no_question_that_silence_counts_from() -> None:
    """Nor is it one when it ends without an answer; what is asked before and after it is one."""

    async def main(clock: VirtualClock) -> None:
        link = Link("paper", clock.now)
        link.came_up()

        async def ask_beside() -> None:
            async with link.beside(5):
                await clock.sleep(4)
                assert link.silent_since == 0
                await clock.sleep(4)

        async with link.request("orders", 0) as then:
            await clock.sleep(2)
            assert link.silent_since == clock.now() - 2 * NS_PER_SECOND
            then(None)
            with pytest.raises(Ambiguous, match="no answer within 5 s"):
                await ask_beside()
            assert link.silent_since == 0
            then("fills")
            await clock.sleep(2)
            assert link.silent_since == clock.now() - 2 * NS_PER_SECOND
        assert link.silent_since == 0

    run_virtual(main, MIDDAY, 60)


def test_a_break_ends_what_is_asked_beside_too() -> None:
    async def main(clock: VirtualClock) -> None:
        link = Link("paper", clock.now)
        link.came_up()
        clock.call_later(BROKEN_AT, link.broke)
        with pytest.raises(Ambiguous, match="broke before an answer"):
            async with link.beside(5):
                await clock.sleep(4)
        with pytest.raises(NotSent, match="paper is not connected"):
            async with link.beside(5):
                pytest.fail("it was asked")

    run_virtual(main, MIDDAY, 60)
