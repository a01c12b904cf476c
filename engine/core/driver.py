"""The driver of the core: an input in, the records it led to out, the state moved on.

Each event is applied before the rules are asked for the next, and with it what stands beside the
book is kept true: the totals, the extremes, and the evidence of prices.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from engine.core import comparison
from engine.core.calm import Calm
from engine.core.day import mark
from engine.core.decide import decide, leads_to
from engine.core.refusals import Refusals
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import (
    History,
    Input,
    OrdersReported,
    SignalArrived,
    SnapshotFailed,
    SnapshotTaken,
    Stop,
    Tick,
)
from engine.domain.instant import CLOCKS_APART, Nanos
from engine.domain.market import Bar, Depth, Quote
from engine.domain.money import ZERO
from engine.domain.order import Fill
from engine.domain.report import OrderReport
from engine.domain.suspicion import CORPORATE_ACTION
from engine.exits.hard_stop import is_beyond
from engine.exits.stops import breach_key
from engine.state.fold import apply
from engine.state.order_index import Place
from engine.state.position import Position
from engine.state.touched import HoldingAmended, Touched
from engine.world import World
from engine.world.evidence import both_sides


class Step(msgspec.Struct):
    """What one input led to: the records, and for each the values of the state it touched."""

    records: list[ev.Record]
    touched: list[list[Touched]]
    refused: ev.SignalDecided | None = None
    """The verdict on a signal that an overload refused; its record may come later (X-89)."""
    proposed: tuple[ev.Event, ...] = ()
    """What a look proposes to take over, where an operator asked for it."""


class RuleFailedError(Exception):
    """A rule raised: a defect of ours. `step` was applied before, its records are facts."""

    def __init__(self, step: Step, error: Exception) -> None:
        super().__init__(f"{type(error).__name__}: {error}")
        self.step = step


class Core:
    """The synchronous driver: an input in, the records it led to out, the state moved on."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._refusals = Refusals()
        self.day_ends: Nanos = 0
        """When the portfolio's calendar says something else than at the last tick: a tick is due
        then, so that the day begins with its session (X-12)."""
        self._calm = Calm()

    @property
    def calm_until(self) -> Nanos:
        """Ticks before this moment lead to nothing, unless something else comes in first that does
        not leave it as it is."""
        return self._calm.until

    def handle(self, given: Input, now: Nanos, waited: Nanos = 0) -> Step:
        """Let the world see the input, decide, and apply every event as it is decided.

        What the input leads to by itself, such as the signals of a bar, is decided after it at the
        same moment. `waited` is the age of the oldest input that was not decided when this one was
        handed in, in nanoseconds, for what it leads to; what may add exposure carries its own
        (X-89).

        Raises `RuleFailedError` with the step so far when a rule or the fold raises.
        """
        world, kind, step = self.world, type(given), Step([], [])
        due = self._refusals.due(world.book, now) or kind is Stop
        if kind is Tick and now < self._calm.until and not due:
            return step
        until, rest = self._calm.until, self._calm.rest
        self._calm.end()
        marks_only = kind is Tick and now < rest and not due
        if not marks_only:
            if kind is Tick:
                self.day_ends = world.home.constant_until(now)
            observe(world, given, now)
        try:
            if marks_only:
                self._mark(step, now)
            else:
                self._lead(step, given, now, waited, refusals_due=due)
        except Exception as error:  # whatever it is, what came before must reach the journal
            raise RuleFailedError(step, error) from error
        if marks_only:
            self._calm.after_mark(world, rest, step.records, now)
        elif kind is Tick:
            self._calm.after_tick(world, step.records, now)
        elif kind in _LEAVE_REST:
            self._calm.after_price(world, until, rest, step.records, now)
        return step

    def _lead(
        self, step: Step, given: Input, now: Nanos, waited: Nanos, *, refusals_due: bool
    ) -> None:
        """Ask every rule that an input concerns."""
        world, kind = self.world, type(given)
        if refusals_due and (told := self._refusals.told()) is not None:
            self._record(step, told, now)
        self._decide(step, given, now)
        if kind is Bar:
            for more in leads_to(world, waited):
                observe(world, more, now)
                self._decide(step, more, now)
        elif kind is not Quote and isinstance(given, SnapshotTaken | SnapshotFailed):
            step.proposed = comparison.proposed(world, given)

    def _mark(self, step: Step, now: Nanos) -> None:
        """A tick in which no rule can find more than that equity has moved."""
        for event in mark(self.world, now):
            self._record(step, event, now)

    def _decide(self, step: Step, given: Input, now: Nanos) -> None:
        """Apply what an input leads to; a refusal may be gathered instead of recorded (X-89)."""
        world = self.world
        for event in decide(world, given, now):
            if type(event) is ev.SignalsRefused:
                step.refused = event.verdict(event.refusals[0])
                if self._refusals.take(event, world.book, now):
                    continue
            self._record(step, event, now)

    def _record(self, step: Step, event: ev.Event, now: Nanos) -> None:
        """Apply an event and add it to what the input led to."""
        record, touched = fold_in(self.world, event, now)
        step.touched.append(touched)
        step.records.append(record)

    @property
    def due_at(self) -> Nanos | None:
        """When a tick must come for refusals that are gathered; None while none are."""
        return self._refusals.due_at(self.world.book)


# --- what the market shows -----------------------------------------------------------------------


def observe(world: World, given: Input, now: Nanos) -> None:
    """Move the market view and the indicators on.

    They are no part of the state and are never journalled.
    """
    see = _SEEN.get(type(given))
    if see is not None:
        see(world, given, now)


def _see_report(world: World, given: OrderReport, now: Nanos) -> None:
    world.odd_reports.see([(given, _oddity(world, given))])


def _see_reports(world: World, given: OrdersReported, now: Nanos) -> None:
    world.odd_reports.see((report, _oddity(world, report)) for report in given.reports)


def _oddity(world: World, given: OrderReport) -> str:
    """Why a report is odd; "" for one about an order that is known, with numbers that can be."""
    known = world.book.order_in(given.account, given.client_order_id) is not None
    return given.fault or ("" if known else "foreign")


def _see_quote(world: World, given: Quote, now: Nanos) -> None:
    if given.fault:
        world.market.quarantine(given)
        return
    if not world.take_quote(given, now):
        return
    held = world.book.held(given.symbol)
    if not held:
        return
    world.prices.revalue(given.symbol)
    for position in held:
        certain = both_sides(given, falling=position.is_long)
        world.breaches.see(
            breach_key(position.account, position.symbol),
            breached=is_beyond(position, given.last),
            at=now,
            told_at=world.market.told_at[given.symbol],
            traded_both_sides=certain,
        )


def _see_bar(world: World, given: Bar, now: Nanos) -> None:
    if world.follows_bars:
        world.indicators.take(given)


def _see_history(world: World, given: History, now: Nanos) -> None:
    world.indicators.recall(given.bars)


def _see_depth(world: World, given: Depth, now: Nanos) -> None:
    if given.is_sound:
        world.market.depths[given.symbol] = given
    else:
        world.market.depths.pop(given.symbol, None)


def _see_tick(world: World, given: Tick, now: Nanos) -> None:
    world.currencies.refresh(now)


def _see_look(world: World, given: SnapshotTaken, now: Nanos) -> None:
    world.currencies.refresh(now)  # what the first look finds counts at the rates that are known


def _see_age(world: World, given: Any, now: Nanos) -> None:
    world.overload.see(given.waited, now)


_LEAVE_REST: frozenset[type] = frozenset({Quote, Bar, Depth, SignalArrived})
"""Inputs that leave what ticks may find as it is, unless they lead to more than a refusal."""

_SEEN: dict[type, Callable[[World, Any, Nanos], None]] = {
    OrderReport: _see_report,
    OrdersReported: _see_reports,
    Quote: _see_quote,
    Depth: _see_depth,
    Bar: _see_bar,
    History: _see_history,
    SnapshotTaken: _see_look,
    Tick: _see_tick,
    **dict.fromkeys(ask.AGED, _see_age),
}


# --- what stands beside the book ------------------------------------------------------------------


def fold_in(world: World, event: ev.Event, now: Nanos) -> tuple[ev.Record, list[Touched]]:
    """Apply an event to the book as its next record, and keep true what stands beside the book.

    Returns the record and the values that it touched.
    """
    record = ev.Record(world.book.data.seq + 1, now, event)
    place = _entered(event)
    before = ZERO if place is None else _quantity(world, *place)
    touched = apply(world.book, record)
    if place is not None:
        _keep_proof(world, event, *place, before, now)
    for one in touched:
        value = one.value
        if type(value) is Position or type(value) is HoldingAmended:
            _keep_beside(world, value.account, value.symbol, record.seq)
    if (revalue := _REVALUED.get(type(event))) is not None:
        revalue(world, event)
    return record, touched


def _entered(event: ev.Event) -> Place | None:
    """Where an event may enter more of something, at a price of its own."""
    if type(event) is ev.OrderFilled:
        return event.account, event.fill.symbol
    if type(event) is ev.PositionAdjusted:
        return event.account, event.symbol
    return None


def _quantity(world: World, account: str, symbol: str) -> Decimal:
    held = world.book.holding(account, symbol)
    return ZERO if held is None else held.quantity


def _is_late(fill: Fill, now: Nanos) -> bool:
    """Whether a fill is known only long after it was: one that is assumed, or of a time that no
    difference of clocks explains."""
    return fill.is_assumed or 0 < fill.time < now - CLOCKS_APART


def _keep_proof(  # noqa: PLR0917  # an event, where it was, what was held there, and when
    world: World, event: ev.Event, account: str, symbol: str, before: Decimal, now: Nanos
) -> None:
    """What was entered now counts at the price that it was entered at (X-74): the evidence of an
    older one makes no loss of it. What a fill closed is realised, at the fill's own price."""
    after = _quantity(world, account, symbol)
    filled = event.fill.price if type(event) is ev.OrderFilled else None
    if filled is not None and before * after >= 0 and abs(after) <= abs(before):
        return
    if type(event) is ev.PositionAdjusted and event.numerator:
        if event.mark is not None:
            world.prices.restate(symbol, event.mark)
        world.market.unwatch(account, symbol)
        held = world.book.holding(account, symbol)
        if held is not None:
            world.market.watch(account, symbol, held.entry_price)
        return
    if type(event) is ev.OrderFilled and _is_late(event.fill, now):
        world.prices.entered_before(symbol, event.fill.price, event.fill.time)
        return
    price = world.book.data.marks.get(symbol) if filled is None else filled
    if price is not None:
        world.prices.enter_at(symbol, after if before * after < 0 else after - before, price)


def _keep_beside(world: World, account: str, symbol: str, seq: int) -> None:
    """After event `seq` changed what an account holds of a symbol: its value in the totals, its
    extremes, and the evidence of prices, which is never older than what it is about (X-71)."""
    world.prices.revalue(symbol)
    held, last = world.book.holding(account, symbol), world.market.mark(symbol)
    is_new = held is not None and held.seq == seq
    if held is None or is_new or last is None or not is_beyond(held, last):
        # Evidence that a stop was reached ends with the position, or once the stop was moved away
        # from the newest price.
        world.breaches.forget(breach_key(account, symbol))
    if held is None:
        world.market.unwatch(account, symbol)
        if not world.book.held(symbol):
            world.prices.forget(symbol)
    elif is_new:
        world.market.watch(account, symbol, held.entry_price)


def _value_currency(world: World, event: ev.CurrencyValued) -> None:
    world.currencies.count(event.currency, event.rate)


def _value_holding(world: World, event: ev.HoldingPriced) -> None:
    """The first price of a holding that was taken over without one is where its evidence begins."""
    if event.left is not msgspec.UNSET:
        return  # of what is held nothing was told
    if event.unproved:
        world.prices.first_told[event.symbol] = world.book.data.time
    elif not event.early:
        world.prices.first_told.pop(event.symbol, None)
    world.prices.forget(event.symbol)
    world.prices.revalue(event.symbol)


def _value_missing(world: World, event: ev.Reconciled) -> None:
    """What looks do not find loses nothing by evidence, and what they find again does (X-74)."""
    for symbol in world.book.account(event.account).missing.keys() | world.value.missing_in(
        event.account
    ):
        world.prices.revalue(symbol)


def _value_accounts(world: World, event: ev.EngineStarted) -> None:
    world.prices.revalue_all()


def _reached(world: World, event: ev.EquityMarked) -> None:
    world.money.reach.forget()


def _rebased(world: World, event: ev.LossAccepted) -> None:
    world.money.reach.above = ZERO


def _begin_day(world: World, event: ev.SessionOpened) -> None:
    world.money.reach.forget_day()


def _value_symbol(world: World, event: ev.SymbolBlocked | ev.SymbolUnblocked) -> None:
    if event.cause == CORPORATE_ACTION:
        world.prices.revalue(event.symbol)


def _follow_unexplained(world: World, event: ev.UnexplainedChanged) -> None:
    world.prices.follow_unexplained()


def _explain(world: World, event: ev.OrderFilled | ev.CashAdjusted | ev.PositionAdjusted) -> None:
    world.money.explained(event.account, world.book.data.time)


_REVALUED: dict[type[ev.Event], Callable[[World, Any], None]] = {
    ev.CurrencyValued: _value_currency,
    ev.HoldingPriced: _value_holding,
    ev.Reconciled: _value_missing,
    ev.EngineStarted: _value_accounts,
    ev.EquityMarked: _reached,
    ev.LossAccepted: _rebased,
    ev.SessionOpened: _begin_day,
    ev.SymbolBlocked: _value_symbol,
    ev.SymbolUnblocked: _value_symbol,
    ev.UnexplainedChanged: _follow_unexplained,
    ev.OrderFilled: _explain,
    ev.CashAdjusted: _explain,
    ev.PositionAdjusted: _explain,
}
"""Events that change what all holdings count for, or how far equity went, and no holding."""
