"""Closing a part of a position: exactly that part, once, and a stop-loss goes first (rule 3)."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.core.driver import fold_in
from engine.core.follow import followed
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.codes import Outcome, Verdict
from engine.domain.order import OrderStatus, OrderType, Purpose, Side
from engine.domain.position import ExitReason
from engine.domain.run import Flatten, Phase
from engine.domain.signal import Direction, TradeType
from engine.plans.exit import plan_exit
from engine.state.position import Position
from tests.engine.driver import CoreDriver, one, protected
from tests.engine.worlds import ABLE, BROKER, signal

TEN, THREE = Decimal(10), Decimal(3)


def holding(desk: CoreDriver) -> Position:
    found = desk.book.holding(BROKER, "NVDA")
    assert found is not None
    return found


def ten_held(**able: Any) -> CoreDriver:
    """Ten bought at 100, with their stop at 90 resting."""
    desk = CoreDriver(capabilities=msgspec.structs.replace(ABLE, **able))
    desk.quote("NVDA", "100")
    desk.place(Side.BUY, TEN, protect=Decimal(90), hold=TradeType.SWING)
    entry = desk.last(Purpose.MANUAL)
    desk.accept(entry)
    desk.filled(entry, 10, "100")
    desk.accept(desk.last(Purpose.PROTECT))
    return desk


def close_part(desk: CoreDriver, quantity: Decimal | None, reason: ExitReason) -> None:
    """A rule decides to close so much."""
    decided = plan_exit(holding(desk), reason=reason, priority=5, quantity=quantity)
    for event in followed(desk.world, decided, desk.now):
        fold_in(desk.world, event, desk.now)
        desk.seen.append(event)


def sold(desk: CoreDriver) -> Decimal:
    """What the closes have sold, by the venue's own count."""
    return sum(
        (desk.current(order).filled for order in desk.intended(Purpose.EXIT)), start=Decimal(0)
    )


@pytest.mark.parametrize("reduce_only", [True, False])
def test_three_of_ten_sells_exactly_three_and_the_rest_is_protected_again(
    reduce_only: bool,
) -> None:
    desk = ten_held(reduce_only=reduce_only)
    stop = desk.last(Purpose.PROTECT)
    close_part(desk, THREE, ExitReason.TARGET)
    if not reduce_only:
        desk.report(stop, OrderStatus.CANCELED)  # it made room
    exit_ = desk.last(Purpose.EXIT)
    assert exit_.quantity == THREE
    desk.accept(exit_)
    desk.filled(exit_, 3, "101")
    for _ in range(120):
        desk.tick()
        _answer_stops(desk)
    assert (sold(desk), holding(desk).quantity) == (3, 7)
    assert holding(desk).exiting is None
    assert len(desk.intended(Purpose.EXIT)) == 1
    (resting,) = [o for o in desk.book.orders() if o.is_protective]
    assert (resting.leaves, resting.stop_price) == (7, 90)


def _answer_stops(desk: CoreDriver) -> None:
    """The venue takes new stops, and changes of old ones."""
    for order in tuple(desk.book.orders()):
        if order.is_protective and order.status is OrderStatus.CREATED:
            desk.accept(order.terms)
        elif order.is_protective and order.pending is not None:
            desk.report(order.terms, OrderStatus.NEW, quantity=order.pending.quantity)


def test_a_part_that_fills_in_two_and_is_dropped_between_sells_the_rest_of_the_part() -> None:
    desk = ten_held()
    close_part(desk, THREE, ExitReason.TARGET)
    first = desk.last(Purpose.EXIT)
    desk.accept(first)
    desk.filled(first, 1, "101")
    desk.report(first, OrderStatus.CANCELED)
    desk.tick(2)
    again = desk.last(Purpose.EXIT)
    assert (again.client_order_id != first.client_order_id, again.quantity) == (True, 2)
    desk.accept(again)
    desk.filled(again, 2, "101")
    desk.tick(120)
    assert (sold(desk), holding(desk).quantity, holding(desk).exiting) == (3, 7, None)


def test_a_stop_loss_pre_empts_the_close_of_a_part() -> None:
    """The part's order is cancelled, and only when it is gone the whole is sold: never eleven."""
    desk = ten_held()
    close_part(desk, THREE, ExitReason.TARGET)
    part = desk.last(Purpose.EXIT)
    desk.accept(part)
    desk.filled(part, 1, "101")
    close_part(desk, None, ExitReason.STOP_LOSS)
    assert one(desk.seen, ev.CancelRequested).client_order_id == part.client_order_id
    assert desk.last(Purpose.EXIT) == part
    desk.report(part, OrderStatus.CANCELED)
    whole = desk.last(Purpose.EXIT)
    assert whole.quantity == 9
    desk.accept(whole)
    desk.filled(whole, 9, "95")
    assert desk.book.holding(BROKER, "NVDA") is None
    assert one(desk.seen, ev.PositionClosed).trade.exit_reason is ExitReason.STOP_LOSS


def test_another_part_and_a_second_whole_wait_for_what_is_under_way() -> None:
    desk = ten_held()
    close_part(desk, THREE, ExitReason.TARGET)
    before = len(desk.of(ev.ExitPlanned))
    close_part(desk, Decimal(2), ExitReason.TARGET)
    assert len(desk.of(ev.ExitPlanned)) == before
    close_part(desk, None, ExitReason.STOP_LOSS)
    close_part(desk, None, ExitReason.EOD)
    assert len(desk.of(ev.ExitPlanned)) == before + 1


@pytest.mark.parametrize(
    "ask_all", [ask.CloseAll(by="test"), ask.Kill(by="test", flatten=Flatten.ALL)]
)
def test_a_close_and_a_kill_are_for_the_whole_whatever_part_is_under_way(ask_all: Any) -> None:
    desk = ten_held()
    close_part(desk, THREE, ExitReason.TARGET)
    desk.give(ask_all)
    if isinstance(ask_all, ask.Kill):
        desk.tick()
        desk.snapshot()
        desk.tick()
    plan = holding(desk).exiting
    assert plan is not None
    assert plan.is_whole


@pytest.mark.parametrize("part", [None, "3"], ids=["nothing", "a part"])
def test_x87_a_flat_signal_closes_all_while_no_more_than_a_part_is_being_closed(
    part: str | None,
) -> None:
    desk = protected(149)
    if part is not None:
        desk.give(asked(part))
        desk.accept(desk.last(Purpose.EXIT))
    desk.signal(signal("NVDA", signal_id="out", direction=Direction.FLAT, at=desk.now))
    decided = desk.of(ev.SignalDecided)[-1]
    assert (decided.verdict, decided.code) == (Verdict.ACCEPTED, "")
    if part is not None:
        desk.report(desk.last(Purpose.EXIT), OrderStatus.CANCELED)
    order = desk.last(Purpose.EXIT)
    assert order.quantity == 149
    desk.accept(order)
    desk.filled(order, 149, "101")
    assert desk.book.holding(BROKER, "NVDA") is None
    (ended,) = [e for e in desk.of(ev.SignalEnded) if e.signal_id == "out"]
    assert ended.outcome is Outcome.EXECUTED


def test_x87_a_flat_signal_is_refused_while_all_is_being_closed() -> None:
    desk = protected(149)
    desk.give(ask.ClosePosition(by="me", symbol="NVDA"))
    desk.signal(signal("NVDA", signal_id="out", direction=Direction.FLAT, at=desk.now))
    decided = desk.of(ev.SignalDecided)[-1]
    assert (decided.code, decided.reason) == (
        "SIZE_ZERO",
        "The position in NVDA is being closed already.",
    )
    assert len(desk.of(ev.ExitPlanned)) == 1


@pytest.mark.parametrize(("part", "refused"), [(THREE, False), (None, True)])
def test_x85_the_stop_and_the_target_of_what_stays_are_a_persons_to_move(
    part: Decimal | None, refused: bool
) -> None:
    """What is being closed whole needs neither; the rest of a part needs both."""
    desk = ten_held()
    close_part(desk, part, ExitReason.MANUAL)
    desk.give(ask.Protect(by="me", symbol="NVDA", price=Decimal(95)))
    desk.give(ask.SetTarget(by="me", symbol="NVDA", price=Decimal(120)))
    told = [e.reason for e in desk.of(ev.CommandRefused)]
    assert told == (["NVDA is being closed"] * 2 if refused else [])
    assert (holding(desk).stop, holding(desk).target) == ((90, None) if refused else (95, 120))


def test_x85_a_stop_is_moved_at_once_during_the_close_of_a_part_and_is_then_for_the_rest() -> None:
    desk = ten_held()
    desk.give(asked("3"))
    desk.give(ask.Protect(by="me", symbol="NVDA", price=Decimal(95)))
    change = one(desk.seen, ev.ReplaceRequested)
    assert (change.quantity, change.stop_price) == (10, 95)
    desk.report(desk.last(Purpose.PROTECT), OrderStatus.NEW, quantity=TEN, stop_price=Decimal(95))
    order = desk.last(Purpose.EXIT)
    desk.accept(order)
    desk.filled(order, 3, "101")
    change = desk.of(ev.ReplaceRequested)[-1]
    assert (change.quantity, change.stop_price) == (7, 95)


def test_rule3_a_stop_that_ends_while_a_part_is_tried_again_is_placed_again() -> None:
    """Where the venue joins both, all that is held keeps its stop, however long the part takes."""
    desk = ten_held()
    desk.give(asked("3"))
    part = desk.last(Purpose.EXIT)
    desk.accept(part)
    desk.report(part, OrderStatus.REJECTED, code="NO", text="not now")
    desk.later(2)
    desk.report(desk.last(Purpose.PROTECT), OrderStatus.CANCELED, text="by the venue")
    again = desk.last(Purpose.PROTECT)
    assert (again.attempt, again.quantity) == (2, 10)


def test_rule3_what_fills_during_the_close_of_a_part_is_protected_at_once() -> None:
    desk = ten_held()
    limit = one(more(desk), ev.OrderIntended).terms
    desk.accept(limit)
    desk.give(asked("3"))
    desk.filled(limit, 2, "97")
    change = one(desk.seen, ev.ReplaceRequested)
    assert (change.quantity, change.stop_price) == (12, 90)


def test_the_stop_that_ends_the_position_is_its_reason_though_a_part_was_being_closed() -> None:
    desk = ten_held()
    stop = desk.last(Purpose.PROTECT)
    close_part(desk, THREE, ExitReason.TARGET)
    desk.filled(stop, 10, "90")
    assert one(desk.seen, ev.PositionClosed).trade.exit_reason is ExitReason.STOP_LOSS


def asked(quantity: str, **more: str) -> ask.ClosePosition:
    return ask.ClosePosition(by="me", symbol="NVDA", quantity=Decimal(quantity), **more)


def test_a_part_larger_than_what_is_held_is_refused_and_says_what_is() -> None:
    """A nought too many is no close of all."""
    desk = ten_held()
    events = desk.give(asked("11"))
    assert one(events, ev.CommandRefused).reason == (
        "10 NVDA are held: at most that can be closed, not 11"
    )
    assert desk.intended(Purpose.EXIT) == []


@pytest.mark.parametrize(("quantity", "sold_at_once", "left"), [("3", 3, 7), ("10", 10, 0)])
def test_an_operator_closes_a_part_and_at_most_what_is_held(
    quantity: str, sold_at_once: int, left: int
) -> None:
    desk = ten_held()
    desk.give(asked(quantity))
    order = desk.last(Purpose.EXIT)
    assert order.quantity == sold_at_once
    desk.accept(order)
    desk.filled(order, sold_at_once, "101")
    held = desk.book.holding(BROKER, "NVDA")
    assert (held.quantity if held else 0) == left


@pytest.mark.parametrize("quantity", ["0", "-1", "0.5", "NaN", "Infinity", "1e28", "1e308"])
def test_a_part_that_is_no_multiple_of_the_lot_is_refused(quantity: str) -> None:
    desk = ten_held()
    desk.give(asked(quantity))
    assert one(desk.seen, ev.CommandRefused).code == "BAD_LOT"
    assert desk.of(ev.ExitPlanned) == []


def test_a_second_part_and_one_of_what_is_not_held_are_refused_in_words() -> None:
    desk = ten_held()
    desk.give(asked("3"))
    desk.give(asked("3"))
    assert one(desk.seen, ev.CommandRefused).reason == "NVDA is being closed"
    assert len(desk.of(ev.ExitPlanned)) == 1
    desk.give(ask.ClosePosition(by="me", symbol="AMD", quantity=THREE))
    assert desk.of(ev.CommandRefused)[-1].reason == "nothing is held of AMD"


@pytest.mark.parametrize(
    "command",
    [
        ask.ClosePosition(by="me", symbol="nvda"),
        ask.SetTarget(by="me", symbol="nvda", price=None),
        ask.Protect(by="me", symbol="nvda", price=Decimal(90)),
    ],
    ids=lambda command: type(command).__name__,
)
def test_a_name_in_small_letters_is_not_taken_for_a_position_that_is_gone(
    command: ask.ClosePosition | ask.SetTarget | ask.Protect,
) -> None:
    desk = ten_held()
    desk.give(command)
    assert desk.of(ev.CommandRefused)[-1].reason == "nothing is held of nvda: NVDA is held"
    desk.give(msgspec.structs.replace(command, symbol="AMD"))
    assert desk.of(ev.CommandRefused)[-1].reason == "nothing is held of AMD"


def test_c406_the_order_of_a_part_that_only_an_earlier_process_knew_counts_for_that_part() -> None:
    """The decision was durable and its order was not: it sold, and is not sent a second time."""
    before = ten_held()
    before.give(asked("3"))
    decided, lost = one(before.seen, ev.ExitPlanned), before.last(Purpose.EXIT)
    desk = ten_held()
    desk.event(ev.PhaseChanged(phase=Phase.STARTING, reason="test"))
    desk.event(decided)
    desk.report(lost, OrderStatus.PARTIALLY_FILLED, fill=desk.execution(lost, 2, "101"))
    assert one(desk.seen, ev.OrderAdopted).terms.client_order_id == lost.client_order_id
    plan = holding(desk).exiting
    assert plan is not None
    assert (holding(desk).quantity, plan.quantity) == (8, 1)
    desk.event(ev.PhaseChanged(phase=Phase.RUNNING, reason="test"))
    ended = desk.execution(lost, 1, "101")
    desk.report(lost, OrderStatus.FILLED, fill=ended, filled=THREE)
    desk.tick(120)
    assert (holding(desk).quantity, holding(desk).exiting) == (7, None)
    assert len(desk.intended(Purpose.EXIT)) == 0


def more(desk: CoreDriver) -> list[ev.Event]:
    """A person asks for two more, at a limit that does not trade now."""
    return desk.place(Side.BUY, Decimal(2), type=OrderType.LIMIT, limit_price=Decimal(97))


def test_a_part_leaves_the_orders_that_would_add_and_a_whole_close_cancels_them() -> None:
    desk = ten_held()
    limit = one(more(desk), ev.OrderIntended).terms
    desk.accept(limit)
    desk.give(ask.ClosePosition(by="test", symbol="NVDA", quantity=THREE))
    assert desk.current(limit).status is OrderStatus.NEW
    desk.give(ask.ClosePosition(by="test", symbol="NVDA"))
    assert desk.current(limit).status is OrderStatus.PENDING_CANCEL


def test_an_order_that_would_add_to_what_is_being_closed_is_refused_and_not_cancelled() -> None:
    """Rule 6: what would never leave is not taken; while only a part is closed it is."""
    desk = ten_held()
    desk.give(ask.ClosePosition(by="test", symbol="NVDA", quantity=THREE))
    one(more(desk), ev.OrderIntended)
    desk = ten_held()
    desk.give(ask.ClosePosition(by="test", symbol="NVDA"))
    refused = one(more(desk), ev.OrderRefused)
    assert (refused.code, refused.measured) == ("CONFLICT", "closing")
    assert refused.reason == "NVDA is being closed: what is added must wait."
