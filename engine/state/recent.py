"""What happened lately, known by its moments: counted, and forgotten in time (X-66, X-87, C-423).

A moment is the time of an event, in nanoseconds UTC. That never runs backward, so that moments
which are appended as they come stand in order, the oldest first.
"""

from bisect import bisect_right

from engine.domain.instant import Nanos


def count_after(moments: list[Nanos], at: Nanos) -> int:
    """How many of the moments are later than `at`."""
    return len(moments) - bisect_right(moments, at)


def forget(moments: list[Nanos], at: Nanos) -> None:
    """Drop the moments that are not later than `at`."""
    del moments[: bisect_right(moments, at)]


def swept(moments: dict[str, Nanos], at: Nanos, *, least: int) -> dict[str, Nanos]:
    """Moments by key without those that are not later than `at`, where there are `least` or more
    and a sweep is due; else the same as they are."""
    if len(moments) < least or not is_sweep_due(len(moments)):
        return moments
    return {key: moment for key, moment in moments.items() if moment > at}


def is_sweep_due(size: int) -> bool:
    """Whether a list that has grown to `size` is swept: at each power of two, which is often enough
    to keep it small and rare enough to cost nothing."""
    return size & (size - 1) == 0
