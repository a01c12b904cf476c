"""The near end of a pty: starts the console on it, types, and sees what it paints."""

import contextlib
import fcntl
import json
import os
import select
import struct
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import pyte

from tests.bench.load import Found, Plan

ROOT = Path(__file__).resolve().parents[2]
SIZES = ((80, 24), (120, 40), (200, 50))


class Terminal:
    """A console in a process of its own. `frozen` stops reading what it writes."""

    def __init__(
        self, plan: Plan, size: tuple[int, int] = (120, 40), *, emulate: bool = False
    ) -> None:
        self.size = size
        self.bytes = 0
        self.frozen = threading.Event()
        self.screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self.screen)
        self._emulate = emulate
        self.changed = threading.Condition()
        self.reports: list[dict[str, Any]] = []
        self._master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        read, write = os.pipe()
        environment = {
            key: value for key, value in os.environ.items() if not key.startswith("SSH_")
        }
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.bench.console_child",
                str(write),
                msgspec.json.encode(plan).decode(),
            ],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=ROOT,
            start_new_session=True,
            pass_fds=(write,),
            env=environment | {"TERM": "xterm-256color", "COLORTERM": "truecolor"},
        )
        os.close(slave)
        os.close(write)
        self._open = True
        self._threads = [
            threading.Thread(target=self._paint, daemon=True),
            threading.Thread(target=self._listen, args=(read,), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    # --- its output -------------------------------------------------------------------------------

    def _paint(self) -> None:
        while self._open:
            if self.frozen.is_set():
                time.sleep(0.005)
                continue
            ready, _, _ = select.select([self._master], [], [], 0.05)
            if not ready or self.frozen.is_set():
                continue
            try:
                read = os.read(self._master, 65_536)
            except OSError:
                return
            with self.changed:
                self.bytes += len(read)
                if self._emulate:
                    self._stream.feed(read)
                self.changed.notify_all()

    def _listen(self, pipe: int) -> None:
        with os.fdopen(pipe, "rb") as lines:
            for line in lines:
                with self.changed:
                    self.reports.append(json.loads(line))
                    self.changed.notify_all()

    def wait_for(self, key: str, seconds: float, since: int = 0) -> dict[str, Any]:
        """The next report that has this key. Raises TimeoutError with what is on the screen."""
        end = time.perf_counter() + seconds
        with self.changed:
            while True:
                for report in self.reports[since:]:
                    if key in report:
                        return report
                left = end - time.perf_counter()
                if left <= 0 or (self.process.poll() is not None and left < seconds - 2):
                    raise TimeoutError(f"no {key} in {seconds} s; {self.reports[-1:]}")
                self.changed.wait(min(left, 0.5))

    def found(self, seconds: float) -> Found:
        """What came of the plan."""
        return msgspec.convert(self.wait_for("found", seconds)["found"], Found)

    def text(self) -> list[str]:
        """What the terminal shows."""
        with self.changed:
            return list(self.screen.display)

    # --- its input --------------------------------------------------------------------------------

    def type(self, keys: bytes) -> float:
        """Type, and say when."""
        now = time.perf_counter()
        os.write(self._master, keys)
        return now

    def resize(self, columns: int, rows: int) -> None:
        """Another size."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def close(self) -> None:
        """End the console; by force if it does not end by itself."""
        self.frozen.clear()
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self._open = False
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for thread in self._threads:
            thread.join(1)
        os.close(self._master)


def play_under_console(plan: Plan, size: tuple[int, int] = (120, 40)) -> tuple[Found, int]:
    """The plan under a console on a pty, and how many bytes it wrote while it was played."""
    terminal = Terminal(plan, size)
    try:
        terminal.wait_for("ready", 30)
        return terminal.found(plan.seconds + 60), terminal.bytes
    finally:
        terminal.close()
