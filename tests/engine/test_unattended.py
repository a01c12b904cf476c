"""An orderly end says what is held without a stop from then on (C-504, rule 3, X-85)."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.domain import events as ev
from engine.domain.inputs import Stop
from engine.domain.order import OrderStatus, OrderType, Purpose, Side
from engine.domain.run import Severity
from engine.plans.unattended import Unattended, unattended
from tests.engine.driver import NO_REDUCE_ONLY, CoreDriver, holding, protected
from tests.engine.worlds import ABLE

D = Decimal
S = OrderStatus


def told(desk: CoreDriver) -> list[ev.Alarmed]:
    """What the end of the engine tells of holdings without a stop."""
    events = desk.give(Stop("the day is over"))
    return [e for e in events if isinstance(e, ev.Alarmed) and e.code == "LEFT_UNPROTECTED"]


def selling(quantity: int, able: Any = NO_REDUCE_ONLY, **fields: Any) -> CoreDriver:
    """150 NVDA and a person's order to sell so many of them, for which our stop has made room."""
    desk = protected(capabilities=able)
    limit: dict[str, Any] = {"type": OrderType.LIMIT, "limit_price": D(104)}
    desk.place(Side.SELL, quantity, **(limit | fields))
    stop = desk.current(desk.last(Purpose.PROTECT))
    if stop.pending is not None:
        desk.report(stop.terms, S.NEW, quantity=stop.pending.quantity)
    elif stop.status is S.PENDING_CANCEL:
        desk.report(stop.terms, S.CANCELED)
    desk.accept(desk.last(Purpose.MANUAL))
    return desk


@pytest.mark.parametrize("quantity", [1, 20, 150])
def test_what_a_persons_order_takes_off_has_no_stop_after_the_end(quantity: int) -> None:
    desk = selling(quantity)
    (bare,) = unattended(desk.world)
    assert bare == Unattended("paper", "NVDA", D(quantity), D(quantity), sells=True, wanted=True)
    (alarm,) = told(desk)
    assert alarm.severity is Severity.CRITICAL
    assert alarm.subject == "NVDA"
    assert f"{quantity} NVDA in paper" in alarm.text
    assert f"an order to sell {quantity} stays" in alarm.text


def test_the_end_cancels_no_order_that_reduces_and_lets_no_stop_grow_beside_it() -> None:
    """Both would fill there, and open the other side."""
    desk = selling(20)
    events = desk.give(Stop("the day is over"))
    moved = (ev.CancelRequested, ev.ReplaceRequested, ev.OrderIntended)
    assert not [event for event in events if isinstance(event, moved)]
    works = {order.leaves for order in desk.book.orders() if order.side is not Side.BUY}
    assert works == {D(20), D(130)}


@pytest.mark.parametrize("able", [ABLE, NO_REDUCE_ONLY], ids=["joins", "fills both"])
def test_a_stop_for_all_of_it_is_nothing_to_tell(able: Any) -> None:
    desk = protected(capabilities=able)
    assert not list(unattended(desk.world))
    assert not told(desk)


def test_where_the_venue_bounds_what_reduces_the_stop_stays_whole_and_nothing_is_told() -> None:
    assert not told(selling(20, ABLE))


def test_a_stop_of_the_operators_covers_its_part_X85() -> None:
    desk = selling(20, type=OrderType.STOP, limit_price=None, stop_price=D(97))
    assert not told(desk)


def test_what_has_filled_of_the_order_is_held_no_more() -> None:
    desk = selling(20)
    desk.filled(desk.last(Purpose.MANUAL), 5, "104")
    (alarm,) = told(desk)
    assert "15 NVDA in paper" in alarm.text
    assert "to sell 15 " in alarm.text


def test_a_stop_that_is_not_known_to_rest_protects_nothing() -> None:
    desk = protected()
    desk.report(desk.last(Purpose.PROTECT), S.CANCELED)
    (alarm,) = told(desk)
    assert "150 NVDA in paper: no stop rests at the venue" in alarm.text


def test_without_stops_at_the_venue_the_engines_own_ends_with_it() -> None:
    able = msgspec.structs.replace(ABLE, native_stop=False)
    desk = holding(capabilities=able)
    assert not desk.intended(Purpose.PROTECT)
    (alarm,) = told(desk)
    assert alarm.severity is Severity.CRITICAL
    assert "150 NVDA" in alarm.text


def test_what_was_to_have_no_stop_is_told_less_loudly() -> None:
    desk = CoreDriver().price("NVDA", "100")
    desk.place(Side.BUY, 10)
    desk.accept(desk.last(Purpose.MANUAL)).filled(desk.last(Purpose.MANUAL), 10, "100")
    (alarm,) = told(desk)
    assert alarm.severity is Severity.WARNING


def test_less_than_a_lot_can_have_neither_stop_nor_close_and_is_not_told() -> None:
    able = msgspec.structs.replace(ABLE, odd_lots=False)
    desk = protected(capabilities=able)
    held = desk.held()
    desk.book.amend(held, quantity=D("150.5"))
    assert not list(unattended(desk.world))
    desk.book.amend(desk.held(), quantity=D("151"))
    (bare,) = unattended(desk.world)
    assert bare.quantity == D(1)


def test_nothing_held_is_nothing_told() -> None:
    assert not told(CoreDriver())
