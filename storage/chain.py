"""The hash chain over the event rows (U-70, A-313): each row's hash covers the row before it."""

from hashlib import sha256
from typing import NamedTuple

from engine.domain.instant import Nanos

GENESIS = bytes(32)
"""What the first row follows."""


class Row(NamedTuple):
    """An event row as it is hashed and stored."""

    seq: int
    time: Nanos
    mode: str
    account: str
    type: str
    data: str


def link(previous: bytes, row: Row) -> bytes:
    """The SHA-256 of a row, from its content and the previous row's hash alone.

    Nothing of the machine, the path or the program enters, so equal histories have equal heads.
    The separator occurs in no part: names are cleaned where they enter, and JSON escapes it.
    """
    return sha256(previous + "\x1f".join(map(str, row)).encode()).digest()
