"""What the simulator of faults found, each as one small rule (I1 to I9; rules 1 to 3)."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.core import decide as core
from engine.core.driver import RuleFailedError
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import VenueOrder
from engine.domain.codes import Code
from engine.domain.inputs import (
    GateClosed,
    QueryAnswered,
    Ready,
    Sending,
    SnapshotFailed,
    Start,
    SubmitFailed,
    Tick,
)
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.order import OrderStatus, OrderTerms, OrderType, Purpose, Side
from engine.domain.run import LinkState, Phase, RunState
from engine.ports import Ambiguous, LinkReport
from engine.world import World
from tests.engine.driver import CoreDriver, kinds, one
from tests.engine.worlds import ABLE, BROKER, signal

MANY = 150
"""What the entry of these tests is for."""


def entered(filled: int = MANY, **kwargs: Any) -> CoreDriver:
    """An entry that works and filled so far; its stop was decided."""
    desk = CoreDriver(**kwargs).price("NVDA", "100")
    desk.signal(signal("NVDA", entry="100", stop="95"))
    desk.accept(desk.last(Purpose.ENTRY))
    if filled:
        desk.filled(desk.last(Purpose.ENTRY), filled, "100")
    return desk


def protected(filled: int = MANY, **kwargs: Any) -> CoreDriver:
    """And its stop rests."""
    desk = entered(filled, **kwargs)
    desk.accept(desk.last(Purpose.PROTECT))
    return desk


def stated(desk: CoreDriver, order: OrderTerms, **fields: Any) -> VenueOrder:
    return msgspec.structs.replace(desk.works(order), **fields)


# --- answers that come late or in another order ---------------------------------------------------


def test_c402_the_late_arrival_bound_counts_from_the_time_out_not_from_the_send() -> None:
    able = msgspec.structs.replace(ABLE, late_arrival_seconds=2.0)
    desk = CoreDriver(capabilities=able).price("NVDA", "100")
    desk.signal(signal("NVDA", entry="100", stop="95"))
    entry = desk.last(Purpose.ENTRY)
    desk.give(Sending(entry.account, entry.client_order_id))
    desk.later(3).give(
        SubmitFailed(entry.account, entry.client_order_id, Ambiguous("timed out after 3 s"))
    )
    for seconds, status in ((2, OrderStatus.UNKNOWN), (0.001, OrderStatus.REJECTED)):
        desk.later(seconds)
        desk.give(QueryAnswered(entry.account, entry.client_order_id, None, (), desk.now))
        assert desk.current(entry).status is status


def test_what_counts_is_when_the_venue_was_asked_not_when_it_answered() -> None:
    able = msgspec.structs.replace(ABLE, late_arrival_seconds=2.0)
    desk = CoreDriver(capabilities=able).price("NVDA", "100")
    desk.signal(signal("NVDA", entry="100", stop="95"))
    entry = desk.last(Purpose.ENTRY)
    desk.give(Sending(entry.account, entry.client_order_id))
    desk.give(SubmitFailed(entry.account, entry.client_order_id, Ambiguous("timed out")))
    asked = desk.now
    desk.later(10).give(QueryAnswered(entry.account, entry.client_order_id, None, (), asked))
    assert desk.current(entry).status is OrderStatus.UNKNOWN


def test_an_order_still_on_its_way_that_the_venue_does_not_know_is_unknown_not_refused() -> None:
    desk = CoreDriver().price("NVDA", "100")
    desk.signal(signal("NVDA", entry="100", stop="95"))
    entry = desk.last(Purpose.ENTRY)
    desk.give(Sending(entry.account, entry.client_order_id))
    desk.later(5).give(QueryAnswered(entry.account, entry.client_order_id, None, (), desk.now))
    assert desk.current(entry).status is OrderStatus.UNKNOWN


@pytest.mark.parametrize("end", [OrderStatus.CANCELED, OrderStatus.FILLED, OrderStatus.EXPIRED])
def test_u21_an_end_that_overtakes_its_fills_keeps_the_exposure_until_they_are_here(
    end: OrderStatus,
) -> None:
    desk = entered(10)
    entry = desk.last(Purpose.ENTRY)
    reserved = desk.book.reservations.by_symbol["NVDA"]
    events = desk.report(entry, end, filled=Decimal(MANY))
    assert kinds(events)[:2] == ["OrderUnclear", "OrderQueried"]
    assert desk.current(entry).status is OrderStatus.UNKNOWN
    assert desk.book.reservations.by_symbol["NVDA"] == reserved


def test_u21_an_end_that_comes_with_all_its_fills_is_the_end() -> None:
    desk = entered(10)
    entry = desk.last(Purpose.ENTRY)
    desk.report(entry, OrderStatus.CANCELED, filled=Decimal(10))
    assert desk.current(entry).status is OrderStatus.CANCELED
    assert "NVDA" not in desk.book.reservations.by_symbol


def test_a_replace_that_is_reported_twice_changes_nothing_the_second_time() -> None:
    desk = protected(40)
    desk.filled(desk.last(Purpose.ENTRY), 60, "100")
    stop = desk.last(Purpose.PROTECT)
    desk.report(stop, OrderStatus.NEW, quantity=Decimal(100))
    assert desk.report(stop, OrderStatus.NEW, quantity=Decimal(100)) == []
    assert desk.current(stop).status is OrderStatus.NEW


def test_a_replace_that_is_reported_late_does_not_undo_a_cancel() -> None:
    desk = entered(0)
    entry = desk.last(Purpose.ENTRY)
    desk.give(ask.CancelOrder(by="test", client_order_id=entry.client_order_id))
    desk.report(entry, OrderStatus.NEW, quantity=Decimal(MANY - 1))
    assert desk.current(entry).status is OrderStatus.PENDING_CANCEL
    assert desk.current(entry).quantity == MANY - 1


def test_an_answer_about_one_order_brings_the_fills_of_others_in_order() -> None:
    """The fill of a stop makes no short where the entry's fill before it was missed."""
    desk = protected(40)
    entry, stop = desk.last(Purpose.ENTRY), desk.last(Purpose.PROTECT)
    bought = desk.execution(entry, 20, "100")
    sold = msgspec.structs.replace(desk.execution(stop, 40, "95"), side=Side.SELL)
    known = stated(desk, stop, filled=Decimal(40), status=OrderStatus.FILLED)
    desk.give(QueryAnswered(stop.account, stop.client_order_id, known, (bought, sold), desk.now))
    position = desk.book.holding("paper", "NVDA")
    assert position is not None
    assert position.quantity == 20
    assert "PositionClosed" not in kinds(desk.seen)
    assert desk.last(Purpose.PROTECT).quantity == 20


# --- stops that change their size -----------------------------------------------------------------


def test_a_stop_that_may_have_been_enlarged_is_not_filled_before_the_venue_says_so() -> None:
    """A second stop beside the rest of the first would sell more than is held (rule 3)."""
    desk = protected(40)
    stop = desk.last(Purpose.PROTECT)
    desk.filled(desk.last(Purpose.ENTRY), 60, "100")
    pending = desk.current(stop).pending
    assert pending is not None
    assert pending.quantity == 100
    desk.report(stop, OrderStatus.PARTIALLY_FILLED, fill=desk.execution(stop, 40, "95"))
    assert desk.current(stop).is_working
    assert len(desk.intended(Purpose.PROTECT)) == 1
    fill = desk.execution(stop, 60, "95")
    desk.report(stop, OrderStatus.FILLED, fill=fill, filled=Decimal(100))
    assert desk.current(stop).status is OrderStatus.FILLED
    assert desk.book.holding("paper", "NVDA") is None


def test_a365_a_stop_filled_for_more_than_we_knew_of_is_no_overfill_while_it_reduces() -> None:
    desk = protected(100)
    stop = desk.last(Purpose.PROTECT)
    smaller = stated(desk, stop, quantity=Decimal(60))
    desk.later(1).snapshot(
        positions={"NVDA": 100}, orders=(desk.works(desk.last(Purpose.ENTRY)), smaller)
    )
    assert desk.current(stop).quantity == 60
    event = one(
        desk.report(stop, OrderStatus.FILLED, fill=desk.execution(stop, 100, "95")), ev.OrderFilled
    )
    assert event.overfill == 0


def test_a373_the_venues_terms_of_an_order_are_taken_over_and_mended() -> None:
    """The late answer of an older replace may have made a stop smaller than what is held."""
    desk = protected()
    stop = desk.last(Purpose.PROTECT)
    found = stated(desk, stop, quantity=Decimal(24))
    events = desk.later(1).snapshot(positions={"NVDA": MANY}, orders=(found,))
    assert one(events, ev.OrderReplaced).quantity == 24
    assert one(events, ev.ReplaceRequested).quantity == MANY


def test_rule3_where_the_venue_joins_nothing_the_stop_leaves_out_what_another_order_takes() -> None:
    able = msgspec.structs.replace(ABLE, reduce_only=False)
    desk = protected(capabilities=able)
    sell = ask.PlaceOrder(
        by="test",
        symbol="NVDA",
        side=Side.SELL,
        quantity=Decimal(50),
        type=OrderType.LIMIT,
        limit_price=Decimal(104),
    )
    events = desk.give(sell)
    assert one(events, ev.ReplaceRequested).quantity == MANY - 50


def test_a_close_takes_all_that_is_held_by_then() -> None:
    desk = protected(5)
    desk.give(ask.ClosePosition(by="test", symbol="NVDA"))
    first = desk.accept(desk.last(Purpose.EXIT)).last(Purpose.EXIT)
    desk.filled(desk.last(Purpose.ENTRY), 145, "100")
    desk.filled(first, 5, "100")
    second = desk.last(Purpose.EXIT)
    assert second.client_order_id != first.client_order_id
    assert second.quantity == 145


def test_x85_a_stop_that_a_person_rests_stays_beside_a_close_where_the_venue_joins_them() -> None:
    desk = protected()
    desk.place(Side.SELL, Decimal(12), type=OrderType.STOP, stop_price=Decimal(97))
    manual = desk.accept(desk.last(Purpose.MANUAL)).last(Purpose.MANUAL)
    events = desk.give(ask.ClosePosition(by="test", symbol="NVDA"))
    assert "CancelRequested" not in kinds(events)
    assert desk.last(Purpose.EXIT).quantity == MANY
    desk.filled(desk.accept(desk.last(Purpose.EXIT)).last(Purpose.EXIT), MANY, "99")
    assert desk.current(manual).status is OrderStatus.PENDING_CANCEL


# --- what an earlier process sent -----------------------------------------------------------------


def test_rule1_a_stop_only_an_earlier_process_knew_is_recognised_by_its_id() -> None:
    lost = entered(40).last(Purpose.PROTECT)
    desk = entered(0)
    entry = desk.last(Purpose.ENTRY)
    desk.filled(entry, 40, "100")
    mine = desk.last(Purpose.PROTECT)
    assert mine.client_order_id == lost.client_order_id
    # The process after a crash has the fill, but neither the intent nor its number.
    again = entered(0)
    again.event(ev.PhaseChanged(phase=Phase.STARTING, reason="test"))
    again.filled(again.last(Purpose.ENTRY), 40, "100")
    assert again.intended(Purpose.PROTECT) == []
    events = again.report(lost, OrderStatus.PARTIALLY_FILLED, fill=again.execution(lost, 15, "95"))
    assert one(events, ev.OrderAdopted).terms.purpose is Purpose.PROTECT
    assert one(events, ev.OrderQueried).client_order_id == lost.client_order_id
    position = again.book.holding("paper", "NVDA")
    assert position is not None
    assert (position.quantity, position.protect_attempt) == (25, 1)
    assert "UNKNOWN_ORDER_FILL" not in [e.code for e in again.of(ev.Alarmed)]


def test_the_ids_do_not_depend_on_which_fill_came_first() -> None:
    ids = set()
    for first in (10, 30):
        desk = entered(0)
        desk.filled(desk.last(Purpose.ENTRY), first, "100")
        ids.add(desk.last(Purpose.PROTECT).client_order_id)
    assert len(ids) == 1


def test_a_lost_order_that_turns_up_at_a_later_look_is_taken_over_too() -> None:
    lost = entered(40).last(Purpose.PROTECT)
    desk = entered(0)
    desk.event(ev.PhaseChanged(phase=Phase.STARTING, reason="test"))
    desk.filled(desk.last(Purpose.ENTRY), 40, "100")
    there = VenueOrder(
        client_order_id=lost.client_order_id,
        venue_order_id="v9",
        symbol="NVDA",
        side=lost.side,
        type=lost.type,
        quantity=lost.quantity,
        filled=Decimal(0),
        stop_price=lost.stop_price,
        status=OrderStatus.NEW,
        reduce_only=True,
    )
    events = desk.later(1).snapshot(positions={"NVDA": 40}, orders=(there,))
    adopted = one(events, ev.OrderAdopted).terms
    assert (adopted.purpose, adopted.attempt) == (Purpose.PROTECT, 1)
    assert one(events, ev.Reconciled).clean


def test_c406_the_venue_is_asked_first_about_orders_that_reduce_an_earlier_process_position() -> (
    None
):
    desk = CoreDriver().price("NVDA", "100").later(10)
    desk.signal(signal("NVDA", entry="100", stop="95", at=desk.now))
    desk.accept(desk.last(Purpose.ENTRY)).filled(desk.last(Purpose.ENTRY), MANY, "100")
    desk.accept(desk.last(Purpose.PROTECT))
    assert not desk.last(Purpose.PROTECT).check_first
    desk.give(Start(version="test", accounts={"paper": "test-account"}, config_digest=""))
    desk.snapshot(
        positions={"NVDA": MANY}, orders=(desk.works(desk.last(Purpose.PROTECT)),), reason="start"
    )
    desk.give(Ready())
    desk.give(ask.ClosePosition(by="test", symbol="NVDA"))
    assert desk.last(Purpose.EXIT).check_first


def test_an_order_that_ended_here_and_works_there_is_cancelled_and_not_brought_back() -> None:
    desk = entered(0)
    entry = desk.last(Purpose.ENTRY)
    there = desk.works(entry)
    desk.report(entry, OrderStatus.CANCELED)
    events = desk.later(6).snapshot(orders=(there,))
    assert one(events, ev.CancelRequested).client_order_id == entry.client_order_id
    assert desk.current(entry).status is OrderStatus.CANCELED


def test_a_cancel_that_comes_before_the_send_ends_the_order_unsent() -> None:
    desk = CoreDriver().price("NVDA", "100")
    desk.signal(signal("NVDA", entry="100", stop="95"))
    entry = desk.last(Purpose.ENTRY)
    desk.give(ask.CancelOrder(by="test", client_order_id=entry.client_order_id))
    desk.give(GateClosed(entry.account, entry.client_order_id))
    assert desk.current(entry).status is OrderStatus.CANCELED


@pytest.mark.parametrize("filled", [0, 4, 10])
def test_an_order_an_earlier_process_sent_is_what_the_venue_says_and_not_unsent(
    filled: int,
) -> None:
    """It waited to be sent, and meanwhile the venue told of it: the gate ends only what is here."""
    desk = CoreDriver()
    order = desk.order("NVDA", 10, "100")
    desk.accept(order)
    if filled:
        desk.filled(order, filled, "100")
    before = desk.current(order)
    assert desk.give(GateClosed(order.account, order.client_order_id)) == []
    assert desk.current(order) == before


# --- nothing opens in the dark --------------------------------------------------------------------


def cut(desk: CoreDriver) -> CoreDriver:
    for state in (LinkState.DISCONNECTED, LinkState.CONNECTED):
        desk.give(LinkReport(account=BROKER, state=state, time=desk.now))
    return desk


def asked(desk: CoreDriver, signal_id: str) -> list[ev.Event]:
    request = signal("NVDA", signal_id=signal_id, signal_type=signal_id, entry="100", stop="95")
    return desk.signal(request)


def test_r2_after_the_connection_broke_nothing_opens_before_the_venue_was_seen() -> None:
    desk = CoreDriver().price("NVDA", "100")
    desk.snapshot()
    cut(desk)
    assert one(asked(desk, "s-1"), ev.SignalDecided).code == Code.NO_ACCOUNT
    desk.later(1).snapshot(reason="reconnect")
    assert "OrderIntended" in kinds(asked(desk, "s-2"))


def test_r2_the_engine_does_not_run_before_its_first_look_succeeded_and_tries_again() -> None:
    desk = CoreDriver()
    desk.give(Start(version="test", accounts={"paper": "test-account"}, config_digest=""))
    desk.give(LinkReport(account=BROKER, state=LinkState.CONNECTED, time=desk.now))
    assert "SnapshotRequested" not in kinds(desk.tick(1.999))
    assert one(desk.tick(0.001), ev.SnapshotRequested).reason == "start"
    failed = desk.give(SnapshotFailed(BROKER, "start", Ambiguous("timed out")))
    assert one(failed, ev.SnapshotRequested).reason == "start"
    desk.give(Ready())
    assert desk.book.run_state is RunState.STARTING
    # The link goes on trying; what is awaited is not asked for twice.
    assert "SnapshotRequested" not in kinds(desk.tick(60))
    assert desk.book.run_state is RunState.STARTING
    desk.snapshot(reason="start")
    desk.tick()
    assert desk.book.run_state is RunState.ACTIVE


def test_x52_an_order_that_turns_out_to_work_under_a_halt_is_cancelled() -> None:
    desk = entered(0)
    entry = desk.last(Purpose.ENTRY)
    desk.give(SubmitFailed(entry.account, entry.client_order_id, Ambiguous("timed out")))
    desk.give(ask.Kill(by="test"))
    desk.give(QueryAnswered(entry.account, entry.client_order_id, desk.works(entry), (), desk.now))
    desk.tick()
    assert desk.current(entry).status is OrderStatus.PENDING_CANCEL


def test_a_rule_that_fails_does_not_take_what_was_decided_before_it_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(world: World, given: Tick, now: Nanos) -> Iterator[ev.Event]:
        yield ev.Paused(by="test", reason="first")
        raise ZeroDivisionError("second")

    monkeypatch.setitem(core.RULES, Tick, broken)
    desk = CoreDriver()
    before = desk.book.data.seq
    with pytest.raises(RuleFailedError, match="ZeroDivisionError: second") as failed:
        desk.give(Tick())
    assert [r.seq for r in failed.value.step.records] == [before + 1] == [desk.book.data.seq]


def test_a_deadline_of_protection_counts_from_when_the_engine_could_act() -> None:
    desk = entered(40)
    desk.later(60)
    desk.give(Start(version="test", accounts={"paper": "test-account"}, config_digest=""))
    desk.snapshot(positions={"NVDA": 40}, reason="start")
    desk.give(Ready())
    # Its stop was on its way when the process before ended, and may arrive for so long.
    desk.later(desk.world.able("paper").arrival / NS_PER_SECOND)
    assert "ExitPlanned" not in kinds(desk.tick(5))
    assert "ExitPlanned" in kinds(desk.tick(0.001))
