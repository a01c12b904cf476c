"""Many ends of orders told as one input: the same facts as one by one, the plans asked once (X-52).

The core takes the reports of orders that were cancelled together in one step. The link gathers
them until the loop turns, and lets nothing overtake them.
"""

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.failure import BrokerError
from engine.domain.inputs import OrdersReported
from engine.domain.order import Fill, OrderStatus, OrderTerms, OrderType, Purpose, Side
from engine.domain.run import Level, LinkState
from engine.domain.signal import TradeType
from engine.ports import Capabilities, LinkReport, OrderReport, Report
from tests.engine.driver import CoreDriver
from tests.engine.wires import PRICE, Rig, Wire, play
from tests.engine.worlds import ABLE, BROKER

S = OrderStatus


def canceled(order: OrderTerms, *, filled: int = 0, at: int = 0) -> OrderReport:
    return OrderReport(
        account=BROKER,
        client_order_id=order.client_order_id,
        venue_order_id=f"v-{order.client_order_id}",
        symbol=order.symbol,
        status=S.CANCELED,
        filled=Decimal(filled),
        time=at,
    )


# --- the core ------------------------------------------------------------------------------------


def halted() -> tuple[CoreDriver, list[OrderTerms]]:
    """Three entries, the second filled in part, of which a halt has the cancels asked for."""
    desk = CoreDriver()
    for n, symbol in enumerate(("NVDA", "NVDA", "AAPL")):
        desk.price(symbol, "100")
        desk.order(symbol, 10, "100", limit="100", order_id=f"o{n}")
        desk.accept(desk.book.account(BROKER).orders[f"o{n}"])
    orders: list[OrderTerms] = [desk.book.account(BROKER).orders[f"o{n}"] for n in range(3)]
    desk.report(orders[1], S.PARTIALLY_FILLED, fill=desk.execution(orders[1], 4, "100"))
    desk.give(ask.Kill(by="test", level=Level.HALT, reason="because"))
    return desk, orders


def one_by_one(desk: CoreDriver, reports: Sequence[OrderReport]) -> None:
    for report in reports:
        desk.give(report)


def together(desk: CoreDriver, reports: Sequence[OrderReport]) -> None:
    desk.give(OrdersReported(tuple(reports)))


Way = Callable[[CoreDriver, Sequence[OrderReport]], None]


def facts(way: Way, filled: tuple[int, ...]) -> tuple[dict[str, OrderStatus], list[str]]:
    """What became of the orders, and every event that the reports led to, in any order."""
    desk, orders = halted()
    before = len(desk.seen)
    way(desk, [canceled(o, filled=n, at=desk.now) for o, n in zip(orders, filled, strict=True)])
    states = {order.client_order_id: desk.current(order).status for order in orders}
    return states, sorted(repr(event) for event in desk.seen[before:])


@pytest.mark.parametrize("filled", [(0, 3, 0), (0, 4, 0), (0, 5, 0), (1, 4, 0)])
def test_ends_told_together_are_the_facts_that_they_are_one_by_one(filled: tuple[int, ...]) -> None:
    """With less, as much and more filled there than here: what is missing is asked about."""
    assert facts(together, filled) == facts(one_by_one, filled)


def test_a_plan_that_waits_for_two_ends_goes_on_after_both() -> None:
    """Two orders of a symbol are changed by cancel and a new order: each has one in its place."""
    desk = CoreDriver(capabilities=msgspec.structs.replace(ABLE, native_modify=False))
    desk.quote("NVDA", "100")
    orders: list[OrderTerms] = []
    for limit in (98, 99):
        placed = ask.PlaceOrder(
            by="test",
            symbol="NVDA",
            side=Side.BUY,
            quantity=Decimal(10),
            type=OrderType.LIMIT,
            limit_price=Decimal(limit),
            hold=TradeType.SWING,
        )
        desk.give(placed)
        orders.append(desk.last(Purpose.MANUAL))
        desk.accept(orders[-1])
    for order in orders:
        change = ask.ModifyOrder(
            by="test", client_order_id=order.client_order_id, quantity=Decimal(5)
        )
        desk.give(change)
    events = desk.give(OrdersReported(tuple(canceled(order, at=desk.now) for order in orders)))
    made = [event.terms for event in events if isinstance(event, ev.OrderIntended)]
    assert [terms.orig_client_order_id for terms in made] == [o.client_order_id for o in orders]
    assert [terms.quantity for terms in made] == [5, 5]


# --- the link ------------------------------------------------------------------------------------


class Silent(Wire):
    """A wire to a venue that takes cancels together and of itself reports none of them."""

    @property
    def capabilities(self) -> Capabilities:
        return msgspec.structs.replace(super().capabilities, cancels_together=True)

    async def cancel_orders(self, client_order_ids: Sequence[str]) -> dict[str, BrokerError]:
        self._note(f"cancel {len(client_order_ids)}")
        return {}


async def stopped(rig: Rig) -> tuple[list[OrderReport], Callable[[Report], None]]:
    """Three orders, of which the venue has the cancels; their ends, and how a report is taken."""
    keys = [await rig.rest(symbol) for symbol in ("AAA", "BBB", "AAA")]
    rig.engine.halt(ask.Kill(by="test", level=Level.HALT, reason="because"))
    await rig.until(lambda: "cancel 3" in rig.wire.since(0))
    orders = [rig.engine.book.order(key) for key in keys]
    ends = [canceled(order, at=rig.clock.now()) for order in orders if order is not None]
    return ends, rig.engine._links.of(BROKER)._take


def known(rig: Rig, ends: Sequence[OrderReport]) -> list[OrderStatus]:
    return [rig.status(end.client_order_id) for end in ends]


def test_ends_of_orders_cancelled_together_are_told_when_the_loop_turns() -> None:
    async def scene(rig: Rig) -> None:
        ends, take = await stopped(rig)
        for end in ends[:2]:
            take(end)
        assert known(rig, ends) == [S.PENDING_CANCEL] * 3
        await asyncio.sleep(0)
        assert known(rig, ends) == [S.CANCELED, S.CANCELED, S.PENDING_CANCEL]
        take(ends[2])
        await asyncio.sleep(0)
        assert known(rig, ends) == [S.CANCELED] * 3

    play(scene, wire=Silent)


def filling(end: OrderReport) -> OrderReport:
    """Instead of the end, a report that comes with a fill of it."""
    fill = Fill(
        execution_id="x",
        account=BROKER,
        client_order_id=end.client_order_id,
        venue_order_id=end.venue_order_id,
        symbol=end.symbol,
        side=Side.BUY,
        quantity=Decimal(1),
        price=PRICE,
        commission=Decimal(0),
        time=end.time,
    )
    return msgspec.structs.replace(end, fill=fill, filled=Decimal(1))


@pytest.mark.parametrize(
    ("change", "last"),
    [
        ({"status": S.EXPIRED}, S.EXPIRED),
        ({"status": S.NEW}, S.PENDING_CANCEL),
        (None, S.CANCELED),
    ],
    ids=["expired", "works", "with a fill"],
)
def test_a_report_of_another_kind_waits_for_no_turn_and_overtakes_no_end(
    change: dict[str, Any] | None, last: OrderStatus
) -> None:
    async def scene(rig: Rig) -> None:
        ends, take = await stopped(rig)
        told = len(rig.records)
        take(ends[0])
        other = filling(ends[1]) if change is None else msgspec.structs.replace(ends[1], **change)
        take(other)
        assert known(rig, ends) == [S.CANCELED, last, S.PENDING_CANCEL]
        first = rig.records[told].event
        assert isinstance(first, ev.OrderCanceled)
        assert first.client_order_id == ends[0].client_order_id

    play(scene, wire=Silent)


def test_the_end_of_an_order_that_was_cancelled_alone_is_told_at_once() -> None:
    async def scene(rig: Rig) -> None:
        key = await rig.rest()
        await rig.engine.command(ask.CancelOrder(by="test", client_order_id=key))
        order = rig.engine.book.order(key)
        assert order is not None
        rig.engine._links.of(BROKER)._take(canceled(order, at=rig.clock.now()))
        assert rig.status(key) is S.CANCELED

    play(scene, wire=Silent)


def test_ends_that_came_before_a_break_are_told_before_it() -> None:
    async def scene(rig: Rig) -> None:
        ends, take = await stopped(rig)
        told = len(rig.records)
        take(ends[0])
        take(LinkReport(account=BROKER, state=LinkState.DISCONNECTED, time=rig.clock.now()))
        kinds = [type(record.event) for record in rig.records[told:]]
        assert kinds.index(ev.OrderCanceled) < kinds.index(ev.LinkChanged)

    play(scene, wire=Silent)
