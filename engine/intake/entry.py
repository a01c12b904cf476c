"""From a signal to a verdict and, if it passes, to an order (X-17, A-003, U-30)."""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from engine.domain import events as ev
from engine.domain.codes import Outcome, Verdict
from engine.domain.ids import order_id
from engine.domain.inputs import InvalidArrived, SignalArrived
from engine.domain.instant import Nanos
from engine.domain.order import OrderTerms, Purpose, TimeInForce
from engine.domain.position import ExitReason
from engine.domain.signal import Direction, Signal
from engine.plans.exit import plan_exit
from engine.risk.case import Ruling
from engine.risk.gate import evaluate, signal_case
from engine.world import World


def invalid(world: World, given: InvalidArrived, now: Nanos) -> Iterator[ev.Event]:
    """One rejected input; the rest goes on."""
    yield ev.InputRejected(
        source=given.source, input_id=given.input_id, reason=given.reason, line=given.line
    )


def signal(world: World, given: SignalArrived, now: Nanos) -> Iterator[ev.Event]:
    """Every signal ends in exactly one recorded outcome (rule 6)."""
    asked = given.signal
    yield ev.SignalReceived(signal=asked)
    ruling = evaluate(signal_case(world, asked, now))
    order = None
    if ruling.allowed and asked.direction is not Direction.FLAT:
        order = build(world, ruling, now, signal_id=asked.signal_id, facts=("entry",))
        order = msgspec.structs.replace(
            order, signal_type=asked.signal_type, timeframe=asked.timeframe
        )
    yield ev.SignalDecided(
        signal_id=asked.signal_id,
        symbol=asked.ticker,
        verdict=ruling.verdict,
        stage=ruling.stage,
        code=ruling.code,
        measured=ruling.measured,
        limit=ruling.limit,
        reason=ruling.reason,
        checks=ruling.checks,
        client_order_ids=(order.client_order_id,) if order else (),
        quantity=ruling.quantity,
        content=ruling.content,
    )
    if order is not None:
        yield from intend(world, ruling, order)
        return
    if ruling.allowed:
        yield from _close_everywhere(world, asked, now)


def _close_everywhere(world: World, asked: Signal, now: Nanos) -> Iterator[ev.Event]:
    """A flat signal closes what signals opened of its symbol, in every account (X-87)."""
    held = world.book.managed(asked.ticker)
    closing = [position for position in held if position.exiting is not None]
    if closing and len(closing) == len(held):
        yield ev.SignalEnded(
            signal_id=asked.signal_id,
            symbol=asked.ticker,
            outcome=Outcome.EXECUTED,
            code="",
            reason="a close is under way already: "
            f"{', '.join(p.exiting.reason for p in closing if p.exiting is not None)}",
        )
        return
    for position in held:
        yield from plan_exit(position, reason=ExitReason.SIGNAL, priority=0, detail=asked.signal_id)


def build(
    world: World, ruling: Ruling, now: Nanos, *, signal_id: str, facts: tuple[str, ...]
) -> OrderTerms:
    """The order a ruling allows; its id stands for the intent and is the same on every retry."""
    intent = signal_id or facts[-1]
    key = order_id(now, *facts, world.book.account(ruling.account).id, intent)
    manual = not signal_id
    purpose = Purpose.ADD if ruling.adding else Purpose.ENTRY
    timeout = 0 if manual else world.config.execution.order_timeout_seconds
    return OrderTerms(
        client_order_id=key,
        intent_id=f"i{key}",
        signal_id=signal_id,
        account=ruling.account,
        symbol=ruling.symbol,
        side=ruling.side,
        type=ruling.order_type,
        quantity=_quantity(ruling),
        limit_price=ruling.limit_price,
        stop_price=ruling.stop_price,
        time_in_force=TimeInForce(ruling.time_in_force),
        reduce_only=ruling.reduce_only,
        purpose=Purpose.MANUAL if manual else purpose,
        reserved=ruling.reserved,
        reference=ruling.limit_price or world.market.mark(ruling.symbol),
        trade_type=ruling.trade_type,
        stop_loss=ruling.stop_loss,
        target=ruling.target,
        conviction=ruling.conviction,
        resized=ruling.verdict is Verdict.RESIZED,
        timeout_seconds=timeout,
    )


def _quantity(ruling: Ruling) -> Decimal:
    """What an allowed ruling orders. Raises ValueError where it does not say: a defect of ours."""
    if not ruling.quantity:
        raise ValueError(f"{ruling.symbol} passed the gate without a quantity")
    return ruling.quantity


def intend(world: World, ruling: Ruling, order: OrderTerms) -> Iterator[ev.Event]:
    """Record the instrument before its first order, then the intent."""
    if world.book.instrument(order.symbol) != ruling.instrument:
        yield ev.InstrumentLearned(instrument=ruling.instrument)
    yield ev.OrderIntended(terms=order)
