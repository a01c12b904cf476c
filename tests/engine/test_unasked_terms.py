"""Terms of an order that change at the venue, and that nobody asked for (X-88, rules 1, 4 and 6).

However it is learned, by a report, by a look or by the answer about the order: an alarm says so
once, and an entry that may add more by it than the gate has passed is cancelled.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import VenueOrder
from engine.domain.inputs import QueryAnswered
from engine.domain.order import OrderStatus, OrderTerms, OrderType, Purpose, Side
from engine.domain.run import Severity
from engine.domain.signal import TradeType
from engine.domain.suspicion import CORPORATE_ACTION
from tests.engine.driver import CoreDriver, one
from tests.engine.wires import Rig, Wire, play
from tests.engine.worlds import ABLE, AXION, config_of

D = Decimal
S = OrderStatus


def desk_with(side: Side = Side.BUY, **fields: Any) -> tuple[CoreDriver, OrderTerms]:
    """An order for 20, at a limit of 99 or 101, that the venue works."""
    desk = CoreDriver(
        config_of(**AXION), capabilities=msgspec.structs.replace(ABLE, native_modify=True)
    )
    desk.quote("NVDA", "100")
    limited: dict[str, Any] = {
        "type": OrderType.LIMIT,
        "limit_price": D(100) - side.sign,
        "hold": TradeType.SWING,
    }
    desk.place(side, 20, **(limited | fields))
    order = desk.last(Purpose.MANUAL)
    desk.accept(order)
    desk.later(30)
    return desk, order


def by_report(desk: CoreDriver, order: OrderTerms, there: VenueOrder) -> list[ev.Event]:
    return desk.report(
        order, S.NEW, quantity=there.quantity, limit_price=there.limit_price, filled=there.filled
    )


def by_look(desk: CoreDriver, order: OrderTerms, there: VenueOrder) -> list[ev.Event]:
    return desk.later(1).snapshot(orders=(there,))


def by_answer(desk: CoreDriver, order: OrderTerms, there: VenueOrder) -> list[ev.Event]:
    desk.later(1)
    given = QueryAnswered(order.account, order.client_order_id, there, (), desk.now)
    return desk.give(given)


Way = Callable[[CoreDriver, OrderTerms, VenueOrder], list[ev.Event]]
WAYS = pytest.mark.parametrize("way", [by_report, by_look, by_answer])


def told(desk: CoreDriver) -> list[ev.Alarmed]:
    return [alarm for alarm in desk.of(ev.Alarmed) if alarm.code == "REPLACED_OTHERWISE"]


def there(desk: CoreDriver, order: OrderTerms, quantity: int, limit: str) -> VenueOrder:
    return msgspec.structs.replace(
        desk.works(order), quantity=D(quantity), limit_price=D(limit), status=S.NEW
    )


@WAYS
@pytest.mark.parametrize(
    ("side", "quantity", "limit", "ends"),
    [
        (Side.BUY, 21, "99", True),
        (Side.BUY, 2000, "99", True),
        (Side.BUY, 20, "99.01", True),
        (Side.BUY, 19, "99.01", True),
        (Side.BUY, 20, "98.99", False),
        (Side.BUY, 21, "50", False),
        (Side.BUY, 19, "99", False),
        (Side.SELL_SHORT, 21, "101", True),
        (Side.SELL_SHORT, 20, "100.99", True),
        (Side.SELL_SHORT, 20, "101.01", False),
    ],
)
def test_rule4_an_entry_that_may_add_more_than_was_passed_is_cancelled(
    way: Way, side: Side, quantity: int, limit: str, ends: bool
) -> None:
    desk, order = desk_with(side)
    stated = there(desk, order, quantity, limit)
    way(desk, order, stated)
    (alarm,) = told(desk)
    assert (alarm.severity, alarm.subject) == (Severity.CRITICAL, "NVDA")
    assert f"works for {quantity} at {limit}, which was not asked for" in alarm.text
    assert alarm.text.endswith(": it is cancelled") is ends
    if desk.current(order).status is S.UNKNOWN:
        by_answer(desk, order, stated)
    now = desk.current(order)
    assert (now.quantity, now.limit_price) == (quantity, D(limit))
    assert (now.status, bool(now.cancel_wanted)) == ((S.PENDING_CANCEL if ends else S.NEW), ends)
    assert len(told(desk)) == 1
    counted = desk.book.reservations.by_symbol["NVDA"]
    assert counted >= quantity * D(limit)


@WAYS
def test_rule6_the_alarm_comes_once_for_each_change(way: Way) -> None:
    desk, order = desk_with()
    for times, (quantity, limit) in enumerate([(18, "99"), (18, "98"), (17, "98")], start=1):
        for _ in range(3):
            stated = there(desk, order, quantity, limit)
            way(desk, order, stated)
            by_answer(desk, order, stated)
            by_look(desk, order, stated)
            desk.later(30)
            assert len(told(desk)) == times


def test_an_old_report_that_the_venue_denies_is_told_once_and_changes_nothing() -> None:
    desk, order = desk_with()
    for _ in range(3):
        by_report(desk, order, there(desk, order, 10, "99"))
        by_answer(desk, order, there(desk, order, 20, "99"))
        desk.later(30)
        now = desk.current(order)
        assert (now.status, now.quantity) == (S.NEW, 20)
    assert len(told(desk)) == 1


@WAYS
def test_x88_what_was_asked_for_is_no_news(way: Way) -> None:
    desk, order = desk_with()
    desk.quote("NVDA", "100")
    desk.give(ask.ModifyOrder(by="ann", client_order_id=order.client_order_id, quantity=D(30)))
    stated = there(desk, order, 30, "99")
    by_report(desk, order, stated)
    way(desk.later(30), order, stated)
    assert not told(desk)
    assert (desk.current(order).quantity, desk.current(order).status) == (30, S.NEW)


@WAYS
def test_x93_a_split_is_followed_and_is_no_other_change(way: Way) -> None:
    desk, order = desk_with()
    way(desk, order, there(desk, order, 200, "9.9"))
    if desk.current(order).status is S.UNKNOWN:
        by_answer(desk, order, there(desk, order, 200, "9.9"))
    assert not told(desk)
    (alarm,) = [a for a in desk.of(ev.Alarmed) if a.code == CORPORATE_ACTION.upper()]
    assert "split 10:1" in alarm.text
    assert desk.current(order).cancel_wanted


@WAYS
def test_what_somebody_else_enlarges_is_told_and_left_to_them(way: Way) -> None:
    desk = CoreDriver(config_of())
    desk.quote("NVDA", "100")
    theirs = VenueOrder(
        client_order_id="theirs",
        venue_order_id="v9",
        symbol="NVDA",
        side=Side.BUY,
        type=OrderType.LIMIT,
        quantity=D(20),
        filled=D(0),
        limit_price=D(99),
        status=S.NEW,
    )
    desk.snapshot(orders=(theirs,), apply=True)
    order = one(desk.of(ev.OrderAdopted), ev.OrderAdopted).terms
    desk.later(30)
    way(desk, order, there(desk, order, 50, "99"))
    assert len(told(desk)) == 1
    assert (desk.current(order).quantity, desk.current(order).status) == (50, S.NEW)


class Enlarging(Wire):
    """A venue that lists one order of ours for more than it was sent for."""

    enlarged = ""

    async def get_open_orders(self) -> tuple[VenueOrder, ...]:
        listed = await super().get_open_orders()
        return tuple(
            msgspec.structs.replace(o, quantity=D(1000))
            if o.client_order_id == self.enlarged
            else o
            for o in listed
        )


def test_rule4_an_entry_that_a_look_finds_enlarged_does_not_stay_quietly() -> None:
    async def scene(rig: Rig) -> None:
        key = await rig.rest()
        await rig.clock.sleep(20)
        assert isinstance(rig.wire, Enlarging)
        rig.wire.enlarged = key
        await rig.engine.command(ask.Reconcile(by="me"))
        await rig.until(lambda: rig.status(key) is S.CANCELED)
        assert not rig.engine.book.reservations.by_symbol.get("AAA")
        alarms = [a for a in rig.events(ev.Alarmed) if a.code == "REPLACED_OTHERWISE"]
        assert len(alarms) == 1

    play(scene, wire=Enlarging)
