"""The program with its console on a real pseudo-terminal: keys in, screen out."""

import contextlib
import fcntl
import os
import select
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from typing import Any

import pyte

from tests.console.program import MAIN, PATIENCE, ROOT, Program

ON_ITS_TERMINAL = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n" + MAIN
"""Its standard input becomes its controlling terminal, whose end it is then told of."""

FOREIGN = ("SSH_CONNECTION", "SSH_TTY", "TMUX", "NO_COLOR")
KEYS = {"ctrl+k": b"\x0b", "ctrl+l": b"\x0c", "ctrl+p": b"\x10", "enter": b"\r", "escape": b"\x1b"}


class Terminal:
    """A terminal emulator with the console in it; it reads in a thread of its own."""

    def __init__(
        self, program: Program, columns: int, rows: int, *options: str, kitty: bool = False
    ) -> None:
        """`kitty` speaks that terminal's protocol, in which escape is a sequence of its own."""
        self.program = program
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self._reads = threading.Event()
        self._reads.set()
        self._over = threading.Event()
        self._master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        kept = {k: v for k, v in program.environment.items() if k not in FOREIGN}
        program.engine = subprocess.Popen(
            [
                sys.executable,
                "-c",
                ON_ITS_TERMINAL,
                "--state-dir",
                str(program.folder),
                *options,
            ],
            cwd=ROOT,
            env={
                **kept,
                "TERM": "xterm-256color",
                "COLORTERM": "truecolor",
                "TEXTUAL_DISABLE_KITTY_KEY": "" if kitty else "1",
            },
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self._thread = threading.Thread(target=self._read, name="terminal")
        self._thread.start()

    def _read(self) -> None:
        while not self._over.is_set():
            if not self._reads.wait(0.05):
                continue
            ready, _, _ = select.select([self._master], [], [], 0.05)
            if not ready:
                continue
            try:
                data = os.read(self._master, 65_536)
            except OSError:
                return  # the other end is closed
            with self._lock:
                self._stream.feed(data)

    # --- what a person does -----------------------------------------------------------------------

    def press(self, *keys: str) -> None:
        """Keys in one go: names of `KEYS`, or text as it is typed."""
        self.send(b"".join(KEYS.get(key, key.encode()) for key in keys))

    def send(self, data: bytes) -> None:
        """Bytes in one packet."""
        os.write(self._master, data)

    @property
    def text(self) -> str:
        """What the screen shows."""
        with self._lock:
            return "\n".join(self._screen.display)

    @property
    def banner(self) -> str:
        """Row 0."""
        return self.text.split("\n", 1)[0]

    def until(self, true: Callable[[str], bool], what: str) -> None:
        """Until the screen is so."""
        self.wait_for(lambda: true(self.text), what)

    def wait_for(self, true: Callable[[], bool], what: str) -> None:
        """Until it is so; a failure shows the screen."""
        deadline = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < deadline, f"never came: {what}\n{self.text}"
            assert self.program.engine is not None
            assert self.program.engine.poll() is None, f"it ended\n{self.text}"
            time.sleep(0.02)

    def until_it_shows(
        self, values: dict[str, str], shown: Callable[[str], dict[str, str]], what: str
    ) -> None:
        """Until what `shown` finds on the screen is `values`; as long as that goes on changing, a
        slow machine is waited for."""
        last: dict[str, str] = {}

        def has_changed() -> bool:
            return shown(self.text) != last

        while (found := shown(self.text)) != values:
            last = found
            self.wait_for(has_changed, what)

    # --- what a terminal does ---------------------------------------------------------------------

    def stop_reading(self) -> None:
        self._reads.clear()

    def go_on_reading(self) -> None:
        self._reads.set()

    def unread(self) -> int:
        """Bytes that wait to be read."""
        found = fcntl.ioctl(self._master, termios.FIONREAD, b"\0" * 4)
        (count,) = struct.unpack("i", found)
        return int(count)

    def resize(self, columns: int, rows: int) -> None:
        """The window has another size."""
        with self._lock:
            self._screen.resize(rows, columns)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def attributes(self) -> list[Any]:
        """How the terminal treats what is typed, as `termios` has it."""
        found: list[Any] = termios.tcgetattr(self._master)
        return found

    def hang_up(self) -> None:
        """The terminal is gone."""
        self._over.set()
        self._reads.set()
        self._thread.join()
        with contextlib.suppress(OSError):
            os.close(self._master)

    def close(self) -> None:
        """Ends the program and the terminal."""
        self.program.stop()
        self.hang_up()
