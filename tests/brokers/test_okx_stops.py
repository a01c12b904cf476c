"""Stops at OKX: orders of another kind, that become ordinary ones of which we know nothing else.

They rest at the venue under our id, and whatever becomes of them is told under it: after a restart
too, when nothing of that is remembered here.
"""

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from engine.domain.ids import unnamed_order_id
from engine.domain.order import OrderStatus, OrderType, Side
from engine.ports import Ambiguous, OrderReport, Rejected
from tests.brokers.conformance import Lab
from tests.venues.okx import OkxServer
from tests.venues.okx_lab import SYMBOL, lab_of

D = Decimal
S = OrderStatus


@pytest.fixture
async def server() -> AsyncIterator[OkxServer]:
    async with OkxServer() as served:
        yield served


@pytest.fixture
async def lab(server: OkxServer) -> AsyncIterator[Lab]:
    async with lab_of(server) as made:
        await made.start()
        yield made


@pytest.fixture
async def later(server: OkxServer) -> AsyncIterator[Lab]:
    """The account as another process opens it."""
    async with lab_of(server) as made:
        yield made


async def bought(lab: Lab) -> None:
    await lab.submit("a", "BUY", "10")
    await lab.until("a", S.FILLED)


async def test_a_stop_is_sent_as_a_stop_loss_that_trades_at_the_market(
    server: OkxServer, lab: Lab
) -> None:
    """Its direction follows from its side, never from where the price happens to be."""
    await bought(lab)
    await lab.submit("s", "SELL", "10", stop="95", reduce_only=True)
    await lab.submit("b", "BUY", "1", stop="105")
    await lab.submit("l", "SELL", "1", stop="94", limit="93")
    sent = [body for name, body, _ in server.bodies if name == "order-algo"]
    assert sent[0] == {
        "instId": SYMBOL, "tdMode": "cash", "side": "sell", "sz": "10", "algoClOrdId": "s",
        "ordType": "conditional", "slTriggerPx": "95", "slTriggerPxType": "last",
        "slOrdPx": "-1",
    }  # fmt: skip
    assert (sent[1]["side"], sent[1]["slTriggerPx"], sent[1]["tgtCcy"]) == (
        "buy",
        "105",
        "base_ccy",
    )
    assert (sent[2]["slTriggerPx"], sent[2]["slOrdPx"]) == ("94", "93")
    assert server.count("order-algo") == 3
    known = {order.client_order_id: order for order in await lab.broker.get_open_orders()}
    assert (known["s"].type, known["s"].stop_price) == (OrderType.STOP, D(95))
    assert (known["b"].side, known["b"].quantity) == (Side.BUY, D(1))
    assert (known["l"].type, known["l"].limit_price) == (OrderType.STOP_LIMIT, D(93))


async def test_a_stop_that_the_price_has_passed_is_refused_and_does_not_wait_for_it(
    lab: Lab,
) -> None:
    await bought(lab)
    await lab.price("94")
    with pytest.raises(Rejected) as refused:
        await lab.submit("s", "SELL", "10", stop="95")
    assert refused.value.code == "51280"


async def test_what_a_stop_has_become_is_told_under_our_id_from_its_beginning_to_its_end(
    server: OkxServer, lab: Lab
) -> None:
    await bought(lab)
    await lab.submit("s", "SELL", "10", stop="95")
    rests = await lab.until("s", S.NEW)
    assert (rests.stop_price, rests.quantity) == (D(95), D(10))
    server.exchange.slices = 2
    await lab.price("94")
    report = await lab.until("s", S.FILLED)
    assert report.fill is not None
    assert (report.filled, report.fill.side) == (D(10), Side.SELL)
    ids = {
        r.venue_order_id
        for r in lab.seen
        if isinstance(r, OrderReport) and r.client_order_id == "s"
    }
    assert ids == {rests.venue_order_id}
    told = [r.fill for r in lab.seen if isinstance(r, OrderReport) and r.fill is not None]
    assert list(await lab.broker.get_fills_since(0)) == told
    assert {fill.client_order_id for fill in told} == {"a", "s"}
    known = await lab.broker.get_order("s")
    assert known is not None
    assert (known.status, known.filled, known.average_price) == (S.FILLED, D(10), D(94))
    assert (known.venue_order_id, known.stop_price) == (rests.venue_order_id, D(95))
    assert await lab.broker.get_open_orders() == ()


async def test_what_a_stop_has_become_is_told_alike_after_a_restart(
    server: OkxServer, lab: Lab, later: Lab
) -> None:
    await bought(lab)
    await lab.submit("s", "SELL", "10", stop="95")
    await lab.price("94")
    await lab.until("s", S.FILLED)
    expected = await lab.broker.get_fills_since(0)
    await lab.broker.disconnect()
    await later.broker.connect()
    asked = server.count("get-order")
    assert await later.broker.get_fills_since(0) == expected
    assert await later.broker.get_fills_since(0) == expected
    assert server.count("get-order") == asked + 1
    known = await later.broker.get_order("s")
    assert known is not None
    assert (known.status, known.filled) == (S.FILLED, D(10))
    known = await later.broker.get_order("a")
    assert known is not None
    assert known.status is S.FILLED
    assert await later.broker.get_order("nobody") is None


async def test_orders_and_stops_of_an_earlier_process_are_cancelled_by_their_ids(
    lab: Lab, later: Lab
) -> None:
    await bought(lab)
    await lab.submit("s", "SELL", "5", stop="95")
    await lab.submit("l", "SELL", "5", limit="120")
    await lab.broker.disconnect()
    await later.broker.connect()
    await later.broker.cancel_order("s")
    await later.until("s", S.CANCELED)
    await later.broker.cancel_order("l")
    await later.until("l", S.CANCELED)
    with pytest.raises(Rejected):
        await later.broker.cancel_order("nobody")
    assert await later.broker.get_open_orders() == ()


async def test_a_stop_whose_answer_was_lost_is_found_and_cancelled_by_its_id(
    server: OkxServer, lab: Lab
) -> None:
    await bought(lab)
    server.fault("order-algo", "drop_after")
    server.mute = True
    with pytest.raises(Ambiguous):
        await lab.submit("s", "SELL", "10", stop="95")
    assert server.count("order-algo") == 1
    server.mute = False
    known = await lab.broker.get_order("s")
    assert known is not None
    assert (known.status, known.stop_price) == (S.NEW, D(95))
    await lab.broker.cancel_order("s")
    report = await lab.until("s", S.CANCELED)
    assert report.filled == 0


async def test_a_stop_with_a_limit_that_has_triggered_rests_and_can_be_cancelled(
    server: OkxServer, lab: Lab, later: Lab
) -> None:
    await bought(lab)
    await lab.submit("s", "SELL", "10", stop="95", limit="94.5")
    await lab.until("s", S.NEW)
    await lab.price("94")
    await lab.until("s", S.NEW)
    (resting,) = await lab.broker.get_open_orders()
    assert (resting.client_order_id, resting.limit_price) == ("s", D("94.5"))
    known = await lab.broker.get_order("s")
    assert known is not None
    assert (known.status, known.venue_order_id) == (S.NEW, resting.venue_order_id)
    await lab.broker.disconnect()
    await later.broker.connect()
    await later.broker.cancel_order("s")
    report = await later.until("s", S.CANCELED)
    assert (report.venue_order_id, report.filled) == (resting.venue_order_id, D(0))


async def test_the_two_streams_may_tell_of_a_stop_in_either_order(
    server: OkxServer, lab: Lab
) -> None:
    """An event of before the trigger that comes late does not hide what the stop has become."""
    await bought(lab)
    await lab.submit("s", "SELL", "10", stop="95", limit="94.5")
    rests = await lab.until("s", S.NEW)
    await lab.price("94")
    await lab.until("s", S.NEW)
    late = {
        "instId": SYMBOL, "algoId": rests.venue_order_id, "algoClOrdId": "s", "side": "sell",
        "sz": "10", "ordType": "conditional", "slTriggerPx": "95", "slOrdPx": "94.5",
        "state": "live", "ordIdList": [], "ordId": "",
    }  # fmt: skip
    server.push("orders-algo", late)
    await lab.until("s", S.NEW)
    await lab.broker.cancel_order("s")
    await lab.until("s", S.CANCELED)
    assert (server.count("cancel"), server.count("cancel-algos")) == (1, 0)


async def test_a_stop_is_moved_at_the_venue(server: OkxServer, lab: Lab) -> None:
    await bought(lab)
    await lab.submit("s", "SELL", "10", stop="95")
    await lab.until("s", S.NEW)
    await lab.broker.modify_order("s", D(4), stop_price=D(96))
    report = await lab.until("s", S.NEW)
    assert (report.quantity, report.stop_price) == (D(4), D(96))
    assert (server.count("amend-algos"), server.count("order-algo")) == (1, 1)


async def test_a_stop_that_the_venue_gives_up_is_rejected_with_its_reason(
    server: OkxServer, lab: Lab
) -> None:
    row = {
        "instId": SYMBOL, "algoId": "9", "algoClOrdId": "s", "side": "sell", "sz": "10",
        "ordType": "conditional", "slTriggerPx": "95", "slOrdPx": "-1",
        "state": "order_failed", "failCode": "51008",
    }  # fmt: skip
    server.push("orders-algo", row)
    assert (await lab.until("s", S.REJECTED)).code == "51008"


async def test_an_order_by_hand_is_told_and_cancelled_by_what_the_venue_calls_it(
    server: OkxServer, lab: Lab, later: Lab
) -> None:
    await lab.broker.disconnect()
    order = server.place_by_hand(SYMBOL, 1, "1", "90")
    await later.broker.connect()
    key = unnamed_order_id("okx", order.id)
    await later.broker.cancel_order(key)
    report = await later.until("", S.CANCELED)
    assert report.venue_order_id == order.id
    with pytest.raises(Rejected):
        await later.broker.cancel_order(unnamed_order_id("okx", "1"))
