"""A process of the bench that reports on a pipe, one JSON object a line, and is waited for."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

REPORTS = "BENCH_REPORTS"


class Child:
    """The process, its reports, and threads that listen to it.

    The process finds the descriptor of the pipe in the environment, under `REPORTS`.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        streams: Mapping[str, Any] | None = None,
        environ: Mapping[str, str] | None = None,
        descriptors: Sequence[int] = (),
    ) -> None:
        """`streams` and `environ` are of `Popen`; `descriptors` stay open in the process."""
        self.changed = threading.Condition()
        self.reports: list[dict[str, Any]] = []
        self._open = True
        self._pipe, write = os.pipe()
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            pass_fds=(write, *descriptors),
            env={**(os.environ if environ is None else environ), REPORTS: str(write)},
            **(streams or {}),
        )
        os.close(write)
        self._threads = [threading.Thread(target=self._listen, daemon=True)]

    def _start(self, *more: Callable[[], None]) -> None:
        """Begin to listen; `more` run in threads of their own beside it."""
        self._threads += [threading.Thread(target=target, daemon=True) for target in more]
        for thread in self._threads:
            thread.start()

    def _listen(self) -> None:
        with os.fdopen(self._pipe, "rb") as lines:
            for line in lines:
                with self.changed:
                    self.reports.append(json.loads(line))
                    self.changed.notify_all()

    def wait_for(self, key: str, seconds: float, *, count: int = 1) -> dict[str, Any]:
        """The `count`-th report that has this key.

        Raises TimeoutError, and RuntimeError when the process ended or says that it failed.
        """
        end = time.perf_counter() + seconds
        with self.changed:
            while True:
                having = [report for report in self.reports if key in report]
                if len(having) >= count:
                    return having[count - 1]
                failed = [report["failed"] for report in self.reports if "failed" in report]
                if failed or self.process.poll() is not None:
                    raise RuntimeError(f"the measured process ended without {key}: {failed}")
                left = end - time.perf_counter()
                if left <= 0:
                    raise TimeoutError(f"no {key} within {seconds:g} s")
                self.changed.wait(min(left, 0.5))

    def close(self) -> None:
        """End the process; by force if it does not end by itself."""
        if self.process.poll() is None:
            self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self._open = False
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for thread in self._threads:
            thread.join(1)


class Headless(Child):
    """A process without a terminal."""

    def __init__(self, command: Sequence[str], *, descriptors: Sequence[int] = ()) -> None:
        super().__init__(command, streams={"stdin": subprocess.DEVNULL}, descriptors=descriptors)
        self._start()


def module(name: str, *arguments: str) -> list[str]:
    """The command of a module of the bench."""
    return [sys.executable, "-m", f"tests.bench.{name}", *arguments]
