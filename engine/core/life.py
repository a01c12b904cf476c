"""The life of the process: how it starts, becomes ready, and stops (R2, C-552)."""

from collections.abc import Iterator, Mapping

from engine.core import doubt, instruments
from engine.core.day import close_day, mark, roll
from engine.core.refusals import lost
from engine.domain import events as ev
from engine.domain.codes import Code
from engine.domain.inputs import LatchFound, Ready, Start, Stop
from engine.domain.instant import Nanos
from engine.domain.run import Phase, Severity, Trigger
from engine.plans import kill as work
from engine.plans.reduce import withdraw
from engine.plans.reducing import is_ending
from engine.plans.unattended import unattended
from engine.world import World


def start(world: World, given: Start, now: Nanos) -> Iterator[ev.Event]:
    """Record the start of this process and ask about every order that was under way (R2).

    The kill switch, if it was set outside, is taken over before anything else can follow.
    """
    config, before = world.config, world.book.data.calendar
    moved, refusals_lost = _moved(world, given.accounts), lost(world.book)
    yield ev.EngineStarted(
        mode=config.mode,
        profile=config.profile,
        config_digest=given.config_digest,
        version=given.version,
        accounts=given.accounts,
        primary=config.account.primary,
        base_currency=world.base,
        calendar=world.home.name,
        keeps_day=True,
    )
    yield from moved
    if refusals_lost is not None:
        yield refusals_lost
    if before not in ("", world.home.name):
        text = f"the portfolio's day is now that of {world.home.name}; it was that of {before}"
        yield ev.Alarmed(
            code="CALENDAR_CHANGED",
            severity=Severity.WARNING,
            subject=world.home.name,
            text=text,
        )
    if Trigger.CLOCK_SKEW in world.book.data.restrictions:
        # A process that begins has no other clock to hold against the machine's.
        yield ev.Unrestricted(cause=Trigger.CLOCK_SKEW, by="start")
    if world.book.data.journal_failed:
        # This process has opened the journal, and nothing says so but its start.
        yield ev.Unrestricted(cause=Trigger.JOURNAL, by="start")
    if given.latch is not None:
        yield from work.latch_found(world, LatchFound(halt=given.latch), now)
    yield from instruments.at_start(world)
    yield from doubt.doubtful(world)


def _moved(world: World, accounts: Mapping[str, str]) -> list[ev.Event]:
    """Record which accounts left the configuration and which came back to it (X-13)."""
    moved: list[ev.Event] = []
    for account in world.book.data.accounts.values():
        if account.balances is None or account.open is (account.name in accounts):
            continue
        kind = ev.AccountLeft if account.open else ev.AccountReturned
        moved.append(kind(account=account.name, equity=world.money.equity_of(account.name)))
    return moved


def ready(world: World, given: Ready, now: Nanos) -> Iterator[ev.Event]:
    """Change to RUNNING once at least one account was compared with its venue (R2).

    Until then only orders that reduce are allowed.
    """
    if not any(account.compared for account in world.book.accounts):
        return
    yield from roll(world, now)
    yield ev.PhaseChanged(phase=Phase.RUNNING, reason="reconciled")
    yield from work.after_latch(world, now)


def stop(world: World, given: Stop, now: Nanos) -> Iterator[ev.Event]:
    """Cancel working entries, keep protective stops, and record the end (C-552).

    What no stop covers from now on is told: nothing watches it any more.
    """
    for leg in world.waiting_legs():
        yield from withdraw(leg, Code.NOT_SENT, "shutdown")
    for order in tuple(world.orders()):
        if order.adds_exposure and not is_ending(order):
            yield ev.CancelRequested(
                account=order.account, client_order_id=order.client_order_id, reason="shutdown"
            )
    for bare in unattended(world):
        yield ev.Alarmed(
            code="LEFT_UNPROTECTED",
            severity=Severity.CRITICAL if bare.wanted else Severity.WARNING,
            subject=bare.symbol,
            text=f"the engine ends: {bare.text}",
        )
    yield from mark(world, now, always=True)
    yield from close_day(world, final=False)
    yield ev.PhaseChanged(phase=Phase.STOPPED, reason=given.reason)
