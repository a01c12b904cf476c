"""An order that waited leaves only as long as it is still wanted, and takes off no more than is
held (rule 3, X-81)."""

from decimal import Decimal

import msgspec
import pytest

from engine.core.leaving import is_withdrawn, may_leave_again
from engine.domain import commands as ask
from engine.domain.inputs import Sending
from engine.domain.order import OrderStatus, OrderTerms, OrderType, Purpose, Side
from tests.engine.driver import CoreDriver
from tests.engine.worlds import BROKER


def waiting(held: int, asked: int) -> tuple[CoreDriver, OrderTerms]:
    """So many bought; an order to sell so many was handed over and not answered."""
    desk = CoreDriver()
    desk.quote("NVDA", "100")
    desk.place(Side.BUY, held)
    entry = desk.last(Purpose.MANUAL)
    desk.accept(entry)
    desk.filled(entry, held, "100")
    desk.place(Side.SELL, asked, type=OrderType.LIMIT, limit_price=Decimal(120))
    order = desk.last(Purpose.MANUAL)
    assert not order.adds_exposure
    assert not is_withdrawn(desk.book, order)
    desk.give(Sending(BROKER, order.client_order_id))
    return desk, order


def test_an_order_that_was_handed_over_before_is_withdrawn() -> None:
    desk, order = waiting(held=10, asked=10)
    assert is_withdrawn(desk.book, order)


@pytest.mark.parametrize(("sold", "leaves"), [(0, True), (4, True), (5, False), (10, False)])
def test_it_leaves_again_for_no_more_than_is_held_by_then(sold: int, leaves: bool) -> None:
    desk, order = waiting(held=10, asked=6)
    positions = desk.book.data.accounts[BROKER].positions
    position = positions.pop("NVDA")
    if sold < 10:
        positions["NVDA"] = msgspec.structs.replace(position, quantity=Decimal(10 - sold))
    assert may_leave_again(desk.book, order) is leaves


def test_what_is_held_on_its_own_side_leaves_it_nothing_to_take_off() -> None:
    desk, order = waiting(held=10, asked=6)
    positions = desk.book.data.accounts[BROKER].positions
    positions["NVDA"] = msgspec.structs.replace(positions["NVDA"], quantity=Decimal(-10))
    assert not may_leave_again(desk.book, order)


def test_an_order_that_was_cancelled_or_answered_does_not_leave_again() -> None:
    desk, order = waiting(held=10, asked=10)
    assert may_leave_again(desk.book, order)
    desk.report(order, OrderStatus.NEW)
    assert not may_leave_again(desk.book, order)

    desk, order = waiting(held=10, asked=10)
    desk.give(ask.CancelOrder(by="me", client_order_id=order.client_order_id))
    assert not may_leave_again(desk.book, order)


def test_an_order_that_nobody_knows_does_not_leave() -> None:
    _, order = waiting(held=10, asked=10)
    other = CoreDriver()
    assert is_withdrawn(other.book, order)
    assert not may_leave_again(other.book, order)
