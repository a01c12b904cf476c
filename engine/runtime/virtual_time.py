"""A virtual-time asyncio loop: a trading day in seconds, and twice the same way.

Time stands still while anything is ready to run, and jumps to the next timer when nothing is.
What is ready runs first in, first out; timers of one instant fire in the order they were set.
No thread, socket, signal or real clock takes part, so the order of steps depends on the program
alone (sets are not ordered: never iterate over the sets `asyncio.wait` returns).

A *step* is one callback of the loop, that is one stretch of code between two awaits that really
wait. A run can be cut off before any step, as a power failure would (`SimulatedCrash`).
"""

import asyncio
import contextlib
import contextvars
import heapq
import math
import threading
import weakref
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, Final, TypeAlias, TypeVar, TypeVarTuple

from engine.domain.instant import Nanos
from engine.runtime.clock import VirtualClock

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

ROUNDS_PER_INSTANT: Final = 1_000_000
"""So many rounds of the loop at one instant mean that tasks spin and time cannot pass."""

CLEANUP_SECONDS: Final = 60
"""Virtual time the tasks left over at the end of a run get to end themselves once cancelled."""

_COMPACT_AT_LEAST: Final = 1024

_Task: TypeAlias = "asyncio.Task[Any]"


class _Step(asyncio.TimerHandle):
    """A callback that waits for its turn, now or at an instant, and the handle that cancels it.

    asyncio's own asks the loop twice on its way whether it debugs, which this loop never does.
    """

    __slots__ = ()

    def __init__(
        self,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: "VirtualLoop",
        context: contextvars.Context | None,
        when: float,
    ) -> None:
        """`when`: seconds of the loop's time."""
        self._callback = callback
        self._args = args
        self._loop = loop
        self._context = contextvars.copy_context() if context is None else context
        self._when = when
        self._cancelled = self._scheduled = False
        self._repr = self._source_traceback = None

    def cancel(self) -> None:
        self._cancelled = True
        self._callback, self._args = _nothing, ()


def _nothing() -> None:
    """What a cancelled step would do."""


class Deadlock(RuntimeError):  # noqa: N818 - an outcome of a run, not a fault
    """Nothing is ready and no timer is set: everybody waits for what cannot come."""


class Livelock(RuntimeError):  # noqa: N818 - an outcome of a run, not a fault
    """Something is always ready at one instant, so that time cannot pass."""


class VirtualTimeLimit(RuntimeError):  # noqa: N818 - an outcome of a run, not a fault
    """The next thing to happen lies beyond the time the run was given."""


class SimulatedCrash(Exception):  # noqa: N818 - an outcome of a run, not a fault
    """The run was cut off before a step; nothing after it ran, not even a `finally`.

    The tasks that were cut off live on in `abandoned`, suspended for ever. Python runs the
    `finally` blocks of a suspended coroutine when it is collected: whoever needs them not to run
    keeps this exception, and ends with `bury` once they can do no harm.
    """

    def __init__(self, step: int, elapsed: Nanos, abandoned: tuple[_Task, ...]) -> None:
        super().__init__(f"crashed before step {step}, at virtual second {elapsed / 1e9:.9f}")
        self.step = step
        self.elapsed = elapsed
        self.abandoned = abandoned

    def bury(self) -> None:
        """Close what was cut off. Its `finally` blocks run now; what they raise is dropped."""
        for task in self.abandoned:
            coro = task.get_coro()
            # The process these blocks belong to is dead: nobody is left to be told.
            with contextlib.suppress(Exception):
                coro.close()
        self.abandoned = ()


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop in virtual time. `run_virtual` is the usual way to use it.

    `limit_seconds`: virtual time after which the run ends with `VirtualTimeLimit`; a timer at
    exactly the limit still fires. `inline_executor`: what is sent to a thread runs at once in the
    loop instead; otherwise it is refused.

    An exception that escapes a callback ends the run, unless an exception handler is set.
    """

    # Set by BaseEventLoop.stop and read by its run_forever.
    _stopping: bool

    def __init__(self, limit_seconds: float = math.inf, *, inline_executor: bool = False) -> None:
        super().__init__()
        self.elapsed: Nanos = 0
        self.steps = 0
        self._limit = _nanos_or_never(limit_seconds)
        self._inline_executor = inline_executor
        self._crash_step = -1
        self._crashed = False
        self._queue: deque[_Step] = deque()
        self._timers: list[tuple[Nanos, int, _Step]] = []
        self._timers_set = 0
        self._compact_timers_at = _COMPACT_AT_LEAST
        self._rounds = 0
        self._born: list[weakref.ref[_Task]] = []
        self._compact_born_at = _COMPACT_AT_LEAST
        self._home = threading.get_ident()

    def crash_at(self, step: int) -> None:
        """Cut the run off before this step (counted from 1) with `SimulatedCrash`.

        Raises ValueError for a step that has already run.
        """
        if step <= self.steps:
            raise ValueError(f"step {step} has already run: {self.steps} steps were taken")
        self._crash_step = step

    def extend_limit(self, seconds: float) -> None:
        """End the run this long from now instead of at the limit it has."""
        self._limit = self.elapsed + _nanos_or_never(seconds)

    def living_tasks(self) -> list[_Task]:
        """The tasks that are not done, in the order they were created."""
        tasks = (ref() for ref in self._born)
        return [task for task in tasks if task is not None and not task.done()]

    # What asyncio asks of a loop.

    def time(self) -> float:
        return self.elapsed / 1e9

    def call_soon(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        step = _Step(callback, args, self, context, self.elapsed / 1e9)
        if self._accepts():
            self._queue.append(step)
        return step

    def call_soon_threadsafe(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        if threading.get_ident() != self._home:
            raise RuntimeError(
                "a virtual-time loop was called from another thread: "
                "threads take no part in virtual time"
            )
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        return self._set_timer(self.elapsed + _nanos_or_never(delay), callback, args, context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        return self._set_timer(_nanos_or_never(when), callback, args, context)

    def create_task(self, coro: Any, **options: Any) -> _Task:
        task: _Task = super().create_task(coro, **options)
        if len(self._born) >= self._compact_born_at:
            self._born = [weakref.ref(living) for living in self.living_tasks()]
            self._compact_born_at = max(_COMPACT_AT_LEAST, 2 * len(self._born))
        self._born.append(weakref.ref(task))
        return task

    def run_in_executor(
        self,
        executor: Executor | None,
        func: Callable[[*Ts], T],
        *args: *Ts,
    ) -> "asyncio.Future[T]":
        if not self._inline_executor:
            raise RuntimeError(
                f"{getattr(func, '__qualname__', func)!r} was sent to a thread in virtual time: "
                "only a loop with inline_executor takes it, and runs it at once"
            )
        future: asyncio.Future[T] = self.create_future()
        try:
            result = func(*args)
        except Exception as error:
            # It belongs to whoever awaits the future, as it would from a thread.
            self.call_soon(_fail, future, error)
        else:
            self.call_soon(_resolve, future, result)
        return future

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        # What a dead process leaves behind is not worth a word.
        if not self._crashed:
            super().call_exception_handler(context)

    def close(self) -> None:
        super().close()
        self._queue.clear()
        self._timers.clear()

    # The machine.

    def _run_once(self) -> None:
        """One round: everything that is ready now, after a jump in time if nothing is."""
        queue = self._queue
        if queue:
            self._rounds += 1
            if self._rounds > ROUNDS_PER_INSTANT:
                raise Livelock(
                    f"tasks kept running for {ROUNDS_PER_INSTANT} rounds at virtual second "
                    f"{self.time():.9f} without letting time pass: {self._waiting()}"
                )
        elif not self._stopping:
            self._jump()
            self._rounds = 0
        for _ in range(len(queue)):
            step = queue.popleft()
            if step._cancelled:
                continue
            if self.steps + 1 == self._crash_step:
                raise self._crash()
            self.steps += 1
            try:
                step._context.run(step._callback, *step._args)
            except Exception as error:
                if self.get_exception_handler() is None:
                    raise
                self.call_exception_handler(
                    {
                        "message": f"Exception in callback {step._callback!r}",
                        "exception": error,
                        "handle": step,
                    }
                )

    def _jump(self) -> None:
        """Move time to the next timer and make ready every timer of that instant."""
        timers = self._timers
        while timers and timers[0][2]._cancelled:
            heapq.heappop(timers)
        if not timers:
            raise Deadlock(
                f"nothing is ready and no timer is set at virtual second {self.time():.9f}, "
                f"so nothing can ever happen again: {self._waiting()}"
            )
        instant = timers[0][0]
        if instant > self._limit:
            self.elapsed = round(self._limit)
            raise VirtualTimeLimit(
                f"the run reached its limit of {self._limit / 1e9:g} virtual seconds: "
                f"{self._waiting()}"
            )
        self.elapsed = instant
        while timers and timers[0][0] == instant:
            self._queue.append(heapq.heappop(timers)[2])

    def _set_timer(
        self,
        instant: Nanos | float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        context: contextvars.Context | None,
    ) -> asyncio.TimerHandle:
        step = _Step(callback, args, self, context, instant / 1e9)
        if not self._accepts():
            return step
        if instant <= self.elapsed:
            self._queue.append(step)
        elif not isinstance(instant, float):  # a float is infinity here: a timer that never fires
            if len(self._timers) >= self._compact_timers_at:
                self._timers = [timer for timer in self._timers if not timer[2]._cancelled]
                heapq.heapify(self._timers)
                self._compact_timers_at = max(_COMPACT_AT_LEAST, 2 * len(self._timers))
            self._timers_set += 1
            heapq.heappush(self._timers, (instant, self._timers_set, step))
        return step

    def _accepts(self) -> bool:
        """Whether callbacks are taken: not after a crash (without a word), not once closed."""
        if self._crashed:
            return False
        if self.is_closed():
            raise RuntimeError("the virtual-time loop is closed: its run has ended")
        return True

    def _crash(self) -> SimulatedCrash:
        self._crashed = True
        self._queue.clear()
        self._timers.clear()
        return SimulatedCrash(self._crash_step, self.elapsed, tuple(self.living_tasks()))

    def _waiting(self) -> str:
        names = [task.get_name() for task in self.living_tasks()]
        shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        return f"tasks not done: {shown or 'none'}"


def run_virtual(
    main: Callable[[VirtualClock], Coroutine[Any, Any, T]],
    start: Nanos,
    limit_seconds: float,
    *,
    crash_at: int | None = None,
    inline_executor: bool = True,
) -> T:
    """Run `main(clock)` in a virtual-time loop of its own and return what it returns.

    The clock reads `start` at first. Tasks that are left over when `main` ends are cancelled in
    the order they were created and awaited, then the loop is closed. `crash_at` cuts the run off
    before that step instead: nothing is cancelled, `SimulatedCrash` comes out.

    Raises what `main` raises; `Deadlock`, `Livelock` or `VirtualTimeLimit` when it cannot end.
    """
    loop = VirtualLoop(limit_seconds, inline_executor=inline_executor)
    if crash_at is not None:
        loop.crash_at(crash_at)
    try:
        try:
            result = loop.run_until_complete(main(VirtualClock(loop, start)))
        except SimulatedCrash:
            raise
        except BaseException as error:
            try:
                _end_tasks(loop)
            except RuntimeError as unfinished:
                # The first error is the one to report; this one explains what it left behind.
                error.add_note(f"while cancelling what was left over: {unfinished}")
            raise
        _end_tasks(loop)
        return result
    finally:
        loop.close()


def _end_tasks(loop: VirtualLoop) -> None:
    """Cancel every task, wait until all are done, and close asynchronous generators."""
    loop.extend_limit(CLEANUP_SECONDS)
    left_over = loop.living_tasks()
    if left_over:
        for task in left_over:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left_over, return_exceptions=True))
        for task in left_over:
            if not task.cancelled() and (error := task.exception()) is not None:
                loop.call_exception_handler(
                    {
                        "message": "a task failed while it was cancelled at the end of a run",
                        "exception": error,
                        "task": task,
                    }
                )
    loop.run_until_complete(loop.shutdown_asyncgens())


def _nanos_or_never(seconds: float) -> Nanos | float:
    """Seconds as nanoseconds; infinity stays what it is. Raises ValueError for NaN."""
    if seconds == math.inf:
        return seconds
    return round(seconds * 1e9)


def _resolve(future: "asyncio.Future[T]", result: T) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: "asyncio.Future[Any]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
