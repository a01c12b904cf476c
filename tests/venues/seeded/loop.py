"""A loop with real sockets whose time does not wait: it jumps to the next timer.

Everything in it is as it is in the product: sockets of the kernel, the libraries' own time-outs,
the adapters' threads. Only the waiting is left out: a second in which no byte arrives and no
callback runs is skipped. Both ends of every connection are in this process, so that a byte which
was written is readable at once; a thread of an adapter that is at work is waited for in real time.
Were a byte overtaken by a jump all the same, it would be what a slow network is: a run must hold
whatever arrives when.
"""

import asyncio
import selectors
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, Final, TypeVar, TypeVarTuple

from engine.domain.instant import NS_PER_SECOND, Nanos

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

LOOKS: Final = 2
"""So often more the sockets are looked at before time jumps."""
THREAD_SECONDS: Final = 0.002
"""So long, in real seconds, between two looks while a thread works."""
STUCK_SECONDS: Final = 20.0
"""A thread that works for longer, in real seconds, or a loop without a timer, is a defect here."""


class Stuck(RuntimeError):  # noqa: N818 - an outcome of a run
    """Nothing can happen any more, or a thread does not end, or the run was given no more time."""


class _Looking(selectors.DefaultSelector):
    """The selector of the loop: it never waits, but for a thread."""

    loop: "SkippingLoop"

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        for _ in range(LOOKS):
            ready = super().select(0)
            if ready:
                return ready
        began = time.monotonic()
        while self.loop.is_busy() or timeout is None:
            ready = super().select(THREAD_SECONDS)
            if ready:
                return ready
            if time.monotonic() - began > STUCK_SECONDS:
                raise Stuck("no thread ended, no byte came and no timer is set for 20 seconds")
        assert timeout is not None
        self.loop.skip(timeout)
        return []


class SkippingLoop(asyncio.SelectorEventLoop):
    """The loop. `limit_seconds` of its own time end a run with `Stuck`."""

    def __init__(self, limit_seconds: float) -> None:
        self._seconds = 0.0
        self._limit = limit_seconds
        self.working = 0
        """So many threads are at work."""
        self.withheld: Callable[[], int] = lambda: 0
        """So many of their requests the server does not answer for now, on purpose."""
        selector = _Looking()
        selector.loop = self
        super().__init__(selector)

    @property
    def elapsed(self) -> Nanos:
        """Nanoseconds since it began."""
        return round(self._seconds * NS_PER_SECOND)

    def time(self) -> float:
        """Seconds since it began."""
        return self._seconds

    def skip(self, seconds: float) -> None:
        """Let so many seconds pass in which nothing happens."""
        self._seconds += seconds
        if self._seconds > self._limit:
            raise Stuck(f"the run did not end within its {self._limit:g} seconds")

    def is_busy(self) -> bool:
        """Whether a thread works whose answer does not wait for time to pass."""
        return self.working > self.withheld()

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> "asyncio.Future[T]":
        """As in every loop; the thread is waited for before time passes."""
        future = super().run_in_executor(executor, func, *args)
        self.begun()
        future.add_done_callback(lambda _: self.ended())
        return future

    def begun(self) -> None:
        """A thread has something to do."""
        self.working += 1

    def ended(self) -> None:
        """A thread is done with it."""
        self.working -= 1


class CountedPool(ThreadPoolExecutor):
    """An adapter's threads, counted by the loop in which they were made."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SkippingLoop)
        self._loop = loop

    def submit(self, call: Callable[..., Any], /, *args: Any, **more: Any) -> "Future[Any]":
        """As in every pool; the call begins once its end is sure to be heard of."""
        heard = threading.Event()

        def begin() -> Any:
            heard.wait()
            return call(*args, **more)

        job = super().submit(begin)
        self._loop.begun()
        job.add_done_callback(self._done)
        heard.set()
        return job

    def _done(self, job: "Future[Any]") -> None:
        # Called first of all, and to be told last: the loop lets time pass once it has heard of
        # this, and whoever waits for the job must have heard of it before.
        job._done_callbacks.append(self._told)  # type: ignore[attr-defined]

    def _told(self, job: "Future[Any]") -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._loop.ended)
