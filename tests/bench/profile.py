"""Where the processor time of this process goes, by module.

The timer of the process's own processor time interrupts the main thread every few milliseconds. The
handler looks at each thread's stack, and gives the processor time that the thread used since the
look before to the module that was running, and to every module on the stack. A thread that waits
uses none and so weighs nothing.
"""

import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]

EVERY_SECONDS: Final = 0.005
LINES: Final = 30


class Sampler:
    """Looks on between `start` and `stop`, which the main thread may call in turns."""

    def __init__(self) -> None:
        self.running: Counter[str] = Counter()
        """Nanoseconds of each module while its own code ran."""
        self.under: Counter[str] = Counter()
        """Nanoseconds of each module while it was anywhere on the stack."""
        self.threads: Counter[str] = Counter()
        """Nanoseconds of each thread."""
        self._used: dict[int, int] = {}

    def start(self) -> None:
        """Look on from now on."""
        self._used = {thread.ident or 0: _cpu_ns(thread) for thread in threading.enumerate()}
        signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, EVERY_SECONDS, EVERY_SECONDS)

    def stop(self) -> None:
        """Look no more."""
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, signal.SIG_IGN)

    def _look(self, _: int, interrupted: FrameType | None) -> None:
        frames = sys._current_frames()
        frames[threading.main_thread().ident or 0] = interrupted  # type: ignore[assignment]
        for thread in threading.enumerate():
            ident = thread.ident or 0
            frame, now = frames.get(ident), _cpu_ns(thread)
            spent = now - self._used.get(ident, now)
            self._used[ident] = now
            if frame is not None and spent > 0:
                self._add(thread.name, frame, spent)

    def _add(self, thread: str, frame: FrameType, spent: int) -> None:
        modules = list(_modules(frame))
        self.threads[thread] += spent
        self.running[modules[0]] += spent
        for module in set(modules):
            self.under[module] += spent

    def table(self) -> str:
        """The modules that used most, as lines of text."""
        total = max(sum(self.running.values()), 1)
        lines = [
            "thread  " + ", ".join(f"{n} {t / total:.0%}" for n, t in self.threads.most_common()),
            f"{'own':>6} {'under':>6}  module, of {total / 1e9:.1f} s of processor time",
        ]
        for module, spent in self.running.most_common(LINES):
            lines.append(f"{spent / total:6.1%} {self.under[module] / total:6.1%}  {module}")
        return "\n".join(lines)


def _cpu_ns(thread: threading.Thread) -> int:
    """Processor time of a thread that is alive: the look holds the interpreter meanwhile."""
    if thread.ident is None or not thread.is_alive():
        return 0
    return time.clock_gettime_ns(time.pthread_getcpuclockid(thread.ident))


def _modules(frame: FrameType | None) -> Iterator[str]:
    """The files on a stack, innermost first."""
    while frame is not None:
        yield _module(frame.f_code.co_filename)
        frame = frame.f_back


@cache
def _module(name: str) -> str:
    """A file as a path in the project, or, of a library, by its last two parts."""
    path = Path(name)
    if path.is_relative_to(ROOT) and not path.is_relative_to(sys.prefix):
        return str(path.relative_to(ROOT))
    return "/".join(path.parts[-2:])
