"""The near end of a pty: starts a console on it, types, and sees what it paints."""

import fcntl
import os
import queue
import select
import struct
import sys
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence

import pyte

from tests.bench.child import Child

SIZES = ((80, 24), (120, 40), (200, 50))
SWITCH_SECONDS = 0.0005
"""The emulator must not keep the reader from seeing when something came."""


class Terminal(Child):
    """A process on a pty. Reading, and an emulator where one is wanted, have threads of their own.

    `frozen` stops reading what it writes.
    """

    def __init__(
        self,
        command: Sequence[str],
        size: tuple[int, int] = (120, 40),
        *,
        emulate: bool = False,
        environ: Mapping[str, str] | None = None,
        descriptors: Sequence[int] = (),
    ) -> None:
        sys.setswitchinterval(SWITCH_SECONDS)
        self.bytes = 0
        self.frozen = threading.Event()
        self.screen = pyte.Screen(*size)
        self._wanted: Callable[[pyte.Screen], bool] | None = None
        self._fulfilled = 0.0
        self._stream = pyte.ByteStream(self.screen)
        self._chunks: queue.SimpleQueue[tuple[float, bytes] | None] | None = None
        self._master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        kept = {key: value for key, value in os.environ.items() if not key.startswith("SSH_")}
        kind = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        super().__init__(
            command,
            streams={"stdin": slave, "stdout": slave, "stderr": slave, "start_new_session": True},
            environ=kept | kind | dict(environ or {}),
            descriptors=descriptors,
        )
        os.close(slave)
        if emulate:
            self._chunks = queue.SimpleQueue()
            self._start(self._read, self._emulate)
        else:
            self._start(self._read)

    # --- its output -------------------------------------------------------------------------------

    def _read(self) -> None:
        while self._open:
            if self.frozen.is_set():
                time.sleep(0.002)
                continue
            ready, _, _ = select.select([self._master], [], [], 0.05)
            if not ready or self.frozen.is_set():
                continue
            try:
                read = os.read(self._master, 65_536)
            except OSError:
                return
            self.bytes += len(read)
            if self._chunks is not None:
                self._chunks.put((time.perf_counter(), read))

    def _emulate(self) -> None:
        assert self._chunks is not None
        while (chunk := self._chunks.get()) is not None:
            came, read = chunk
            with self.changed:
                self._stream.feed(read)
                if self._wanted is not None and self._wanted(self.screen):
                    self._wanted, self._fulfilled = None, came
                    self.changed.notify_all()

    def watch(self, holds: Callable[[pyte.Screen], bool]) -> None:
        """Note when bytes come that make the screen so, from now on."""
        with self.changed:
            self._wanted, self._fulfilled = holds, 0.0

    def wait(self, seconds: float) -> float:
        """When what is watched for came. Raises TimeoutError with what the screen shows."""
        end = time.perf_counter() + seconds
        with self.changed:
            while self._wanted is not None:
                left = end - time.perf_counter()
                if left <= 0:
                    raise TimeoutError("\n".join(self.screen.display))
                self.changed.wait(left)
            return self._fulfilled

    def text(self) -> list[str]:
        """What the emulator shows."""
        with self.changed:
            return list(self.screen.display)

    # --- its input --------------------------------------------------------------------------------

    def type(self, keys: bytes) -> float:
        """Type, and say when."""
        now = time.perf_counter()
        os.write(self._master, keys)
        return now

    def freeze(self, seconds: float) -> None:
        """Stop reading, and wait until what is in between is full."""
        self.frozen.set()
        time.sleep(seconds)

    def close(self) -> None:
        """End the process; by force if it does not end by itself."""
        self.frozen.clear()
        super().close()
        if self._chunks is not None:
            self._chunks.put(None)
        os.close(self._master)
