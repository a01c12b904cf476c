"""The links to the venues: up, down, lost, and connected without an answer (X-77, X-84)."""

from collections.abc import Iterator
from typing import Final

from engine.core import doubt
from engine.domain import events as ev
from engine.domain.inputs import LookReason, Unanswered
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.run import LinkState, Phase, Severity, Trigger
from engine.ports import LinkReport
from engine.world import World

LOST_SECONDS: Final = 5
"""A link that is down for so long is lost (X-77)."""


def link(world: World, given: LinkReport, now: Nanos) -> Iterator[ev.Event]:
    """Record that a connection came up or went down.

    After a reconnect the venue is asked for a comparison before entries are allowed again.
    """
    link = world.book.account(given.account).link
    if link is not None and link.state is given.state:
        return
    yield ev.LinkChanged(account=given.account, state=given.state, detail=given.detail)
    if given.state.is_up:
        if world.book.data.phase is Phase.RUNNING:
            yield ev.SnapshotRequested(account=given.account, reason=LookReason.RECONNECT)
        yield from doubt.overdue(world, given.account, now)
        # Whoever connects has shown its credentials.
        if Trigger.BROKER_LOST in world.book.account(given.account).barred:
            yield ev.Unrestricted(cause=Trigger.BROKER_LOST, by="reconnect", account=given.account)
    if given.state is LinkState.POLLED:
        yield ev.Alarmed(
            code="STREAM_REFUSED",
            severity=Severity.WARNING,
            subject=given.account,
            text=f"{given.account} answers and opens no stream ({given.detail}): it is asked what "
            "happens there, and takes no entries until the stream stands",
        )
    if given.state is LinkState.DISCONNECTED:
        yield ev.Alarmed(
            code="BROKER_LOST",
            severity=Severity.CRITICAL,
            subject=given.account,
            text=f"{given.account} is disconnected: {given.detail or 'no reason given'}",
        )


def unanswered(world: World, given: Unanswered, now: Nanos) -> Iterator[ev.Event]:
    """Record that a venue gives no answer that can be used, or one again; the limits follow (X-84).

    The alarm tells one whose answers cannot be used from one that is silent.
    """
    before = world.book.account(given.account).silent_since
    if before == given.since:
        return
    yield ev.VenueSilent(account=given.account, since=given.since)
    if given.since and not before:
        does = "answers, but with nothing that can be used" if given.badly else "does not answer"
        until = "it can be" if given.badly else "it does"
        yield ev.Alarmed(
            code="UNUSABLE_ANSWERS" if given.badly else "VENUE_SILENT",
            severity=Severity.CRITICAL,
            subject=given.account,
            text=f"{given.account} is connected and {does}: it takes no entries until {until}",
        )


def lose_links(world: World, now: Nanos) -> Iterator[ev.Event]:
    """Restrict each account whose link is lost to what reduces, until it is there again (X-77)."""
    for account in world.book.accounts:
        link = account.link
        if link is None or not account.link_is_down or Trigger.BROKER_LOST in account.barred:
            continue
        if now - link.since >= LOST_SECONDS * NS_PER_SECOND:
            yield ev.Restricted(
                cause=Trigger.BROKER_LOST, reason="its link is lost", account=account.name
            )
