"""Trying again what provably did not reach the venue, and nothing else (C-400, C-401, C-402).

The same order with the same id: it was not sent, so that no second one can come of it. What nobody
knows the fate of is asked about instead (A-242).
"""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from engine.config.orders import ResiliencyConfig
from engine.ports import BrokerError, Clock, NotSent, Throttled

T = TypeVar("T")


class Waits:
    """The pauses between attempts, by the order that they are for; any of them can be cut short."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: dict[str, asyncio.Event] = {}

    async def wait(self, key: str, seconds: float) -> None:
        """Wait so many seconds for the next attempt of an order, or until `end`."""
        over = self._waiting[key] = asyncio.Event()
        timer = self._clock.call_later(seconds, over.set)
        try:
            await over.wait()
        finally:
            timer.cancel()
            self._waiting.pop(key, None)

    def end(self, key: str) -> None:
        """Wait no longer, if an order waits: what is decided of it has changed."""
        if (over := self._waiting.get(key)) is not None:
            over.set()


SPREAD: Final = 0.2
"""Of a pause, at random to either side."""

LONGEST_PAUSE: Final = 30.0
"""Seconds between two attempts at most; a venue that wants us to wait longer is not tried again."""

SHORTEST_WAIT: Final = 0.05
"""A venue that asks to wait is left alone for so many seconds at least."""

_AGAIN: Final = (NotSent, Throttled)


def _asked_to_wait(error: BrokerError) -> float:
    return error.retry_after if isinstance(error, Throttled) else 0.0


class _Schedule:
    """When a request that has failed so far is made again: after initial, initial x multiplier,
    ..., each spread, and as long as the venue asks us to wait.

    A first attempt that is asked to wait for less than `initial` waits for no longer than that
    (C-403), and is one more: the attempts and pauses that follow are as many without it.
    """

    def __init__(self, policy: ResiliencyConfig, random: Random | None) -> None:
        self._policy = policy
        self._random = random
        self.failed: list[BrokerError] = []
        """What each attempt so far ended in."""

    def ends(self, state: RetryCallState) -> bool:
        """Whether no attempt follows."""
        too_long = _asked_to_wait(self.failed[-1]) > LONGEST_PAUSE
        return self._counted() > self._policy.max_retries or too_long

    def pause(self, state: RetryCallState) -> float:
        """Seconds until the next attempt."""
        policy, counted = self._policy, self._counted()
        asked = _asked_to_wait(self.failed[-1])
        if not counted:
            return max(asked, SHORTEST_WAIT)
        usual = policy.initial_backoff * policy.backoff_multiplier ** (counted - 1)
        usual = min(usual, LONGEST_PAUSE)
        if self._random is not None:
            usual *= self._random.uniform(1 - SPREAD, 1 + SPREAD)
        return max(usual, asked)

    def _counted(self) -> int:
        """How many attempts there were, without one that was asked to wait for a moment."""
        policy = self._policy
        is_brief = 0 < _asked_to_wait(self.failed[0]) < policy.initial_backoff
        return len(self.failed) - (is_brief and policy.max_retries > 0)


async def attempted(
    request: Callable[[], Awaitable[T]],
    *,
    policy: ResiliencyConfig,
    wait: Callable[[float], Awaitable[None]],
    random: Random | None = None,
    put_off: Callable[[BrokerError, float], None],
    goes_on: Callable[[BrokerError], bool],
) -> T:
    """What `request` returns, tried again up to `policy.max_retries` times where it raised NotSent
    or Throttled.

    `wait` lets so many seconds pass, or fewer where it is needed no longer. `put_off` is told of
    each failure with the seconds until the next attempt. Before that, `goes_on` is told of it once
    more and says whether another is still wanted; where not, the last error is raised, as it is
    once the attempts are used up. `random` spreads the pauses; None leaves them exact.
    """
    schedule = _Schedule(policy, random)
    failed = schedule.failed

    def told(state: RetryCallState) -> None:
        error = None if state.outcome is None else state.outcome.exception()
        if isinstance(error, BrokerError) and state.next_action is not None:
            put_off(error, state.next_action.sleep)

    async def once() -> T:
        if failed and not goes_on(failed[-1]):
            raise _Over from failed[-1]
        try:
            return await request()
        except _AGAIN as error:
            failed.append(error)
            raise

    trying = AsyncRetrying(
        sleep=wait,
        stop=schedule.ends,
        wait=schedule.pause,
        retry=retry_if_exception_type(_AGAIN),
        before_sleep=told,
        reraise=True,
    )
    try:
        return await trying(once)
    except _Over:
        raise failed[-1] from None


class _Over(Exception):  # noqa: N818 - what is the case
    """It is not wanted any more."""
