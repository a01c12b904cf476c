"""The close of a part beside what else reduces: only what does not fit makes way (rule 3, X-85)."""

from decimal import Decimal
from typing import Any

import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import ModifyFailed, Sending
from engine.domain.order import OrderStatus, OrderTerms, OrderType, Purpose, Side
from engine.domain.signal import TradeType
from engine.plans.protect import PROTECT_SECONDS
from engine.ports import Rejected
from tests.engine.driver import CoreDriver, one, protected
from tests.engine.test_room import (
    BY_CANCEL,
    NATIVE,
    VENUES,
    accepted,
    made_room,
    sell,
    sold_at_most,
    stops,
)
from tests.engine.worlds import ABLE

D = Decimal
S = OrderStatus

ANY_VENUE = pytest.mark.parametrize(
    "able", [ABLE, NATIVE, BY_CANCEL], ids=["joins", "changes", "cancels"]
)


def close(desk: CoreDriver, quantity: int | None) -> list[ev.Event]:
    """So much of the 150 is to be closed, or all."""
    part = None if quantity is None else D(quantity)
    return desk.give(ask.ClosePosition(by="ann", symbol="NVDA", quantity=part))


def alarmed(desk: CoreDriver) -> list[str]:
    """What was told of orders that were cut, or not sent."""
    codes = [alarm.code for alarm in desk.of(ev.Alarmed)]
    return [code for code in codes if code in {"ORDER_CUT", "ORDER_NOT_SENT"}]


def settle(desk: CoreDriver) -> None:
    """The venue does all that it is asked to do with stops."""
    for _ in range(3):
        made_room(desk)
        accepted(desk)


def beside(able: Any, *quantities: int, **fields: Any) -> tuple[CoreDriver, list[OrderTerms]]:
    """150 are held with their stop, and sales of a person's rest beside it."""
    desk = protected(capabilities=able)
    for quantity in quantities:
        desk.later(61)
        desk.quote("NVDA", "100")
        sell(desk, quantity, **fields)
        settle(desk)
        desk.accept(desk.last(Purpose.MANUAL))
    settle(desk)
    return desk, desk.intended(Purpose.MANUAL)


def part_filled(desk: CoreDriver, quantity: int) -> None:
    """The order of the part goes out for exactly so much, and fills."""
    (order,) = desk.intended(Purpose.EXIT)
    assert order.quantity == quantity
    desk.accept(order)
    desk.filled(order, quantity, "100")
    settle(desk)


# --- a person's own orders ------------------------------------------------------------------------


@ANY_VENUE
@pytest.mark.parametrize(("quantity", "kept"), [(109, True), (110, True), (111, False)])
def test_rule3_only_what_does_not_fit_beside_the_part_is_withdrawn(
    able: Any, quantity: int, kept: bool
) -> None:
    desk, (sale,) = beside(able, 40)
    close(desk, quantity)
    assert (desk.current(sale).status is S.NEW) is kept
    if not kept:
        desk.report(sale, S.CANCELED)
    settle(desk)
    part_filled(desk, quantity)
    assert desk.current(sale).status is (S.NEW if kept else S.CANCELED)
    assert able.reduce_only or sold_at_most(desk) == 150 - quantity


@ANY_VENUE
def test_the_close_of_all_withdraws_whatever_reduces(able: Any) -> None:
    desk, (sale,) = beside(able, 1)
    close(desk, None)
    assert desk.current(sale).status is S.PENDING_CANCEL


@ANY_VENUE
def test_of_several_the_older_one_stays(able: Any) -> None:
    desk, (first, second) = beside(able, 40, 50)
    close(desk, 80)
    assert [desk.current(order).status for order in (first, second)] == [S.NEW, S.PENDING_CANCEL]


def test_one_that_is_ending_takes_no_place_from_another() -> None:
    desk, (first, second) = beside(NATIVE, 40, 50)
    desk.give(ask.CancelOrder(by="ann", client_order_id=first.client_order_id))
    close(desk, 100)
    assert desk.current(second).status is S.NEW
    assert not desk.intended(Purpose.EXIT), "the one that is ending may still fill"
    desk.report(first, S.CANCELED)
    settle(desk)
    assert desk.last(Purpose.EXIT).quantity == 100


@VENUES
@pytest.mark.parametrize(("quantity", "kept"), [(110, True), (111, False)])
def test_x85_a_stop_of_the_operators_stays_where_both_fit(
    able: Any, quantity: int, kept: bool
) -> None:
    desk, (stop,) = beside(able, 40, type=OrderType.STOP, limit_price=None, stop_price=D(97))
    close(desk, quantity)
    assert (desk.current(stop).status is S.NEW) is kept


@VENUES
def test_x85_of_a_stop_and_a_sale_of_the_operators_the_stop_stays(able: Any) -> None:
    desk, (sale,) = beside(able, 40)
    desk.later(61)
    desk.quote("NVDA", "100")
    sell(desk, 50, type=OrderType.STOP, limit_price=None, stop_price=D(97))
    settle(desk)
    stop = desk.last(Purpose.MANUAL)
    desk.accept(stop)
    close(desk, 80)
    assert [desk.current(order).status for order in (stop, sale)] == [S.NEW, S.PENDING_CANCEL]


# --- our stop -------------------------------------------------------------------------------------


def test_rule3_the_stop_makes_no_more_room_than_the_part_needs() -> None:
    desk = protected(capabilities=NATIVE)
    change = one(close(desk, 30), ev.ReplaceRequested)
    assert (change.quantity, change.stop_price) == (120, 95)
    assert not desk.of(ev.CancelRequested)
    assert not desk.intended(Purpose.EXIT), "the venue has not made room yet"
    made_room(desk)
    assert (stops(desk), sold_at_most(desk)) == ([120], 120)
    part_filled(desk, 30)
    assert stops(desk) == [120]
    assert len(desk.of(ev.ReplaceRequested)) == 1


def test_rule3_where_it_cannot_be_changed_the_rest_is_protected_before_the_part_is_sold() -> None:
    desk = protected(capabilities=BY_CANCEL)
    close(desk, 30)
    events = made_room(desk)
    made = [e.terms for e in events if isinstance(e, ev.OrderIntended)]
    assert [(o.purpose, o.quantity) for o in made] == [(Purpose.PROTECT, 120), (Purpose.EXIT, 30)]


@VENUES
@pytest.mark.parametrize("how", [S.REJECTED, S.CANCELED, S.EXPIRED])
def test_rule3_a_part_that_fails_gives_the_stop_its_size_again_and_is_tried_again(
    able: Any, how: OrderStatus
) -> None:
    desk = protected(capabilities=able)
    close(desk, 30)
    settle(desk)
    order = desk.last(Purpose.EXIT)
    desk.accept(order)
    desk.report(order, how, code="NO" if how is S.REJECTED else "", text="not now")
    settle(desk)
    assert stops(desk) == [150]
    desk.tick(0.999)
    assert (stops(desk), len(desk.intended(Purpose.EXIT))) == ([150], 1)
    desk.tick(0.001)
    settle(desk)
    assert stops(desk) == [120]
    again = desk.last(Purpose.EXIT)
    assert (again.attempt, again.quantity) == (2, 30)
    desk.accept(again)
    desk.filled(again, 30, "100")
    settle(desk)
    assert stops(desk) == [120]


@VENUES
def test_what_is_left_of_a_part_goes_on_at_once_beside_the_stop_for_the_rest(able: Any) -> None:
    desk = protected(capabilities=able)
    close(desk, 30)
    settle(desk)
    order = desk.last(Purpose.EXIT)
    desk.accept(order)
    desk.filled(order, 29, "100")
    desk.report(order, S.CANCELED, filled=D(29))
    assert desk.last(Purpose.EXIT).quantity == 1
    assert stops(desk) == [120]


def test_a_venue_that_refuses_the_cut_is_asked_to_cancel_the_stop() -> None:
    """What reduces is never kept waiting for a change that is not to be had (rule 3)."""
    desk = protected(capabilities=NATIVE)
    stop = desk.last(Purpose.PROTECT)
    close(desk, 30)
    desk.give(ModifyFailed(stop.account, stop.client_order_id, Rejected("NO", "no change")))
    assert one(desk.seen, ev.CancelRequested).client_order_id == stop.client_order_id
    settle(desk)
    assert (stops(desk), desk.last(Purpose.EXIT).quantity) == ([120], 30)


@VENUES
def test_a_part_that_is_all_that_is_held_leaves_no_stop(able: Any) -> None:
    desk = protected(capabilities=able)
    close(desk, 150)
    settle(desk)
    assert stops(desk) == []
    part_filled(desk, 150)


@VENUES
def test_rule3_a_stop_loss_during_the_part_closes_all_that_is_left(able: Any) -> None:
    desk = protected(capabilities=able)
    close(desk, 30)
    settle(desk)
    part = desk.last(Purpose.EXIT)
    desk.accept(part)
    close(desk, None)
    desk.report(part, S.CANCELED)
    assert len(desk.intended(Purpose.EXIT)) == 1, "the stop still works"
    made_room(desk)
    assert desk.last(Purpose.EXIT).quantity == 150


# --- what waits -----------------------------------------------------------------------------------


@VENUES
@pytest.mark.parametrize(("quantity", "sold"), [(109, 40), (110, 40), (111, 0)])
def test_x24_an_order_that_waits_is_sent_whole_beside_the_part_or_not_at_all(
    able: Any, quantity: int, sold: int
) -> None:
    """40 of 150 were asked for: 39 are another order, which nobody asked for."""
    desk = protected(capabilities=able)
    sell(desk, 40)
    close(desk, quantity)
    settle(desk)
    assert [order.quantity for order in desk.intended(Purpose.MANUAL)] == ([sold] if sold else [])
    for order in desk.intended(Purpose.MANUAL):
        desk.accept(order)
    assert alarmed(desk) == ([] if sold else ["ORDER_NOT_SENT"])
    assert [event.reason for event in desk.of(ev.LegRefused)] == (
        [] if sold else ["only 39 NVDA can still be reduced"]
    )
    assert desk.last(Purpose.EXIT).quantity == quantity
    assert sum(order.reach for order in desk.book.orders()) == 150


@VENUES
@pytest.mark.parametrize(("quantity", "taken"), [(39, True), (40, True), (41, False)])
def test_x24_what_does_not_fit_beside_a_part_that_is_still_to_be_ordered_is_refused(
    able: Any, quantity: int, taken: bool
) -> None:
    """110 of 150 are to be closed once the stop has made room."""
    desk = protected(capabilities=able)
    close(desk, 110)
    assert not desk.intended(Purpose.EXIT)
    events = sell(desk, quantity)
    assert [type(e) for e in events if isinstance(e, ev.IntentOpened | ev.OrderRefused)] == [
        ev.IntentOpened if taken else ev.OrderRefused
    ]
    settle(desk)
    assert [order.quantity for order in desk.intended(Purpose.MANUAL)] == [quantity] * taken
    assert desk.last(Purpose.EXIT).quantity == 110
    assert alarmed(desk) == []


@pytest.mark.parametrize(("quantity", "taken"), [(40, True), (41, False)])
def test_x24_nor_is_it_where_the_venue_joins_them(quantity: int, taken: bool) -> None:
    """The order of the part was refused, and is to be sent again."""
    desk = protected(capabilities=ABLE)
    close(desk, 110)
    part = desk.last(Purpose.EXIT)
    desk.accept(part)
    desk.report(part, S.CANCELED, text="not now")
    events = sell(desk, quantity)
    assert [e.terms.quantity for e in events if isinstance(e, ev.OrderIntended)] == (
        [quantity] * taken
    )
    assert len([e for e in events if isinstance(e, ev.OrderRefused)]) == (not taken)


@VENUES
@pytest.mark.parametrize(
    ("stopped", "part", "sold"),
    [(5, 105, 40), (5, 106, 39), (5, 110, 35), (5, 111, 0), (1, 110, 39), (2, 110, 38)],
)
def test_x24_it_is_cut_for_what_the_stop_took_meanwhile_and_for_nothing_else(
    able: Any, stopped: int, part: int, sold: int
) -> None:
    """40 of 150 wait, and a part of the rest is closed: with what the stop took there is less."""
    desk = protected(capabilities=able)
    stop = desk.last(Purpose.PROTECT)
    sell(desk, 40)
    desk.filled(stop, stopped, "95")
    close(desk, part)
    desk.later(6)
    settle(desk)
    assert [order.quantity for order in desk.intended(Purpose.MANUAL)] == ([sold] if sold else [])
    told = {40: [], 0: ["ORDER_NOT_SENT"]}.get(sold, ["ORDER_CUT"])
    assert alarmed(desk) == told


@VENUES
def test_x24_what_the_stop_took_before_it_was_asked_for_cuts_nothing(able: Any) -> None:
    desk = protected(capabilities=able)
    desk.filled(desk.last(Purpose.PROTECT), 5, "95")
    desk.later(61)
    desk.quote("NVDA", "100")
    sell(desk, 40)
    close(desk, 106)
    settle(desk)
    assert not desk.intended(Purpose.MANUAL)
    assert alarmed(desk) == ["ORDER_NOT_SENT"]


@VENUES
def test_one_for_which_nothing_is_left_is_withdrawn_and_says_so(able: Any) -> None:
    desk = protected(capabilities=able)
    (waiting,) = one(sell(desk, 40), ev.IntentOpened).legs
    close(desk, 150)
    assert one(desk.seen, ev.LegRefused).client_order_id == waiting.client_order_id
    settle(desk)
    assert (desk.intended(Purpose.MANUAL), desk.last(Purpose.EXIT).quantity) == ([], 150)


@VENUES
def test_one_that_grows_goes_on_beside_the_part(able: Any) -> None:
    desk, (sale,) = beside(able, 40)
    desk.give(ask.ModifyOrder(by="ann", client_order_id=sale.client_order_id, quantity=D(50)))
    close(desk, 30)
    desk.report(sale, S.CANCELED, filled=D(0))
    settle(desk)
    assert not desk.of(ev.ReplaceAbandoned)
    assert desk.last(Purpose.MANUAL).quantity == 50
    assert desk.last(Purpose.EXIT).quantity == 30
    assert sum(order.reach for order in desk.book.orders()) == 150


@pytest.mark.parametrize("able", [NATIVE, BY_CANCEL], ids=["changes", "cancels"])
@pytest.mark.parametrize("filled", [3, 4])
def test_rule3_a_stop_beside_the_part_has_no_more_time_for_its_end(able: Any, filled: int) -> None:
    """Ten are held and a stop for six is not acknowledged. It stays beside the close of four, whose
    end says nothing of it: what it was to protect has had its 5 s."""
    desk = CoreDriver(capabilities=able)
    desk.quote("NVDA", "100")
    desk.place(Side.BUY, 10, hold=TradeType.SWING, protect=D(90))
    entry = desk.last(Purpose.MANUAL)
    desk.accept(entry)
    desk.filled(entry, 6, "100")
    desk.give(Sending("paper", desk.last(Purpose.PROTECT).client_order_id))
    desk.filled(entry, 4, "100")
    desk.tick(1)
    close(desk, 4)
    order = desk.last(Purpose.EXIT)
    desk.accept(order)
    desk.filled(order, filled, "100")
    desk.tick(2)
    if filled < 4:
        desk.report(order, S.CANCELED, filled=D(filled))
    desk.tick(PROTECT_SECONDS - 3)
    assert not desk.of(ev.Unprotected)
    desk.tick(1)
    assert one(desk.seen, ev.Unprotected).quantity == 10 - filled
