"""The signal guard: fresh enough, and not seen before (A-300..A-304, X-66).

What it remembers is in the book (ids for ever, contents for the window), so a restart inside the
window does not enter twice, and intervals are those of event times.
"""

from decimal import Decimal
from typing import Final

import msgspec

from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.money import plain
from engine.risk.case import Case, Finding, Limit, passed, refused
from engine.world import World

MAX_AHEAD_SECONDS: Final = 5
"""A signal from further in the future has a wrong clock (A-300)."""


def in_seconds(interval: Nanos) -> Decimal:
    """An interval as exact seconds."""
    return Decimal(interval).scaleb(-9)


def stale(case: Case, limit: Limit) -> Finding | None:
    """STALE_SIGNAL: at most `limit` seconds old, that many exactly still pass (A-303)."""
    signal = case.signal
    if signal is None:
        return None
    age = case.now - signal.timestamp
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


def duplicate(case: Case, limit: Limit) -> Finding | None:
    """DUPLICATE_SIGNAL: an id once, ever; a content once in `limit` seconds (A-301, A-303).

    The second of the same content passes from exactly `limit` seconds on; 0 is no window.
    """
    signal, book = case.signal, case.world.book
    if signal is None:
        return None
    if signal.signal_id in book.seen_signals:
        return refused(
            "seen before", "once", f"signal_id {signal.signal_id} was accepted before; once, ever."
        )
    before = book.data.window.get(signal.content)
    if before is None:
        return passed("first", limit)
    elapsed = case.now - before
    if elapsed < limit * NS_PER_SECOND:
        return refused(
            in_seconds(elapsed),
            limit,
            f"The same content came {plain(in_seconds(elapsed))} s before; "
            f"{limit} s must lie between.",
        )
    return passed(in_seconds(elapsed), limit)


class GuardStats(msgspec.Struct, frozen=True):
    """What the guard holds and by which rules (A-302)."""

    active_dedup_entries: int
    max_age_seconds: int
    dedup_window_seconds: int


def stats(world: World, now: Nanos) -> GuardStats:
    """The guard's figures; contents outside the window do not count."""
    execution = world.config.execution
    window = execution.dedup_window_seconds * NS_PER_SECOND
    return GuardStats(
        active_dedup_entries=sum(1 for at in world.book.data.window.values() if now - at < window),
        max_age_seconds=execution.max_signal_age_seconds,
        dedup_window_seconds=execution.dedup_window_seconds,
    )
