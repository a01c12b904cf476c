"""The driver on real pseudo-terminals: whatever the terminal does, the process beside it goes on.

Events are counted and compared; no test asserts a time.
"""

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyte
import pytest

pytestmark = pytest.mark.slow

WIDTH, HEIGHT = 80, 24
PATIENCE = 30.0
CHILD = Path(__file__).with_name("terminal_child.py")


class Terminal:
    """A process on a pty of its own, a terminal emulator that may stop reading, and its reports."""

    def __init__(self, root: Path) -> None:
        self.screen = pyte.Screen(WIDTH, HEIGHT)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.reports: list[dict[str, Any]] = []
        self.reading = True
        self._partial = b""
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
        self.pipe, write = os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, str(CHILD), str(write)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            pass_fds=[write],
            start_new_session=True,
            cwd=root,
            env={
                **{k: v for k, v in os.environ.items() if k not in ("TMUX", "NO_COLOR")},
                "PYTHONPATH": str(root),
                "TERM": "xterm-256color",
                "TEXTUAL_DISABLE_KITTY_KEY": "1",
            },
        )
        os.close(slave)
        os.close(write)

    def pump(self, seconds: float = 0.05) -> None:
        """Take in what the process sent; the terminal's part only while it reads."""
        watched = [self.pipe] + ([self.master] if self.reading and self.master >= 0 else [])
        ready, _, _ = select.select(watched, [], [], seconds)
        if self.pipe in ready:
            lines = (self._partial + os.read(self.pipe, 65536)).split(b"\n")
            self._partial = lines.pop()
            self.reports += [json.loads(line) for line in lines]
        if self.master in ready:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return
            self.raw += data
            self.stream.feed(data)

    def until(self, wanted: Callable[[], Any], what: str) -> Any:
        """Wait until `wanted` gives something; a failure says what never came."""
        give_up = time.monotonic() + PATIENCE
        while time.monotonic() < give_up:
            found = wanted()
            if found:
                return found
            self.pump()
        raise AssertionError(f"never came: {what}; last report: {self.reports[-1:]}")

    @property
    def beat(self) -> dict[str, Any]:
        """The newest heartbeat."""
        return next((r for r in reversed(self.reports) if "tick" in r), {"tick": 0, "frames": 0})

    def keys(self, text: bytes) -> None:
        os.write(self.master, text)

    def wait_ticks(self, count: int) -> None:
        """Wait for `count` more heartbeats."""
        before = self.beat["tick"]
        self.until(lambda: self.beat["tick"] >= before + count, f"{count} more heartbeats")

    def stuck(self) -> int:
        """Wait until frames are dropped and none gets through; how many had until then.

        A busy machine may drop a frame before the terminal is full.
        """
        frames = -1
        while frames != self.beat["frames"]:
            frames, enough = self.beat["frames"], self.beat["dropped"] + 5
            self.until(partial(self._has_dropped, enough), "dropped frames")
        return int(frames)

    def _has_dropped(self, count: int) -> bool:
        return bool(self.beat["dropped"] >= count)

    def hang_up(self) -> None:
        os.close(self.master)
        self.master = -1

    def started(self) -> "Terminal":
        self.until(lambda: self.beat["frames"] > 3, "the first frames")
        return self

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the job, as the terminal would."""
        os.killpg(self.beat["pid"], number)

    def close(self) -> None:
        if "pid" in self.beat:
            with contextlib.suppress(ProcessLookupError):
                self.signal(signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        os.close(self.pipe)
        if self.master >= 0:
            os.close(self.master)

    def shown(self) -> list[str]:
        return [line.rstrip() for line in self.screen.display]

    def own_render(self) -> list[str]:
        """What the app itself says is on the screen, after its data stopped moving."""
        self.keys(b"f")
        self.until(lambda: "f" in self.beat["keys"], "the key f")
        known = len(self.reports)
        self.keys(b"d")
        found = self.until(
            lambda: next((r["screen"] for r in self.reports[known:] if "screen" in r), None),
            "the app's own render",
        )
        return [line.rstrip() for line in found]


@pytest.fixture
def terminal(root: Path) -> Iterator[Terminal]:
    child = Terminal(root)
    try:
        yield child.started()
    finally:
        child.close()


def test_a_terminal_that_stops_reading_stops_nobody_else(terminal: Terminal) -> None:
    terminal.reading = False
    stuck_at = terminal.stuck()
    terminal.wait_ticks(50)
    assert terminal.beat["frames"] <= stuck_at + 1
    assert terminal.beat["slow"]
    assert terminal.beat["ui"] == "running"

    terminal.reading = True
    expected = terminal.own_render()
    terminal.until(lambda: terminal.shown() == expected, "a whole picture after the thaw")


def test_cell_differences_add_up_to_the_apps_own_render(terminal: Terminal) -> None:
    terminal.wait_ticks(30)
    expected = terminal.own_render()
    terminal.until(lambda: terminal.shown() == expected, "the app's own render")


def test_a_resize_is_followed_by_a_whole_picture(terminal: Terminal) -> None:
    for height, width in ((30, 100), (HEIGHT, WIDTH), (24, 60)):
        size = struct.pack("HHHH", height, width, 0, 0)
        fcntl.ioctl(terminal.master, termios.TIOCSWINSZ, size)
        terminal.screen.resize(height, width)
        terminal.screen.reset()
        terminal.signal(signal.SIGWINCH)
        terminal.wait_ticks(10)
    expected = terminal.own_render()
    assert len(expected) == 24
    terminal.until(lambda: terminal.shown() == expected, "the picture at the last size")


def test_a_hang_up_ends_the_interface_and_not_the_process(terminal: Terminal) -> None:
    terminal.hang_up()
    terminal.until(lambda: terminal.beat["lost"], "the notice that the terminal is gone")
    terminal.until(lambda: terminal.beat["ui"] == "ended", "the end of the interface")
    terminal.wait_ticks(20)
    terminal.signal(signal.SIGTERM)
    end = terminal.until(lambda: [r for r in terminal.reports if "ended" in r], "an orderly end")
    assert end[0]["failure"] == "None"


def test_a_hang_up_while_the_terminal_is_stuck_ends_the_interface_too(terminal: Terminal) -> None:
    terminal.reading = False
    terminal.until(lambda: terminal.beat["dropped"] > 0, "a dropped frame")
    terminal.hang_up()
    terminal.until(lambda: terminal.beat["ui"] == "ended", "the end of the interface")
    terminal.wait_ticks(20)


def test_bytes_that_are_no_text_end_nothing(terminal: Terminal) -> None:
    terminal.keys(
        b"\xff\x80\xc3\x28\xfe" + bytes(range(128, 256)) + b"\x1b[99999999999;1u\x1b[<1;2"
    )
    terminal.wait_ticks(10)
    terminal.keys(b"\x1b[M\x1b]52;c;!\x07\x00\x1b")
    terminal.wait_ticks(20)
    terminal.keys(b"q")
    terminal.until(lambda: "q" in terminal.beat["keys"], "a key after the garbage")
    assert terminal.beat["ui"] == "running"


def test_stop_signals_do_not_stop_the_process(terminal: Terminal) -> None:
    for number in (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU):
        terminal.signal(number)
    terminal.wait_ticks(20)
    terminal.keys(b"\x1a")
    terminal.until(lambda: "ctrl+z" in terminal.beat["keys"], "ctrl+z as a key")
    terminal.wait_ticks(5)


def test_after_a_stop_that_cannot_be_ignored_the_picture_is_whole_again(terminal: Terminal) -> None:
    terminal.signal(signal.SIGSTOP)
    terminal.screen.reset()
    while terminal.screen.display and select.select([terminal.master], [], [], 0.2)[0]:
        terminal.pump()
    terminal.screen.reset()
    terminal.signal(signal.SIGCONT)
    expected = terminal.own_render()
    terminal.until(lambda: terminal.shown() == expected, "a whole picture")


def test_a_paste_without_an_end_is_given_up_and_keys_work_again(terminal: Terminal) -> None:
    terminal.keys(b"\x1b[200~buy everything")
    terminal.wait_ticks(5)
    terminal.keys(b"q")
    terminal.wait_ticks(5)
    assert "q" not in terminal.beat["keys"]

    def key_arrives() -> bool:
        terminal.keys(b"k")
        terminal.wait_ticks(5)  # many in one read would be more of the paste
        return "k" in terminal.beat["keys"]

    terminal.until(key_arrives, "a key after the paste was given up")
    assert not any(key in terminal.beat["keys"] for key in ("b", "u", "y"))


def test_a_whole_paste_arrives_as_one(terminal: Terminal) -> None:
    terminal.keys(b"\x1b[200~AAPL\x1b[201~")
    terminal.until(lambda: "paste:AAPL" in terminal.beat["keys"], "the paste")


def test_synchronised_output_encloses_whole_frames(terminal: Terminal) -> None:
    terminal.keys(b"\x1b[?2026;2$y")
    terminal.until(lambda: terminal.raw.count(b"\x1b[?2026h") > 5, "synchronised frames")
    assert abs(terminal.raw.count(b"\x1b[?2026h") - terminal.raw.count(b"\x1b[?2026l")) <= 1


def test_the_terminal_is_given_back_as_it_was(terminal: Terminal) -> None:
    raw = termios.tcgetattr(terminal.master)[3]
    assert not raw & (termios.ICANON | termios.ECHO)
    terminal.keys(b"\x11")
    terminal.until(lambda: terminal.beat["ui"] == "ended", "the end of the interface")
    terminal.until(lambda: b"\x1b[?1049l" in terminal.raw, "the end of the alternate screen")
    assert b"\x1b[?25h" in terminal.raw
    assert b"\x1b[?1003l" in terminal.raw
    back = termios.tcgetattr(terminal.master)[3]
    assert back & termios.ICANON
    assert back & termios.ECHO
