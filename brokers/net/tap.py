"""A tap on the wire: whoever holds it is told of every message between us and a venue, as it is.

Nobody is told unless a `Wiretap` is set by `tapped` where an account is opened. It hears secrets:
what becomes of them is the business of whoever set it (`console.host.wire_recorder`).
"""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from enum import StrEnum
from typing import Final, Protocol

import msgspec


class What(StrEnum):
    """What a message is."""

    REQUEST = "request"
    ANSWER = "answer"
    OPEN = "open"
    """A stream is asked for."""
    SENT = "sent"
    """By us, on a stream."""
    HEARD = "heard"
    """By us, on a stream or as a piece of an answer that goes on."""
    END = "end"
    """A stream is over, or a request has no answer; `data` says why."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message. `channel` is the same for a request and its answer, and for all of a stream."""

    channel: int
    what: What
    method: str = ""
    url: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    status: int = 0
    data: bytes = b""


class Wiretap(Protocol):
    """What is told of each message, in order; safe to call from any thread."""

    def channel(self) -> int:
        """The number of a new channel."""
        ...

    def put(self, message: Message) -> None:
        """Take a message; it neither waits nor raises."""
        ...


_TAP: Final[ContextVar[Wiretap | None]] = ContextVar("wiretap", default=None)


@contextlib.contextmanager
def tapped(tap: Wiretap) -> Iterator[None]:
    """Every account that is opened in here, and all that it opens itself, is listened to."""
    token = _TAP.set(tap)
    try:
        yield
    finally:
        _TAP.reset(token)


class Line:
    """One connection's way to the tap that was set where it was made; does nothing without one."""

    def __init__(self) -> None:
        self._tap = _TAP.get()

    @property
    def is_tapped(self) -> bool:
        return self._tap is not None

    def channel(self) -> int:
        """The number of a new channel; 0 where nobody listens."""
        return 0 if self._tap is None else self._tap.channel()

    def request(
        self,
        channel: int,
        method: str,
        url: str,
        headers: tuple[tuple[str, str], ...],
        body: bytes,
    ) -> None:
        """A request leaves."""
        self._put(channel, What.REQUEST, method=method, url=url, headers=headers, data=body)

    def answer(
        self, channel: int, status: int, headers: tuple[tuple[str, str], ...], body: bytes
    ) -> None:
        """Its answer has come."""
        self._put(channel, What.ANSWER, status=status, headers=headers, data=body)

    def opens(self, channel: int, url: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        """A stream is asked for."""
        self._put(channel, What.OPEN, url=url, headers=headers)

    def sent(self, channel: int, data: str | bytes) -> None:
        """We say something on a stream."""
        if self._tap is not None:
            self._put(channel, What.SENT, data=_bytes(data))

    def heard(self, channel: int, data: str | bytes) -> None:
        """Something was said to us there."""
        if self._tap is not None:
            self._put(channel, What.HEARD, data=_bytes(data))

    def ends(self, channel: int, why: str) -> None:
        """The channel is over."""
        self._put(channel, What.END, data=why.encode())

    def _put(
        self,
        channel: int,
        what: What,
        *,
        method: str = "",
        url: str = "",
        headers: tuple[tuple[str, str], ...] = (),
        status: int = 0,
        data: bytes = b"",
    ) -> None:
        if self._tap is not None:
            self._tap.put(
                Message(
                    channel=channel,
                    what=what,
                    method=method,
                    url=url,
                    headers=headers,
                    status=status,
                    data=data,
                )
            )


def _bytes(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else data
