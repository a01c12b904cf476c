"""Plays a tape to the paper venue at a rate that may change: `-m tests.bench.player TAPE SOCKET`.

Reads one number a line on stdin, quotes a second; 0 is a market where nothing moves. With each, the
first quotes of the tape, one of each symbol, go out at once. It ends when stdin does. A quote
carries the moment it was due, not the one it left at, so that a player that is kept from running
shows as an old price.
"""

import contextlib
import os
import select
import socket
import sys
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Final

from tests.bench import tape

HEAD: Final = b'{"id":1,"op":"quotes","args":{"quotes":['
TAIL: Final = b"]}}\n"

LOOK_SECONDS: Final = 0.05
"""How long the player sleeps at most before it looks at stdin again."""

TOGETHER_SECONDS: Final = 0.001
"""Quotes that are due within so short a time share a frame, as a busy venue sends them."""

FRAME: Final = 500
"""Quotes in one frame at most."""

BEHIND_SECONDS: Final = 1.0
"""So late, the schedule begins anew: a venue that cannot keep up loses quotes, it gets no queue."""


class Player:
    """One tape, played round and round."""

    def __init__(self, lines: list[tape.Line], path: Path) -> None:
        self._opening = [line.head for line in _opening(lines)]
        self._lines = cycle(lines[len(self._opening) :])
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(str(path))
        self._rate = 0.0

    def play(self, asked: int) -> None:
        """Play until the descriptor `asked`, which tells the rates, ends."""
        line = next(self._lines)
        due = sent = time.perf_counter()
        while True:
            wake = max(due, sent + TOGETHER_SECONDS) - time.perf_counter()
            wait = min(max(wake, 0), LOOK_SECONDS) if self._rate else LOOK_SECONDS
            heard = self._socket.fileno()
            ready, _, _ = select.select([asked, heard], [], [], wait)
            if heard in ready:
                self._socket.recv(65_536)  # the venue's answers say nothing
            if asked in ready:
                read = os.read(asked, 4_096)
                if not read:
                    return
                self._rate = float(read.split()[-1])
                self._send([_at(head, time.time_ns()) for head in self._opening])
                due = time.perf_counter()
            if not self._rate:
                continue
            now = time.perf_counter()
            if now - due > BEHIND_SECONDS:
                due = now
            wall = time.time_ns()
            frame: list[bytes] = []
            while due <= now and len(frame) < FRAME:
                frame.append(_at(line.head, wall - round((now - due) * 1e9)))
                line = next(self._lines)
                due += line.gap / self._rate
            if frame:
                sent = now
                self._send(frame)

    def _send(self, quotes: list[bytes]) -> None:
        self._socket.sendall(HEAD + b",".join(quotes) + TAIL)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


def _at(head: bytes, time_ns: int) -> bytes:
    """A quote of that moment."""
    return b"%b%d}" % (head, time_ns)


def _opening(lines: list[tape.Line]) -> Iterator[tape.Line]:
    """The lines without a gap that a tape begins with."""
    for line in lines:
        if line.gap:
            return
        yield line


def main() -> None:
    player = Player(tape.read(Path(sys.argv[1])), Path(sys.argv[2]))
    with contextlib.suppress(BrokenPipeError, ConnectionError):
        player.play(0)
    player.close()


if __name__ == "__main__":
    main()
