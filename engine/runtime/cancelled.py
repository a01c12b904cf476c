"""A cancel that an adapter leaks, told apart from one that is meant for the task itself (C-403).

An adapter that waits for a task of its own raises CancelledError when that one is cancelled. It is
no end of ours: a call that ends so may or may not have been acted on, and work that ends so has
failed.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

from engine.ports import Ambiguous


class Unasked(Exception):  # noqa: N818 - what happened, as the errors of a venue are named
    """Work of this process ended as cancelled, and nobody had asked for that."""


def is_meant() -> bool:
    """Whether the running task is being cancelled; else what it waits for was, by somebody else.

    To be asked where a CancelledError was caught.
    """
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


@contextlib.contextmanager
def told_apart(what: str, error: type[Exception] = Ambiguous) -> Iterator[None]:
    """Within this block something is waited for that may leak a cancel: a call of an adapter, which
    then may or may not have been acted on.

    Raises `error`, with `what` in words, for a cancel that is leaked; one that is meant for the
    running task passes.
    """
    try:
        yield
    except asyncio.CancelledError as leaked:
        if is_meant():
            raise
        raise error(f"{what} was cancelled, and not by the engine") from leaked


def failure_of(work: asyncio.Task[Any]) -> BaseException | None:
    """With what a task has failed that is done and that nobody was to cancel; None where it has
    not."""
    if not work.cancelled():
        return work.exception()
    name = getattr(work.get_coro(), "__qualname__", work.get_name())
    return Unasked(f"{name} ended as cancelled, and nobody had asked for that")
