"""Reports that carry the terms of the order, as many venues send them each time (FIX 38, U-20)."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import ModifyFailed
from engine.domain.order import (
    OrderStatus,
    OrderTerms,
    OrderType,
    Purpose,
    Side,
    TimeInForce,
)
from engine.domain.report import Report
from engine.domain.signal import TradeType
from engine.ports import Ambiguous, OrderReport
from engine.state.cover import covered
from tests.engine.driver import CoreDriver, kinds, one
from tests.engine.wires import Rig, Wire, play
from tests.engine.worlds import ABLE, AXION, BROKER, config_of

D = Decimal
S = OrderStatus


def sent(quantity: int = 20) -> tuple[CoreDriver, OrderTerms]:
    """An order that was sent, and of which nothing was heard."""
    desk = CoreDriver(config_of(**AXION), capabilities=msgspec.structs.replace(ABLE))
    desk.quote("NVDA", "100")
    desk.place(Side.BUY, quantity, type=OrderType.LIMIT, limit_price=D(99), hold=TradeType.SWING)
    return desk, desk.last(Purpose.MANUAL)


def says(desk: CoreDriver, order: OrderTerms, quantity: int, **fields: Any) -> list[ev.Event]:
    return desk.report(order, S.NEW, quantity=D(quantity), limit_price=D(99), **fields)


def test_an_acknowledgement_that_carries_the_terms_is_one() -> None:
    desk, order = sent()
    events = says(desk, order, 20)
    assert kinds(events) == ["OrderAccepted"]
    now = desk.current(order)
    assert (now.status, bool(now.accepted_at)) == (S.NEW, True)
    assert not says(desk, order, 20)


def test_one_of_an_order_in_doubt_ends_the_doubt() -> None:
    desk, order = sent()
    desk.event(ev.OrderUnclear(account=BROKER, client_order_id=order.client_order_id, reason="x"))
    assert kinds(says(desk, order, 20)) == ["OrderAccepted"]
    assert desk.current(order).status is S.NEW


@pytest.mark.parametrize(("quantity", "ends"), [(21, True), (19, False)])
def test_one_with_other_terms_is_an_acknowledgement_all_the_same(quantity: int, ends: bool) -> None:
    desk, order = sent()
    events = says(desk, order, quantity)
    assert kinds(events)[0] == "OrderAccepted"
    assert "REPLACED_OTHERWISE" in {e.code for e in events if isinstance(e, ev.Alarmed)}
    now = desk.current(order)
    assert now.accepted_at
    assert now.status is (S.PENDING_CANCEL if ends else S.UNKNOWN)


def test_rule1_the_terms_of_before_end_no_doubt_about_a_change() -> None:
    desk, order = sent()
    says(desk, order, 20)
    desk.give(ask.ModifyOrder(by="ann", client_order_id=order.client_order_id, quantity=D(30)))
    desk.give(ModifyFailed(BROKER, order.client_order_id, Ambiguous("no answer")))
    assert not says(desk, order, 20)
    assert desk.current(order).status is S.UNKNOWN


class Telling(Wire):
    """A venue that tells the terms of an order in every report."""

    def _put(self, report: Report) -> None:
        if isinstance(report, OrderReport) and report.quantity is None:
            there = self._venue.orders[report.client_order_id]
            report = msgspec.structs.replace(
                report,
                quantity=there.quantity,
                limit_price=there.limit_price,
                stop_price=there.stop_price,
            )
        super()._put(report)


def test_rule3_a_stop_there_protects_as_soon_as_it_is_acknowledged() -> None:
    async def scene(rig: Rig) -> None:
        rig.signal()
        await rig.until(lambda: rig.engine.book.holding("paper", "AAA") is not None)
        await rig.clock.sleep(1)
        held = rig.engine.book.holding("paper", "AAA")
        assert held is not None
        assert covered(rig.engine.book, held) == held.quantity
        await rig.clock.sleep(10)
        assert not rig.events(ev.OrderQueried)

    play(scene, wire=Telling)


# --- the time in force of a market order ----------------------------------------------------------


def by_report(desk: CoreDriver, order: OrderTerms, said: TimeInForce) -> list[ev.Event]:
    return desk.report(order, S.NEW, quantity=order.quantity, time_in_force=said)


def by_look(desk: CoreDriver, order: OrderTerms, said: TimeInForce) -> list[ev.Event]:
    stated = desk.works(order, time_in_force=said)
    return [e for _ in range(2) for e in desk.later(10).snapshot(orders=(stated,))]


def by_answer(desk: CoreDriver, order: OrderTerms, said: TimeInForce) -> list[ev.Event]:
    desk.later(10)
    return desk.answers(order, time_in_force=said)


WAYS = pytest.mark.parametrize("way", [by_report, by_look, by_answer])
Way = Callable[[CoreDriver, OrderTerms, TimeInForce], list[ev.Event]]


@WAYS
@pytest.mark.parametrize("said", [TimeInForce.IOC, TimeInForce.FOK, TimeInForce.GTC])
def test_X88_a_market_order_has_no_time_that_a_venue_could_change(
    way: Way, said: TimeInForce
) -> None:
    """Venues that take a market order tell it as IOC or FOK, whatever was asked for."""
    desk = CoreDriver(config_of(**AXION), capabilities=msgspec.structs.replace(ABLE))
    desk.quote("NVDA", "100")
    desk.place(Side.BUY, 20, hold=TradeType.SWING)
    order = desk.last(Purpose.MANUAL)
    assert (order.type, order.time_in_force) == (OrderType.MARKET, TimeInForce.DAY)
    desk.accept(order)
    events = way(desk, order, said)
    assert not {ev.Alarmed, ev.OrderReplaced, ev.OrderUnclear} & {type(e) for e in events}
    now = desk.current(order)
    assert (now.status, now.time_in_force) == (S.NEW, TimeInForce.DAY)


@WAYS
def test_X88_a_limit_order_that_is_told_with_another_time_was_changed(way: Way) -> None:
    desk, order = sent()
    desk.accept(order)
    if way is by_report:
        events = says(desk, order, 20, time_in_force=TimeInForce.GTC)
    else:
        events = way(desk, order, TimeInForce.GTC)
    assert one(events, ev.OrderReplaced).time_in_force is TimeInForce.GTC
    assert "REPLACED_OTHERWISE" in {e.code for e in events if isinstance(e, ev.Alarmed)}


def test_X88_more_of_a_market_order_is_told_once_whatever_its_time_is_said_to_be() -> None:
    desk = CoreDriver(config_of(**AXION), capabilities=msgspec.structs.replace(ABLE))
    desk.quote("NVDA", "100")
    desk.place(Side.BUY, 20, hold=TradeType.SWING)
    order = desk.last(Purpose.MANUAL)
    desk.accept(order)
    for said in (TimeInForce.IOC, TimeInForce.DAY, TimeInForce.IOC):
        desk.report(order, S.NEW, quantity=D(19), time_in_force=said)
    codes = [alarm.code for alarm in desk.of(ev.Alarmed)]
    assert codes.count("REPLACED_OTHERWISE") == 1
