"""A connection of Coinbase's streams: channels, the number that every message has, and the end.

A stream is whole or it is over: messages are numbered over all channels of a connection, and one
that is missing, repeated or out of turn ends it with the reason (research/venues.md §4, fault 6).
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from brokers.net.websocket import WebSocket
from engine.domain.text import clean_text
from engine.ports import AuthFailed, BrokerError, NotSent

SILENCE_SECONDS: Final = 3.0
"""Heartbeats come every second: without anything for so long the connection is over."""

HEARTBEATS: Final = "heartbeats"
SUBSCRIPTIONS: Final = "subscriptions"


class Message(msgspec.Struct, frozen=True):
    """What every message has; an error has a type and a text instead of a channel."""

    channel: str = ""
    type: str = ""
    message: Any = ""
    sequence_num: int | None = None
    timestamp: Any = None
    events: list[msgspec.Raw] = []


class _Subscribed(msgspec.Struct, frozen=True):
    subscriptions: dict[str, Any] = {}


class StreamFault(Exception):  # noqa: N818 - what has happened to a stream
    """The stream cannot be gone on with; one sentence says why."""


class Channels:
    """One connection and its channels; `heard` gets the messages of all of them but the
    confirmation of what was subscribed to."""

    def __init__(
        self,
        url: str,
        channels: Sequence[str],
        *,
        products: Sequence[str] = (),
        token: Callable[[], str] | None = None,
        heard: Callable[[Message], None],
        ended: Callable[[str], None],
    ) -> None:
        """`heartbeats` is subscribed to first in any case: without it a quiet channel is closed by
        the venue. `token` makes the token of one subscription, a fresh one for each."""
        self._channels = (HEARTBEATS, *channels)
        self._products = list(products)
        self._token = token
        self._tell = heard
        self._next: int | None = None
        self._confirmed: set[str] = set()
        self._socket = WebSocket(
            url,
            greet=self._greet,
            heard=self._heard,
            ended=ended,
            silence_seconds=SILENCE_SECONDS,
        )

    @property
    def is_open(self) -> bool:
        return self._socket.is_open

    async def open(self) -> None:
        """Connect, subscribe, and wait until the venue has confirmed each channel.

        Raises one of the six errors; nothing stays open then.
        """
        self._next, self._confirmed = None, set()
        await self._socket.open()

    async def close(self) -> None:
        """End it without a word. Does nothing when closed."""
        await self._socket.close()

    async def _greet(self, socket: WebSocket) -> None:
        for channel in self._channels:
            await socket.send(self._subscription(channel))
        while not self._confirmed >= set(self._channels):
            try:
                self._heard(await socket.next())
            except BrokerError:
                raise
            except (StreamFault, msgspec.DecodeError) as error:
                raise NotSent(f"the stream was not what it should be: {error}") from error

    def _subscription(self, channel: str) -> str:
        body: dict[str, Any] = {"type": "subscribe", "channel": channel}
        if self._products:
            body["product_ids"] = self._products
        if self._token is not None:
            body["jwt"] = self._token()
        return msgspec.json.encode(body).decode()

    def _heard(self, text: str | bytes) -> None:
        """Take one message. Raises what ends the stream."""
        message = msgspec.json.decode(text, type=Message)
        if message.type == "error":
            said = clean_text(str(message.message), 200)
            if "auth" in said.lower() and not self._confirmed >= set(self._channels):
                raise AuthFailed(f"the stream was refused: {said}")
            raise StreamFault(f"the venue says: {said}")
        self._count(message)
        if message.channel != SUBSCRIPTIONS:
            self._tell(message)
            return
        for event in message.events:
            known = msgspec.json.decode(event, type=_Subscribed)
            self._confirmed |= known.subscriptions.keys()

    def _count(self, message: Message) -> None:
        number = message.sequence_num
        if number is None:
            raise StreamFault(f"a message of {message.channel or 'no channel'} has no number")
        if self._next is not None and number != self._next:
            raise StreamFault(f"message {number} came where {self._next} was due: some are missing")
        self._next = number + 1
