"""An order that is taken over and fills while the venue is looked at (rule 2, U-21)."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.domain import events as ev
from engine.domain.account import VenueOrder
from engine.domain.inputs import QueryAnswered
from engine.domain.instant import NS_PER_SECOND
from engine.domain.order import Fill, OrderStatus, OrderType, Side
from engine.ports import OrderReport
from engine.state.order import Order
from tests.engine.driver import CoreDriver, one
from tests.engine.worlds import BROKER

D = Decimal
S = OrderStatus


def listed(filled: int, *, reduce_only: bool = True, **fields: Any) -> VenueOrder:
    """An order of nobody here for 40, as the list of working orders shows it."""
    told: dict[str, Any] = {"status": S.PARTIALLY_FILLED if filled else S.NEW} | fields
    return VenueOrder(
        client_order_id="theirs",
        venue_order_id="v9",
        symbol="NVDA",
        side=Side.SELL if reduce_only else Side.BUY,
        type=OrderType.LIMIT,
        limit_price=D(100),
        quantity=D(40),
        filled=D(filled),
        reduce_only=reduce_only,
        **told,
    )


def sold(desk: CoreDriver, quantity: int, key: str, *, side: Side = Side.SELL) -> Fill:
    """What of it the venue tells as filled, at 101."""
    return Fill(
        execution_id=key,
        client_order_id="theirs",
        account=BROKER,
        symbol="NVDA",
        side=side,
        quantity=D(quantity),
        price=D(101),
        time=desk.now,
    )


def looked(order: VenueOrder, *fills: int, start: bool = True) -> CoreDriver:
    """A look whose list is older than its fills, at a start or for an operator who applies it."""
    desk = CoreDriver().price("NVDA", "100")
    desk.fill(desk.order("NVDA", 100, "100"), None, "100")
    told = tuple(sold(desk, n, f"s{n}", side=order.side) for n in fills)
    held = 100 + sum(fills) * order.side.sign
    view: dict[str, Any] = {"positions": {"NVDA": held}, "orders": (order,), "fills": told}
    if start:
        desk.restart(**view)
    else:
        desk.later(1).snapshot(reason="operator", apply=True, **view)
    return desk


@pytest.mark.parametrize("start", [True, False], ids=["a start", "reconcile --apply"])
@pytest.mark.parametrize("reduce_only", [True, False])
@pytest.mark.parametrize(
    ("before", "fills", "clear"),
    [(10, (10,), True), (10, (10, 5), False), (0, (40,), False), (0, (), True)],
)
def test_u21_what_filled_between_the_list_and_the_fills_is_counted(
    before: int, fills: tuple[int, ...], clear: bool, reduce_only: bool, start: bool
) -> None:
    """Where the fills say no more than the list nothing is in doubt; else the venue is asked."""
    desk = looked(listed(before, reduce_only=reduce_only), *fills, start=start)
    order = desk.book.order("theirs")
    assert order is not None
    assert (order.filled, order.status is S.UNKNOWN) == (sum(fills), not clear)
    asked = [e for e in desk.of(ev.OrderQueried) if e.client_order_id == "theirs"]
    assert bool(asked) is not clear
    if not clear:
        assert order.average_price == 101


@pytest.mark.parametrize("behind", [0, 1])
def test_u21_so_it_is_where_the_account_begins_with_that_look(behind: int) -> None:
    """The venue's clock may be a second behind: its fills are dated before the look then."""
    desk = CoreDriver().price("NVDA", "100")
    desk.book.account(BROKER).balances = None
    told = tuple(
        msgspec.structs.replace(sold(desk, n, f"s{n}"), time=desk.now - behind * NS_PER_SECOND)
        for n in (10, 5)
    )
    desk.snapshot(positions={"NVDA": 85}, orders=(listed(10),), fills=told, cash=D(1_000))
    order = known(desk)
    assert (order.filled, order.status) == (15, S.UNKNOWN)
    assert "theirs" in {e.client_order_id for e in desk.of(ev.OrderQueried)}
    assert desk.held().quantity == 85


def test_rule2_an_order_that_filled_whole_meanwhile_settles_with_the_answer() -> None:
    desk = looked(listed(0), 40)
    done = listed(40, status=S.FILLED)
    desk.give(QueryAnswered("paper", "theirs", done, (sold(desk, 40, "s40"),), desk.now))
    order = desk.book.order("theirs")
    assert order is not None
    assert order.status is S.FILLED
    held = desk.book.holding(BROKER, "NVDA")
    assert held is not None
    assert held.quantity == 60, "its fill counts once"
    assert one(desk.seen, ev.OrderAdopted).terms.client_order_id == "theirs"


def taken_before(*fills: int) -> CoreDriver:
    """Its fills are told while a look is under way, after that has read the fills."""
    desk = CoreDriver().price("NVDA", "100")
    desk.fill(desk.order("NVDA", 100, "100"), None, "100")
    order = listed(0)
    for n in fills:
        told = sold(desk, n, f"s{n}")
        report = OrderReport(
            account=BROKER,
            client_order_id="theirs",
            venue_order_id="v9",
            symbol="NVDA",
            status=S.PARTIALLY_FILLED,
            fill=told,
            time=desk.now,
        )
        desk.give(report)
    held = str(100 - sum(fills))
    desk.later(1).snapshot(reason="operator", apply=True, positions={"NVDA": held}, orders=(order,))
    return desk


def known(desk: CoreDriver) -> Order:
    order = desk.book.order("theirs")
    assert order is not None
    return order


def answer(desk: CoreDriver, there: VenueOrder, *fills: int) -> None:
    """The venue is asked about the order, and tells these fills once more."""
    desk.later(1)
    desk.event(ev.OrderUnclear(account=BROKER, client_order_id="theirs", reason="test"))
    told = tuple(sold(desk, n, f"s{n}") for n in fills)
    desk.give(QueryAnswered("paper", "theirs", there, told, desk.now))


@pytest.mark.parametrize(
    ("told", "settles"),
    [((), False), ((15,), False), ((15, 25), True)],
    ids=["none", "some", "all"],
)
def test_u21_fills_that_were_taken_before_it_was_known_are_no_missing_fills(
    told: tuple[int, ...], settles: bool
) -> None:
    """What the venue counts is settled by its fills, all of which were taken, never by its word."""
    desk = taken_before(15, 25)
    assert known(desk).filled == 0
    answer(desk, listed(40, status=S.FILLED), *told)
    order = known(desk)
    assert (order.status is S.FILLED) is settles
    assert order.status in (S.FILLED, S.UNKNOWN)
    if settles:
        assert (order.filled, order.average_price) == (40, 101)
    held = desk.book.holding(BROKER, "NVDA")
    assert held is not None
    assert held.quantity == 60, "each counts once"


def test_u21_and_neither_does_it_end_twice_with_what_the_venue_cancels() -> None:
    desk = taken_before(15)
    answer(desk, listed(15, status=S.CANCELED), 15)
    assert (known(desk).status, known(desk).filled) == (S.CANCELED, 15)


def test_u21_an_order_that_goes_on_works_with_what_is_left_of_it() -> None:
    desk = taken_before(15)
    answer(desk, listed(15), 15)
    order = known(desk)
    assert (order.status, order.filled, order.leaves) == (S.PARTIALLY_FILLED, 15, 25)


def test_u21_a_fill_that_is_new_counts_once_with_those_before() -> None:
    desk = taken_before(15)
    answer(desk, listed(40, status=S.FILLED), 15, 25)
    assert (known(desk).status, known(desk).filled) == (S.FILLED, 40)
    held = desk.book.holding(BROKER, "NVDA")
    assert held is not None
    assert held.quantity == 60


def test_rule2_a_fill_that_was_not_believed_is_no_evidence() -> None:
    """One that says something else under a key that was taken: the order stays in doubt."""
    desk = taken_before(15)
    desk.later(1)
    desk.event(ev.OrderUnclear(account=BROKER, client_order_id="theirs", reason="test"))
    false = sold(desk, 40, "s15")
    desk.give(QueryAnswered("paper", "theirs", listed(40, status=S.FILLED), (false,), desk.now))
    assert known(desk).status is S.UNKNOWN
