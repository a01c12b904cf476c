"""What fails on our own side: the disk of the journal, the clock, and what only raises an alarm."""

from collections.abc import Iterator

from engine.core.consequences import action_of, fire
from engine.domain import events as ev
from engine.domain.inputs import ClockSet, JournalFailed, JournalRecovered, Trouble
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.run import Trigger
from engine.risk import triggers
from engine.world import World

SKEW = 5 * NS_PER_SECOND
"""A clock that is off by more than this allows no entries (U-52)."""


def journal_failed(world: World, given: JournalFailed, now: Nanos) -> Iterator[ev.Event]:
    """Stop entries because the journal cannot be written; cancels and closes go on."""
    finding = triggers.Trip(given.error, "", "the journal cannot be written")
    yield from fire(world, Trigger.JOURNAL, finding, now)
    if not world.book.data.journal_failed:
        # What it would do stands already; no resume may take the journal for one that is written.
        yield ev.TriggerFired(
            trigger=Trigger.JOURNAL,
            action=action_of(world, Trigger.JOURNAL),
            measured=finding.measured,
            limit=finding.limit,
            reason=finding.reason,
        )


def journal_recovered(world: World, given: JournalRecovered, now: Nanos) -> Iterator[ev.Event]:
    """Allow entries again as far as the journal is concerned; a halt stays in force."""
    yield ev.Unrestricted(cause=Trigger.JOURNAL, by="journal")


def clock_set(world: World, given: ClockSet, now: Nanos) -> Iterator[ev.Event]:
    """Stop entries while nobody can say what time it is; sessions and ages rest on it."""
    if abs(given.by) > SKEW:
        by = f"{given.by / NS_PER_SECOND:+.1f} s"
        limit = f"{SKEW // NS_PER_SECOND} s"
        finding = triggers.Trip(by, limit, "the machine's clock was set, and is not followed yet")
        yield from fire(world, Trigger.CLOCK_SKEW, finding, now)
    elif Trigger.CLOCK_SKEW in world.book.data.restrictions:
        yield ev.Unrestricted(cause=Trigger.CLOCK_SKEW, by="clock")


def trouble(world: World, given: Trouble, now: Nanos) -> Iterator[ev.Event]:
    """Raise an alarm about a failure of our own that changes no decision."""
    yield ev.Alarmed(
        code=given.code, severity=given.severity, subject=given.subject, text=given.text
    )
