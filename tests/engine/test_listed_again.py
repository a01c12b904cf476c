"""What one list does not show, and the next one does, is held, whatever else is in flight (rule 3).

While an order of a symbol is in doubt its holding is not compared. A list that shows less is
believed after 5 s, or at once by a kill, and the stop makes way; one that shows it again ends that.
"""

from decimal import Decimal

import msgspec
import pytest

from engine.domain import events as ev
from engine.domain.inputs import SnapshotTaken
from engine.domain.order import OrderStatus, OrderTerms, OrderType, Purpose, Side
from engine.exits.reducible import there
from tests.engine.driver import NO_REDUCE_ONLY, CoreDriver, one, protected
from tests.engine.worlds import BROKER


def in_doubt() -> tuple[CoreDriver, OrderTerms]:
    """150 are held under a stop, and nobody knows what became of an order to sell 40 of them."""
    desk = protected(150, capabilities=NO_REDUCE_ONLY)
    stop = desk.last(Purpose.PROTECT)
    desk.later(60)
    desk.place(Side.SELL, 40, type=OrderType.LIMIT, limit_price=Decimal(101))
    desk.report(stop, OrderStatus.NEW, quantity=Decimal(110), stop_price=stop.stop_price)
    order = desk.last(Purpose.MANUAL)
    assert desk.current(order).status is OrderStatus.CREATED
    return desk, stop


def look(desk: CoreDriver, stop: OrderTerms, held: int, **fields: object) -> list[ev.Event]:
    desk.later(1)
    positions: dict[str, int | str] = {"NVDA": held} if held else {}
    view = desk.view(positions=positions, orders=(desk.works(stop),))
    return desk.give(SnapshotTaken(msgspec.structs.replace(view, **fields), "scheduled"))


def is_left_alone(desk: CoreDriver, stop: OrderTerms) -> bool:
    order = desk.current(stop)
    return order.status is OrderStatus.NEW and order.quantity == 110


@pytest.mark.parametrize("shown", [0, 100, -150])
def test_rule3_a_holding_that_is_listed_again_is_there(shown: int) -> None:
    desk, stop = in_doubt()
    look(desk, stop, shown)
    for _ in range(10):
        look(desk, stop, 150)
        assert there(desk.world, desk.held()) == 150
        assert is_left_alone(desk, stop)


def test_rule3_one_that_no_list_shows_is_not_after_5_s() -> None:
    desk, stop = in_doubt()
    for _ in range(7):
        look(desk, stop, 0)
    assert there(desk.world, desk.held()) == 0


def test_fault46_a_holding_whose_number_is_none_is_not_said_to_be_gone() -> None:
    """A look of a kill goes on without it, and says nothing of what is held (X-52)."""
    desk, stop = in_doubt()
    for _ in range(10):
        events = look(desk, stop, 0, unreadable={"NVDA": "its quantity is NaN"})
        assert not one(events, ev.Reconciled).doubted
        assert there(desk.world, desk.held()) == 150
        assert is_left_alone(desk, stop)
    assert not desk.book.account(BROKER).missing
