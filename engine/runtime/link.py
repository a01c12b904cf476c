"""One account's connection as a fact: up or down, and what was asked over it (C-402, C-441)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from engine.ports import Ambiguous, NotSent


class Link:
    """Every request to a venue goes out within `request`, and ends with the connection."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._open: dict[asyncio.Timeout, float] = {}
        """Requests without an answer, and until when one may still come, in loop time."""
        self.is_up = False
        self.connection = 0
        """The number of the newest connection; 0 before the first."""

    def came_up(self) -> None:
        """A connection stands."""
        self.is_up = True
        self.connection += 1

    def broke(self) -> None:
        """The connection is gone: what was asked over it gets its answer in time, or none."""
        self.is_up = False
        now = asyncio.get_running_loop().time()
        for limit, until in self._open.items():
            if not limit.expired():
                limit.reschedule(max(until, now))

    @contextlib.asynccontextmanager
    async def request(self, grace: float) -> AsyncIterator[None]:
        """Within this block the venue is asked.

        `grace`: seconds from now in which an answer counts even though the connection broke. For
        what changes something at the venue it is the venue's time-out, from which on the bound for
        late arrivals is counted; for a question it is 0.

        Raises NotSent while there is no connection, Ambiguous when it broke before the answer.
        """
        if not self.is_up:
            raise NotSent(f"{self._name} is not connected")
        asked = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(None) as limit:
                self._open[limit] = asked + grace
                try:
                    yield
                finally:
                    del self._open[limit]
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise Ambiguous(f"the connection to {self._name} broke before an answer") from error
