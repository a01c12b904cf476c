"""The figures of the signal guard (A-302); its rules are rows of the gate."""

import msgspec

from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.world import World


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
