"""The signal guard: fresh enough, and not seen before (A-300..A-304, X-66).

What it remembers is in the book (ids for ever, contents for the window), so a restart inside the
window does not enter twice, and intervals are those of event times.
"""

from typing import Final

from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.money import plain
from engine.domain.signal import Signal
from engine.risk.finding import Finding, in_seconds, passed, refused

MAX_AHEAD_SECONDS: Final = 5
"""A signal from further in the future has a wrong clock (A-300)."""


def stale(signal: Signal | None, now: Nanos, limit: int) -> Finding | None:
    """STALE_SIGNAL: at most `limit` seconds old, that many exactly still pass (A-303)."""
    if signal is None:
        return None
    age = now - signal.timestamp
    measured = in_seconds(age)
    if age < -MAX_AHEAD_SECONDS * NS_PER_SECOND:
        return refused(
            measured,
            -MAX_AHEAD_SECONDS,
            f"The signal is dated {plain(-measured)} s in the future; "
            f"{MAX_AHEAD_SECONDS} s are allowed.",
        )
    if age > limit * NS_PER_SECOND:
        return refused(
            measured, limit, f"The signal is {plain(measured)} s old; {limit} s are allowed."
        )
    return passed(measured, limit)


def duplicate(
    signal: Signal | None, heard: bool, same_signal_at: Nanos | None, now: Nanos, limit: int
) -> Finding | None:
    """DUPLICATE_SIGNAL: an id is accepted once, ever; a content passes the guard once in `limit`
    seconds (A-301, A-303, X-66).

    An id that was rejected may come again, once the window of its content is over.
    The second of the same content passes from exactly `limit` seconds on; 0 is no window.
    """
    if signal is None:
        return None
    if heard:
        return refused(
            "seen before", "once", f"signal_id {signal.signal_id} was accepted before; once, ever."
        )
    if same_signal_at is None:
        return passed("first", limit)
    elapsed = now - same_signal_at
    if elapsed < limit * NS_PER_SECOND:
        return refused(
            in_seconds(elapsed),
            limit,
            f"The same content came {plain(in_seconds(elapsed))} s before; "
            f"{limit} s must lie between.",
        )
    return passed(in_seconds(elapsed), limit)
