"""One websocket connection, from its opening to its end; it never comes back by itself.

The engine decides when to connect again (C-441). What ends a connection: the other side, a ping
that is not answered, a silence longer than the venue's beat, a message that cannot be taken.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from brokers.net.rest import asked_wait
from brokers.net.tap import Line
from engine.domain.text import clean_text
from engine.ports import Ambiguous, AuthFailed, Banned, BrokerError, NotSent, Throttled

OPEN_SECONDS: Final = 2.0
CLOSE_SECONDS: Final = 0.3
PING_SECONDS: Final = 1.0
PONG_SECONDS: Final = 1.5
"""A half-open connection is noticed within the sum of the two."""

LARGEST_MESSAGE: Final = 16 * 1024 * 1024
REFUSED_WAIT: Final = 1.0
"""Seconds to wait where a refusal does not say how long."""


class WebSocket:
    """A websocket to a venue. `greet` and `heard` are the adapter's.

    `greet` logs in and subscribes: it sends and reads by `send` and `next`, and returns once the
    stream stands. From then on `heard` gets every message; `ended` is called once, with why.
    """

    def __init__(
        self,
        url: str,
        *,
        greet: Callable[["WebSocket"], Awaitable[None]],
        heard: Callable[[str | bytes], None],
        ended: Callable[[str], None],
        headers: Mapping[str, str] | None = None,
        beat: str = "",
        beat_seconds: float = 0,
        silence_seconds: float = 0,
    ) -> None:
        """`beat`: a text that is sent every `beat_seconds`, where the venue wants one.
        `silence_seconds`: with nothing heard for so long the connection is over; 0 where the venue
        is allowed to say nothing, pings are then all that is known of it."""
        self._url = url
        self._greet = greet
        self._heard = heard
        self._ended = ended
        self._headers = dict(headers or {})
        self._beat = beat
        self._beat_seconds = beat_seconds
        self._silence = silence_seconds
        self._connection: ClientConnection | None = None
        self._tasks: tuple[asyncio.Task[None], ...] = ()
        self._silent_from = 0.0
        self._line = Line()
        self._channel = 0

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    async def open(self, *, within: float = 4.0) -> None:
        """Connect and greet. Raises one of the six errors; nothing stays open then."""
        self._channel = self._line.channel()
        self._line.opens(self._channel, self._url, tuple(self._headers.items()))
        try:
            self._connection = await connect(
                self._url,
                additional_headers=self._headers,
                open_timeout=OPEN_SECONDS,
                ping_interval=PING_SECONDS,
                ping_timeout=PONG_SECONDS,
                close_timeout=CLOSE_SECONDS,
                max_size=LARGEST_MESSAGE,
                max_queue=1024,
                proxy=None,
                user_agent_header=None,
            )
        except InvalidStatus as error:
            self._line.ends(self._channel, f"refused with HTTP {error.response.status_code}")
            raise _refused(error) from error
        except (OSError, TimeoutError, InvalidHandshake, InvalidURI) as error:
            self._line.ends(self._channel, _said(error))
            raise NotSent(f"no stream from {self._url}: {_said(error)}") from error
        try:
            async with asyncio.timeout(within):
                await self._greet(self)
        except TimeoutError as error:
            await self.close()
            raise NotSent(f"{self._url} let us in and said nothing for {within:g} s") from error
        except ConnectionClosed as error:
            await self.close()
            raise NotSent(f"{self._url} hung up at once: {_said(error)}") from error
        except BaseException:
            await self.close()
            raise
        self._silent_from = asyncio.get_running_loop().time()
        self._tasks = (
            asyncio.create_task(self._read(), name=f"stream of {self._url}"),
            asyncio.create_task(self._watch(), name=f"watch of {self._url}"),
        )

    async def send(self, text: str) -> None:
        """Send a text. Raises NotSent where nothing is open, Ambiguous where it breaks."""
        if self._connection is None:
            raise NotSent(f"the stream of {self._url} is not open")
        self._line.sent(self._channel, text)
        try:
            await self._connection.send(text)
        except ConnectionClosed as error:
            raise Ambiguous(f"the stream of {self._url} broke: {_said(error)}") from error

    async def next(self) -> str | bytes:
        """The next message, while greeting."""
        if self._connection is None:
            raise NotSent(f"the stream of {self._url} is not open")
        message = await self._connection.recv()
        self._line.heard(self._channel, message)
        return message

    async def close(self) -> None:
        """End the connection without a word to `ended`. Does nothing when closed."""
        tasks, self._tasks = self._tasks, ()
        connection, self._connection = self._connection, None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if connection is not None:
            with contextlib.suppress(Exception):
                await connection.close()
            connection.transport.abort()
            self._line.ends(self._channel, "closed by us")

    async def _read(self) -> None:
        connection, why = self._connection, "the stream ended"
        if connection is None:
            return
        loop = asyncio.get_running_loop()
        try:
            async for message in connection:
                self._silent_from = loop.time()
                self._line.heard(self._channel, message)
                self._heard(message)
            why = _closed(connection)
        except ConnectionClosed as error:
            why = _said(error)
        except Exception as error:  # what was told is lost, unless all of it is asked again
            why = f"a message could not be taken: {type(error).__name__}: {error}"
        self._over(why)

    async def _watch(self) -> None:
        """Send what the venue wants to hear, and end a connection that is silent."""
        loop, turn = asyncio.get_running_loop(), self._turn()
        beat_at = loop.time() + self._beat_seconds
        while turn:
            await asyncio.sleep(turn)
            now = loop.time()
            if self._silence and now - self._silent_from >= self._silence:
                self._over(f"nothing was heard for {self._silence:g} s")
                return
            if self._beat and now >= beat_at:
                beat_at = now + self._beat_seconds
                with contextlib.suppress(Ambiguous, NotSent):  # its end is told by the reader
                    await self.send(self._beat)

    def _turn(self) -> float:
        """Seconds between two looks; 0 where there is nothing to look after."""
        wanted = [s for s in (self._silence / 4, self._beat_seconds if self._beat else 0) if s]
        return min(wanted, default=0.0)

    def _over(self, why: str) -> None:
        """The connection is gone: let go of it, and say so once."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        tasks, self._tasks = self._tasks, ()
        current = asyncio.current_task()
        for task in tasks:
            if task is not current:
                task.cancel()
        connection.transport.abort()
        self._line.ends(self._channel, why)
        self._ended(clean_text(why, 300))


def _refused(error: InvalidStatus) -> BrokerError:
    """What an answer to the handshake means, with the wait that its header Retry-After asks for.

    A refusal that says when to come back is no word about the key, whatever its status.
    """
    status = error.response.status_code
    headers = {name.lower(): value for name, value in error.response.headers.raw_items()}
    said, wait = f"the stream was refused with HTTP {status}", asked_wait(headers, REFUSED_WAIT)
    if status == 418:
        return Banned(said, wait)
    if status in {406, 429} or (status in {403, 503} and "retry-after" in headers):
        return Throttled(said, wait)
    if status in {401, 403}:
        return AuthFailed(said)
    return NotSent(said)


def _closed(connection: ClientConnection) -> str:
    code, reason = connection.close_code, connection.close_reason
    return f"closed with {code} {reason}".strip() if code else "the stream ended"


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__
