"""How a command speaks: what it prints never decides what it does (C-503).

A reader that is gone, a full disk behind a redirection, a terminal that hung up or an encoding
without the character end the output and nothing else. A reader that takes nothing for the moment
is not waited for between two steps of a command: what it did not take is kept, and written at the
end as far as it is taken then.

A command that does nothing but print waits for its reader, and has failed where its output cannot
be written (`Voice.lost`): what it prints is all that it does.
"""

import contextlib
import errno
import os
import re
import select
import signal
import stat
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from typing import Final, TextIO

PATIENCE_SECONDS: Final = 5.0
"""A reader that takes nothing for so long at the end of a command is not written to any more."""

MOST_KEPT: Final = 1_048_576
"""Bytes kept for a reader that takes nothing; with more than that it is waited for, and given up
after `PATIENCE_SECONDS`."""

_READER_GONE: Final = frozenset({errno.EPIPE, errno.ECONNRESET})
"""What a write meets whose reader wants no more, as `head`: it has what it asked for."""

_BEGINNING: Final = re.compile(r" *(\d+\. )?")
"""The space before a line, and its number in a list."""

_TERMINAL_PIECE: Final = 128
"""A terminal that says it can be written to takes at least so much without waiting."""


class Voice:
    """Standard output or standard error of this process, whatever became of it."""

    def __init__(self, stream: Callable[[], TextIO | None]) -> None:
        """`stream` gives Python's own stream of it, None where the descriptor was closed."""
        self._stream = stream
        self._kept = bytearray()
        self._gone = False
        self._lost = ""
        self.patient = True
        """True for a command that only prints: each write waits for its reader."""

    @property
    def gone(self) -> bool:
        """True once nothing that is written reaches anybody any more."""
        return self._gone

    @property
    def lost(self) -> str:
        """Why the output of a command that only prints could not be written, in the system's words.

        "" where all of it was written, where its reader went away before the end, and for a
        command that acts.
        """
        return self._lost

    @property
    def columns(self) -> int | None:
        """How wide the terminal is on which this is read; None where it is read elsewhere."""
        stream = self._stream()
        descriptor = None if stream is None or self._gone else _descriptor(stream)
        if descriptor is None:
            return None
        try:
            return os.get_terminal_size(descriptor).columns or None
        except OSError:
            return None

    def write_folded(self, line: str, hang: int = 0) -> None:
        """Write a line, folded between words where the terminal is narrower (`folded`).

        A word that is longer than the terminal is wide, as a path, stays whole so that it can be
        copied. Whoever reads a file or a pipe gets one line.
        """
        self.write("\n".join(folded(line, self.columns, hang)))

    def write(self, text: str) -> None:
        """Write `text`, or keep it for later; never raises, and never waits unless `patient`."""
        stream = self._stream()
        if stream is None or self._gone:
            return
        descriptor = _descriptor(stream)
        if descriptor is None:
            with contextlib.suppress(OSError, ValueError):
                stream.write(text)
            return
        self._kept += text.encode(stream.encoding or "utf-8", "backslashreplace")
        if self.patient:
            self._push(descriptor, None)
        elif len(self._kept) <= MOST_KEPT:
            self._push(descriptor, 0.0)
        else:
            self._push(descriptor, PATIENCE_SECONDS)
            if len(self._kept) > MOST_KEPT:
                self.end()

    def finish(self) -> None:
        """Write what was kept, as long as its reader goes on taking it."""
        stream = self._stream()
        descriptor = None if stream is None else _descriptor(stream)
        if stream is None or descriptor is None or self._gone:
            return
        try:
            stream.flush()  # what others wrote to it
        except (OSError, ValueError) as error:
            self.end(error)
            return
        self._push(descriptor, PATIENCE_SECONDS)
        if self._kept:
            self.end()

    def _push(self, descriptor: int, patience: float | None) -> None:
        """Write what is kept; stops when nothing is taken for `patience` seconds, None is never."""
        try:
            piece = _piece(descriptor)
            while self._kept and _takes(descriptor, patience):
                try:
                    del self._kept[: os.write(descriptor, self._kept[:piece])]
                except BlockingIOError:
                    if patience == 0.0:
                        return
                    time.sleep(0.01)  # somebody made the shared terminal non-blocking
        except (OSError, ValueError) as error:
            self.end(error)

    def end(self, why: Exception | None = None) -> None:
        """Nothing is written any more, nor by Python itself, which would fail on it at the end.

        `why` is what a write met; None where its reader took nothing for too long.
        """
        self._gone = True
        if self.patient and isinstance(why, OSError) and why.errno not in _READER_GONE:
            self._lost = why.strerror or str(why)
        self._kept.clear()
        stream = self._stream()
        descriptor = None if stream is None else _descriptor(stream)
        if descriptor is not None:
            with contextlib.suppress(OSError):
                null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
                os.dup2(null, descriptor)
                os.close(null)


def folded(line: str, columns: int | None, hang: int = 0) -> list[str]:
    """The line in pieces of at most so many columns, but for a longer word; None is no limit.

    The pieces after the first begin `hang` columns from the left, or below what follows the line's
    own space and number where that is further, but never beyond the middle.
    """
    if columns is None or len(line.rstrip("\n")) <= columns:
        return [line]
    begins = _BEGINNING.match(line)
    indent = max(hang, begins.end() if begins else 0)
    pieces = textwrap.wrap(
        line,
        columns,
        subsequent_indent=" " * (indent if indent <= columns // 2 else 0),
        break_long_words=False,
        break_on_hyphens=False,
    )
    pieces[-1] += line[len(line.rstrip()) :]
    return pieces


def _descriptor(stream: TextIO) -> int | None:
    """The descriptor behind a stream; None where it is kept in memory."""
    try:
        return stream.fileno()
    except (OSError, ValueError):
        return None


def _piece(descriptor: int) -> int:
    """How many bytes may be written at once to a descriptor that says it takes some."""
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return MOST_KEPT
    return _TERMINAL_PIECE if os.isatty(descriptor) else select.PIPE_BUF


def _takes(descriptor: int, patience: float | None) -> bool:
    """Whether it can be written to, within so many seconds; None waits for as long as it takes."""
    poller = select.poll()
    poller.register(descriptor, select.POLLOUT)
    return bool(poller.poll(None if patience is None else int(patience * 1_000)))


ANSWERS: Final = Voice(lambda: sys.stdout)
"""Standard output."""

ERRORS: Final = Voice(lambda: sys.stderr)
"""Standard error."""

_DEAF_TO: Final = (signal.SIGHUP, signal.SIGTTOU)
"""What a terminal sends to those who still write to it."""


def open_missing() -> None:
    """Put the null device where standard input, output or error were closed.

    The next file that is opened would get its number, and what is meant for a person would be
    written into it. Python's own streams stay as they are: None.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


@contextlib.contextmanager
def acting() -> Iterator[None]:
    """For a command that does something: no reader and no terminal that hangs up stops it."""
    before = {}
    for voice in (ANSWERS, ERRORS):
        voice.patient = False
    for number in _DEAF_TO:
        with contextlib.suppress(ValueError):  # not in the main thread: nothing to be deaf with
            before[number] = signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        for voice in (ANSWERS, ERRORS):
            voice.patient = True
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)


def finish() -> None:
    """Write what is left, as far as it is taken."""
    for voice in (ANSWERS, ERRORS):
        voice.finish()
