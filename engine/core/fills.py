"""Fills are facts: each is taken once, whatever state its order is in (rule 2, X-18, A-360 ff)."""

from collections.abc import Generator, Iterator
from decimal import Decimal

import msgspec

from engine.core import letters
from engine.core.adoption import is_history, traded_at
from engine.core.believed import fault_of, pays_contract, quarantine, resolved
from engine.core.closing import EXPIRED, FOREIGN, close_trade, ending_of
from engine.core.consequences import fire
from engine.core.fallback import taken_after_all
from engine.core.fees import charged, fee_rate_of, with_fee
from engine.core.fill_alarms import alarms, fill_alarm
from engine.core.told_before import Told, told_before
from engine.domain import events as ev
from engine.domain.codes import Outcome
from engine.domain.inputs import LookReason
from engine.domain.instant import Nanos
from engine.domain.money import ZERO, plain
from engine.domain.order import ADDING, VENUE, Fill, OrderStatus
from engine.domain.position import ExitReason
from engine.domain.run import Severity, Trigger
from engine.exits.end_of_day import EOD_PRIORITY
from engine.exits.hours import before_close, is_late
from engine.plans.exit import plan_exit
from engine.plans.outcome import ended_as
from engine.plans.reducing import adopt
from engine.plans.split_adjustment import proved_by_fill
from engine.risk import triggers
from engine.state.book import Book
from engine.state.holdings import (
    change,
    fee_of,
    happened,
    is_closed_by,
    is_opened_by,
    opened_by,
    position_id_of,
)
from engine.state.order import Order
from engine.state.position import ExitPlan
from engine.world import World

EXECUTIONS = frozenset({Outcome.EXECUTED, Outcome.RESIZED})


def take(world: World, fill: Fill, now: Nanos) -> Iterator[ev.Event]:
    """Everything that follows from one fill, but for the protection of what is then held."""
    before = told_before(world.book, fill, now)
    if before is Told.AGAIN or _is_history(world, fill):
        return
    # What it leads to leans on the time; what makes it one fill is what the venue told.
    timed = msgspec.structs.replace(fill, time=happened(fill, now))
    fault = fault_of(world, timed)
    if fault:
        yield from quarantine(world, fill, fault)
        return
    if before is Told.OTHER:
        yield from _used_id(world, fill)
        return
    yield from proved_by_fill(world, timed, now)
    fill = yield from with_fee(world, fill)
    rest = yield from _matched(world, fill, timed.time)
    if rest is not None:
        yield from _count(world, rest, timed, now)


def _used_id(world: World, fill: Fill) -> Iterator[ev.Event]:
    """What follows from a fill under the id of another one: it is not taken, and the venue is asked
    at once what is held (X-91); a stop that it is of trades all the same (X-78)."""
    why = "it was told before of another order, time, quantity, price, side or symbol"
    told = tuple(quarantine(world, fill, why))
    yield from told
    if told:
        yield from trades_untold(world, fill.account, fill.client_order_id)
        yield ev.SnapshotRequested(account=fill.account, reason=LookReason.USED_ID)


def trades_untold(world: World, account: str, client_order_id: str) -> Iterator[ev.Event]:
    """A stop trades, as its venue has just said of its order, and what it filled is not here."""
    order = world.book.order_in(account, client_order_id)
    if order is not None and order.protects and order.is_working:
        yield ev.StopTraded(account=account, symbol=order.symbol, client_order_id=client_order_id)


def _count(world: World, fill: Fill, timed: Fill, now: Nanos) -> Iterator[ev.Event]:
    """Everything that follows from a fill that counts; `timed` is it at the time when it was."""
    book = world.book
    order = book.order_in(fill.account, fill.client_order_id)
    if order is None:
        yield from adopt(world, fill.account, fill.symbol, fill.client_order_id, now)
        order = book.order_in(fill.account, fill.client_order_id)
    instrument = book.instrument(fill.symbol)
    if instrument is None:
        instrument = world.instrument(fill.symbol)
        yield ev.InstrumentLearned(instrument=instrument)
    yield from traded_at(world, fill)
    settles = pays_contract(world, timed)
    mult, currency = instrument.multiplier, instrument.currency
    before = book.holding(fill.account, fill.symbol)
    rate, fee_rate = _worth(world, currency), fee_rate_of(world, fill, currency)
    ending = None
    if is_closed_by(before, fill):
        # Only here is it needed before the fold makes it.
        fee = fee_of(fill, currency, rate, fee_rate)
        ending = ending_of(world, before, change(before, fill, mult, order, fee=fee).closed, fill)
    cumulative = (order.filled if order else ZERO) + fill.quantity
    notional = (order.notional if order else ZERO) + fill.quantity * fill.price
    opened = opened_by(before, fill)
    over = _beyond(order, cumulative, opened) if order else ZERO
    event = ev.OrderFilled(
        account=fill.account,
        fill=fill,
        multiplier=mult,
        cumulative=cumulative,
        average_price=round(notional / cumulative, 8),
        late=order is not None and order.status.is_terminal,
        overfill=min(over, fill.quantity),
        known_order=order is not None,
        position_id=position_id_of(fill, order) if is_opened_by(before, fill) else "",
        rate=rate,
        fee_rate=fee_rate,
        account_rate=_worth(world, _currency_of(world, fill.account)),
    )
    yield event
    yield from letters.reached(world, fill.account, fill.client_order_id)
    yield from resolved(world, fill)
    yield from _all_told(world, order)
    if ending is not None:
        unasked = EXPIRED if settles else FOREIGN
        dated = msgspec.structs.replace(fill, time=timed.time)
        yield from close_trade(world, ending, dated, order, unasked=unasked)
    yield from charged(world, event, timed.time)
    if before is not None and before.exiting is not None:
        yield from _flattened(world, before.exiting, fill.symbol)
    if order is not None and order.signal_id and order.purpose in ADDING:
        yield from _executed(world, order)
    yield from _reversed(world, fill, order, opened)
    yield from _too_late(world, fill, now)
    if settles:
        yield fill_alarm("CONTRACT_SETTLED", fill, EXPIRED, Severity.INFO)
        return
    yield from alarms(event, order, now)
    known = book.order_in(fill.account, fill.client_order_id)
    if event.late and known is not None:
        yield from taken_after_all(world, known)
    yield from _overfilled(world, event, order, now)


def _matched(world: World, fill: Fill, at: Nanos) -> Generator[ev.Event, None, Fill | None]:
    """What of a fill had not been assumed before it was told; None where all of it had.

    What had been is no other fill, and may differ in price.
    """
    assumed = world.book.account(fill.account).assumed.get(fill.client_order_id)
    if assumed is None or fill.is_assumed:
        return fill
    quantity = min(fill.quantity, assumed.quantity)
    instrument = world.instrument(fill.symbol)
    currency = instrument.currency
    event = ev.FillMatched(
        account=fill.account,
        fill=fill,
        quantity=quantity,
        price=assumed.price,
        multiplier=instrument.multiplier,
        rate=_worth(world, currency),
        fee_rate=fee_rate_of(world, fill, currency),
    )
    yield event
    text = f"{plain(quantity)} of it were assumed at {plain(round(assumed.price, 8))}"
    yield fill_alarm("FILL_MATCHED", fill, text, Severity.WARNING)
    yield from charged(world, event, at)
    if quantity == fill.quantity:
        return None
    return msgspec.structs.replace(fill, quantity=fill.quantity - quantity, commission=ZERO)


def _reversed(world: World, fill: Fill, order: Order | None, opened: Decimal) -> Iterator[ev.Event]:
    """The close of what an order that only reduces has opened, and an alarm (rule 3, X-88).

    So it is where a stop and what took its place both filled, though the venue had said that one of
    them had ended. Where the venue's quantity was taken over since the order was made, the fill may
    be part of that: nothing is closed before the next look.
    """
    held = world.book.holding(fill.account, fill.symbol)
    if order is None or not (order.reduce_only and opened) or held is None or held.is_closing:
        return
    text = f"{plain(opened)} beyond what was held, by an order that only reduces"
    adjusted = world.book.account(fill.account).adjusted.get(fill.symbol, 0)
    if adjusted >= order.created_at:
        text += ": it may be in what was taken over"
        yield fill_alarm("REVERSED", fill, text, Severity.CRITICAL)
        yield ev.SnapshotRequested(account=fill.account, reason=LookReason.REVERSED)
        return
    yield fill_alarm("REVERSED", fill, f"{text}: closed at once", Severity.CRITICAL)
    yield from plan_exit(
        held, reason=ExitReason.UNPROTECTED, priority=1, detail="an order that reduces opened it"
    )


def _too_late(world: World, fill: Fill, now: Nanos) -> Iterator[ev.Event]:
    """The close of a day trade that a fill opens, or adds to, when its session ends (X-83)."""
    held = world.book.holding(fill.account, fill.symbol)
    if held is None or held.sign != fill.side.sign or held.is_closing:
        return
    if not is_late(world, fill.symbol, held.trade_type, now):
        return
    shut = world.is_shut(fill.symbol, now)
    if shut:
        text = "filled after its market closed: it is held until that opens again"
        yield fill_alarm("EOD_MISSED", fill, text, Severity.CRITICAL)
    yield from plan_exit(
        held,
        reason=ExitReason.EOD,
        priority=EOD_PRIORITY,
        detail="filled late",
        measured="closed" if shut else "in the last minutes",
        limit=before_close(world),
    )


def _is_history(world: World, fill: Fill) -> bool:
    """Whether it is part of what was held at the first look at its account (X-75)."""
    account = world.book.data.accounts.get(fill.account)
    if account is None or (account.balances is not None and fill.time >= account.known_since):
        return False
    order = world.book.order_in(fill.account, fill.client_order_id)
    return is_history(account, fill, ours=order is not None and order.intent_id != VENUE)


def _overfilled(
    world: World, event: ev.OrderFilled, order: Order | None, now: Nanos
) -> Iterator[ev.Event]:
    """The trigger of an order that filled beyond its quantity."""
    if order is not None and event.overfill:
        why = "the venue filled more than was ordered"
        finding = triggers.Trip(plain(event.cumulative), plain(order.quantity), why)
        yield from fire(world, Trigger.OVERFILL, finding, now)


def _worth(world: World, currency: str) -> Decimal:
    """The rate that the sums are kept at; 0 where none was ever told, and they leave it out."""
    return world.currencies.worth.get(currency) or ZERO


def _currency_of(world: World, account: str) -> str:
    """The account's own currency; the base currency before its venue told it."""
    state = world.book.data.accounts.get(account)
    return (state.currency if state is not None else "") or world.base


def _beyond(order: Order, cumulative: Decimal, opened: Decimal) -> Decimal:
    """What filled beyond the order; one that only reduces may have been enlarged meanwhile."""
    if order.reduce_only and not opened:
        return ZERO
    return max(cumulative - order.most, ZERO)


def _all_told(world: World, before: Order | None) -> Iterator[ev.Event]:
    """The question whether an order has ended, of which the venue said so before it told its fills.

    They are all here now, and nothing else would say that it works no more.
    """
    if before is None or before.status is not OrderStatus.UNKNOWN or before.told_filled is None:
        return
    now = world.book.order_in(before.account, before.client_order_id)
    if now is None or now.status.is_terminal:
        return
    yield ev.OrderQueried(
        account=now.account,
        client_order_id=now.client_order_id,
        reason="it had ended there, and a fill of it was missing here",
    )


def _flattened(world: World, plan: ExitPlan, symbol: str) -> Iterator[ev.Event]:
    """A signal that asked to close is executed from the first fill of its close on."""
    life = world.book.data.signals.get(plan.detail) if plan.reason is ExitReason.SIGNAL else None
    if life is not None and life.outcome is None:
        yield ev.SignalEnded(
            signal_id=plan.detail,
            symbol=symbol,
            outcome=Outcome.EXECUTED,
            code="",
            reason="filled",
        )


def _executed(world: World, order: Order) -> Iterator[ev.Event]:
    """A signal is executed from the first fill of any of its orders on, also when it had ended
    without one."""
    life = world.book.data.signals.get(order.signal_id)
    if order.filled or (life is not None and life.outcome in EXECUTIONS):
        return
    if order.status.is_terminal and any(o.filled for o in _siblings(world.book, order)):
        return
    previous = ""
    if order.status.is_terminal:
        outcome, code = ended_as(order)
        previous = code or outcome
    yield ev.SignalEnded(
        signal_id=order.signal_id,
        symbol=order.symbol,
        outcome=Outcome.RESIZED if order.resized else Outcome.EXECUTED,
        code="",
        reason="filled after it had ended" if previous else "filled",
        previous=previous,
    )


def _siblings(book: Book, order: Order) -> list[Order]:
    """The other orders of an order's intent that are still at hand, in any account.

    This looks at every order: it is for what happens rarely.
    """
    return [
        other
        for account in book.data.accounts.values()
        for other in (*account.orders.values(), *account.closed.values())
        if other.intent_id == order.intent_id and other.client_order_id != order.client_order_id
    ]
