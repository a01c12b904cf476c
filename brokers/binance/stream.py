"""What the venue tells of the account by itself: executionReport over the WebSocket API (C-211).

The stream of a listen key was withdrawn in 2026-02 (E-08, D-43); what replaced it is a signed
subscription on a connection of our own. It dies with the connection, and so every new connection
subscribes anew. The SDK's socket does not, and is not used.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from brokers.binance.client import RECEIVE_MS, Client
from brokers.binance.refusals import ClockApart, Failure, meaning
from brokers.binance.wire import ENDS, EXECUTION, Execution
from brokers.net.websocket import WebSocket
from engine.ports import NotSent

SUBSCRIBE: Final = "userDataStream.subscribe.signature"


class StreamEndedError(Exception):
    """The venue has said that nothing more is told on this connection."""


class _Kind(msgspec.Struct):
    e: str = ""


class _Message(msgspec.Struct):
    """Anything that arrives: an event, or the answer to a request of ours."""

    id: Any = None
    status: int = 0
    error: Failure | None = None
    event: msgspec.Raw = msgspec.Raw(b"")


class AccountStream:
    """One connection with its subscription; `told` gets every report, `ended` why it is over."""

    def __init__(
        self,
        url: str,
        client: Client,
        *,
        told: Callable[[Execution], None],
        ended: Callable[[str], None],
    ) -> None:
        self._url = url
        self._client = client
        self._told = told
        self._ended = ended
        self._socket: WebSocket | None = None
        self._decode = msgspec.json.Decoder(_Message).decode
        self._kind = msgspec.json.Decoder(_Kind).decode
        self._execution = msgspec.json.Decoder(Execution).decode
        self._number = 0

    @property
    def is_open(self) -> bool:
        return self._socket is not None and self._socket.is_open

    async def open(self) -> None:
        """Connect and subscribe. Raises one of the six errors; nothing stays open then."""
        socket = WebSocket(self._url, greet=self._greet, heard=self._heard, ended=self._ended)
        try:
            await socket.open()
        except (StreamEndedError, msgspec.DecodeError) as error:
            raise NotSent(f"no subscription at {self._url}: {error}") from error
        self._socket = socket

    async def close(self) -> None:
        """End the connection without a word to `ended`."""
        socket, self._socket = self._socket, None
        if socket is not None:
            await socket.close()

    async def _greet(self, socket: WebSocket) -> None:
        self._number += 1
        await socket.send(msgspec.json.encode(self._subscription()).decode())
        while True:
            message = self._decode(await socket.next())
            if message.id == self._number:
                break
            self._event(message)  # what was told before the answer is told all the same
        if message.status != 200:
            error = meaning(message.error or Failure(0, "refused"), SUBSCRIBE)
            if isinstance(error, ClockApart):
                await self._client.set_clock()
            raise error

    def _subscription(self) -> dict[str, Any]:
        """Signed over its parameters in the order of the alphabet, not percent-encoded."""
        params: dict[str, Any] = {
            "apiKey": self._client.keys.name(),
            "recvWindow": RECEIVE_MS,
            "timestamp": self._client.now_ms(),
        }
        text = "&".join(f"{name}={params[name]}" for name in sorted(params))
        params["signature"] = self._client.keys.sign(text)
        return {"id": self._number, "method": SUBSCRIBE, "params": params}

    def _heard(self, message: str | bytes) -> None:
        self._event(self._decode(message))

    def _event(self, message: _Message) -> None:
        if not bytes(message.event):
            return  # a late answer to a request
        kind = self._kind(message.event).e
        if kind in ENDS:
            raise StreamEndedError(f"the venue said {kind}")
        if kind == EXECUTION:
            self._told(self._execution(message.event))
        # Balances are asked for by the engine's looks; order lists are told order by order, too.
