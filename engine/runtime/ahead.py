"""Reads a stream as far as it has come."""

import asyncio
from collections.abc import AsyncIterator, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")

Step = Generator[Any, Any, T]
"""What awaits the next value: it is run until it has to wait, and gone on with from there."""


class Ahead(Generic[T]):
    """The values of a stream, all that have come at a time."""

    def __init__(self, stream: AsyncIterator[T]) -> None:
        self._stream = stream
        self._step: Step[T] | None = None
        """The one that waits for the next value."""
        self._waits_for: object = None
        """What it waits for."""
        self._ended: BaseException | None = None
        """With what the stream has ended, or broken, behind what was read."""

    async def read(self, most: int) -> list[T]:
        """Everything that has come, `most` values at most; the first is waited for.

        Raises StopAsyncIteration where the stream has ended, and what the stream raises.
        """
        found: list[T] = []
        if not self._has_come(found):
            if self._ended is not None:
                raise self._ended
            if self._step is not None:
                step, self._step = self._step, None
                found.append(await _GoneOn(step, self._waits_for))
        while len(found) < most and self._has_come(found):
            pass
        return found

    def _has_come(self, found: list[T]) -> bool:
        """Whether the next value has come, which is added then; else it is waited for."""
        if self._step is not None or self._ended is not None:
            return False
        step = anext(self._stream).__await__()
        try:
            self._waits_for = step.send(None)
        except StopIteration as done:
            found.append(done.value)
            return True
        except (Exception, asyncio.CancelledError) as ended:
            # Whatever it is, what came before it is told first. Nobody can cancel us here: a cancel
            # that comes out of it is the stream's own.
            self._ended = ended
            return False
        self._step = step
        return False


class _GoneOn(Generic[T]):
    """A step that waits for something, awaited to its end."""

    def __init__(self, step: Step[T], waits_for: object) -> None:
        self._step = step
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, T]:
        waits_for = self._waits_for
        try:
            while True:
                try:
                    sent = yield waits_for
                except BaseException as error:  # what is thrown here is thrown at who waits
                    waits_for = self._step.throw(error)
                else:
                    waits_for = self._step.send(sent)
        except StopIteration as done:
            value: T = done.value
            return value
