"""What goes over a connection to TWS, told to whoever listens (`brokers.net.tap`).

Each message is told without its length, its fields ended by NUL as they are on the wire.
"""

import struct
from typing import Any, Final

from brokers.net.tap import Line

GREETING: Final = b"API\0"
"""What our first message begins with, before its length."""

_LENGTH: Final = 4


def listen(line: Line, connection: Any, url: str) -> None:
    """Tell `line` of all that the library's connection sends and hears, and of its end.

    Nothing of the connection is changed for whoever uses it.
    """
    channel = line.channel()
    line.opens(channel, url)
    heard, send, lost = connection.data_received, connection.sendMsg, connection.connection_lost
    rest = bytearray()

    def data_received(data: bytes) -> None:
        rest.extend(data)
        for message in _messages(rest):
            line.heard(channel, message)
        heard(data)

    def send_message(data: bytes) -> None:
        greeting = data.startswith(GREETING)
        whole = data.removeprefix(GREETING)
        line.sent(channel, (GREETING if greeting else b"") + whole[_LENGTH:])
        send(data)

    def connection_lost(error: Exception | None) -> None:
        line.ends(channel, str(error or "closed"))
        lost(error)

    connection.data_received = data_received
    connection.sendMsg = send_message
    connection.connection_lost = connection_lost


def _messages(rest: bytearray) -> list[bytes]:
    """The whole messages at the beginning of `rest`, taken off it."""
    found = []
    while len(rest) >= _LENGTH:
        (size,) = struct.unpack(">I", rest[:_LENGTH])
        if len(rest) < _LENGTH + size:
            break
        found.append(bytes(rest[_LENGTH : _LENGTH + size]))
        del rest[: _LENGTH + size]
    return found
