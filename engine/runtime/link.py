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
        asked, self._open = self._open, {}
        for end, until in asked.items():
            if not end.expired():
                end.reschedule(max(until, now))

    @contextlib.asynccontextmanager
    async def request(self, grace: float, *, limit: float | None = None) -> AsyncIterator[None]:
        """Within this block the venue is asked.

        `grace`: seconds from now in which an answer counts even though the connection broke. For
        what changes something at the venue it is the venue's time-out, from which on the bound for
        late arrivals is counted; for a question it is 0. `limit`: seconds after which no answer is
        waited for any more; None leaves that to the adapter.

        Raises NotSent while there is no connection, Ambiguous when it broke before the answer or
        the limit passed.
        """
        if not self.is_up:
            raise NotSent(f"{self._name} is not connected")
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
