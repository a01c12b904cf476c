"""At what price a fill is assumed that was never told: the venue's own average, where it says one
(fault 44, X-75)."""

from decimal import Decimal

import pytest

from engine.domain import events as ev
from engine.domain.account import VenueOrder
from engine.domain.order import OrderStatus, OrderTerms, OrderType, Purpose, Side
from engine.state.book import Book
from tests.engine.driver import CoreDriver, protected

D = Decimal
S = OrderStatus


def selling() -> tuple[CoreDriver, OrderTerms]:
    """150 are held at 100 under a stop at 95; a person's order for 40 of them rests at 101."""
    desk = protected(150)
    desk.place(Side.SELL, 40, type=OrderType.LIMIT, limit_price=D(101))
    order = desk.last(Purpose.MANUAL)
    desk.accept(order)
    desk.later(10)
    return desk, order


def answer(desk: CoreDriver, order: OrderTerms, status: S, filled: int, mean: str) -> None:
    """What the venue says of an order when it is asked; "" where it says no mean price."""
    average = D(mean) if mean else None
    desk.answers(order, status=status, filled=D(filled), average_price=average)


def ten_told(desk: CoreDriver, order: OrderTerms) -> None:
    """10 of the order were sold at 102, and the stop is for the rest."""
    desk.filled(order, 10, "102")
    stop = desk.last(Purpose.PROTECT)
    desk.report(stop, S.NEW, quantity=D(140), stop_price=stop.stop_price)


def assumed(desk: CoreDriver, held: int, *orders: VenueOrder) -> list[tuple[Decimal, Decimal]]:
    """An operator takes the venue's side once nothing can be under way: quantity and price."""
    for _ in range(10):
        desk.later(1)
        desk.snapshot(
            positions={"NVDA": held} if held else {}, orders=orders, reason="operator", apply=True
        )
    found = [e.fill for e in desk.of(ev.OrderFilled) if e.fill.is_assumed]
    return [(fill.quantity, round(fill.price, 4)) for fill in found]


def test_x75_a_fill_is_assumed_at_the_average_that_the_venue_says() -> None:
    desk, order = selling()
    answer(desk, order, S.FILLED, 40, "103.5")
    assert assumed(desk, 110) == [(40, D("103.5"))]


def test_x75_what_was_told_of_it_counts_at_its_own_price() -> None:
    desk, order = selling()
    ten_told(desk, order)
    answer(desk, order, S.FILLED, 40, "103.5")
    assert assumed(desk, 110) == [(30, D(104))]


def test_x75_a_stop_that_filled_beyond_a_gap_is_a_loss_at_that_price() -> None:
    """Its own price would leave the rest of the loss as cash that nothing explains."""
    desk = protected(150)
    desk.later(10)
    stop = desk.last(Purpose.PROTECT)
    answer(desk, stop, S.FILLED, 150, "80")
    assert assumed(desk, 0) == [(150, D(80))]
    assert desk.world.money.daily_pnl == -3000


def test_x75_an_answer_after_the_report_of_its_end_counts_too() -> None:
    """The report says how much, and the answer at what price."""
    desk, order = selling()
    desk.report(order, S.FILLED, filled=D(40))
    answer(desk, order, S.FILLED, 40, "103.5")
    assert assumed(desk, 110) == [(40, D("103.5"))]


def test_x75_the_average_of_one_that_works_counts_as_well() -> None:
    desk, order = selling()
    listed = desk.works(order, status=S.PARTIALLY_FILLED, filled=D(25), average_price=D("103.5"))
    assert assumed(desk, 125, listed)[:1] == [(25, D("103.5"))]


@pytest.mark.parametrize("mean", ["", "1"])
def test_x75_without_one_that_can_be_it_is_the_last_price_that_its_terms_allow(mean: str) -> None:
    """10 were told at 102: a mean of 1 over 40 would make the rest cheaper than nothing."""
    desk, order = selling()
    ten_told(desk, order)
    answer(desk, order, S.FILLED, 40, mean)
    assert assumed(desk, 110) == [(30, D(102))]


def test_x75_it_is_kept_over_a_restart() -> None:
    desk, order = selling()
    answer(desk, order, S.FILLED, 40, "103.5")
    again = Book.restore(desk.book.snapshot()).order(order.client_order_id)
    assert again == desk.current(order)
