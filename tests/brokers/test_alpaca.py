"""The account at Alpaca over real sockets, against a local Alpaca with its faults (C-291).

The cases are those of research/alpaca-binance.md §5.
"""

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from brokers import PriceSource, VenueSetup, open_venue
from brokers.alpaca import sdk
from brokers.alpaca.adapter import ORDERS_A_PAGE, AlpacaBroker
from brokers.alpaca.client import THREADS
from brokers.alpaca.sdk import Session
from brokers.alpaca.settings import AlpacaConfig
from brokers.alpaca.setup import AlpacaConnection
from brokers.alpaca.symbols import to_venue
from engine.domain.account import MovementKind
from engine.domain.ids import unnamed_order_id
from engine.domain.instant import parse_rfc3339
from engine.domain.market import Bar, MarketEvent, Quote
from engine.domain.order import OrderStatus, Side
from engine.domain.run import LinkState
from engine.plans.reducing import stop_order
from engine.ports import (
    Ambiguous,
    AuthFailed,
    Clock,
    LinkReport,
    MarketClosed,
    NotSent,
    OrderReport,
    Rejected,
    StreamRefused,
    Throttled,
)
from engine.runtime.clock import ScaledClock, SystemClock
from tests.brokers.conformance import BrokerConformance, Lab
from tests.engine.driver import CoreDriver
from tests.venues.alpaca import ACCOUNT, KEY, OPTION, SECRET, AlpacaServer

D = Decimal


class Held:
    """A secret."""

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value


def opened(
    server: AlpacaServer,
    *,
    key: str = KEY,
    symbols: tuple[str, ...] = ("AAPL",),
    prices: PriceSource = PriceSource.BY_HAND,
    clock: Clock | None = None,
    **settings: Any,
) -> AlpacaConnection:
    """An account at the local server, not connected yet."""
    secrets = {"ALPACA_API_KEY": key, "ALPACA_SECRET_KEY": SECRET}
    plan = VenueSetup(
        name="alpaca",
        settings=AlpacaConfig(
            trading_url=server.url,
            trading_stream_url=f"{server.ws_url}/stream",
            data_url=server.url,
            data_stream_url=server.ws_url,
            **settings,
        ),
        market=SimpleNamespace(symbols=symbols),
        account_id="",
        clock=clock or SystemClock(),
        state_dir=None,
        prices=prices,
        secret=lambda name: Held(secrets[name]),
    )
    connection = open_venue(plan)
    assert isinstance(connection, AlpacaConnection)
    return connection


@pytest.fixture
async def server() -> AsyncIterator[AlpacaServer]:
    async with AlpacaServer() as served:
        yield served


@pytest.fixture
async def broker(server: AlpacaServer) -> AsyncIterator[AlpacaBroker]:
    broker = opened(server).broker
    yield broker
    await broker.disconnect()


@pytest.fixture
async def lab(server: AlpacaServer, broker: AlpacaBroker) -> Lab:
    async def set_price(symbol: str, price: Decimal) -> None:
        server.exchange.set_price(to_venue(symbol), price)

    return Lab(broker, set_price)


class TestAlpacaConformance(BrokerConformance):
    """Everything that every adapter must do."""


# --- an order and its answer (C-402, E-09) --------------------------------------------------------

LOST: Any = [
    ("drop_before", {}), ("drop_after", {}), ("truncate", {}),
    ("status_before", {"status": 504}), ("status_after", {"status": 504}),
    ("status_after", {"status": 502}), ("status_after", {"status": 500}),
    ("status_before", {"status": 200, "body": "<html>maintenance</html>"}),
]  # fmt: skip
"""Ways in which the answer to a request is lost: nobody knows whether it was carried out."""


@pytest.mark.parametrize(("play", "more"), LOST)
async def test_C402_an_order_is_sent_once_whatever_becomes_of_its_answer(
    server: AlpacaServer, lab: Lab, play: Any, more: dict[str, Any]
) -> None:
    """alpaca-py sends it again on 504, up to three times; a connection that broke is tempting."""
    await lab.start()
    server.fault("submit", play, **more)
    with pytest.raises(Ambiguous):
        await lab.submit("a", limit="95")
    assert server.count("submit") == 1
    taken = "after" in play or play == "truncate"
    found = await lab.broker.get_order("a")
    assert (found is not None) is taken
    assert len(server.exchange.orders) == int(taken)


@pytest.mark.parametrize("body", ["{}", '{"id": null}', '{"message": "ok"}'])
async def test_an_answer_that_names_no_order_is_ambiguous(
    server: AlpacaServer, lab: Lab, body: str
) -> None:
    await lab.start()
    server.fault("submit", "status_before", status=200, body=body)
    with pytest.raises(Ambiguous, match="names no order"):
        await lab.submit("a", limit="95")
    assert server.count("submit") == 1
    assert await lab.broker.get_order("a") is None


@pytest.mark.parametrize(("play", "more"), LOST)
async def test_C402_a_cancel_and_a_question_are_sent_once_too(
    server: AlpacaServer, lab: Lab, play: Any, more: dict[str, Any]
) -> None:
    await lab.start()
    await lab.submit("a", limit="95")
    ops: list[tuple[str, Any]] = [
        ("by_client_id", lambda: lab.broker.get_order("a")),
        ("orders", lab.broker.get_open_orders),
        ("fills", lambda: lab.broker.get_fills_since(0)),
        ("cancel_all", lab.broker.cancel_all),
    ]
    for op, ask in ops:
        server.fault(op, play, **more)
        before = server.count(op)
        with pytest.raises(Ambiguous):
            await ask()
        assert server.count(op) == before + 1


async def test_T07_an_order_whose_answer_was_lost_is_found_by_its_id_and_never_made_twice(
    server: AlpacaServer, lab: Lab
) -> None:
    await lab.start()
    server.fault("submit", "status_after", status=504)
    with pytest.raises(Ambiguous):
        await lab.submit("a")
    found = await lab.broker.get_order("a")
    assert found is not None
    assert found.status is OrderStatus.FILLED
    with pytest.raises(Rejected) as refused:
        await lab.submit("a")
    assert refused.value.code == "DUPLICATE_ID"
    assert len(await lab.broker.get_fills_since(0)) == 1


async def test_an_order_that_was_lost_on_its_way_is_not_there_and_its_id_is_free(
    server: AlpacaServer, lab: Lab
) -> None:
    await lab.start()
    server.fault("submit", "drop_before")
    with pytest.raises(Ambiguous):
        await lab.submit("a")
    assert await lab.broker.get_order("a") is None
    await lab.submit("a")
    await lab.until("a", OrderStatus.FILLED)
    assert len(server.exchange.orders) == 1


async def test_an_order_that_is_carried_out_after_we_gave_up_is_ambiguous_and_told(
    server: AlpacaServer, lab: Lab
) -> None:
    """The gateway holds it: nobody may conclude from the time-out that there is no order."""
    await lab.start()
    server.fault("submit", "delay", seconds=3.7)
    with pytest.raises(Ambiguous, match="no answer to POST /v2/orders in time"):
        await lab.submit("a")
    assert await lab.broker.get_order("a") is None
    await lab.until("a", OrderStatus.FILLED)
    assert server.count("submit") == 1


async def test_a_cancelled_task_does_not_take_back_an_order_that_has_left(
    server: AlpacaServer, lab: Lab
) -> None:
    await lab.start()
    server.fault("submit", "delay", seconds=0.2)
    task = asyncio.create_task(lab.submit("a"))
    while not server.count("submit"):
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await lab.until("a", OrderStatus.FILLED)
    assert server.count("submit") == 1


async def test_an_order_whose_turn_has_not_come_is_taken_back_and_was_not_sent(
    server: AlpacaServer, lab: Lab
) -> None:
    """All threads wait for a venue that says nothing; what has to wait for them may be undone."""
    await lab.start()
    await lab.broker.instrument("AAPL")
    server.fault("clock", "silent", times=THREADS)
    asked = [asyncio.create_task(lab.broker.server_time()) for _ in range(THREADS)]
    while server.count("clock") < THREADS:
        await asyncio.sleep(0.01)
    late = asyncio.create_task(lab.submit("late"))
    await asyncio.sleep(0)
    # What reduces risk does not wait for them.
    await lab.submit("urgent", "BUY", "1", reduce_only=True)
    await lab.broker.disconnect()
    with pytest.raises(NotSent):
        await late
    assert [body["client_order_id"] for body in server.bodies] == ["urgent"]
    await server.stop()
    for answer in await asyncio.gather(*asked, return_exceptions=True):
        assert isinstance(answer, Ambiguous)


def test_a_request_whose_time_has_passed_does_not_leave_any_more() -> None:
    """Neither before it has a connection nor once it has one."""
    session = Session("http://127.0.0.1:9", KEY, SECRET)
    with pytest.raises(NotSent, match="too late"):
        session.ask("POST", "/orders", {}, until=time.monotonic() - 1)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        session = Session(f"http://127.0.0.1:{port}", KEY, SECRET)
        sdk._call.deadline = time.monotonic() - 1
        with pytest.raises(NotSent, match="no connection"):
            session.post("/orders", {})
        peer, _ = listening.accept()
        with peer:
            assert peer.recv(1) == b""


async def test_many_orders_at_once_are_each_sent_once(server: AlpacaServer, lab: Lab) -> None:
    await lab.start()
    await asyncio.gather(*(lab.submit(f"o{n}", "BUY", "1", limit="95") for n in range(60)))
    assert len(await lab.broker.get_open_orders()) == server.count("submit") == 60
    assert server.count("asset") == 1
    await lab.broker.cancel_all()
    assert await lab.broker.get_open_orders() == ()


def test_a_connection_that_is_refused_sends_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    session = Session(f"http://127.0.0.1:{port}", KEY, SECRET)
    with pytest.raises(NotSent, match="no connection"):
        session.ask("POST", "/orders", {}, until=time.monotonic() + 5)


def test_an_sdk_without_what_is_leaned_on_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("alpaca.common.rest.RESTClient._one_request")
    with pytest.raises(NotSent, match="_one_request"):
        Session("http://127.0.0.1:9", KEY, SECRET)


def test_an_sdk_that_sends_again_by_itself_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried at each start, with a request that never leaves."""

    def again(client: Any, path: str, data: Any = None) -> Any:
        with contextlib.suppress(Ambiguous):
            return client._request("POST", path, data)
        return client._request("POST", path, data)

    monkeypatch.setattr("alpaca.common.rest.RESTClient.post", again)
    with pytest.raises(NotSent, match="where one POST is meant"):
        Session("http://127.0.0.1:9", KEY, SECRET)


# --- refusals (C-403) -----------------------------------------------------------------------------


def answers(server: AlpacaServer, op: str, status: int, code: int | None, message: str) -> None:
    """The next request of that name is refused like this."""
    body: dict[str, Any] = {"message": message}
    if code is not None:
        body["code"] = code
    server.fault(op, "status_before", status=status, body=json.dumps(body))


@pytest.mark.parametrize(
    ("refused", "kind", "told"),
    [
        ((422, 40010001, "client_order_id must be unique"), Rejected, "DUPLICATE_ID"),
        ((422, 40010001, "qty is required"), Rejected, "40010001"),
        ((403, 40310000, "insufficient buying power"), Rejected, "40310000"),
        ((403, 40310000, "potential wash trade detected"), Rejected, "40310000"),
        ((403, 40310000, "insufficient qty available for order"), Rejected, "40310000"),
        ((403, 40310000, "account is not allowed to short"), Rejected, "40310000"),
        ((422, 42210000, "options market orders are only allowed during market hours"),
         MarketClosed, ""),
        ((403, 40310000, "forbidden."), AuthFailed, ""),
        ((403, None, "forbidden."), AuthFailed, ""),
        ((401, 40110000, "request is not authorized"), AuthFailed, ""),
        ((404, 40410000, "asset not found"), Rejected, "40410000"),
    ],
)  # fmt: skip
async def test_C403_what_a_refusal_of_an_order_means(
    server: AlpacaServer, lab: Lab, refused: tuple[int, int | None, str], kind: Any, told: str
) -> None:
    await lab.start()
    answers(server, "submit", *refused)
    with pytest.raises(kind) as error:
        await lab.submit("a")
    if told:
        assert error.value.code == told
        assert refused[-1] in error.value.text
    assert server.count("submit") == 1


@pytest.mark.parametrize(
    ("headers", "wait"),
    [({"Retry-After": "7"}, 7.0), ({}, 1.0), ({"X-RateLimit-Reset": "30"}, 30.0)],
)
async def test_C200_a_venue_that_asks_to_wait_is_left_alone_so_long(
    server: AlpacaServer, lab: Lab, headers: dict[str, str], wait: float
) -> None:
    """alpaca-py would ask again three times, whatever the headers say."""
    await lab.start()
    await lab.broker.instrument("AAPL")
    if "X-RateLimit-Reset" in headers:
        headers = {"X-RateLimit-Reset": str(int(time.time()) + 30)}
    server.fault("submit", "status_before", status=429, headers=headers)
    for _ in range(2):
        with pytest.raises(Throttled) as error:
            await lab.submit("a")
        assert wait - 1.5 < error.value.retry_after <= wait
    assert server.count("submit") == 1


async def test_C200_what_the_venue_says_is_left_is_believed_and_a_part_is_kept_for_exits(
    server: AlpacaServer, lab: Lab
) -> None:
    await lab.start()
    await lab.submit("a", limit="95")
    server.limit_left = 3
    await lab.broker.get_account()
    with pytest.raises(Throttled):
        await lab.submit("b", limit="95")
    await lab.broker.cancel_order("a")
    assert server.count("submit") == 1


async def test_C200_a_look_begins_only_where_there_is_room_for_all_of_it(
    server: AlpacaServer, lab: Lab
) -> None:
    """And however often the account is looked at, what is asked about an order has its room."""
    await lab.start()
    await lab.submit("a")
    await lab.until("a", OrderStatus.FILLED)
    server.limit_left = 25
    assert await lab.broker.get_order("a")
    await lab.broker.get_open_orders()
    assert len(await lab.broker.get_positions()) == 1
    await lab.broker.get_account()
    await lab.broker.get_cash_movements_since(0)
    with pytest.raises(Throttled):
        await lab.broker.get_open_orders()
    assert await lab.broker.get_order("a")
    assert len(await lab.broker.get_fills_since(0)) == 1
    await lab.submit("out", "SELL", "10", reduce_only=True)
    await lab.until("out", OrderStatus.FILLED)
    assert server.count("orders") == 1


async def test_an_unknown_order_is_only_unknown_where_the_venue_itself_says_so(
    server: AlpacaServer, lab: Lab
) -> None:
    """A page of a gateway with 404 is no answer about an order."""
    await lab.start()
    server.fault("by_client_id", "status_before", status=404)
    with pytest.raises(Rejected) as error:
        await lab.broker.get_order("a")
    assert error.value.code == "HTTP_404"


async def test_a_cancel_whose_order_could_not_be_asked_for_was_not_sent(
    server: AlpacaServer, lab: Lab
) -> None:
    """After a restart Alpaca's id of an order is not known."""
    await lab.start()
    await lab.submit("a", limit="95")
    other = opened(server).broker
    await other.connect()
    server.fault("by_client_id", "drop_after")
    with pytest.raises(NotSent):
        await other.cancel_order("a")
    assert server.count("cancel") == 0
    await other.cancel_order("a")
    assert server.count("cancel") == 1
    await other.disconnect()


async def test_cancel_all_says_when_an_order_was_not_cancelled(
    server: AlpacaServer, lab: Lab
) -> None:
    await lab.start()
    await lab.submit("a", limit="95")
    server.race = "reject"
    with pytest.raises(Ambiguous, match="1 of 1 orders were not cancelled"):
        await lab.broker.cancel_all()


# --- the stream -----------------------------------------------------------------------------------


async def test_an_execution_that_is_told_twice_has_one_id(server: AlpacaServer, lab: Lab) -> None:
    await lab.start()
    server.twice, server.exchange.slices = True, 2
    await lab.submit("a", "BUY", "10")
    await lab.until("a", OrderStatus.FILLED)
    await lab.until("a", OrderStatus.FILLED)
    told = [r.fill for r in lab.seen if isinstance(r, OrderReport) and r.fill is not None]
    assert [fill.quantity for fill in told] == [5, 5, 5, 5]
    assert len({fill.execution_id for fill in told}) == 2
    assert {fill.key for fill in told} == {f.key for f in await lab.broker.get_fills_since(0)}


async def test_messages_that_change_places_are_all_told(server: AlpacaServer, lab: Lab) -> None:
    await lab.start()
    server.hold, server.exchange.slices = True, 3
    await lab.submit("a", "BUY", "9")
    server.release(reverse=True)
    await lab.until("a", OrderStatus.NEW)
    told = [r.fill for r in lab.seen if isinstance(r, OrderReport) and r.fill is not None]
    assert [fill.quantity for fill in told] == [3, 3, 3]
    assert tuple(reversed(told)) == await lab.broker.get_fills_since(0)


async def test_fills_before_the_answer_to_the_order_are_told_and_the_answer_changes_nothing(
    server: AlpacaServer, lab: Lab
) -> None:
    await lab.start()
    server.ack_status = "pending_new"
    server.fault("submit", "delay", seconds=0.2, late=True)
    task = asyncio.create_task(lab.submit("a"))
    await lab.until("a", OrderStatus.FILLED)
    assert not task.done()
    await task
    assert lab.of("a") == [OrderStatus.NEW, OrderStatus.FILLED]


async def test_C441_a_stream_that_breaks_is_told_and_what_it_missed_is_in_the_history(
    server: AlpacaServer, lab: Lab
) -> None:
    await lab.start()
    await lab.submit("a", limit="95")
    await lab.until("a", OrderStatus.NEW)
    await server.hang_up()
    lost = await lab.next_report()
    assert isinstance(lost, LinkReport)
    assert lost.state is LinkState.DISCONNECTED
    assert "1001" in lost.detail
    await lab.price("94")
    await lab.broker.connect()
    report = await lab.next_report()
    assert isinstance(report, LinkReport)
    assert report.state is LinkState.CONNECTED
    (fill,) = await lab.broker.get_fills_since(0)
    assert (fill.client_order_id, fill.quantity) == ("a", 10)
    assert len(server.listeners) == 1


async def test_an_execution_that_is_never_told_ends_the_stream(
    server: AlpacaServer, lab: Lab
) -> None:
    """Messages have no numbers: what filled of an order by then shows that one is missing."""
    await lab.start()
    await lab.submit("a", "BUY", "10", limit="95")
    await lab.until("a", OrderStatus.NEW)
    (order,) = server.exchange.open_orders
    server.drop_events = 1
    server.exchange.fill(order.id, D(3), D(95))
    server.exchange.fill(order.id, D(3), D(95))
    await lab.until("a", OrderStatus.PARTIALLY_FILLED)
    lost = await lab.next_report()
    assert isinstance(lost, LinkReport)
    assert lost.state is LinkState.DISCONNECTED
    assert "an execution of 3" in lost.detail
    await lab.broker.connect()
    assert isinstance(await lab.next_report(), LinkReport)
    server.exchange.fill(order.id, D(4), D(95))
    await lab.until("a", OrderStatus.FILLED)
    assert sum(fill.quantity for fill in await lab.broker.get_fills_since(0)) == 10
    assert len(server.listeners) == 1


async def test_an_end_that_counts_more_than_was_told_ends_the_stream(
    server: AlpacaServer, lab: Lab
) -> None:
    await lab.start()
    await lab.submit("a", "BUY", "10", limit="95")
    await lab.until("a", OrderStatus.NEW)
    (order,) = server.exchange.open_orders
    server.drop_events = 1
    server.exchange.fill(order.id, D(3), D(95))
    await lab.broker.cancel_order("a")
    ended = await lab.until("a", OrderStatus.CANCELED)
    assert ended.filled == 3
    lost = await lab.next_report()
    assert isinstance(lost, LinkReport)
    assert lost.state is LinkState.DISCONNECTED


async def test_a_history_that_is_behind_is_no_history_without_it(
    server: AlpacaServer, lab: Lab
) -> None:
    """What the venue counts as filled of an order says more than its list; how long that may be is
    declared."""
    await lab.start()
    server.lag = 1
    await lab.submit("a")
    await lab.until("a", OrderStatus.FILLED)
    assert await lab.broker.get_fills_since(0) == ()
    found = await lab.broker.get_order("a")
    assert found is not None
    assert (found.filled, found.average_price) == (10, 100)
    server.lag = 0
    assert len(await lab.broker.get_fills_since(0)) == 1
    assert lab.broker.capabilities.late_execution_seconds >= 5


async def test_a_cancel_that_was_taken_may_still_end_in_a_fill(
    server: AlpacaServer, lab: Lab
) -> None:
    await lab.start()
    await lab.submit("a", limit="95")
    await lab.until("a", OrderStatus.NEW)
    server.race = "fill"
    await lab.broker.cancel_order("a")
    report = await lab.until("a", OrderStatus.FILLED)
    assert report.fill is not None
    with pytest.raises(Rejected) as refused:
        await lab.broker.cancel_order("a")
    assert refused.value.code == "42210000"


async def test_a_cancel_that_is_refused_later_leaves_the_order_working(
    server: AlpacaServer, lab: Lab
) -> None:
    await lab.start()
    await lab.submit("a", limit="95")
    await lab.until("a", OrderStatus.NEW)
    server.race = "reject"
    await lab.broker.cancel_order("a")
    report = await lab.until("a", OrderStatus.NEW)
    assert report.text == "order cancel rejected"


async def test_a_link_of_which_one_half_is_gone_is_noticed(server: AlpacaServer, lab: Lab) -> None:
    server.mute = True
    await lab.start()
    lost = await lab.next_report()
    assert isinstance(lost, LinkReport)
    assert lost.state is LinkState.DISCONNECTED


@pytest.mark.parametrize("dead", [False, True])
async def test_C441_one_place_for_a_stream_that_is_taken_leaves_the_requests(
    server: AlpacaServer, broker: AlpacaBroker, dead: bool
) -> None:
    """The venue has one place an account; a connection that was not closed keeps it a while."""
    server.refuse_stream, server.dead_slot = int(not dead), dead
    with pytest.raises(StreamRefused):
        await broker.connect()
    assert await broker.get_positions() == ()
    assert server.listeners == []
    server.dead_slot = False
    await broker.connect()
    assert len(server.listeners) == 1


async def test_a_message_that_cannot_be_read_ends_the_stream(
    server: AlpacaServer, lab: Lab
) -> None:
    await lab.start()
    server.raw(b'{"stream":"trade_updates","data":{"event":"fill"')
    lost = await lab.next_report()
    assert isinstance(lost, LinkReport)
    assert lost.state is LinkState.DISCONNECTED
    assert "could not be taken" in lost.detail


async def test_an_order_of_several_legs_that_fills_is_told_by_its_legs_alone(
    server: AlpacaServer, lab: Lab
) -> None:
    """It has neither symbol nor side: taken as it is, it would be a purchase of nothing. The
    stream ends by it, and the history has what its legs filled."""
    await lab.start()
    order: dict[str, Any] = {"id": "whole", "client_order_id": "by hand", "symbol": "", "side": "",
                             "qty": "1", "filled_qty": "0", "status": "new",
                             "legs": [{"id": "leg", "symbol": OPTION, "side": "buy"}]}  # fmt: skip
    for event, more in (("new", {}), ("fill", {"qty": "1", "price": "1.5"})):
        data = {"event": event, "timestamp": "2026-11-30T15:00:00Z", "order": order, **more}
        server.raw(json.dumps({"stream": "trade_updates", "data": data}).encode())
    lost = await lab.next_report()
    assert isinstance(lost, LinkReport)
    assert lost.state is LinkState.DISCONNECTED
    assert "several legs" in lost.detail


@pytest.mark.parametrize("event", ["trade_bust", "trade_correct"])
async def test_C107_a_trade_that_is_taken_back_has_the_account_looked_at_at_once(
    server: AlpacaServer, lab: Lab, event: str
) -> None:
    """Nothing else would tell before the next look, and until then too much counts as held."""
    await lab.start()
    await lab.submit("a", quantity="10")
    await lab.until("a", OrderStatus.FILLED)
    (order,) = server.exchange.orders.values()
    (done,) = server.exchange.executions
    seen = len(lab.seen)
    server.tell(event, order, done)
    lost = await lab.next_report()
    while not isinstance(lost, LinkReport):
        lost = await lab.next_report()
    assert lost.state is LinkState.DISCONNECTED
    assert event in lost.detail
    assert not [r for r in lab.seen[seen:] if isinstance(r, OrderReport)], "and it is no fill"


@pytest.mark.parametrize(
    "said",
    [b"<html>", b"{}", b'{"stream":"authorization","data":7}', b'{"stream":"trade_updates"}'],
)  # fmt: skip
async def test_an_answer_to_our_login_that_is_none_is_no_stream(
    server: AlpacaServer, broker: AlpacaBroker, said: bytes
) -> None:
    server.greeting = said
    with pytest.raises(StreamRefused):
        await broker.connect()
    assert (await broker.get_account()).account_id
    assert server.listeners == []


async def test_what_happens_while_we_log_in_is_not_lost(server: AlpacaServer, lab: Lab) -> None:
    """The stream stands, as the venue says, before `connect` returns."""
    await lab.start()
    await lab.submit("a")
    await lab.until("a", OrderStatus.FILLED)
    (listener,) = server.listeners
    assert listener.listens


# --- words of the venue ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "word", "status"),
    [
        ("accepted", "accepted", OrderStatus.NEW),
        ("pending_new", "pending_new", OrderStatus.PENDING_NEW),
        ("stopped", "stopped", OrderStatus.NEW),
        ("done_for_day", "done_for_day", OrderStatus.SUSPENDED),
        ("calculated", "calculated", OrderStatus.SUSPENDED),
        ("suspended", "suspended", OrderStatus.SUSPENDED),
        ("pending_cancel", "pending_cancel", OrderStatus.PENDING_CANCEL),
        ("pending_replace", "pending_replace", OrderStatus.PENDING_REPLACE),
        ("order_replace_rejected", "new", OrderStatus.NEW),
        ("restated", "new", OrderStatus.NEW),
        ("expired", "expired", OrderStatus.EXPIRED),
        ("rejected", "rejected", OrderStatus.REJECTED),
        ("replaced", "replaced", OrderStatus.CANCELED),
        ("teleported", "held", OrderStatus.SUSPENDED),
        ("teleported", "in_limbo", OrderStatus.SUSPENDED),
    ],
)
async def test_a_word_of_the_venue_and_ours(
    server: AlpacaServer, lab: Lab, event: str, word: str, status: OrderStatus
) -> None:
    """A word that nobody knows is no end, and nothing that works."""
    await lab.start()
    await lab.submit("a", limit="95")
    await lab.until("a", OrderStatus.NEW)
    (order,) = server.exchange.orders.values()
    server.extras[order.id].word = word
    server.tell(event, order)
    report = await lab.until("a", status)
    assert report.quantity == 10
    found = await lab.broker.get_order("a")
    assert found is not None
    assert found.status is status


async def test_an_order_that_a_person_replaced_there_has_ended_and_the_new_one_is_another(
    server: AlpacaServer, lab: Lab
) -> None:
    await lab.start()
    await lab.submit("a", limit="95")
    await lab.until("a", OrderStatus.NEW)
    (order,) = server.exchange.orders.values()
    new = server.exchange.place(
        client_id="by-hand", symbol="AAPL", sign=1, quantity=D(5), kind="limit", limit=D(96),
        order_id="4f5b6f1e-0000-0000-0000-000000000001", replaces=order.id,
    )  # fmt: skip
    order.status, order.replaced_by = "replaced", new.id
    server.tell("replaced", order)
    report = await lab.until("a", OrderStatus.CANCELED)
    assert report.text == f"replaced by {new.id}"
    (working,) = await lab.broker.get_open_orders()
    assert (working.client_order_id, working.quantity) == ("by-hand", 5)


async def test_an_order_without_our_id_is_known_by_what_the_venue_calls_it(
    server: AlpacaServer, lab: Lab
) -> None:
    await lab.start()
    order = server.exchange.place(
        client_id="", symbol="AAPL", sign=1, quantity=D(5), kind="limit", limit=D(90),
        order_id="4f5b6f1e-0000-0000-0000-000000000002",
    )  # fmt: skip
    key = unnamed_order_id("alpaca", order.id)
    found = await lab.broker.get_order(key)
    assert found is not None
    assert (found.client_order_id, found.venue_order_id) == ("", order.id)
    await lab.broker.cancel_order(key)
    assert await lab.broker.get_open_orders() == ()
    assert await lab.broker.get_order(unnamed_order_id("alpaca", "no/such?")) is None


@pytest.mark.parametrize("echoed", [True, False])
async def test_A245_a_sell_that_opens_a_short_is_known_again(
    server: AlpacaServer, lab: Lab, echoed: bool
) -> None:
    """Alpaca knows one sell: what it is for is sent with it, and told back. Where it is not, we
    still know it while we run."""
    server.no_intent = not echoed
    await lab.start()
    await lab.submit("a", "SELL_SHORT", "10")
    report = await lab.until("a", OrderStatus.FILLED)
    assert server.bodies[-1]["position_intent"] == "sell_to_open"
    found = await lab.broker.get_order("a")
    assert found is not None
    assert found.side is Side.SELL_SHORT
    assert (report.fill,) == await lab.broker.get_fills_since(0)
    (position,) = await lab.broker.get_positions()
    assert position.quantity == -10
    if echoed:
        later = opened(server).broker
        await later.connect()
        again = await later.get_order("a")
        assert again is not None
        assert again.side is Side.SELL_SHORT
        await later.disconnect()


async def test_a_sell_for_a_short_never_sells_what_is_held(server: AlpacaServer, lab: Lab) -> None:
    await lab.start()
    await lab.submit("a")
    await lab.until("a", OrderStatus.FILLED)
    with pytest.raises(Rejected, match="position intent mismatch"):
        await lab.submit("short", "SELL_SHORT", "10")
    assert server.exchange.positions == {"AAPL": 10}


async def test_what_a_resting_stop_holds_back_cannot_be_sold_beside_it(
    server: AlpacaServer, lab: Lab
) -> None:
    """The engine cancels the stop first; `reduce_only` says that the venue joins nothing."""
    await lab.start()
    await lab.submit("a")
    await lab.until("a", OrderStatus.FILLED)
    await lab.submit("stop", "SELL", "10", stop="95", reduce_only=True)
    await lab.until("stop", OrderStatus.NEW)
    with pytest.raises(Rejected, match="insufficient qty available") as refused:
        await lab.submit("out", "SELL", "10", reduce_only=True)
    assert refused.value.code == "40310000"
    await lab.broker.cancel_order("stop")
    await lab.submit("again", "SELL", "10", reduce_only=True)
    await lab.until("again", OrderStatus.FILLED)
    assert not lab.broker.capabilities.reduce_only


# --- rules ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "code", "text"),
    [
        ({"limit": "95.005"}, "BAD_TICK", "95.005: multiples of 0.01"),
        ({"limit": "0.12345"}, "BAD_TICK", "multiples of 0.0001"),
        ({"stop": "100.001"}, "BAD_TICK", "stop_price of AAPL is 100.001"),
        ({"quantity": "0.5", "tif": "GTC", "limit": "95"}, "ORDER_TERMS", "only DAY"),
        ({"quantity": "0.5", "tif": "IOC"}, "ORDER_TERMS", "only DAY"),
        ({"quantity": "0.0000000001", "tif": "DAY"}, "BAD_LOT", "0.000000001"),
        ({"quantity": "0.5", "tif": "DAY", "side": "SELL_SHORT"}, "BAD_LOT", "only whole AAPL"),
        ({"quantity": "0.5", "tif": "DAY", "symbol": "SOFI"}, "BAD_LOT", "multiples of 1 SOFI"),
        ({"symbol": "BTC-USD", "tif": "DAY", "quantity": "1"}, "ORDER_TERMS", "GTC, IOC"),
        ({"symbol": "BTC-USD", "quantity": "1", "stop": "95"}, "ORDER_TERMS", "STOP_LIMIT"),
        ({"symbol": "BTC-USD", "quantity": "0.00005"}, "BAD_LOT", "multiples of 0.0001"),
        ({"symbol": "BTC-USD", "quantity": "1", "limit": "95.001"}, "BAD_TICK", "0.01"),
        ({"symbol": "AAPL 2026-12-18 200 C", "quantity": "1", "limit": "3"}, "ORDER_TERMS", "DAY"),
        ({"symbol": "BTC-USD", "quantity": "1", "side": "SELL_SHORT"}, "NOT_SHORTABLE", "BTC-USD"),
        ({"symbol": "EUR_USD"}, "SYMBOL", "shares, options and coins"),
        ({"symbol": "ES 2026-12"}, "SYMBOL", "shares, options and coins"),
        ({"symbol": "NOPE"}, "40410000", "asset not found"),
    ],
)
async def test_what_the_venue_would_refuse_is_refused_with_what_is_allowed(
    server: AlpacaServer, lab: Lab, terms: dict[str, Any], code: str, text: str
) -> None:
    await lab.start()
    given = dict(terms)
    side, quantity = given.pop("side", "BUY"), given.pop("quantity", "10")
    with pytest.raises(Rejected) as error:
        await lab.submit("a", side, quantity, **given)
    assert error.value.code == code
    assert text in error.value.text
    assert server.count("submit") == 0


@pytest.mark.parametrize(
    ("terms", "body"),
    [
        ({"limit": "95.01"}, {"limit_price": "95.01", "type": "limit", "time_in_force": "gtc"}),
        ({"limit": "0.1234", "symbol": "SOFI"}, {"limit_price": "0.1234"}),
        ({"quantity": "0.5", "tif": "DAY", "limit": "95"}, {"qty": "0.5", "time_in_force": "day"}),
        ({"quantity": "0.5", "tif": "GTC"}, {"qty": "0.5", "time_in_force": "day"}),
        ({"tif": "IOC"}, {"type": "market", "time_in_force": "ioc"}),
        ({"tif": "FOK", "limit": "101"}, {"time_in_force": "fok"}),
        ({"stop": "110", "limit": "111"},
         {"type": "stop_limit", "stop_price": "110", "limit_price": "111"}),
        ({"symbol": "BTC-USD", "quantity": "0.0001"}, {"symbol": "BTC/USD", "qty": "0.0001"}),
        ({"symbol": "AAPL 2026-12-18 200 C", "quantity": "2"},
         {"symbol": "AAPL261218C00200000", "time_in_force": "day", "qty": "2"}),
    ],
)  # fmt: skip
async def test_an_order_as_it_is_sent(
    server: AlpacaServer, lab: Lab, terms: dict[str, Any], body: dict[str, str]
) -> None:
    """Numbers leave digit for digit, as text; a market order that may only be for the day is."""
    await lab.start()
    for symbol in server.exchange.rules:
        server.exchange.set_price(symbol, D(100) if symbol != "SOFI" else D("0.5"))
    given = dict(terms)
    quantity = given.pop("quantity", "10")
    symbol = given.get("symbol", "AAPL")
    await lab.submit("a", "BUY", quantity, **given)
    sent = server.bodies[-1]
    assert {name: sent[name] for name in body} == body
    assert sent["client_order_id"] == "a"
    if "limit" in given and "stop" not in given and symbol != "SOFI" and given.get("tif") != "FOK":
        (resting,) = await lab.broker.get_open_orders()
        assert resting.symbol == symbol
    elif "stop" not in given and "limit" not in given:
        (position,) = await lab.broker.get_positions()
        assert (position.symbol, position.quantity) == (symbol, D(quantity))
        (fill,) = await lab.broker.get_fills_since(0)
        assert fill.symbol == symbol


async def test_what_the_venue_says_of_instruments(lab: Lab, server: AlpacaServer) -> None:
    await lab.start()
    share = await lab.broker.instrument("AAPL")
    assert (share.tick, share.lot, share.shortable) == (D("0.01"), 1, True)
    coin = await lab.broker.instrument("BTC-USD")
    assert (coin.tick, coin.lot, coin.shortable) == (D("0.01"), D("0.0001"), False)
    option = await lab.broker.instrument("AAPL 2026-12-18 200 C")
    assert (option.multiplier, option.lot) == (100, 1)
    for _ in range(3):
        await lab.broker.instrument("AAPL")
    assert server.count("asset") == 2
    with pytest.raises(Rejected):
        await lab.broker.instrument("NOPE")


async def test_what_reduces_goes_by_what_was_known_of_its_instrument_and_waits_for_no_answer(
    server: AlpacaServer, lab: Lab
) -> None:
    """On a new connection the facts are asked anew, as they change from day to day."""
    await lab.start()
    await lab.submit("a")
    await lab.until("a", OrderStatus.FILLED)
    await lab.broker.disconnect()
    await lab.broker.connect()
    server.fault("asset", "drop_before", times=2)
    with pytest.raises(NotSent, match="could not be asked"):
        await lab.submit("more")
    await lab.submit("out", "SELL", "10", reduce_only=True)
    await lab.until("out", OrderStatus.FILLED)
    assert server.count("submit") == 2
    assert server.count("asset") == 2


# --- lists ----------------------------------------------------------------------------------------


async def test_a_long_list_is_read_to_its_end_or_is_no_list(server: AlpacaServer, lab: Lab) -> None:
    await lab.start()
    for n in range(ORDERS_A_PAGE + 1):
        server.exchange.place(
            client_id=f"o{n}", symbol="AAPL", sign=1, quantity=D(1), kind="limit", limit=D(1)
        )
    assert len(await lab.broker.get_open_orders()) == ORDERS_A_PAGE + 1
    server.after_id_works = False
    with pytest.raises(Ambiguous, match="does not end"):
        await lab.broker.get_open_orders()


async def test_every_execution_of_a_long_history_is_told_with_the_id_of_its_order(
    server: AlpacaServer, lab: Lab
) -> None:
    """Also after a restart, when nothing is known of these orders."""
    await lab.start()
    server.exchange.slices = 30
    for n in range(5):
        await lab.submit(f"o{n}", "BUY", "30")
    later = opened(server).broker
    await later.connect()
    fills = await later.get_fills_since(0)
    assert len(fills) == len({fill.execution_id for fill in fills}) == 150
    assert {fill.client_order_id for fill in fills} == {f"o{n}" for n in range(5)}
    assert [fill.time for fill in fills] == sorted(fill.time for fill in fills)
    assert server.count("fills") == 2
    assert await later.get_fills_since(fills[75].time) == fills[75:]
    await later.disconnect()


async def test_legs_that_wait_for_another_order_are_among_the_open_ones(
    server: AlpacaServer, lab: Lab
) -> None:
    await lab.start()
    await lab.submit("a", limit="95")
    (order,) = server.exchange.orders.values()
    row = server._row(order)
    leg = row | {"id": "leg", "client_order_id": "leg", "status": "held", "side": "sell",
                 "type": "stop", "limit_price": None, "stop_price": "90"}  # fmt: skip
    both = row | {"id": "m", "client_order_id": "m", "symbol": "", "side": "", "legs": [
        row | {"id": "m1", "client_order_id": "m1"}, row | {"id": "m2", "client_order_id": "m2"},
    ]}  # fmt: skip
    told = [row | {"legs": [leg]}, leg, both]
    server.fault("orders", "status_before", status=200, body=json.dumps(told))
    orders = await lab.broker.get_open_orders()
    assert [(o.client_order_id, o.status) for o in orders] == [
        ("a", OrderStatus.NEW),
        ("leg", OrderStatus.SUSPENDED),
        ("m1", OrderStatus.NEW),
        ("m2", OrderStatus.NEW),
    ]
    assert (orders[1].side, orders[1].stop_price) == (Side.SELL, D(90))


async def test_a_number_that_cannot_be_read_puts_its_row_aside_and_drops_none(
    server: AlpacaServer, lab: Lab
) -> None:
    await lab.start()
    await lab.submit("a", limit="95")
    (order,) = server.exchange.orders.values()
    odd = server._row(order) | {"id": "n", "client_order_id": "n", "qty": None, "notional": "500"}
    body = json.dumps([server._row(order), odd])
    server.fault("orders", "status_before", status=200, body=body)
    sound, aside = await lab.broker.get_open_orders()
    assert (sound.quantity, aside.symbol, aside.quantity.is_nan()) == (10, "AAPL", True)
    rows = '[{"symbol":"AAPL","side":"long","qty":"-5","avg_entry_price":"x","current_price":1.10}]'
    server.fault("positions", "status_before", status=200, body=rows)
    (position,) = await lab.broker.get_positions()
    assert position.quantity.is_nan()
    assert position.average_price.is_nan()
    assert position.mark == D("1.10")


async def test_X75_cash_that_moved_without_a_trade(server: AlpacaServer, lab: Lab) -> None:
    """By its kind; what moved no cash, or was taken back, is none of it."""
    await lab.start()
    base = {"status": "executed", "currency": "USD", "date": "2026-11-02"}
    made = [
        ("CSD", "100.50", "2026-11-02T14:00:00Z"), ("CSW", "-20", "2026-11-02T14:00:01Z"),
        ("DIV", "1.02", "2026-11-02T14:00:02Z"), ("DIVNRA", "-0.3", "2026-11-02T14:00:03Z"),
        ("INT", "-0.07", "2026-11-02T14:00:04Z"), ("FEE", "-0.01", "2026-11-02T14:00:05Z"),
        ("SPLIT", "0", "2026-11-02T14:00:06Z"), ("OPEXC", "-20000", "2026-11-02T14:00:07Z"),
        ("CSD", "7", "2026-11-02T14:00:08Z"),
    ]  # fmt: skip
    server.movements = [
        {**base, "id": f"m{n}", "activity_type": kind, "net_amount": amount, "created_at": at}
        for n, (kind, amount, at) in enumerate(made)
    ]
    server.movements[-1]["status"] = "canceled"
    found = await lab.broker.get_cash_movements_since(0)
    assert [(m.kind, m.amount) for m in found] == [
        (MovementKind.TRANSFER, D("100.50")), (MovementKind.TRANSFER, D(-20)),
        (MovementKind.DIVIDEND, D("1.02")), (MovementKind.DIVIDEND, D("-0.3")),
        (MovementKind.INTEREST, D("-0.07")), (MovementKind.FEE, D("-0.01")),
        (MovementKind.FUNDING, D(-20000)),
    ]  # fmt: skip
    since = found[3].time
    assert await lab.broker.get_cash_movements_since(since) == found[3:]
    server.movements = [{**base, "id": "d", "activity_type": "INT", "net_amount": "0.5"}]
    (dated,) = await lab.broker.get_cash_movements_since(since)
    assert dated.time == parse_rfc3339("2026-11-02T00:00:00Z")


# --- connecting -----------------------------------------------------------------------------------


async def test_a_wrong_key_is_said_so_and_nothing_stays_open(server: AlpacaServer) -> None:
    broker = opened(server, key="PKWRONG").broker
    with pytest.raises(AuthFailed) as error:
        await broker.connect()
    for secret in ("PKWRONG", SECRET):
        assert secret not in str(error.value)
    assert server.count("account") == 1
    assert server.listeners == []


async def test_a_key_that_is_not_there_is_said_so(server: AlpacaServer) -> None:
    def missing(name: str) -> Any:
        raise LookupError(f"{name} is missing: neither in the environment nor in the keyring")

    settings = AlpacaConfig(trading_url=server.url, trading_stream_url=server.ws_url)
    plan = VenueSetup(
        name="alpaca", settings=settings, market=SimpleNamespace(symbols=()), account_id="",
        clock=SystemClock(), state_dir=None, prices=PriceSource.BY_HAND, secret=missing,
    )  # fmt: skip
    with pytest.raises(AuthFailed, match="ALPACA_API_KEY is missing"):
        await open_venue(plan).broker.connect()


@pytest.mark.parametrize(
    ("environment", "account_id", "sound"),
    [
        ("paper", "", True), ("paper", ACCOUNT, True),
        ("paper", "PA3OTHER", False), ("live", "", False), ("live", ACCOUNT, True),
    ],
)  # fmt: skip
async def test_C201_nothing_is_sent_to_an_account_that_nobody_named(
    server: AlpacaServer, environment: str, account_id: str, sound: bool
) -> None:
    broker = opened(server, environment=environment, account_id=account_id).broker
    if sound:
        await broker.connect()
        assert (await broker.get_account()).account_id == (account_id or ACCOUNT)
        await broker.disconnect()
        return
    with pytest.raises(AuthFailed):
        await broker.connect()
    assert server.count("stream") == 0
    with pytest.raises(NotSent):
        await broker.get_account()


def test_C201_which_of_the_venue_s_worlds_is_said_by_the_config_alone() -> None:
    for environment, host in (
        ("paper", "paper-api.alpaca.markets"),
        ("live", "api.alpaca.markets"),
    ):
        settings = AlpacaConfig.model_validate({"environment": environment})
        plan = VenueSetup(
            name="alpaca", settings=settings, market=SimpleNamespace(symbols=()), account_id="",
            clock=SystemClock(), state_dir=None, prices=PriceSource.BY_HAND,
        )  # fmt: skip
        broker = open_venue(plan).broker
        assert isinstance(broker, AlpacaBroker)
        assert broker._client._url == f"https://{host}"
        assert broker._stream_url == f"wss://{host}/stream"


@pytest.mark.parametrize("op", ["account", "stream"])
async def test_an_attempt_to_connect_that_is_given_up_leaves_nothing_open(
    server: AlpacaServer, broker: AlpacaBroker, op: str
) -> None:
    server.fault(op, "silent", seconds=0.5)
    before = asyncio.all_tasks()
    task = asyncio.create_task(broker.connect())
    while not server.count(op):
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(NotSent):
        await broker.get_account()
    ours = [one for one in asyncio.all_tasks() - before if "stream of" in one.get_name()]
    assert ours == []
    await broker.connect()


async def test_a_disconnect_leaves_neither_a_task_nor_a_thread_nor_a_connection(
    server: AlpacaServer, broker: AlpacaBroker
) -> None:
    await broker.connect()
    await broker.get_account()
    await broker.disconnect()
    await broker.disconnect()
    for thread in threading.enumerate():
        if thread.name.startswith("alpaca"):
            await asyncio.to_thread(thread.join, 2)
            assert not thread.is_alive()
    assert [t for t in asyncio.all_tasks() if "of ws" in t.get_name()] == []
    reports = broker.reports()
    states = [await anext(reports), await anext(reports)]
    assert [r.state for r in states if isinstance(r, LinkReport)] == [
        LinkState.CONNECTED,
        LinkState.DISCONNECTED,
    ]


async def test_a_disconnect_hangs_up_although_an_error_of_before_is_kept(
    server: AlpacaServer, lab: Lab
) -> None:
    await lab.start()
    server.fault("submit", "status_after", status=504)
    with pytest.raises(Ambiguous) as kept:
        await lab.submit("a")
    assert server.connections
    await lab.broker.disconnect()
    async with asyncio.timeout(5):
        while server.connections:
            await asyncio.sleep(0.01)
    assert kept.value.__traceback__ is not None


# --- prices ---------------------------------------------------------------------------------------


async def next_of(events: AsyncIterator[MarketEvent]) -> MarketEvent:
    """The next one."""
    return await anext(events)


async def read_out(events: AsyncIterator[MarketEvent]) -> None:
    """Read to the end."""
    async for _ in events:
        pass


async def test_quotes_trades_and_bars_as_they_come(server: AlpacaServer) -> None:
    connection = opened(server, symbols=("AAPL", "BTC-USD"), prices=PriceSource.MARKET)
    market = connection.market
    assert market is not None
    events = market.events()
    first: asyncio.Task[MarketEvent] = asyncio.create_task(next_of(events))
    while len(server.subscribed) < 2:
        await asyncio.sleep(0.01)
    assert [order["trades"] for order in server.subscribed] == [["AAPL"], ["BTC/USD"]]
    at = '"t":"2026-11-30T15:00:00.123456789Z"'
    await server.quote(
        f'[{{"T":"q","S":"AAPL","bp":99.99,"bs":1,"ap":100.01,"as":2,{at}}},'
        f'{{"T":"t","S":"AAPL","p":100.005,"s":3,{at}}},'
        f'{{"T":"q","S":"AAPL","bp":0,"bs":0,"ap":100.02,"as":2,{at}}},'
        f'{{"T":"b","S":"AAPL","o":1.1,"h":2,"l":1,"c":1.5,"v":1e3,{at}}},'
        f'{{"T":"n"}},{{"T":"q","S":"BTC/USD","bp":1,"ap":2,"bs":1,"as":1,{at}}}]'
    )
    told = [await asyncio.wait_for(first, 5)]
    told += [await asyncio.wait_for(anext(events), 5) for _ in range(4)]
    quote, trade, one_sided, bar, coin = told
    assert isinstance(quote, Quote)
    assert (quote.bid, quote.ask, quote.last) == (D("99.99"), D("100.01"), D("100.00"))
    assert not quote.trade
    assert quote.time % 1_000_000_000 == 123456789
    assert isinstance(trade, Quote)
    assert (trade.last, trade.bid, trade.trade) == (D("100.005"), D("99.99"), True)
    assert isinstance(one_sided, Quote)
    assert (one_sided.bid, one_sided.ask, one_sided.last) == (None, D("100.02"), D("100.005"))
    assert isinstance(bar, Bar)
    assert (bar.open, bar.volume, bar.seconds) == (D("1.1"), D(1000), 60)
    assert bar.time == quote.time + 60 * 1_000_000_000
    assert isinstance(coin, Quote)
    assert coin.symbol == "BTC-USD"
    assert all(not event.fault for event in told if isinstance(event, Quote | Bar))
    for socket_ in tuple(server.prices):
        await socket_.close()
    with pytest.raises(Ambiguous, match="prices ended"):
        await asyncio.wait_for(read_out(events), 5)


async def test_before_the_first_trade_the_middle_of_now_is_the_price_and_one_side_is_none(
    server: AlpacaServer,
) -> None:
    """The first quote of a day may be far off: its middle is no price of the next one."""
    market = opened(server, prices=PriceSource.MARKET).market
    assert market is not None
    events = market.events()
    first: asyncio.Task[MarketEvent] = asyncio.create_task(next_of(events))
    while not server.subscribed:
        await asyncio.sleep(0.01)
    at = '"S":"AAPL","t":"2026-11-30T15:00:00Z"'
    await server.quote(
        f'[{{"T":"q","bp":80,"bs":1,"ap":0,"as":0,{at}}},'
        f'{{"T":"q","bp":80,"bs":1,"ap":"none","as":1,{at}}},'
        f'{{"T":"q","bp":80,"bs":1,"ap":160,"as":1,{at}}},'
        f'{{"T":"q","bp":99.99,"bs":1,"ap":100.01,"as":1,{at}}},'
        f'{{"T":"t","p":99.5,"s":3,{at}}},'
        f'{{"T":"q","bp":99.98,"bs":1,"ap":100,"as":1,{at}}}]'
    )
    told = [await asyncio.wait_for(first, 5)]
    told += [await asyncio.wait_for(anext(events), 5) for _ in range(4)]
    assert [quote.last for quote in told if isinstance(quote, Quote) and not quote.fault] == [
        D(120), D(100), D("99.5"), D("99.5"),
    ]  # fmt: skip


async def test_a_place_for_prices_that_is_taken_and_a_wrong_key_are_said(
    server: AlpacaServer,
) -> None:
    server.dead_slot = True
    market = opened(server, prices=PriceSource.MARKET).market
    assert market is not None
    with pytest.raises(Throttled, match="connection limit exceeded"):
        await anext(market.events())
    wrong = opened(server, key="PKWRONG", prices=PriceSource.MARKET).market
    assert wrong is not None
    with pytest.raises(AuthFailed, match="auth failed"):
        await anext(wrong.events())


@pytest.mark.parametrize("symbol", ["AAPL", "BTC-USD"])
async def test_the_bars_before_now_are_the_newest_completed_ones_oldest_first(
    server: AlpacaServer, symbol: str
) -> None:
    now = datetime(2026, 3, 2, 15, tzinfo=UTC)
    clock = ScaledClock(parse_rfc3339("2026-03-02T15:00:10Z"), speed=1)
    server.bars = [
        {"t": f"{now - timedelta(minutes=n):%Y-%m-%dT%H:%M:%SZ}", "o": 1.5, "h": 2, "l": 1,
         "c": 1.25, "v": 10, "n": 3, "vw": 1.4}
        for n in range(10)
    ]  # fmt: skip
    market = opened(server, prices=PriceSource.MARKET, clock=clock).market
    assert market is not None
    bars = await market.history(symbol, 5)
    # The minute that is still under way is among the five that the venue tells.
    assert len(bars) == 4
    assert [bar.time for bar in bars] == sorted(bar.time for bar in bars)
    last = bars[-1]
    assert isinstance(last, Bar)
    assert (last.symbol, last.close, last.fault) == (symbol, D("1.25"), "")
    again = await asyncio.gather(*(market.history(symbol, 5) for _ in range(3)))
    assert again == [bars, bars, bars]


@pytest.mark.parametrize(
    ("symbol", "quantity", "body"),
    [
        ("AAPL", "2", {"type": "stop", "time_in_force": "gtc", "stop_price": "95"}),
        ("AAPL", "2.5", {"type": "stop", "time_in_force": "day", "stop_price": "95"}),
        ("AAPL 2026-12-18 200 C", "2", {"type": "stop", "time_in_force": "day"}),
        ("BTC-USD", "0.5", {"type": "stop_limit", "time_in_force": "gtc", "limit_price": "90.25"}),
    ],
)
async def test_rule3_a_protective_stop_of_each_kind_rests_there(
    server: AlpacaServer, lab: Lab, symbol: str, quantity: str, body: dict[str, str]
) -> None:
    """With the terms that the engine decides for it; the venue checks them by itself."""
    await lab.start()
    for known in server.exchange.rules:
        server.exchange.set_price(known, D(100))
    tif = "GTC" if symbol == "BTC-USD" else "DAY"
    await lab.submit("in", "BUY", quantity, symbol=symbol, tif=tif)
    await lab.until("in", OrderStatus.FILLED)
    desk = CoreDriver(capabilities=lab.broker.capabilities).price(symbol, "100")
    desk.hold(symbol, D(quantity), "100")
    await lab.broker.submit_order(
        stop_order(desk.world, desk.held(symbol), D(95), D(quantity), desk.now)
    )
    sent = server.bodies[-1]
    assert {name: sent[name] for name in body} == body
    (rests,) = await lab.broker.get_open_orders()
    assert (rests.stop_price, rests.quantity, rests.status) == (D(95), D(quantity), OrderStatus.NEW)


async def test_c201_a_connection_that_answers_for_another_account_is_refused(
    server: AlpacaServer, lab: Lab
) -> None:
    """As where the key in the environment was exchanged: nothing more is sent there."""
    await lab.start()
    await lab.broker.disconnect()
    server.account = "PA9OTHER"
    with pytest.raises(AuthFailed, match=f"was {ACCOUNT} when it connected first.*PA9OTHER now"):
        await lab.broker.connect()
    with pytest.raises(NotSent):
        await lab.submit("a")
    assert server.count("submit") == 0
    server.account = ACCOUNT
    await lab.broker.connect()
    await lab.submit("a", limit="95")
    assert server.count("submit") == 1
