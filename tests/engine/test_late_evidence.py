"""What is learned late of a fill counts at the prices that have stood since (X-71, X-74).

A fill that was never told is assumed once nothing of it can be under way. By then its price is an
old one: prices that have stood for a second are evidence of what it is worth, and a gain that they
prove hides no loss, as a loss that they prove is one.
"""

from decimal import Decimal

import pytest

from engine.domain import events as ev
from engine.domain.order import Fill, OrderStatus, OrderTerms
from tests.engine.driver import CoreDriver

D = Decimal


def untold() -> tuple[CoreDriver, OrderTerms]:
    """300 were bought at 100, says the venue, and tells no fill of them."""
    desk = CoreDriver().price("NVDA", "100")
    order = desk.order("NVDA", 300, "100", limit="100", order_id="untold")
    desk.accept(order)
    desk.report(order, OrderStatus.FILLED, filled=D(300))
    assert desk.current(order).status is OrderStatus.UNKNOWN
    return desk, order


def taken_over(desk: CoreDriver) -> None:
    cash = desk.book.account("paper").cash["USD"] - 30_000
    desk.snapshot(positions={"NVDA": 300}, cash=cash, reason="operator", apply=True)
    assert desk.held().quantity == 300


def proved(desk: CoreDriver) -> Decimal:
    """The profit of what is held, as far as evidence carries it."""
    return desk.world.money.proved.whole - desk.world.money.equity + desk.world.money.unrealized


@pytest.mark.parametrize("price", ["120", "80"])
def test_x71_prices_that_have_stood_are_evidence_at_once(price: str) -> None:
    desk, _ = untold()
    desk.later(5).quote("NVDA", price)
    desk.later(5).quote("NVDA", price)
    taken_over(desk)
    assert proved(desk) == desk.world.money.unrealized == 300 * (D(price) - 100)


@pytest.mark.parametrize("price", ["120", "80"])
def test_x71_one_tick_before_it_is_taken_over_is_none(price: str) -> None:
    desk, _ = untold()
    desk.later(5).quote("NVDA", "100")
    desk.later(5).quote("NVDA", price)
    taken_over(desk)
    assert proved(desk) == 0
    desk.later(1).quote("NVDA", price)
    assert proved(desk) == 300 * (D(price) - 100)


@pytest.mark.parametrize(("seconds", "gain"), [("0.9", 0), ("1", 6_000), ("1.1", 6_000)])
def test_x71_they_have_to_stand_for_a_second(seconds: str, gain: int) -> None:
    desk, _ = untold()
    desk.later(10).quote("NVDA", "120")
    desk.later(float(seconds)).quote("NVDA", "120")
    taken_over(desk)
    assert proved(desk) == gain


def late(desk: CoreDriver, order: OrderTerms, price: str, seconds: int) -> Fill:
    """A fill that happened so many seconds ago, and is told now."""
    fill = desk.execution(order, 300, price)
    desk.later(5).quote("NVDA", "120")
    desk.later(seconds - 5).quote("NVDA", "120")
    return fill


def test_x71_a_fill_that_is_told_so_late_that_no_clock_explains_it_counts_likewise() -> None:
    desk, order = untold()
    desk.report(order, OrderStatus.FILLED, fill=late(desk, order, "100", 8))
    assert proved(desk) == 6_000


def test_x74_a_fill_of_now_is_neither_gain_nor_loss_by_what_stood_before() -> None:
    desk, order = untold()
    desk.later(5).quote("NVDA", "120")
    desk.later(5).quote("NVDA", "120")
    desk.report(order, OrderStatus.FILLED, fill=desk.execution(order, 300, "100"))
    assert proved(desk) == 0


def test_x74_what_is_added_late_to_what_is_held_counts_by_its_evidence() -> None:
    desk, _ = untold()
    desk.hold("NVDA", 100, "100")
    desk.later(5).quote("NVDA", "120")
    desk.later(5).quote("NVDA", "120")
    cash = desk.book.account("paper").cash["USD"] - 30_000
    desk.snapshot(positions={"NVDA": 400}, cash=cash, reason="operator", apply=True)
    assert [e.fill.quantity for e in desk.of(ev.OrderFilled)] == [300]
    assert proved(desk) == 400 * 20


@pytest.mark.parametrize(("quoted_after", "gain"), [(3, 6_000), (-2, 0)])
def test_x71_the_newest_price_since_the_fill_of_an_order_that_had_ended_begins_its_evidence(
    quoted_after: int, gain: int
) -> None:
    """Nothing was in doubt, so that no price was kept: the next one, a second later, bears out the
    newest one, if that is not older than the fill."""
    desk = CoreDriver().price("NVDA", "100")
    order = desk.order("NVDA", 300, "100", limit="100", order_id="ended")
    desk.accept(order)
    desk.report(order, OrderStatus.CANCELED)
    assert desk.current(order).status is OrderStatus.CANCELED
    if quoted_after < 0:
        desk.later(5).quote("NVDA", "120")
        desk.later(-quoted_after)
    fill = desk.execution(order, 300, "100")
    if quoted_after > 0:
        desk.later(quoted_after).quote("NVDA", "120")
    desk.later(8 - quoted_after)
    desk.report(order, OrderStatus.CANCELED, filled=D(300), fill=fill)
    assert desk.held().quantity == 300
    assert proved(desk) == 0
    desk.later(2).quote("NVDA", "120")
    assert proved(desk) == gain


@pytest.mark.parametrize(("apart", "gain"), [("0.9", 0), ("1", 6_000), ("1.1", 6_000)])
def test_x71_the_two_newest_prices_since_such_a_fill_are_evidence_where_they_are_a_second_apart(
    apart: str, gain: int
) -> None:
    desk = CoreDriver().price("NVDA", "100")
    order = desk.order("NVDA", 300, "100", limit="100", order_id="ended")
    desk.accept(order)
    desk.report(order, OrderStatus.CANCELED)
    fill = desk.execution(order, 300, "100")
    desk.later(5).quote("NVDA", "120")
    desk.later(float(apart)).quote("NVDA", "120")
    desk.later(2)
    desk.report(order, OrderStatus.CANCELED, filled=D(300), fill=fill)
    assert desk.held().quantity == 300
    assert proved(desk) == gain
