"""A close that the venue refuses, while many other orders come and end (rule 1, rule 3)."""

from decimal import Decimal

import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import Sending
from engine.domain.order import OrderStatus, OrderTerms, Purpose
from engine.state.book import Book
from engine.state.ended import CLOSED_KEPT
from engine.state.pauses import ATTEMPT_SECONDS
from tests.engine.driver import CoreDriver, protected
from tests.engine.worlds import BROKER

PAUSE = ATTEMPT_SECONDS[2]


def ended(desk: CoreDriver, count: int) -> None:
    """So many orders of another symbol come and end."""
    for _ in range(count):
        order = desk.order("AMD", 1, "10")
        desk.event(
            ev.OrderCanceled(account=BROKER, client_order_id=order.client_order_id, reason="x")
        )


def refused_twice() -> CoreDriver:
    """A close that the venue refused two times in a row, the second time a moment ago."""
    desk = protected(100)
    desk.report(desk.last(Purpose.ENTRY), OrderStatus.CANCELED)
    desk.give(ask.ClosePosition(by="me", symbol="NVDA"))
    for _ in range(2):
        desk.give(Sending(desk.last(Purpose.EXIT).account, desk.last(Purpose.EXIT).client_order_id))
        desk.report(desk.last(Purpose.EXIT), OrderStatus.REJECTED, code="HALTED")
        if len(closes(desk)) < 2:
            desk.tick(ATTEMPT_SECONDS[1])
            desk.tick(0)
    assert [order.attempt for order in closes(desk)] == [1, 2]
    return desk


def closes(desk: CoreDriver) -> list[OrderTerms]:
    return desk.intended(Purpose.EXIT)


@pytest.mark.parametrize("others", [CLOSED_KEPT - 1, CLOSED_KEPT, CLOSED_KEPT + 1])
def test_rule1_a_close_is_never_sent_twice_under_one_id_however_many_orders_end(
    others: int,
) -> None:
    desk = refused_twice()
    ended(desk, others)
    desk.tick(PAUSE - 1)
    assert [order.attempt for order in closes(desk)] == [1, 2], "its pause is not over"
    desk.tick(1)
    desk.tick(0)
    assert [order.attempt for order in closes(desk)] == [1, 2, 3]
    assert len({order.client_order_id for order in closes(desk)}) == 3
    assert len(desk.book.account(BROKER).closed) <= CLOSED_KEPT


def test_rule1_and_the_state_that_a_start_restores_knows_it_too() -> None:
    desk = refused_twice()
    ended(desk, CLOSED_KEPT + 1)
    restored = Book.restore(desk.book.snapshot())
    refused = restored.order(closes(desk)[-1].client_order_id)
    assert refused is not None
    assert refused.status is OrderStatus.REJECTED


def test_an_order_of_a_close_that_is_over_is_forgotten_like_any_other() -> None:
    desk = refused_twice()
    desk.tick(PAUSE)
    desk.tick(0)
    last = closes(desk)[-1]
    desk.accept(last)
    desk.filled(last, Decimal(100), "100")
    ended(desk, CLOSED_KEPT)
    assert all(desk.book.order(order.client_order_id) is None for order in closes(desk))
