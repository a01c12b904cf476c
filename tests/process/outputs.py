"""A command whose standard output and error are not what it hopes for."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from tests.console.program import MAIN, PATIENCE, ROOT, Program

Command = list[str]
Output = tuple[int, Callable[[Command], Command]]
"""Where a command writes to, and how it is begun so."""

SECONDS: Final = 120.0
"""After so long a command hangs."""

ON_ITS_TERMINAL: Final = "import fcntl, termios; fcntl.ioctl(1, termios.TIOCSCTTY, 0)\n" + MAIN


def as_it_is(command: Command) -> Command:
    """Nothing is to be done before."""
    return command


@contextlib.contextmanager
def _closed() -> Iterator[Output]:
    yield subprocess.DEVNULL, lambda command: ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *command]


@contextlib.contextmanager
def _full() -> Iterator[Output]:
    target = os.open("/dev/full", os.O_WRONLY)
    yield target, as_it_is
    os.close(target)


@contextlib.contextmanager
def _broken() -> Iterator[Output]:
    reader, writer = os.pipe()
    os.close(reader)
    yield writer, as_it_is
    os.close(writer)


@contextlib.contextmanager
def _stuck() -> Iterator[Output]:
    """A pipe that takes no byte more, and that nobody reads."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4_096)
    os.set_blocking(writer, True)
    yield writer, as_it_is
    os.close(reader)
    os.close(writer)


@contextlib.contextmanager
def _hung_up() -> Iterator[Output]:
    """A terminal whose other end is gone: nothing can be written to it."""
    master, slave = os.openpty()
    os.close(master)
    yield slave, as_it_is
    os.close(slave)


KINDS: Final = {
    "closed": _closed,
    "full": _full,
    "broken pipe": _broken,
    "nobody reads": _stuck,
    "hung up": _hung_up,
}


def run(program: Program, kind: str, *arguments: str, stdin: bytes = b"") -> int:
    """The exit code of a command with such an output for both its answer and its errors."""
    command = [sys.executable, "-c", MAIN, "--state-dir", str(program.folder), *arguments]
    with KINDS[kind]() as (target, begun):
        done = subprocess.run(
            begun(command),
            cwd=ROOT,
            env=program.environment,
            input=stdin,
            stdout=target,
            stderr=target,
            timeout=SECONDS,
            start_new_session=True,
        )
    return done.returncode


class Line:
    """A terminal line with a command on it, whose session ends when the line hangs up."""

    def __init__(self, program: Program, *arguments: str, code: Sequence[str] = ()) -> None:
        self._master, slave = os.openpty()
        words = code or ("-c", ON_ITS_TERMINAL)
        self.process = subprocess.Popen(
            [sys.executable, *words, "--state-dir", str(program.folder), *arguments],
            cwd=ROOT,
            env=program.environment,
            stdin=subprocess.DEVNULL,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)

    def hang_up(self) -> None:
        """The other end is gone: SIGHUP comes, and nothing can be written any more."""
        os.close(self._master)

    def ended(self) -> int:
        """Its exit code; a signal that ended it is negative."""
        return self.process.wait(PATIENCE * 4)

    def stop(self) -> None:
        """End it, whatever it does."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
