"""Reports that carry the terms of the order, as many venues send them each time (FIX 38, U-20)."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import ModifyFailed
from engine.domain.order import OrderStatus, OrderTerms, OrderType, Purpose, Side
from engine.domain.report import Report
from engine.domain.signal import TradeType
from engine.ports import Ambiguous, OrderReport
from engine.state.cover import covered
from tests.engine.driver import CoreDriver, kinds
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
