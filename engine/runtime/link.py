"""One account's connection as a fact: up or down, and what was asked over it (C-402, C-441)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TypeAlias

from engine.domain.instant import Nanos
from engine.ports import Ambiguous, AuthFailed, MarketClosed, NotSent, Rejected, Throttled

Part: TypeAlias = Callable[[], None]
"""Is called when one part of a request was answered."""

REFUSALS = (Rejected, Throttled, AuthFailed, MarketClosed)
"""Answers all the same."""

LONGEST_SECONDS = 20
"""A request is given up after this, whatever the adapter does."""


class Link:
    """Every request to a venue goes out within `request`, and ends with the connection."""

    def __init__(self, name: str, now: Callable[[], Nanos]) -> None:
        """`now` is the time in nanoseconds UTC that requests are dated with."""
        self._name = name
        self._now = now
        self._asked: dict[object, Nanos] = {}
        """When each request without an answer was made."""
        self._given_up: Nanos = 0
        """When the first of those was made that ended without one, since the venue last answered
        one that was made later; 0 where there is none."""
        self.asked_at: Nanos = 0
        """When the newest request was made."""
        self._open: dict[asyncio.Timeout, float] = {}
        """Requests without an answer, and until when one may still come, in loop time."""
        self.is_up = False
        self.connection = 0
        """The number of the newest connection; 0 before the first."""

    @property
    def silent_since(self) -> Nanos:
        """When the first question was asked that the venue has not answered; 0 where there is none
        (X-84)."""
        oldest = min(self._asked.values(), default=0)
        return min(filter(None, (oldest, self._given_up)), default=0)

    def came_up(self) -> None:
        """A connection stands."""
        self._asked.clear()
        self._given_up = 0
        self.is_up = True
        self.connection += 1

    def broke(self) -> None:
        """The connection is gone: what was asked over it gets its answer in time, or none."""
        self.is_up = False
        now = asyncio.get_running_loop().time()
        asked, self._open = self._open, {}
        self._asked.clear()
        self._given_up = 0
        for end, until in asked.items():
            if not end.expired():
                end.reschedule(max(until, now))

    @contextlib.asynccontextmanager
    async def request(
        self, grace: float, *, limit: float = LONGEST_SECONDS
    ) -> AsyncIterator[Callable[[], None]]:
        """Within this block the venue is asked; what it gives is for one of several parts (see
        `_waiting`).

        `grace`: seconds from now in which an answer counts even though the connection broke. For
        what changes something at the venue it is the venue's time-out, from which on the bound for
        late arrivals is counted; for a question it is 0. `limit`: seconds after which no answer is
        waited for any more.

        Raises NotSent while there is no connection, Ambiguous when it broke before the answer or
        the limit passed.
        """
        if not self.is_up:
            raise NotSent(f"{self._name} is not connected")
        with self._waiting() as answered:
            async with self._bounded(grace, limit):
                yield answered

    @contextlib.contextmanager
    def _waiting(self) -> Iterator[Part]:
        """Count a request among those without an answer until there is one.

        What it gives is to be called where one part of the request was answered: the next part is
        asked then.
        """
        request, made, connection = object(), self._now(), self.connection
        self._asked[request] = self.asked_at = made
        answered = False

        def part() -> None:
            nonlocal made
            made = self._now()
            if request in self._asked:
                self._asked[request] = self.asked_at = made
                self._given_up = 0

        try:
            yield part
            answered = True
        except REFUSALS:
            answered = True
            raise
        except NotSent:
            raise
        except Exception:
            if request in self._asked:
                self._given_up = self._given_up or made
            raise
        finally:
            self._asked.pop(request, None)
            if answered and connection == self.connection and made > self._given_up:
                self._given_up = 0

    @contextlib.asynccontextmanager
    async def _bounded(self, grace: float, limit: float) -> AsyncIterator[None]:
        """End a request with its connection, and after so many seconds."""
        asked, stood = asyncio.get_running_loop().time(), True
        try:
            async with asyncio.timeout(limit) as end:
                self._open[end] = asked + grace
                try:
                    yield
                finally:
                    stood = self._open.pop(end, None) is not None
        except TimeoutError as error:
            if not end.expired():
                raise
            if stood:
                raise Ambiguous(f"{self._name} gave no answer within {limit:g} s") from error
            raise Ambiguous(f"the connection to {self._name} broke before an answer") from error
