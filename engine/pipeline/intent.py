"""From a ruling to the order it allows, and to the events that record it (A-003, U-30)."""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from engine.domain import events as ev
from engine.domain.codes import Code, Verdict
from engine.domain.ids import order_id
from engine.domain.instant import Nanos
from engine.domain.money import plain
from engine.domain.order import OrderTerms, Purpose
from engine.domain.run import Severity
from engine.pipeline.ruling import Ruling
from engine.world import World


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
        time_in_force=ruling.time_in_force,
        reduce_only=ruling.reduce_only,
        purpose=Purpose.MANUAL if manual else purpose,
        reserved=ruling.reserved,
        reference=ruling.limit_price or world.market.mark(ruling.symbol),
        trade_type=ruling.trade_type,
        stop_loss=ruling.stop_loss,
        target=ruling.target,
        managed=ruling.managed,
        conviction=ruling.conviction,
        resized=ruling.verdict is Verdict.RESIZED,
        timeout_seconds=timeout,
        routed=ruling.routed or msgspec.UNSET,
    )


def _quantity(ruling: Ruling) -> Decimal:
    """What an allowed ruling orders. Raises ValueError where it does not say: a defect of ours."""
    if not ruling.quantity:
        raise ValueError(f"{ruling.symbol} passed the gate without a quantity")
    return ruling.quantity


def intend(world: World, ruling: Ruling, order: OrderTerms) -> Iterator[ev.Event]:
    """Record the instrument before its first order, and how its account was chosen, then the
    intent; tell of one that goes to the fallback."""
    known = world.instrument(order.symbol, order.account)
    if world.book.instrument(order.symbol) is None or known != ruling.instrument:
        yield ev.InstrumentLearned(instrument=ruling.instrument)
    if ruling.choice is not None:
        yield ev.OrderRouted(
            account=order.account,
            symbol=order.symbol,
            client_order_id=order.client_order_id,
            choice=ruling.choice,
        )
    yield ev.OrderIntended(terms=order)
    if ruling.routed:
        yield ev.Alarmed(
            code=Code.FALLBACK,
            severity=Severity.WARNING,
            subject=order.symbol,
            text=f"{order.side} {plain(order.quantity)} {order.symbol} goes to the fallback "
            f"{order.account}: {ruling.routed}",
        )
