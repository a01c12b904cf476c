"""How far a long command is: one line on a terminal's stderr, and nothing anywhere else."""

import sys
import threading
import time
from collections.abc import Callable
from typing import Final, Self

from console.host import speech

AFTER_SECONDS: Final = 2.0
"""What ends sooner shows nothing."""

EVERY_SECONDS: Final = 0.5
WIDTH: Final = 30
CLEARED: Final = "\r\x1b[K"


def line(done: float, elapsed: float) -> str:
    """A bar, the part that is done (0 to 1) in percent, and the time left at the pace so far.

    `elapsed` is in seconds.
    """
    part = min(max(done, 0.0), 1.0)
    filled = int(part * WIDTH)
    left = f"about {_words(elapsed * (1 - part) / part)} left" if part > 0 else "no estimate yet"
    return f"[{'#' * filled}{'.' * (WIDTH - filled)}] {int(part * 100):3d} %  {left}"


class Progress:
    """Shows the line while the block runs, drawn by a thread of its own.

    `done` tells the part that is done, from 0 to 1; it is asked from that thread. `shown` False
    shows nothing, and so does a stderr that is no terminal.
    """

    def __init__(self, done: Callable[[], float], *, shown: bool) -> None:
        self._done = done
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        if shown and sys.stderr is not None and sys.stderr.isatty():
            self._thread = threading.Thread(target=self._draw, name="progress", daemon=True)

    def __enter__(self) -> Self:
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _draw(self) -> None:
        began = time.monotonic()
        if self._ended.wait(AFTER_SECONDS):
            return
        while True:
            text = line(self._done(), time.monotonic() - began)
            speech.ERRORS.write(f"{CLEARED}{text}")
            if self._ended.wait(EVERY_SECONDS):
                speech.ERRORS.write(CLEARED)
                return


def _words(seconds: float) -> str:
    """A time to wait, to the second or, from two minutes on, to the minute."""
    whole = max(round(seconds), 1)
    return f"{whole} s" if whole < 120 else f"{round(whole / 60)} min"
