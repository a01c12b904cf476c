"""The hash chain over the event rows (U-70, A-313): each row's hash covers the row before it."""

from hashlib import sha256
from typing import NamedTuple, TypeAlias

from engine.domain.instant import Nanos

GENESIS = bytes(32)
"""What the first row follows."""


class ChainRow(NamedTuple):
    """An event row as it is hashed and stored."""

    seq: int
    time: Nanos
    mode: str
    account: str
    type: str
    version: int
    data: str


Row: TypeAlias = tuple[int, Nanos, str, str, str, int, str]
"""A `ChainRow`, or as much without the names: the writer hashes tens of thousands a second."""


def link(previous: bytes, row: Row) -> bytes:
    """The SHA-256 of a row, from its content and the previous row's hash alone.

    Nothing of the machine, the path or the program enters, so equal histories have equal heads.
    From version 2 on the version of the data enters; a row of version 1 has the hash that 0.1.0
    gave it. The separator occurs in no part: names are cleaned where they enter, and JSON escapes
    it.
    """
    seq, time, mode, account, kind, version, data = row
    said = "" if version == 1 else f"{version}\x1f"
    text = f"{seq}\x1f{time}\x1f{mode}\x1f{account}\x1f{kind}\x1f{said}{data}"
    return sha256(previous + text.encode()).digest()
