"""The near end of a pty: starts the console on it, types, and sees what it paints."""

import contextlib
import fcntl
import json
import os
import queue
import select
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyte

from tests.bench.load import Found, Plan

ROOT = Path(__file__).resolve().parents[2]
SIZES = ((80, 24), (120, 40), (200, 50))
SWITCH_SECONDS = 0.0005
"""The emulator must not keep the reader from seeing when something came."""


class Terminal:
    """A process on a pty. Reading, and an emulator where one is wanted, have threads of their own.

    `frozen` stops reading what it writes. `reports` are the JSON lines of its pipe.
    """

    def __init__(
        self,
        plan: Plan,
        size: tuple[int, int] = (120, 40),
        *,
        emulate: bool = False,
        command: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """`command` runs in place of the bench's console, which plays `plan`."""
        sys.setswitchinterval(SWITCH_SECONDS)
        self.bytes = 0
        self.frozen = threading.Event()
        self.screen = pyte.Screen(*size)
        self.changed = threading.Condition()
        self.reports: list[dict[str, Any]] = []
        self._wanted: Callable[[pyte.Screen], bool] | None = None
        self._fulfilled = 0.0
        self._stream = pyte.ByteStream(self.screen)
        self._chunks: queue.SimpleQueue[tuple[float, bytes] | None] | None = None
        self._master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        read, write = os.pipe()
        kept = {key: value for key, value in os.environ.items() if not key.startswith("SSH_")}
        terminal = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        child = ["-m", "tests.bench.console_child", str(write), msgspec.json.encode(plan).decode()]
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            command or [sys.executable, *child],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=ROOT,
            start_new_session=True,
            pass_fds=(write,),
            env=kept | terminal | dict(environ or {}),
        )
        os.close(slave)
        os.close(write)
        self._open = True
        targets: list[Callable[[], None]] = [self._read, lambda: self._listen(read)]
        if emulate:
            self._chunks = queue.SimpleQueue()
            targets.append(self._emulate)
        self._threads = [threading.Thread(target=target, daemon=True) for target in targets]
        for thread in self._threads:
            thread.start()

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

    def _listen(self, pipe: int) -> None:
        with os.fdopen(pipe, "rb") as lines:
            for line in lines:
                with self.changed:
                    self.reports.append(json.loads(line))
                    self.changed.notify_all()

    def wait_for(self, key: str, seconds: float) -> dict[str, Any]:
        """The first report that has this key. Raises TimeoutError with the newest one."""
        end = time.perf_counter() + seconds
        with self.changed:
            while True:
                for report in self.reports:
                    if key in report:
                        return report
                left = end - time.perf_counter()
                if left <= 0 or self.process.poll() is not None:
                    raise TimeoutError(f"no {key} within {seconds} s; {self.reports[-1:]}")
                self.changed.wait(min(left, 0.5))

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

    def found(self, seconds: float) -> Found:
        """What came of the plan."""
        return msgspec.convert(self.wait_for("found", seconds)["found"], Found)

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
        if self.process.poll() is None:
            self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self._open = False
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self._chunks is not None:
            self._chunks.put(None)
        for thread in self._threads:
            thread.join(1)
        os.close(self._master)


def play_under_console(plan: Plan, size: tuple[int, int] = (120, 40)) -> tuple[Found, int]:
    """The plan under a console on a pty, and how many bytes it wrote in all."""
    terminal = Terminal(plan, size)
    try:
        terminal.wait_for("ready", 30)
        return terminal.found(plan.seconds + 60), terminal.bytes
    finally:
        terminal.close()
