"""X-85: a reduce-only STOP of the operator protects what it covers; ours covers the rest."""

from decimal import Decimal

import msgspec
import pytest

from engine.analytics.status import Extras, status_of
from engine.domain import commands as ask
from engine.domain.order import OrderStatus, OrderTerms, OrderType, Purpose, Side
from engine.domain.signal import TradeType
from tests.engine.driver import CoreDriver
from tests.engine.worlds import ABLE

D = Decimal

JOINS = pytest.mark.parametrize("joins", [True, False], ids=["joins", "joins nothing"])


def ten(joins: bool, protect: str | None) -> CoreDriver:
    desk = CoreDriver(capabilities=msgspec.structs.replace(ABLE, reduce_only=joins))
    desk.quote("NVDA", "100")
    desk.place(Side.BUY, 10, hold=TradeType.SWING, protect=None if protect is None else D(protect))
    entry = desk.last(Purpose.MANUAL)
    desk.accept(entry)
    desk.filled(entry, 10, "100")
    if protect is not None:
        desk.accept(desk.last(Purpose.PROTECT))
    return desk


def own_stop(desk: CoreDriver, quantity: int, price: str) -> OrderTerms:
    desk.place(Side.SELL, quantity, type=OrderType.STOP, stop_price=D(price))
    answer(desk)  # where nothing joins them, ours makes room before theirs is sent
    stop = desk.last(Purpose.MANUAL)
    assert stop.reduce_only
    desk.accept(stop)
    return stop


def answer(desk: CoreDriver) -> None:
    """The venue does what is asked of our stop."""
    for order in tuple(desk.book.orders()):
        if order.is_protective and order.pending is not None:
            desk.report(order.terms, OrderStatus.NEW, quantity=order.pending.quantity)
        elif order.is_protective and order.status is OrderStatus.CREATED:
            desk.accept(order.terms)
        elif order.is_protective and order.status is OrderStatus.PENDING_CANCEL:
            desk.report(order.terms, OrderStatus.CANCELED)


def ours(desk: CoreDriver) -> list[Decimal]:
    return [order.leaves for order in desk.book.orders() if order.is_protective]


def protected(desk: CoreDriver) -> str:
    extras = Extras(running=True, lag_ms=(0, 0), commit_ms=0)
    (row,) = status_of(desk.world, desk.now, extras)["positions"]
    return str(row["protected"])


@JOINS
@pytest.mark.parametrize(("theirs", "left"), [(1, [9]), (9, [1]), (10, [])])
def test_ours_covers_what_the_operators_stop_does_not(
    joins: bool, theirs: int, left: list[int]
) -> None:
    desk = ten(joins, "90")
    assert ours(desk) == [10]
    own_stop(desk, theirs, "95")
    answer(desk)
    assert ours(desk) == left
    assert protected(desk) == "10"
    assert not desk.held().unprotected_since


@JOINS
def test_the_end_of_the_operators_stop_hands_its_part_to_ours(joins: bool) -> None:
    desk = ten(joins, "90")
    stop = own_stop(desk, 10, "95")
    answer(desk)
    assert ours(desk) == []
    desk.give(ask.CancelOrder(by="me", client_order_id=stop.client_order_id))
    desk.report(stop, OrderStatus.CANCELED)
    answer(desk)
    assert ours(desk) == [10]


@JOINS
def test_where_the_position_has_no_stop_of_ours_the_operators_counts_for_its_leaves(
    joins: bool,
) -> None:
    desk = ten(joins, None)
    assert protected(desk) == "0"
    stop = own_stop(desk, 4, "95")
    assert protected(desk) == "4"
    assert desk.held().unprotected_since
    desk.filled(stop, 3, "95")
    assert protected(desk) == "1"
    assert not ours(desk)


def test_a_stop_and_the_order_that_replaces_it_count_once_where_the_venue_joins_them() -> None:
    desk = ten(True, None)
    own_stop(desk, 10, "95")
    sell = ask.PlaceOrder(by="me", symbol="NVDA", side=Side.SELL, quantity=D(10))
    desk.give(sell)
    assert desk.last(Purpose.MANUAL).reduce_only
