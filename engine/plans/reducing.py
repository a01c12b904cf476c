"""Orders that only reduce: their ids come from durable facts alone (C-405, DESIGN rule 1).

They do not wait for the disk. A process that ends before an intent is durable leaves an order at
the venue that the journal does not know; the next process computes the same id again, recognises
the order by it, and asks the venue before it sends.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

import msgspec

from engine.domain import events as ev
from engine.domain.ids import moment_of, order_id
from engine.domain.instant import CLOCKS_APART, NS_PER_SECOND, Nanos
from engine.domain.money import ONE, early_stop, round_price
from engine.domain.order import (
    VENUE,
    OrderStatus,
    OrderTerms,
    OrderType,
    Purpose,
    Side,
    TimeInForce,
    VenueState,
)
from engine.domain.position import ExitReason
from engine.domain.run import Level, Phase
from engine.exits.reducible import wanted_by
from engine.plans.successor import successor
from engine.state.order import Order
from engine.state.position import ExitPlan, Position
from engine.state.waiting import waiting_leg
from engine.world import World

PROTECT: Final = "protect"
EXIT: Final = "exit"

LOST_ATTEMPTS: Final = 8
"""So many attempts in a row may have been lost with an earlier process."""

LIMIT_BEYOND: Final = Decimal("0.05")
"""How far beyond its stop the limit of a protective stop lies where the venue takes no plain one,
as a fraction of the stop."""

SETTLED: Final = 60 * NS_PER_SECOND
"""This long after a start, beyond the late-arrival bound, nothing of an earlier process comes."""


def last(world: World, position: Position, leg: str) -> Order | None:
    """The newest order of a leg, None before the first."""
    attempt = _attempt(position, leg)
    return world.book.order_in(position.account, _id(position, leg, attempt)) if attempt else None


def hindrance(world: World, terms: OrderTerms) -> str:
    """Why an order that waited to reduce is never to be sent; "" where nothing speaks against it.

    The close of all and a kill cancel what else reduces, and so what has not been sent.
    """
    position = world.book.holding(terms.account, terms.symbol)
    if position is None or terms.side.sign * position.quantity > 0:
        return "nothing is held that it would reduce"
    if position.is_closing:
        return "the position is being closed"
    halt = world.book.data.halt
    if halt is not None and halt.level is Level.KILL and not terms.protects:
        return f"killed by {halt.by}: {halt.reason}"
    return ""


def is_ending(order: Order) -> bool:
    """Its end is asked for and not proved: another cancel adds nothing.

    Of an order in doubt the wish is kept, and what was to take its place is given up with it. Of
    one whose cancel failed the deadline asks again.
    """
    if order.status is OrderStatus.UNKNOWN:
        return order.cancel_wanted
    return order.cancel_put_off or order.status is OrderStatus.PENDING_CANCEL


def is_in_doubt_since_start(order: Order, started: Nanos) -> bool:
    """Whether an earlier process than that of `started` decided it, and nothing has told since
    whether it was sent."""
    told = order.accepted_at or order.filled or order.told_filled is not None
    return order.status is OrderStatus.UNKNOWN and order.created_at < started and not told


def cancel(order: Order, reason: str) -> Iterator[ev.Event]:
    """Ask for the end of an order, unless that is wanted already (see `is_ending`)."""
    if is_ending(order):
        return
    yield ev.CancelRequested(
        account=order.account, client_order_id=order.client_order_id, reason=reason
    )


def may_send(world: World, account: str) -> bool:
    """After a start the venue is looked at first: what is held may have changed."""
    data = world.book.data
    seen = world.book.account(account).seen_at >= data.started_at
    return data.phase is not Phase.STARTING and seen


def stop_order(
    world: World, position: Position, stop: Decimal, quantity: Decimal, now: Nanos
) -> OrderTerms:
    """The next protective stop, at the price `stop` for so much."""
    attempt = position.protect_attempt + 1
    return _stop(world, position, stop, now, attempt, quantity=quantity)


def exit_order(world: World, position: Position, plan: ExitPlan, now: Nanos) -> OrderTerms:
    """The order of the plan's attempt; one in a closed market rests until that opens (X-92)."""
    kill = plan.reason is ExitReason.KILL
    timeout = world.config.execution.order_timeout_seconds
    return _reducing(
        world,
        position,
        now,
        client_order_id=_id(position, EXIT, plan.attempt),
        quantity=wanted_by(world, position, plan),
        purpose=Purpose.FLATTEN if kill else Purpose.EXIT,
        attempt=plan.attempt,
        timeout_seconds=0 if world.is_shut(position.symbol, now) else timeout,
        reason=plan.reason,
        reference=world.market.mark(position.symbol),
    )


def recognise(
    world: World, account: str, symbol: str, client_order_id: str, now: Nanos
) -> OrderTerms | None:
    """An order that only an earlier process knew; its quantity is the venue's to say."""
    for key, where in world.book.account(account).replacing.items():
        order = world.book.order_in(account, key) if where == symbol else None
        if order is None or order.pending is None:
            continue
        if order.pending.new_client_order_id == client_order_id:
            return successor(world, order, order.pending, order.pending.reserved)
    leg = waiting_leg(world.book, client_order_id)
    if leg is not None and (leg.terms.account, leg.terms.symbol) == (account, symbol):
        return leg.terms
    position = world.book.holding(account, symbol)
    if position is None:
        return None
    for ahead in range(1, LOST_ATTEMPTS + 1):
        attempt = position.protect_attempt + ahead
        if client_order_id == _id(position, PROTECT, attempt):
            return _stop(world, position, position.stop or position.average_price, now, attempt)
        # The decision to close is durable before its order is: that one is not ahead of it.
        attempt = position.exit_attempt + ahead - 1
        if client_order_id == _id(position, EXIT, attempt):
            return _reducing(world, position, now, client_order_id=client_order_id, attempt=attempt)
    return None


def learned(world: World, symbol: str) -> Iterator[ev.Event]:
    """Record an instrument before anything in it counts, if it is not known yet."""
    if world.book.instrument(symbol) is None:
        yield ev.InstrumentLearned(instrument=world.instrument(symbol))


def adopt(
    world: World, account: str, symbol: str, client_order_id: str, now: Nanos
) -> Iterator[ev.Event]:
    """Take such an order over as UNKNOWN and ask what became of it."""
    found = recognise(world, account, symbol, client_order_id, now)
    if found is not None:
        yield from _ask_for(world, found, "sent by an earlier process")


def ask_for_stop(world: World, position: Position, now: Nanos) -> Iterator[ev.Event]:
    """Take the stop over as UNKNOWN, and ask for it, that an earlier process may have sent in its
    last moment and that may still arrive: nothing is sent beside it where both could fill (X-88).

    Nothing where there can be none: the position is of this process, wants no stop or has one, or
    nothing of an earlier process comes any more.
    """
    able, started = world.able(position.account), world.book.data.started_at
    if position.stop is None or not able.native_stop or now > started + able.arrival:
        return
    if any(order.is_protective for order in world.book.working(position.account, position.symbol)):
        return
    newest = last(world, position, PROTECT)
    if newest is not None and (newest.created_at >= started or _rested(newest, started)):
        return
    if _may_be_known(world, position, now):
        stop = _stop(world, position, position.stop, now, position.protect_attempt + 1)
        yield from _ask_for(world, stop, "an earlier process may have sent it")


def _rested(stop: Order, started: Nanos) -> bool:
    """Whether a stop of an earlier process has ended because this one asked for that: it was there
    at the first look, or the venue would have been asked about it, and no other was sent before."""
    return stop.updated_at >= started and bool(stop.cancel_reason) and not stop.queries


def _ask_for(world: World, order: OrderTerms, reason: str) -> Iterator[ev.Event]:
    yield from learned(world, order.symbol)
    yield ev.OrderAdopted(terms=order, state=VenueState(status=OrderStatus.UNKNOWN, listed=False))
    yield ev.OrderQueried(
        account=order.account, client_order_id=order.client_order_id, reason=reason
    )


def _attempt(position: Position, leg: str) -> int:
    return position.exit_attempt if leg == EXIT else position.protect_attempt


def _id(position: Position, leg: str, attempt: int) -> str:
    return order_id(moment_of(position.position_id[1:]), leg, position.position_id, str(attempt))


def _stop(
    world: World,
    position: Position,
    stop: Decimal,
    now: Nanos,
    attempt: int,
    *,
    quantity: Decimal | None = None,
) -> OrderTerms:
    """A protective stop of the type and the time in force that its venue takes for so much; None:
    all that is held.

    It is good till cancelled where that is taken, else for the day. A plain stop is taken almost
    everywhere; where it is not, one with a limit far beyond it takes its place, and the engine's
    own copy closes what jumps over that (X-78). Where neither is, the venue is asked and refuses.
    """
    instrument = world.instrument(position.symbol, position.account)
    quantity = abs(position.quantity) if quantity is None else quantity
    taken = world.able(position.account).takes(instrument.asset_class, quantity)
    price = early_stop(stop, instrument.tick_at(stop), sell=position.is_long)
    limit: Decimal | None = None
    if OrderType.STOP not in taken.order_types and OrderType.STOP_LIMIT in taken.order_types:
        beyond = price * (ONE - LIMIT_BEYOND if position.is_long else ONE + LIMIT_BEYOND)
        limit = round_price(beyond, instrument.tick_at(beyond), up=not position.is_long)
    lasts = TimeInForce.GTC in taken.times_in_force
    return _reducing(
        world,
        position,
        now,
        client_order_id=_id(position, PROTECT, attempt),
        type=OrderType.STOP if limit is None else OrderType.STOP_LIMIT,
        quantity=quantity,
        stop_price=price,
        limit_price=limit,
        time_in_force=TimeInForce.GTC if lasts else TimeInForce.DAY,
        purpose=Purpose.PROTECT,
        attempt=attempt,
        timeout_seconds=0,
    )


def _may_be_known(world: World, position: Position, now: Nanos) -> bool:
    """True while an earlier process may have sent an order of this id that is not known here.

    Of what an order of this process has opened, none can have. What was held before stays of that
    process, also where an order of this one has taken the place of the one that opened it; an order
    that only reduces and was taken over here may be of that process too.
    """
    started = world.book.data.started_at
    opened_by = world.book.order_in(position.account, position.first_order_id)
    if (
        opened_by is not None
        and opened_by.intent_id != VENUE
        and opened_by.adds_exposure
        and min(opened_by.created_at, position.recorded_at) > started
    ):
        return False
    bound = world.able(position.account).arrival + SETTLED
    return position.opened_at <= started + CLOCKS_APART and now <= started + bound


def _reducing(world: World, position: Position, now: Nanos, **fields: object) -> OrderTerms:
    template = OrderTerms(
        client_order_id="",
        intent_id=position.reducing_intent,
        signal_id=position.signal_id,
        account=position.account,
        symbol=position.symbol,
        side=Side.SELL if position.is_long else Side.BUY,
        type=OrderType.MARKET,
        quantity=abs(position.quantity),
        time_in_force=TimeInForce.GTC,
        reduce_only=True,
        purpose=Purpose.EXIT,
        trade_type=position.trade_type,
        check_first=_may_be_known(world, position, now),
    )
    return msgspec.structs.replace(template, **fields)
