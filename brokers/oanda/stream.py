"""A stream of lines over HTTP, from its opening to its end; it never comes back by itself.

A line may come in several pieces. What ends a stream: the other side, a silence longer than the
beat of 5 s allows, a line that has no end. Who wants to know sooner whether a quiet stream still
tells everything says what to ask meanwhile.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from brokers.net.rest import Request, Rest
from engine.domain.text import clean_text
from engine.ports import NotSent

OPEN_SECONDS: Final = 4.0
SILENCE_SECONDS: Final = 12.0
"""It beats every 5 s: without a beat for 10 to 15 s it is dead (research §6)."""

QUIET_SECONDS: Final = 1.5
"""Most of what is missed shows within 5 s (C-440), which a beat of 5 s cannot do alone."""

LONGEST_LINE: Final = 1024 * 1024


class StreamEnded(Exception):  # noqa: N818 - it is what happened
    """Why a stream is over, in words."""


class LineStream:
    """One stream. `heard` gets the whole lines of each piece that came, and may ask the venue
    something before it takes the next; `ended` is called once, with why. `quiet` is called whenever
    nothing came for `quiet_seconds`; it raises StreamEnded where the stream is not to be trusted
    any more."""

    def __init__(
        self,
        rest: Rest,
        request: Request,
        *,
        heard: Callable[[list[bytes]], Awaitable[None]],
        ended: Callable[[str], None],
        silence_seconds: float = SILENCE_SECONDS,
        quiet: Callable[[], Awaitable[None]] | None = None,
        quiet_seconds: float = QUIET_SECONDS,
    ) -> None:
        self._rest = rest
        self._request = request
        self._heard = heard
        self._ended = ended
        self._silence = silence_seconds
        self._quiet = quiet
        self._quiet_seconds = quiet_seconds
        self._task: asyncio.Task[None] | None = None
        self._begun = asyncio.Event()

    async def open(self) -> None:
        """Connect: from now on nothing is missed, and nothing is read before `begin`. Raises one of
        the six errors; nothing stays open then."""
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(opened), name=f"stream {self._request.path}")
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                await opened
        except TimeoutError as error:
            await self.close()
            raise NotSent(f"{self._request.path} did not begin in {OPEN_SECONDS:g} s") from error
        except BaseException:
            await self.close()
            raise

    def begin(self) -> None:
        """Read it from now on."""
        self._begun.set()

    async def close(self) -> None:
        """End it without a word to `ended`. Does nothing when closed."""
        task, self._task = self._task, None
        if task is not None and task is not asyncio.current_task():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self, opened: asyncio.Future[None]) -> None:
        try:
            async with self._rest.stream(self._request) as pieces:
                if not opened.done():
                    opened.set_result(None)
                await self._begun.wait()
                why = await self._read(pieces.__aiter__().__anext__)
        except StreamEnded as error:
            why = str(error)
        except Exception as error:  # whatever it was, what is told from now on is missed
            if not opened.done():
                opened.set_exception(error)
                return
            why = f"the stream broke: {str(error) or type(error).__name__}"
        if self._task is not None:
            self._task = None
            self._ended(clean_text(why, 300))

    async def _read(self, more: Callable[[], Awaitable[bytes]]) -> str:
        rest = b""
        while True:
            try:
                piece = await self._next(more)
            except StopAsyncIteration:
                return "the stream ended"
            if piece is None:
                return f"nothing was heard for {self._silence:g} s"
            *lines, rest = (rest + piece).split(b"\n")
            if len(rest) > LONGEST_LINE:
                return f"a line of more than {LONGEST_LINE} bytes"
            whole = [line for line in lines if line.strip()]
            if whole:
                await self._heard(whole)

    async def _next(self, more: Callable[[], Awaitable[bytes]]) -> bytes | None:
        """The next piece; None after too long a silence."""
        loop = asyncio.get_running_loop()
        over = loop.time() + self._silence
        coming = asyncio.ensure_future(more())
        try:
            while (left := over - loop.time()) > 0:
                wait = left if self._quiet is None else min(left, self._quiet_seconds)
                if (await asyncio.wait({coming}, timeout=wait))[0]:
                    return await coming
                if self._quiet is not None and loop.time() < over:
                    await self._quiet()
            return None
        finally:
            if not coming.done():
                coming.cancel()
                await asyncio.wait({coming})
