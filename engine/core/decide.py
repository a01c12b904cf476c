"""The table from input to rule, and the rules that belong to the process as a whole.

`decide` is a generator of events. It reads the world and changes nothing; its driver
(`engine.core.driver`) applies each event before it asks for the next, so that no check and the
reservation it leads to can be parted.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

from engine.core import adoption, comparison, doubt, reports, resolve, sends
from engine.core.consequences import action_of, after_halt, ask_triggers, fire
from engine.core.day import close_day, first_rates, lift_expired, mark, roll
from engine.core.refusals import lost
from engine.core.withdraw import end_late_entries, end_missed, end_withheld_entries, lose_links
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.codes import Code
from engine.domain.inputs import (
    CancelFailed,
    ClockSet,
    GateClosed,
    History,
    Input,
    InvalidArrived,
    JournalFailed,
    JournalRecovered,
    LatchFound,
    ModifyFailed,
    OrdersReported,
    QueryAnswered,
    QueryFailed,
    Ready,
    Sending,
    SignalArrived,
    SnapshotFailed,
    SnapshotTaken,
    Start,
    Stop,
    SubmitFailed,
    Tick,
    Trouble,
    Unanswered,
)
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.market import Bar, Depth, Quote
from engine.domain.run import LinkState, Phase, Severity, Trigger
from engine.exits import rules as exits
from engine.exits.reducible import in_lots
from engine.intake import builtin, entry, modify, protection, queue
from engine.intake import operator as op
from engine.intake.once import once
from engine.plans import corporate
from engine.plans import kill as work
from engine.plans.exit import plan_exit
from engine.plans.protect import give_up, overdue, tell
from engine.plans.reduce import withdraw
from engine.plans.reducing import is_ending
from engine.plans.table import advance
from engine.ports import LinkReport, OrderReport
from engine.risk import triggers
from engine.state.order_index import Place
from engine.state.pauses import FIRST_LOOK
from engine.state.places import place_of, places_of
from engine.state.position import Position
from engine.world import World
from engine.world.looks import next_look

Rule = Callable[[World, Any, Nanos], Iterator[ev.Event]]

SKEW = 5 * NS_PER_SECOND
"""A clock that is off by more than this allows no entries (U-52)."""


# --- rules that belong to the process as a whole ------------------------------------------------


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
    yield from _instruments(world)
    yield from doubt.doubtful(world)


def _moved(world: World, accounts: Mapping[str, str]) -> list[ev.Event]:
    """Record which accounts left the configuration and which came back to it (X-13)."""
    moved: list[ev.Event] = []
    for account in world.book.data.accounts.values():
        if account.balances is None or account.open is (account.name in accounts):
            continue
        kind = ev.AccountLeft if account.open else ev.AccountReturned
        moved.append(kind(account=account.name, equity=world.equity_of(account.name)))
    return moved


def _instruments(world: World) -> Iterator[ev.Event]:
    """Take over instruments that the configuration now describes otherwise, and raise an alarm.

    While a symbol, or what derives from it, is held or has working orders, the old facts stay.
    """
    book = world.book
    for symbol, known in tuple(book.data.instruments.items()):
        told = world.configured(symbol)
        if told == known:
            continue
        # An option or a future leans on the facts of what it derives from.
        leaning = book.of_underlying(symbol)
        kept = any(bool(book.held(name)) or book.works_in(name) for name in (symbol, *leaning))
        if not kept:
            yield ev.InstrumentLearned(instrument=told)
        text = "changed in the configuration"
        if kept:
            text += ", and not taken over while it is held or has working orders"
        yield ev.Alarmed(
            code="INSTRUMENT_CHANGED", severity=Severity.WARNING, subject=symbol, text=text
        )


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
    """Cancel working entries, keep protective stops, and record the end (C-552)."""
    for leg in world.waiting_legs():
        yield from withdraw(leg, Code.NOT_SENT, "shutdown")
    for order in tuple(world.orders()):
        if order.adds_exposure and not is_ending(order):
            yield ev.CancelRequested(
                account=order.account, client_order_id=order.client_order_id, reason="shutdown"
            )
    yield from mark(world, now, always=True)
    yield from close_day(world, final=False)
    yield ev.PhaseChanged(phase=Phase.STOPPED, reason=given.reason)


def link(world: World, given: LinkReport, now: Nanos) -> Iterator[ev.Event]:
    """Record that a connection came up or went down.

    After a reconnect the venue is asked for a comparison before entries are allowed again.
    """
    link = world.book.account(given.account).link
    if link is not None and link.state is given.state:
        return
    yield ev.LinkChanged(account=given.account, state=given.state, detail=given.detail)
    if given.state is LinkState.CONNECTED:
        if world.book.data.phase is Phase.RUNNING:
            yield ev.SnapshotRequested(account=given.account, reason="reconnect")
        yield from doubt.overdue(world, given.account, now)
        # Whoever connects has shown its credentials.
        if Trigger.BROKER_LOST in world.book.account(given.account).barred:
            yield ev.Unrestricted(cause=Trigger.BROKER_LOST, by="reconnect", account=given.account)
    if given.state is LinkState.DISCONNECTED:
        yield ev.Alarmed(
            code="BROKER_LOST",
            severity=Severity.CRITICAL,
            subject=given.account,
            text=f"{given.account} is disconnected: {given.detail or 'no reason given'}",
        )


def unanswered(world: World, given: Unanswered, now: Nanos) -> Iterator[ev.Event]:
    """Record that a venue does not answer, or answers again; the limits follow (X-84)."""
    before = world.book.account(given.account).silent_since
    if before == given.since:
        return
    yield ev.VenueSilent(account=given.account, since=given.since)
    if given.since and not before:
        yield ev.Alarmed(
            code="VENUE_SILENT",
            severity=Severity.CRITICAL,
            subject=given.account,
            text=f"{given.account} is connected and does not answer: it takes no entries until it "
            "does",
        )


def close_position(world: World, given: ask.ClosePosition, now: Nanos) -> Iterator[ev.Event]:
    """The close, with the orders that it leads to at once: its answer names them."""
    yield from followed(world, op.close_position(world, given, now), now)


def quote(world: World, given: Quote, now: Nanos) -> Iterator[ev.Event]:
    """Ask the exit rules of every position in the symbol, then the triggers that use prices.

    A quote whose numbers cannot be prices is ignored; the first of several raises an alarm.
    """
    if given.symbol in world.market.bad:
        if world.market.newly_bad == given.symbol:
            yield ev.Alarmed(
                code="BAD_QUOTE",
                severity=Severity.ERROR,
                subject=given.symbol,
                text=f"a quote of {given.symbol} is left aside: {given.fault}",
            )
        return
    if corporate.may_suspect(world, given.symbol):
        yield from followed(world, corporate.suspect(world, given, now), now)
    if not world.book.held(given.symbol):
        if world.rate_told == given.symbol:
            yield from ask_triggers(world, now)  # what is held in that currency is worth otherwise
        return
    if any(account.estimated for account in world.book.data.accounts.values()):
        yield from adoption.first_price(world, given.symbol, now)
    for position in world.held(given.symbol):
        yield from ask_exits(world, position, now)
    yield from ask_triggers(world, now)


def bar(world: World, given: Bar, now: Nanos) -> Iterator[ev.Event]:
    """Ask the exit rules of every position in the symbol; its signals come next (`leads_to`)."""
    yield from _left_aside(world, given.symbol)
    for position in world.held(given.symbol):
        yield from ask_exits(world, position, now)


def depth(world: World, given: Depth, now: Nanos) -> Iterator[ev.Event]:
    """Do nothing: the order book is shown to people, and no rule reads it."""
    yield from ()


def history(world: World, given: History, now: Nanos) -> Iterator[ev.Event]:
    """Raise an alarm if a bar of the past could not be taken in (`driver.observe`)."""
    if given.bars:
        yield from _left_aside(world, given.bars[0].symbol)


def _left_aside(world: World, symbol: str) -> Iterator[ev.Event]:
    """The alarm that a bar is ignored because its numbers cannot be those of one."""
    why = world.indicators.left_aside if world.follows_bars else ""
    if why:
        yield ev.Alarmed(
            code="BAD_BAR",
            severity=Severity.ERROR,
            subject=symbol,
            text=f"a bar of {symbol} is left aside: {why}",
        )


def ask_exits(world: World, position: Position, now: Nanos) -> Iterator[ev.Event]:
    """Ask all exit rules; the one with the lowest priority number closes the position (A-160).

    What is less than the venue takes in an order no rule can close: it would try at every price.
    """
    if position.is_closing or world.book.data.phase is not Phase.RUNNING:
        return
    if not in_lots(world, position, abs(position.quantity)):
        return
    if world.is_shut(position.symbol, now):
        yield from end_missed(world, position, now)
        return
    decided = exits.ask_all(world, position, now)
    if decided is None:
        return
    yield from plan_exit(
        position,
        reason=decided.reason,
        priority=decided.priority,
        detail=decided.found.detail,
        measured=decided.found.measured,
        limit=decided.found.limit,
    )


def order_report(world: World, given: OrderReport, now: Nanos) -> Iterator[ev.Event]:
    """Apply an execution report."""
    yield from reports.report(world, given, now)


def orders_reported(world: World, given: OrdersReported, now: Nanos) -> Iterator[ev.Event]:
    """Many reports; plans and limits are asked once, when all of them are known."""
    for each in given.reports:
        yield from reports.report(world, each, now)


def snapshot_taken(world: World, given: SnapshotTaken, now: Nanos) -> Iterator[ev.Event]:
    """Compare with what the venue told, then take the next step of a kill that waited for it."""
    yield from comparison.snapshot_taken(world, given, now)
    yield from roll(world, now)
    yield from _and_the_day(world, work.after_read(world, given.snapshot, now))


def latch_found(world: World, given: LatchFound, now: Nanos) -> Iterator[ev.Event]:
    """Take over a halt that a file, a thread or another process has set."""
    yield from work.latch_found(world, given, now)


def journal_failed(world: World, given: JournalFailed, now: Nanos) -> Iterator[ev.Event]:
    """Stop entries because the journal cannot be written; cancels and closes go on."""
    finding = triggers.Trip(given.error, "writable", "the journal cannot be written")
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
        code=given.code, severity=Severity.ERROR, subject=given.subject, text=given.text
    )


def tick(world: World, given: Tick, now: Nanos) -> Iterator[ev.Event]:
    """Do what is due by time: a new day, deadlines, exits, triggers, comparisons, a kill's step."""
    data = world.book.data
    yield from roll(world, now)
    yield from lift_expired(world, now)
    yield from lose_links(world, now)
    yield from followed(world, end_withheld_entries(world), now)
    yield from doubt.deadlines(world, now)
    if data.phase is Phase.STARTING:
        yield from ready(world, Ready(), now)
    if data.phase is Phase.RUNNING:
        for position in tuple(world.holdings()):
            if overdue(world, position, now):
                yield from give_up(position, "its stop was not acknowledged in time")
            else:
                yield from tell(world, position, now)
            yield from ask_exits(world, position, now)
            yield from advance(world, position.account, position.symbol, now)
        for account, symbol in world.book.waiting_places():
            yield from advance(world, account, symbol, now)
        yield from followed(world, end_late_entries(world, now), now)
        yield from followed(world, queue.release(world, now), now)
        yield from ask_triggers(world, now)
        yield from mark(world, now)
    yield from followed(world, corporate.due(world, now), now)
    yield from _scheduled_reconcile(world, now)
    yield from _and_the_day(world, work.advance(world, now))


def _and_the_day(world: World, steps: Iterator[ev.Event]) -> Iterator[ev.Event]:
    """Pass on the steps of a kill, and write the day's row again once the kill ended (A-407)."""
    for event in steps:
        yield event
        if isinstance(event, ev.KillProved):
            yield from close_day(world, final=False)


def _scheduled_reconcile(world: World, now: Nanos) -> Iterator[ev.Event]:
    """Ask for a comparison of each account whose next one is due.

    One that was asked for already is tried again by the session until it succeeds.
    """
    starting = world.book.data.phase is Phase.STARTING
    for account in world.book.accounts:
        if not account.is_connected or account.snapshot_asked:
            continue
        first = account.reconciled_at + FIRST_LOOK
        if now >= (next_look(world, account) if account.compared else first):
            reason = comparison.START if starting else "scheduled"
            yield ev.SnapshotRequested(account=account.name, reason=reason)


RULES: dict[type, Rule] = {
    Start: start,
    Ready: ready,
    Stop: stop,
    Quote: quote,
    Bar: bar,
    Depth: depth,
    History: history,
    Tick: tick,
    OrderReport: order_report,
    OrdersReported: orders_reported,
    LinkReport: link,
    SignalArrived: entry.signal,
    InvalidArrived: entry.invalid,
    Sending: sends.sending,
    SubmitFailed: sends.submit_failed,
    GateClosed: sends.gate_closed,
    CancelFailed: sends.cancel_failed,
    ModifyFailed: sends.modify_failed,
    QueryAnswered: doubt.query_answered,
    QueryFailed: doubt.query_failed,
    SnapshotTaken: snapshot_taken,
    SnapshotFailed: comparison.snapshot_failed,
    Unanswered: unanswered,
    JournalFailed: journal_failed,
    JournalRecovered: journal_recovered,
    ClockSet: clock_set,
    Trouble: trouble,
    LatchFound: latch_found,
    ask.Pause: op.pause,
    ask.Unpause: op.unpause,
    ask.Kill: op.kill,
    ask.Resume: op.resume,
    ask.PlaceOrder: once(op.place_order),
    ask.CancelOrder: op.cancel_order,
    ask.ModifyOrder: modify.modify,
    ask.ResolveOrder: resolve.resolve,
    ask.CancelAll: op.cancel_all,
    ask.Protect: protection.protect,
    ask.SetTarget: protection.set_target,
    ask.ClosePosition: once(close_position),
    ask.CloseAll: op.close_all,
    ask.Reconcile: op.reconcile,
    ask.RetryLetter: op.retry_letter,
    ask.DropLetter: op.drop_letter,
}


def decide(world: World, given: Input, now: Nanos) -> Iterator[ev.Event]:
    """The events an input leads to. Whoever iterates applies each before asking for the next.

    The plans then move on wherever something happened, and a latch that was set, or raised, is
    carried through.
    """
    epoch, withheld = world.book.data.epoch, _withheld(world)
    events = RULES[type(given)](world, given, now)
    if world.first_told:
        events = chain(first_rates(world), events)
    yield from followed(world, events, now, judge=True)
    if world.book.data.epoch != epoch:
        yield from followed(world, after_halt(world, now), now)
    if _withheld(world) > withheld:
        yield from followed(world, end_withheld_entries(world), now)


def _withheld(world: World) -> int:
    """How many causes keep entries away, from everywhere or from one account."""
    data = world.book.data
    return len(data.restrictions) + sum(len(a.barred) for a in data.accounts.values())


MAY_TRIP: frozenset[type[ev.Event]] = frozenset(
    {
        ev.OrderFilled,
        ev.FillMatched,
        ev.CommissionTaken,
        ev.PositionAdjusted,
        ev.HoldingPriced,
        ev.AccountSynced,
        ev.CashMoved,
        ev.CashAdjusted,
        ev.UnexplainedChanged,
        ev.CurrencyValued,
        ev.OrderRejected,
        ev.PositionClosed,
        ev.SymbolUnblocked,
    }
)
"""Events after which a trigger may hold that did not before, whatever input led to them (X-74)."""


def leads_to(world: World, waited: Nanos) -> Iterator[Input]:
    """The inputs that come of the newest bar once it is decided: its signals (A-146).

    `waited`: as in `SignalArrived`.
    """
    for completed in world.indicators.completed if world.follows_bars else ():
        for signal in builtin.signals_of(completed, world.instrument):
            yield SignalArrived(signal, waited)


def followed(
    world: World, events: Iterator[ev.Event], now: Nanos, *, judge: bool = False
) -> Iterator[ev.Event]:
    """Pass on the events, then ask the plans at every account and symbol that they concerned.

    With `judge` the triggers are asked before that, if any of the events may have tripped one.
    """
    places: dict[Place, None] = {}
    asks = False
    for event in events:
        yield event
        _note_places(world, event, places)
        asks = asks or (judge and type(event) in MAY_TRIP)
    if asks:
        for event in ask_triggers(world, now):
            yield event
            _note_places(world, event, places)
    for account, symbol in places:
        yield from advance(world, account, symbol, now)


def _note_places(world: World, event: ev.Event, places: dict[Place, None]) -> None:
    """Add the accounts and symbols that an event is about."""
    place = place_of(world.book, event)
    if place is not None:
        places[place] = None
    elif type(event) is ev.IntentOpened:
        places.update(dict.fromkeys(places_of(event)))
