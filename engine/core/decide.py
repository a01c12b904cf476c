"""The table from input to rule, and what every input leads to after its rule.

`decide` is a generator of events. It reads the world and changes nothing; its driver
(`engine.core.driver`) applies each event before it asks for the next, so that no check and the
reservation it leads to can be parted.
"""

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

from engine.core import (
    comparison,
    doubt,
    instruments,
    life,
    links,
    machine,
    market,
    reports,
    resolve,
    retry,
    sends,
)
from engine.core.consequences import after_halt
from engine.core.day import first_rates, roll, with_the_day
from engine.core.follow import followed
from engine.core.shadow import measured
from engine.core.tick import tick
from engine.core.withdraw import end_withheld_entries, withholding
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import (
    CancelFailed,
    ClockSet,
    GateClosed,
    History,
    Input,
    InstrumentTold,
    InvalidArrived,
    JournalFailed,
    JournalRecovered,
    LatchFound,
    ModifyFailed,
    OrdersReported,
    QueryAnswered,
    QueryFailed,
    Ready,
    SendAgain,
    Sending,
    SignalArrived,
    SnapshotFailed,
    SnapshotTaken,
    Start,
    Stop,
    SubmitFailed,
    SubmitPutOff,
    Tick,
    Trouble,
    Unanswered,
)
from engine.domain.instant import Nanos
from engine.domain.market import Bar, Depth, Quote
from engine.domain.run import Mode
from engine.intake import builtin, closing, entry, modify, protection
from engine.intake import operator as op
from engine.intake.once import once
from engine.plans import kill as work
from engine.ports import LinkReport, OrderReport
from engine.world import World

Rule = Callable[[World, Any, Nanos], Iterator[ev.Event]]

_SHADOW = Mode.SHADOW
"""Once: a member of an enum takes several times as long to look up as a name of the module."""


def close_position(world: World, given: ask.ClosePosition, now: Nanos) -> Iterator[ev.Event]:
    """The close, with the orders that it leads to at once: its answer names them."""
    yield from followed(world, closing.close_position(world, given, now), now)


def snapshot_taken(world: World, given: SnapshotTaken, now: Nanos) -> Iterator[ev.Event]:
    """Compare with what the venue told, then take the next step of a kill that waited for it."""
    yield from comparison.snapshot_taken(world, given, now)
    yield from roll(world, now)
    yield from with_the_day(world, work.after_read(world, given.snapshot, now))


RULES: dict[type, Rule] = {
    Start: life.start,
    Ready: life.ready,
    Stop: life.stop,
    Quote: market.quote,
    Bar: market.bar,
    Depth: market.depth,
    History: market.history,
    Tick: tick,
    OrderReport: reports.report,
    OrdersReported: reports.many,
    LinkReport: links.link,
    SignalArrived: entry.signal,
    InvalidArrived: entry.invalid,
    Sending: sends.sending,
    SubmitFailed: sends.submit_failed,
    SubmitPutOff: retry.submit_put_off,
    SendAgain: retry.send_again,
    GateClosed: sends.gate_closed,
    CancelFailed: sends.cancel_failed,
    ModifyFailed: sends.modify_failed,
    QueryAnswered: doubt.query_answered,
    QueryFailed: doubt.query_failed,
    SnapshotTaken: snapshot_taken,
    SnapshotFailed: comparison.snapshot_failed,
    Unanswered: links.unanswered,
    InstrumentTold: instruments.told,
    JournalFailed: machine.journal_failed,
    JournalRecovered: machine.journal_recovered,
    ClockSet: machine.clock_set,
    Trouble: machine.trouble,
    LatchFound: work.latch_found,
    ask.Pause: op.pause,
    ask.Unpause: op.unpause,
    ask.Kill: op.kill,
    ask.Resume: op.resume,
    ask.Sign: op.sign,
    ask.PlaceOrder: once(op.place_order),
    ask.CancelOrder: op.cancel_order,
    ask.ModifyOrder: modify.modify,
    ask.ResolveOrder: resolve.resolve,
    ask.CancelAll: op.cancel_all,
    ask.Protect: protection.protect,
    ask.SetTarget: protection.set_target,
    ask.ClosePosition: once(close_position),
    ask.CloseAll: closing.close_all,
    ask.Reconcile: op.reconcile,
    ask.RetryLetter: op.retry_letter,
    ask.DropLetter: op.drop_letter,
}


def decide(world: World, given: Input, now: Nanos) -> Iterator[ev.Event]:
    """The events an input leads to. Whoever iterates applies each before asking for the next."""
    events = _decided(world, given, now)
    return measured(world, given, events) if world.config.mode is _SHADOW else events


def _decided(world: World, given: Input, now: Nanos) -> Iterator[ev.Event]:
    """The plans then move on wherever something happened, and a latch that was set, or raised, is
    carried through.
    """
    epoch, causes = world.book.data.epoch, withholding(world)
    events = RULES[type(given)](world, given, now)
    if world.currencies.first_told:
        events = chain(first_rates(world), events)
    yield from followed(world, events, now, judge=True)
    if world.book.data.epoch != epoch:
        yield from followed(world, after_halt(world, now), now)
    if withholding(world) - causes:
        yield from followed(world, end_withheld_entries(world), now)


def leads_to(world: World, waited: Nanos) -> Iterator[Input]:
    """The inputs that come of the newest bar once it is decided: its signals (A-146).

    `waited`: as in `SignalArrived`.
    """
    for completed in world.indicators.completed if world.follows_bars else ():
        for signal in builtin.signals_of(completed, world.instrument):
            yield SignalArrived(signal, waited)
