"""An order that is taken over and fills while the venue is looked at (rule 2, U-21)."""

from decimal import Decimal
from typing import Any

import pytest

from engine.domain import events as ev
from engine.domain.account import VenueOrder
from engine.domain.inputs import QueryAnswered
from engine.domain.order import Fill, OrderStatus, OrderType, Side
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


def test_rule2_an_order_that_filled_whole_meanwhile_settles_with_the_answer() -> None:
    desk = looked(listed(0), 40)
    done = listed(40, status=S.FILLED)
    desk.give(QueryAnswered("theirs", done, (sold(desk, 40, "s40"),), desk.now))
    order = desk.book.order("theirs")
    assert order is not None
    assert order.status is S.FILLED
    held = desk.book.holding(BROKER, "NVDA")
    assert held is not None
    assert held.quantity == 60, "its fill counts once"
    assert one(desk.seen, ev.OrderAdopted).terms.client_order_id == "theirs"
