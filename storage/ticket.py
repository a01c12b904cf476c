"""What an append gives back: it can be awaited until the records are durable."""

import asyncio
from collections.abc import Awaitable, Generator, Sequence
from typing import Any

from storage.errors import JournalError


class Ticket(Awaitable[None]):
    """The answer of the writer thread. Many may wait for it; one that gives up disturbs nobody."""

    __slots__ = ("_error", "_settled", "_waiters", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._settled = False
        self._error: JournalError | None = None
        self._waiters: list[asyncio.Future[None]] = []

    def __await__(self) -> Generator[Any, None, None]:
        if not self._settled:
            waiter: asyncio.Future[None] = self.loop.create_future()
            self._waiters.append(waiter)
            yield from waiter
        if self._error is not None:
            raise again(self._error)

    def settle(self, error: JournalError | None) -> None:
        """Answer everybody who waits, and who asks later. Called on the loop."""
        self._settled, self._error = True, error
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()


def again(error: JournalError) -> JournalError:
    """The error anew for each waiter: one instance raised many times would gather tracebacks."""
    copy = type(error)(*error.args)
    copy.__cause__ = error
    return copy


def wake(tickets: Sequence[Ticket], error: JournalError | None) -> None:
    """Settle them all. Called on their loop."""
    for ticket in tickets:
        ticket.settle(error)
