"""A cancel that an adapter leaks, told apart from one that is meant for the task itself."""

import asyncio


def is_meant() -> bool:
    """Whether the running task is being cancelled; else what it waits for was, by somebody else.

    To be asked where a CancelledError was caught: an adapter that waits for a task of its own
    raises it when that one is cancelled, and no pump may end by that without a word.
    """
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
