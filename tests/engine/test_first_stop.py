"""The stop that an order brings: when it counts, and how long it has to rest (rule 3, X-82)."""

import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.order import OrderTerms, Purpose, Side
from engine.domain.signal import TradeType
from engine.plans.protect import PROTECT_SECONDS
from tests.brokers.kit import D
from tests.engine.driver import CoreDriver


@pytest.mark.parametrize(
    ("seconds", "closes"), [(1, False), (PROTECT_SECONDS, False), (PROTECT_SECONDS + 1, True)]
)
def test_what_had_no_stop_for_long_is_closed_only_if_that_does_not_rest_in_time(
    seconds: int, closes: bool
) -> None:
    desk = CoreDriver()
    for quantity, protect in ((10, None), (5, D(95))):
        desk.quote("NVDA", "100")
        desk.place(Side.BUY, quantity, hold=TradeType.SWING, protect=protect)
        order = desk.last(Purpose.MANUAL)
        desk.accept(order)
        desk.filled(order, quantity, "100")
        if protect is None:
            for _ in range(60):
                desk.tick()
    stop = desk.last(Purpose.PROTECT)
    assert (stop.quantity, stop.stop_price) == (15, 95)
    for _ in range(seconds):
        desk.tick()
    assert bool(desk.of(ev.ExitPlanned)) is closes


def bought(desk: CoreDriver, quantity: int, protect: int | None) -> OrderTerms:
    desk.quote("NVDA", "100")
    price = None if protect is None else D(protect)
    desk.place(Side.BUY, quantity, hold=TradeType.SWING, protect=price)
    order = desk.last(Purpose.MANUAL)
    desk.accept(order)
    return order


@pytest.mark.parametrize("price", [94, 96, None])
def test_x82_what_the_operator_decided_stands_at_the_next_fill_of_the_same_orders(
    price: int | None,
) -> None:
    """Two orders fill in turns; the operator moves the stop in between, or takes it away."""
    desk = CoreDriver()
    first, second = bought(desk, 10, 95), bought(desk, 20, 90)
    for order in (first, second):
        desk.filled(order, 5, "100")
    assert desk.held().stop == 95
    desk.accept(desk.last(Purpose.PROTECT))
    asked = ask.Protect(
        by="me",
        symbol="NVDA",
        price=None if price is None else D(price),
        confirm="" if price else "UNPROTECT",
    )
    desk.give(asked)
    for order in (first, second, first):
        desk.filled(order, 2, "100")
        assert desk.held().stop == price
    held = desk.held()
    assert (held.quantity, held.adds, held.initial_stop) == (16, 1, 95)


def test_x82_r_counts_all_fills_of_the_first_order_and_none_of_another() -> None:
    """Bought at 100 and at 101 by one order, and at 110 by another: R is 100.50 to 95."""
    desk = CoreDriver()
    first, second = bought(desk, 10, 95), bought(desk, 20, None)
    desk.filled(first, 5, "100")
    desk.filled(second, 20, "110")
    desk.filled(first, 5, "101")
    held = desk.held()
    assert (held.initial_risk, held.adds) == (D("5.5"), 1)
