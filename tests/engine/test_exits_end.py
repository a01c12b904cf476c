"""Every close that is wanted ends, whatever the venue answers, and what is held stays covered
(rule 3, rule 6, X-88)."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.failure import (
    Ambiguous,
    AuthFailed,
    BrokerError,
    MarketClosed,
    NotSent,
    Rejected,
    Throttled,
)
from engine.domain.inputs import ModifyFailed, QueryAnswered, Sending, SubmitFailed
from engine.domain.instant import NS_PER_SECOND
from engine.domain.order import OrderStatus, OrderTerms, OrderType, Purpose, Side
from engine.domain.run import Severity
from engine.domain.signal import Direction
from engine.ports import Capabilities
from tests.engine.driver import NO_REDUCE_ONLY, CoreDriver, protected
from tests.engine.worlds import ABLE, signal

D = Decimal
S = OrderStatus

BY_CANCEL = msgspec.structs.replace(NO_REDUCE_ONLY, native_modify=False)
VENUES = pytest.mark.parametrize(
    "able", [ABLE, NO_REDUCE_ONLY, BY_CANCEL], ids=["joins", "alone", "by cancel"]
)
APART = pytest.mark.parametrize("able", [NO_REDUCE_ONLY, BY_CANCEL], ids=["alone", "by cancel"])
ERRORS = pytest.mark.parametrize(
    "error",
    [
        NotSent("no route"),
        Throttled("slow down", 3.0),
        Rejected("BUSY", "try again"),
        MarketClosed("a pause"),
        AuthFailed("the key is not known"),
    ],
    ids=lambda error: type(error).__name__,
)


def held(able: Capabilities, quantity: int = 99) -> CoreDriver:
    desk = protected(quantity, capabilities=able)
    desk.report(desk.last(Purpose.ENTRY), S.CANCELED)
    return desk


def leave(desk: CoreDriver, how: str) -> None:
    if how == "close":
        desk.give(ask.ClosePosition(by="me", symbol="NVDA"))
    else:
        desk.signal(signal("NVDA", signal_id="out", direction=Direction.FLAT, at=desk.now))


def served(desk: CoreDriver) -> None:
    """The venue does what it was asked to do with our stops."""
    for order in tuple(desk.book.orders()):
        if not order.is_protective:
            continue
        if order.status is S.CREATED:
            desk.accept(order.terms)
        elif order.status is S.PENDING_CANCEL:
            desk.report(order.terms, S.CANCELED, filled=order.filled)
        elif order.pending is not None:
            desk.report(order.terms, S.NEW, quantity=order.pending.quantity)


def closes(desk: CoreDriver) -> list[OrderTerms]:
    return desk.intended(Purpose.EXIT)


def refuse(desk: CoreDriver, error: BrokerError) -> None:
    order = closes(desk)[-1]
    desk.give(Sending(order.account, order.client_order_id))
    desk.give(SubmitFailed(order.account, order.client_order_id, error))


def next_close(desk: CoreDriver, seconds: int = 130) -> int:
    """Until another close is sent; how many seconds that took."""
    count = len(closes(desk))
    for waited in range(seconds):
        served(desk)
        if len(closes(desk)) > count:
            return waited
        desk.quote("NVDA", "100")
        desk.tick(1)
    raise AssertionError(f"no other close within {seconds} s")


@ERRORS
@pytest.mark.parametrize("how", ["close", "flat"])
@VENUES
def test_a_close_that_is_refused_is_tried_again_and_told(
    able: Capabilities, how: str, error: BrokerError
) -> None:
    desk = held(able)
    leave(desk, how)
    served(desk)
    refuse(desk, error)
    told = [a for a in desk.of(ev.Alarmed) if a.code.startswith("EXIT_")]
    assert len(told) == 1
    waited = next_close(desk)
    assert waited >= (3 if isinstance(error, Throttled) else 1)
    out = closes(desk)[-1]
    desk.accept(out)
    desk.filled(out, 99, "100")
    assert desk.book.holding("paper", "NVDA") is None
    outcomes = [e.outcome for e in desk.of(ev.SignalEnded) if e.signal_id == "out"]
    assert outcomes == (["EXECUTED"] if how == "flat" else [])


@VENUES
def test_ten_refusals_in_a_row_are_no_end_and_no_storm(able: Capabilities) -> None:
    desk = held(able)
    leave(desk, "flat")
    served(desk)
    pauses = []
    for _ in range(10):
        refuse(desk, Rejected("BUSY", "try again"))
        pauses.append(next_close(desk))
    lowest = [1, 2, 4, 8, 15, 30, 60, 60, 60, 60]
    late = [pause - low for pause, low in zip(pauses, lowest, strict=True)]
    assert all(0 <= seconds <= 2 for seconds in late), pauses
    assert len([a for a in desk.of(ev.Alarmed) if a.code == "EXIT_REFUSED"]) == 1
    assert desk.book.data.halt is None
    assert len({order.client_order_id for order in closes(desk)}) == 11


@VENUES
def test_between_two_attempts_the_stop_covers_what_is_still_held(able: Capabilities) -> None:
    desk = held(able)
    leave(desk, "close")
    served(desk)
    out = closes(desk)[-1]
    desk.accept(out)
    desk.filled(out, 40, "100")
    desk.report(out, S.CANCELED, filled=D(40))
    refuse(desk, Rejected("BUSY", "try again"))
    for _ in range(2):
        refuse(desk, Rejected("BUSY", "try again"))
        next_close(desk)
    refuse(desk, Rejected("BUSY", "try again"))
    for _ in range(3):
        served(desk)
        desk.tick(1)
    stops = [order.leaves for order in desk.book.orders() if order.is_protective]
    assert stops == [59]


# --- what is not held any more --------------------------------------------------------------------


def looked(desk: CoreDriver, there: int, times: int = 2) -> None:
    """So many looks find so much held there, 5 s apart."""
    for look in range(times):
        if look:
            desk.later(5)
        works = [desk.works(o.terms) for o in desk.book.orders() if o.rests]
        desk.snapshot(positions={"NVDA": there} if there else {}, orders=tuple(works))


@APART
def test_one_look_alone_is_no_proof(able: Capabilities) -> None:
    """The venue's list may lag behind its own fills."""
    desk = held(able)
    desk.later(60)
    looked(desk, 0, times=1)
    desk.tick(1)
    assert desk.current(desk.last(Purpose.PROTECT)).status is S.NEW


@APART
def test_x88_a_position_that_is_gone_at_the_venue_leaves_no_stop_there(able: Capabilities) -> None:
    desk = held(able)
    desk.later(60)
    stop = desk.last(Purpose.PROTECT)
    looked(desk, 0)
    desk.tick(1)
    assert desk.current(stop).status is S.PENDING_CANCEL
    desk.report(stop, S.CANCELED)
    for _ in range(20):
        desk.tick(1)
    assert not [o for o in desk.book.orders() if o.side is not Side.BUY]


@APART
def test_x88_where_less_is_left_there_the_stop_is_for_that(able: Capabilities) -> None:
    desk = held(able)
    desk.later(60)
    looked(desk, 30)
    for _ in range(5):
        served(desk)
        desk.tick(1)
    assert [o.leaves for o in desk.book.orders() if o.is_protective] == [30]


@APART
@pytest.mark.parametrize("there", [0, 30, -20])
def test_rule3_a_close_sells_no_more_than_the_venue_says_is_held(
    able: Capabilities, there: int
) -> None:
    desk = held(able)
    desk.later(60)
    looked(desk, there)
    served(desk)
    leave(desk, "close")
    for _ in range(5):
        served(desk)
        desk.tick(1)
    assert sum((o.quantity for o in closes(desk)), start=D(0)) == max(there, 0)
    if there <= 0:
        alarms = [a for a in desk.of(ev.Alarmed) if a.code == "EXIT_WITHOUT_HOLDING"]
        assert [a.severity for a in alarms] == [Severity.CRITICAL]


@APART
@pytest.mark.parametrize(("there", "stays"), [(9, False), (10, True)])
def test_rule3_nor_does_an_order_of_a_persons(able: Capabilities, there: int, stays: bool) -> None:
    desk = held(able)
    desk.place(Side.SELL, 10, type=OrderType.LIMIT, limit_price=D(104))
    served(desk)
    sale = desk.last(Purpose.MANUAL)
    desk.accept(sale)
    served(desk)
    desk.later(60)
    looked(desk, there)
    assert (desk.current(sale).status is S.NEW) is stays


# --- both that did fill ---------------------------------------------------------------------------


@APART
def test_x88_a_stop_and_a_close_that_both_filled_are_seen_and_repaired(able: Capabilities) -> None:
    """The venue said that the stop had ended, and it filled all the same."""
    desk = held(able)
    leave(desk, "close")
    stop = desk.last(Purpose.PROTECT)
    desk.report(stop, S.CANCELED)
    out = closes(desk)[-1]
    desk.accept(out)
    desk.filled(out, 99, "100")
    assert desk.book.holding("paper", "NVDA") is None
    desk.report(stop, S.FILLED, fill=desk.execution(stop, 99, "95"))
    assert desk.held().quantity == -99
    repair = closes(desk)[-1]
    assert (repair.side, repair.quantity, repair.type) == (Side.BUY, 99, OrderType.MARKET)
    assert repair is not out
    alarms = [a for a in desk.of(ev.Alarmed) if a.code == "REVERSED"]
    assert [a.severity for a in alarms] == [Severity.CRITICAL]
    desk.accept(repair)
    desk.filled(repair, 99, "96")
    assert desk.book.holding("paper", "NVDA") is None


@APART
def test_x88_and_so_is_a_sale_by_hand_that_filled_beside_the_stop(able: Capabilities) -> None:
    desk = held(able)
    desk.place(Side.SELL, 10, type=OrderType.LIMIT, limit_price=D(104))
    served(desk)
    sale = desk.last(Purpose.MANUAL)
    desk.accept(sale)
    served(desk)
    desk.report(sale, S.CANCELED)
    for _ in range(4):
        served(desk)
        desk.tick(1)
    stop = desk.last(Purpose.PROTECT)
    desk.filled(stop, 99, "95")
    desk.report(sale, S.FILLED, fill=desk.execution(sale, 10, "104"))
    assert [o.quantity for o in closes(desk)] == [10]
    assert closes(desk)[-1].side is Side.BUY


@APART
def test_a_fill_that_may_be_in_what_was_taken_over_closes_nothing(able: Capabilities) -> None:
    desk = held(able)
    stop = desk.last(Purpose.PROTECT)
    desk.later(60)
    desk.snapshot(positions={})
    desk.later(1).snapshot(positions={}, reason="operator", apply=True)
    assert desk.book.holding("paper", "NVDA") is None
    late = desk.execution(stop, 99, "95")
    desk.report(stop, S.FILLED, fill=late)
    desk.tick(1)
    assert not closes(desk)
    assert "REVERSED" in [a.code for a in desk.of(ev.Alarmed)]


# --- a person's sale ------------------------------------------------------------------------------


@VENUES
@pytest.mark.parametrize("ends", ["rests", "filled", "canceled", "in parts"])
def test_rule3_a_sale_of_ten_that_rests_leaves_the_rest_held(able: Capabilities, ends: str) -> None:
    desk = held(able)
    desk.place(Side.SELL, 10, type=OrderType.LIMIT, limit_price=D(104))
    for _ in range(4):
        served(desk)
        desk.tick(1)
    sale = desk.last(Purpose.MANUAL)
    desk.accept(sale)
    if ends == "filled":
        desk.filled(sale, 10, "104")
    elif ends == "canceled":
        desk.report(sale, S.CANCELED, filled=D(0))
    elif ends == "in parts":
        desk.filled(sale, 3, "104")
    for _ in range(60):
        served(desk)
        desk.tick(1)
    assert not closes(desk)
    assert not desk.of(ev.Unprotected)
    left = {"rests": 99, "filled": 89, "canceled": 99, "in parts": 96}[ends]
    assert desk.held().quantity == left


# --- pauses that the venue asks for ---------------------------------------------------------------


@pytest.mark.parametrize("wait", [1, 7, 30])
def test_c403_a_change_of_a_stop_waits_as_long_as_the_venue_asked(wait: int) -> None:
    desk = held(NO_REDUCE_ONLY)
    stop = desk.last(Purpose.PROTECT)
    desk.give(ask.Protect(by="me", symbol="NVDA", price=D(96)))
    refused = desk.now
    desk.give(ModifyFailed(stop.account, stop.client_order_id, Throttled("slow down", float(wait))))
    count = len(desk.of(ev.ReplaceRequested))
    while len(desk.of(ev.ReplaceRequested)) == count:
        desk.tick(1)
        assert desk.now - refused < 100 * NS_PER_SECOND
    assert (desk.now - refused) // NS_PER_SECOND == wait
    assert desk.current(stop).pending is not None


def test_c403_so_does_a_stop_that_was_not_taken() -> None:
    desk = CoreDriver().price("NVDA", "100")
    desk.signal(signal("NVDA", entry="100", stop="95"))
    desk.accept(desk.last(Purpose.ENTRY))
    desk.filled(desk.last(Purpose.ENTRY), 50, "100")
    stop = desk.last(Purpose.PROTECT)
    desk.give(Sending(stop.account, stop.client_order_id))
    desk.give(SubmitFailed(stop.account, stop.client_order_id, Throttled("slow down", 3.0)))
    for _ in range(2):
        desk.tick(1)
    assert len(desk.intended(Purpose.PROTECT)) == 1
    desk.tick(1)
    assert len(desk.intended(Purpose.PROTECT)) == 2


@VENUES
def test_a_close_that_is_never_answered_is_told_once_and_never_sent_twice(
    able: Capabilities,
) -> None:
    desk = held(able)
    leave(desk, "close")
    served(desk)
    refuse(desk, Ambiguous("a reset"))
    for _ in range(120):
        desk.tick(1)
    told = [a for a in desk.of(ev.Alarmed) if a.code == "EXIT_UNKNOWN"]
    assert [a.severity for a in told] == [Severity.CRITICAL]
    assert len(closes(desk)) == 1
    out = closes(desk)[0]
    desk.filled(out, 99, "100")
    assert desk.book.holding("paper", "NVDA") is None


def test_c406_a_close_of_which_the_venue_knows_nothing_is_tried_again() -> None:
    desk = held(ABLE)
    leave(desk, "flat")
    refuse(desk, Ambiguous("a reset"))
    desk.later(30)
    order = closes(desk)[-1]
    desk.give(QueryAnswered(order.account, order.client_order_id, None, (), desk.now))
    next_close(desk)
    out: Any = closes(desk)[-1]
    desk.accept(out)
    desk.filled(out, 99, "100")
    assert [e.outcome for e in desk.of(ev.SignalEnded) if e.signal_id == "out"] == ["EXECUTED"]
