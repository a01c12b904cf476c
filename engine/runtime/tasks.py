"""Work without a caller: the effects of events (DESIGN, The one idea)."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from engine.runtime import cancelled


class Tasks:
    """Coroutines that run on their own until they end.

    `failed` is called with the exception of one that raised, and with `Unasked` for one that ended
    as cancelled: nobody awaits or cancels an effect, so that either is a defect that must end the
    run loudly.
    """

    def __init__(self, failed: Callable[[BaseException], None]) -> None:
        self._failed = failed
        self._running: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """How many are under way."""
        return len(self._running)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Start one on the running loop."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        error = cancelled.failure_of(task)
        if error is not None:
            self._failed(error)
