"""A stop trades once its venue says so, also where no fill of it can be taken (X-78, X-91)."""

from decimal import Decimal

import msgspec
import pytest

from engine.domain import events as ev
from engine.domain.account import VenueOrder
from engine.domain.inputs import QueryAnswered
from engine.domain.order import Fill, OrderStatus, OrderTerms, Purpose
from tests.engine.driver import CoreDriver, protected
from tests.engine.worlds import BROKER

S = OrderStatus


def partly_filled() -> tuple[CoreDriver, OrderTerms, OrderTerms]:
    """100 of an entry are held under a stop; the rest of the entry works."""
    desk = protected(100)
    entry, stop = desk.last(Purpose.ENTRY), desk.last(Purpose.PROTECT)
    assert desk.current(entry).leaves > 0
    desk.later(10)
    return desk, entry, stop


def ends(events: list[ev.Event], order: OrderTerms) -> bool:
    """Whether the end of an order is asked for."""
    found = [e.client_order_id for e in events if isinstance(e, ev.CancelRequested)]
    return order.client_order_id in found


def used_id(desk: CoreDriver, order: OrderTerms) -> Fill:
    """A fill under the id of one that was told before (X-91)."""
    (first,) = [e.fill for e in desk.of(ev.OrderFilled)]
    return msgspec.structs.replace(desk.execution(order, 40, "94"), execution_id=first.execution_id)


@pytest.mark.parametrize("end", [S.FILLED, S.CANCELED])
def test_x78_a_stop_of_which_fills_are_missing_ends_its_entry(end: OrderStatus) -> None:
    desk, entry, stop = partly_filled()
    assert ends(desk.report(stop, end, filled=Decimal(40)), entry)


def test_x78_one_that_was_cancelled_without_a_fill_does_not() -> None:
    desk, entry, stop = partly_filled()
    assert not ends(desk.report(stop, S.CANCELED, filled=Decimal(0)), entry)


def test_x78_so_does_one_of_which_the_venue_says_so_when_it_is_asked() -> None:
    desk, entry, stop = partly_filled()
    there = VenueOrder(
        client_order_id=stop.client_order_id,
        venue_order_id="v",
        symbol=stop.symbol,
        side=stop.side,
        type=stop.type,
        quantity=stop.quantity,
        filled=Decimal(40),
        stop_price=stop.stop_price,
        status=S.CANCELED,
        reduce_only=True,
    )
    seen = desk.give(
        QueryAnswered(
            account=BROKER,
            client_order_id=stop.client_order_id,
            order=there,
            fills=(),
            asked_at=desk.now,
        )
    )
    assert ends(seen, entry)


def test_x91_a_fill_of_a_stop_under_a_used_id_is_not_taken_and_ends_its_entry() -> None:
    desk, entry, stop = partly_filled()
    seen = desk.report(stop, S.PARTIALLY_FILLED, fill=used_id(desk, stop))
    assert ends(seen, entry)
    assert desk.held().quantity == 100
    assert [e.code for e in desk.of(ev.Alarmed)][-1] == "BAD_FILL"


def touches(events: list[ev.Event], order: OrderTerms) -> bool:
    """Whether anything is asked of an order, or a close is decided beside it."""
    changes = ev.CancelRequested, ev.ReplaceRequested
    asked = {e.client_order_id for e in events if isinstance(e, changes)}
    return order.client_order_id in asked or any(isinstance(e, ev.ExitPlanned) for e in events)


def test_x78_and_the_stop_is_left_alone_for_5_s_from_then() -> None:
    desk, entry, stop = partly_filled()
    desk.report(stop, S.PARTIALLY_FILLED, fill=used_id(desk, stop))
    # What filled of the entry before its cancel arrived is for the stop to cover.
    seen = desk.filled(entry, 20, "100")
    seen += [event for _ in range(4) for event in desk.tick(1)]
    assert not touches(seen, stop)
    assert touches(desk.tick(1), stop)


@pytest.mark.parametrize("quantity", ["0", "NaN", "-3", "Infinity"])
def test_x91_a_fill_that_cannot_be_is_no_sign_that_it_trades(quantity: str) -> None:
    desk, entry, stop = partly_filled()
    wrong = msgspec.structs.replace(desk.execution(stop, 40, "94"), quantity=Decimal(quantity))
    assert not ends(desk.report(stop, S.PARTIALLY_FILLED, fill=wrong), entry)


def test_x91_a_fill_of_an_entry_under_a_used_id_ends_nothing() -> None:
    desk, entry, _ = partly_filled()
    seen = desk.report(entry, S.PARTIALLY_FILLED, fill=used_id(desk, entry))
    assert not ends(seen, entry)


def test_x91_the_same_fill_in_every_look_is_one_sign() -> None:
    """Else a stop that traded once would be left alone for ever."""
    desk, _, stop = partly_filled()
    again = used_id(desk, stop)
    desk.report(stop, S.PARTIALLY_FILLED, fill=again)
    since = desk.current(stop).filled_at
    desk.later(3)
    desk.snapshot(positions={"NVDA": 100}, orders=(desk.works(stop),), fills=(again,))
    assert desk.current(stop).filled_at == since
