"""Failures, queries and deadlines: ambiguous is not failed, nothing is sent twice (rule 1)."""

import msgspec
import pytest

from engine.domain import events as ev
from engine.domain.account import VenueOrder
from engine.domain.codes import Code, Outcome
from engine.domain.inputs import (
    CancelFailed,
    GateClosed,
    QueryAnswered,
    QueryFailed,
    Sending,
    SubmitFailed,
)
from engine.domain.order import OrderStatus, Purpose
from engine.ports import (
    Ambiguous,
    AuthFailed,
    BrokerError,
    Capabilities,
    MarketClosed,
    NotSent,
    Rejected,
    Throttled,
)
from tests.engine.driver import CoreDriver, kinds
from tests.engine.worlds import ABLE, signal


def sent() -> CoreDriver:
    desk = CoreDriver().price("NVDA", "100")
    desk.signal(signal("NVDA", entry="100", stop="95"))
    desk.give(Sending(desk.last(Purpose.ENTRY).account, desk.last(Purpose.ENTRY).client_order_id))
    return desk


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NotSent("refused"), OrderStatus.REJECTED, Code.NOT_SENT),
        (Throttled("slow down", 2.0), OrderStatus.REJECTED, Code.NOT_SENT),
        (Rejected("FUNDS", "too little"), OrderStatus.REJECTED, "FUNDS"),
        (MarketClosed("closed"), OrderStatus.REJECTED, Code.MARKET_CLOSED),
        (AuthFailed("who are you"), OrderStatus.REJECTED, "AUTH_FAILED"),
        (Ambiguous("timed out"), OrderStatus.UNKNOWN, ""),
        (Rejected("DUPLICATE_ID", "known"), OrderStatus.UNKNOWN, ""),
    ],
)
def test_c403_each_failure_of_a_submit(error: BrokerError, status: OrderStatus, code: str) -> None:
    desk = sent()
    entry = desk.last(Purpose.ENTRY)
    desk.give(SubmitFailed(entry.account, entry.client_order_id, error))
    assert desk.current(entry).status is status
    assert desk.current(entry).reject_code == code


def test_rule1_an_unknown_order_keeps_its_exposure_and_blocks_its_symbol() -> None:
    desk = sent()
    entry = desk.last(Purpose.ENTRY)
    reserved = desk.book.reservations.by_symbol["NVDA"]
    desk.give(SubmitFailed(entry.account, entry.client_order_id, Ambiguous("timed out")))
    assert desk.book.reservations.by_symbol["NVDA"] == reserved
    verdict = desk.signal(signal("NVDA", signal_id="s-2", signal_type="x", entry="100", stop="95"))
    decided = next(e for e in verdict if isinstance(e, ev.SignalDecided))
    assert decided.code == Code.UNKNOWN_STATE


def test_d58_an_ambiguous_submit_is_queried_and_never_sent_again() -> None:
    desk = sent()
    entry = desk.last(Purpose.ENTRY)
    events = desk.give(SubmitFailed(entry.account, entry.client_order_id, Ambiguous("timed out")))
    assert kinds(events) == ["OrderUnclear", "OrderQueried", "CircuitMoved"]
    for _ in range(20):
        desk.tick(61)
        desk.give(QueryFailed(entry.account, entry.client_order_id, Ambiguous("no answer")))
    assert len(desk.intended(Purpose.ENTRY)) == 1
    assert desk.current(entry).status is OrderStatus.UNKNOWN


def test_not_found_is_final_only_after_the_late_arrival_bound() -> None:
    desk = CoreDriver(capabilities=_late(4.0)).price("NVDA", "100")
    desk.signal(signal("NVDA", entry="100", stop="95"))
    entry = desk.last(Purpose.ENTRY)
    desk.give(Sending(entry.account, entry.client_order_id))
    desk.give(SubmitFailed(entry.account, entry.client_order_id, Ambiguous("timed out")))
    desk.later(4)
    desk.give(QueryAnswered(entry.account, entry.client_order_id, None, (), desk.now))
    assert desk.current(entry).status is OrderStatus.UNKNOWN
    desk.later(0.001)
    desk.give(QueryAnswered(entry.account, entry.client_order_id, None, (), desk.now))
    assert desk.current(entry).status is OrderStatus.REJECTED
    assert desk.current(entry).reject_code == Code.NOT_SENT
    assert desk.of(ev.SignalEnded)[-1].outcome is Outcome.REJECTED


def _late(seconds: float) -> Capabilities:
    return msgspec.structs.replace(ABLE, late_arrival_seconds=seconds)


def test_evidence_settles_an_unknown_order() -> None:
    desk = sent()
    entry = desk.last(Purpose.ENTRY)
    desk.give(SubmitFailed(entry.account, entry.client_order_id, Ambiguous("timed out")))
    found = desk.works(entry)
    desk.give(QueryAnswered(entry.account, entry.client_order_id, found, (), desk.now))
    assert desk.current(entry).status is OrderStatus.NEW
    assert desk.book.index.unclear == 0


def test_evidence_brings_the_fills_with_it() -> None:
    desk = sent()
    entry = desk.last(Purpose.ENTRY)
    desk.give(SubmitFailed(entry.account, entry.client_order_id, Ambiguous("timed out")))
    fill = desk.execution(entry, entry.quantity, "100")
    venue = VenueOrder(
        client_order_id=entry.client_order_id,
        venue_order_id="v1",
        symbol="NVDA",
        side=entry.side,
        type=entry.type,
        quantity=entry.quantity,
        filled=entry.quantity,
        status=OrderStatus.FILLED,
    )
    desk.give(QueryAnswered(entry.account, entry.client_order_id, venue, (fill,), desk.now))
    assert desk.current(entry).status is OrderStatus.FILLED
    assert desk.last(Purpose.PROTECT).quantity == entry.quantity


def test_filled_there_without_fills_here_stays_unknown() -> None:
    """A position is never made of anything but fills."""
    desk = sent()
    entry = desk.last(Purpose.ENTRY)
    venue = VenueOrder(
        client_order_id=entry.client_order_id,
        venue_order_id="v1",
        symbol="NVDA",
        side=entry.side,
        type=entry.type,
        quantity=entry.quantity,
        filled=entry.quantity,
        status=OrderStatus.FILLED,
    )
    desk.give(QueryAnswered(entry.account, entry.client_order_id, venue, (), desk.now))
    assert desk.current(entry).status is OrderStatus.UNKNOWN
    assert desk.book.holding("paper", "NVDA") is None


def test_no_answer_is_asked_about_after_its_deadline_and_becomes_unknown() -> None:
    desk = sent()
    entry = desk.last(Purpose.ENTRY)
    assert "OrderQueried" not in kinds(desk.tick(4.999))
    assert "OrderQueried" in kinds(desk.tick(0.001))
    desk.give(QueryFailed(entry.account, entry.client_order_id, Ambiguous("no answer")))
    assert desk.current(entry).status is OrderStatus.UNKNOWN


@pytest.mark.parametrize(("seconds", "cancels"), [(299.999, 0), (300, 1), (300.001, 1)])
def test_c304_a_resting_entry_times_out_after_300_seconds(seconds: float, cancels: int) -> None:
    desk = CoreDriver().price("NVDA", "100")
    desk.signal(signal("NVDA", conviction=60, entry="99", stop="95"))
    desk.accept(desk.last(Purpose.ENTRY))
    desk.later(seconds).tick(0)
    asked = desk.of(ev.CancelRequested)
    assert len(asked) == cancels
    desk.report(desk.last(Purpose.ENTRY), OrderStatus.CANCELED)
    assert desk.of(ev.SignalEnded)[-1].code == (Code.ORDER_TIMEOUT if cancels else "")


def test_x54_a_protective_stop_never_times_out() -> None:
    desk = sent()
    desk.accept(desk.last(Purpose.ENTRY))
    desk.filled(desk.last(Purpose.ENTRY), desk.last(Purpose.ENTRY).quantity, "100")
    desk.accept(desk.last(Purpose.PROTECT))
    desk.quote("NVDA", "100")
    desk.tick(100_000)
    assert desk.current(desk.last(Purpose.PROTECT)).status is OrderStatus.NEW


def test_a_cancel_without_an_answer_is_queried_and_asked_again() -> None:
    desk = CoreDriver().price("NVDA", "100")
    desk.signal(signal("NVDA", conviction=60, entry="99", stop="95"))
    entry = desk.last(Purpose.ENTRY)
    desk.accept(entry).later(300).tick(0)
    desk.give(CancelFailed(entry.account, entry.client_order_id, Ambiguous("timed out")))
    events = desk.give(
        QueryAnswered(entry.account, entry.client_order_id, desk.works(entry), (), desk.now)
    )
    assert "CancelRequested" not in kinds(events)
    assert "CancelRequested" in kinds(desk.tick(1))


def test_a496_a_halt_between_decision_and_send_ends_the_order_unsent() -> None:
    desk = CoreDriver().price("NVDA", "100")
    desk.signal(signal("NVDA", entry="100", stop="95"))
    entry = desk.last(Purpose.ENTRY)
    desk.give(GateClosed(entry.account, entry.client_order_id))
    assert desk.current(entry).reject_code == Code.KILL_SWITCH
    assert not desk.book.reservations.by_currency


def test_x10_what_could_not_be_sent_is_kept_as_a_dead_letter_and_left_alone() -> None:
    desk = sent()
    desk.give(
        SubmitFailed(
            desk.last(Purpose.ENTRY).account,
            desk.last(Purpose.ENTRY).client_order_id,
            NotSent("refused"),
        )
    )
    assert len(desk.book.data.letters) == 1
    for _ in range(10):
        desk.tick(60)
    assert len(desk.intended(Purpose.ENTRY)) == 1


def test_reservations_are_released_with_the_order() -> None:
    desk = sent()
    assert desk.book.reservations.by_currency["USD"] > 0
    desk.report(desk.last(Purpose.ENTRY), OrderStatus.REJECTED, text="no")
    assert not desk.book.reservations.by_currency
    assert desk.book.index.entries == 0


def test_u21_reports_out_of_order_do_not_move_an_order_back() -> None:
    desk = sent()
    entry = desk.last(Purpose.ENTRY)
    desk.filled(entry, entry.quantity, "100")
    assert desk.report(entry, OrderStatus.NEW) == []
    assert desk.current(entry).status is OrderStatus.FILLED
