"""The two private streams of an account: its orders, and its stops (C-260).

They stand and fall together. A stream that is told to go, or that misses anything, ends; the engine
connects again and looks at everything (C-441).
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Final

import msgspec

from brokers.net.websocket import WebSocket
from brokers.okx.refusals import login_error
from brokers.okx.wire import AlgoRow, Message, OrderRow
from engine.ports import NotSent

PING: Final = "ping"
PONG: Final = "pong"
BEAT_SECONDS: Final = 4.0
"""The venue closes a connection that is silent for 30 s, and answers each text "ping"."""

SILENCE_SECONDS: Final = 10.0

ORDERS: Final = {"channel": "orders", "instType": "SPOT"}
STOPS: Final = {"channel": "orders-algo", "instType": "SPOT"}

_MESSAGE: Final = msgspec.json.Decoder(Message)
_ORDERS: Final = msgspec.json.Decoder(list[OrderRow])
_STOPS: Final = msgspec.json.Decoder(list[AlgoRow])


class StreamEnded(Exception):  # noqa: N818 - it is what happened
    """The venue says that a stream is over, or cannot be relied on."""


def read(message: str | bytes) -> Message:
    """A message of a stream. Raises StreamEnded where it ends the stream."""
    told = _MESSAGE.decode(message)
    if told.event == "error":
        raise StreamEnded(f"{told.msg} ({told.code})")
    if told.event == "notice":
        raise StreamEnded(f"the venue will close it: {told.msg} ({told.code})")
    if told.event == "channel-conn-count-error":
        # It comes after the acknowledgement of the channel, which then tells nothing.
        raise StreamEnded(f"too many connections to the channel {told.channel} ({told.conn_count})")
    return told


async def subscribe(socket: WebSocket, args: list[dict[str, str]]) -> list[str | bytes]:
    """Subscribe to channels; what the stream told before all of them were acknowledged.

    Raises one of the six errors.
    """
    await socket.send(msgspec.json.encode({"op": "subscribe", "args": args}).decode())
    missing, early = [dict(arg) for arg in args], list[str | bytes]()
    while missing:
        message = await socket.next()
        told = _greeting(message)
        if told.event == "subscribe":
            missing = [arg for arg in missing if not _is_of(told.arg, arg)]
        elif not told.event:
            early.append(message)
    return early


async def log_in(socket: WebSocket, login: str) -> None:
    """Log in. Raises one of the six errors."""
    await socket.send(login)
    while _greeting(await socket.next()).event != "login":
        pass


def _greeting(message: str | bytes) -> Message:
    """A message before the stream stands. Raises one of the six errors for what refuses it."""
    try:
        told = _MESSAGE.decode(message)
    except (msgspec.DecodeError, ValueError) as error:
        raise NotSent(f"the stream greets with what cannot be read: {error}") from error
    if told.event == "error" or (told.event == "login" and told.code != "0"):
        raise login_error(told.code, told.msg)
    try:
        return read(message)
    except StreamEnded as error:
        raise NotSent(str(error)) from error


def _is_of(told: dict[str, Any], arg: dict[str, str]) -> bool:
    return all(told.get(name) == value for name, value in arg.items())


class AccountStream:
    """Both streams of an account. `ended` is called once, with why, when one of them is over."""

    def __init__(
        self,
        *,
        private: str,
        business: str,
        login: Callable[[], str],
        order: Callable[[OrderRow], None],
        stop: Callable[[AlgoRow], None],
        ended: Callable[[str], None],
        beat_seconds: float = BEAT_SECONDS,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        self._login = login
        self._order = order
        self._stop = stop
        self._ended = ended
        self._over = False
        self._why = ""
        self._stands = False
        self._closing: asyncio.Task[None] | None = None

        def socket(url: str, arg: dict[str, str], hear: Callable[[msgspec.Raw], None]) -> WebSocket:
            def heard(message: str | bytes) -> None:
                if message != PONG:
                    told = read(message)
                    if told.arg.get("channel") == arg["channel"] and not told.event:
                        hear(told.data)

            async def greet(socket: WebSocket) -> None:
                await log_in(socket, self._login())
                for message in await subscribe(socket, [arg]):
                    heard(message)

            return WebSocket(
                url, greet=greet, heard=heard, ended=self._one_ended,
                beat=PING, beat_seconds=beat_seconds, silence_seconds=silence_seconds,
            )  # fmt: skip

        self._sockets = (
            socket(private, ORDERS, self._hear_orders),
            socket(business, STOPS, self._hear_stops),
        )

    @property
    def is_open(self) -> bool:
        return not self._over and all(socket.is_open for socket in self._sockets)

    async def open(self) -> None:
        """Open both. Raises one of the six errors; neither stays open then."""
        try:
            for socket in self._sockets:
                await socket.open()
            if self._over:
                raise NotSent(f"a stream ended while the other was opened: {self._why}")
            self._stands = True
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """End both without a word to `ended`."""
        self._over = True
        for socket in self._sockets:
            await socket.close()
        closing, self._closing = self._closing, None
        if closing is not None and closing is not asyncio.current_task():
            with contextlib.suppress(asyncio.CancelledError):
                await closing

    def _one_ended(self, why: str) -> None:
        if self._over:
            return
        self._over, self._why = True, why
        self._closing = asyncio.create_task(self._close_all(), name="closing the streams of OKX")
        if self._stands:
            self._ended(why)

    async def _close_all(self) -> None:
        for socket in self._sockets:
            await socket.close()

    def _hear_orders(self, data: msgspec.Raw) -> None:
        for row in _ORDERS.decode(data):
            self._order(row)

    def _hear_stops(self, data: msgspec.Raw) -> None:
        for row in _STOPS.decode(data):
            self._stop(row)
