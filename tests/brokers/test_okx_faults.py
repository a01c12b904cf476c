"""What goes wrong between us and OKX, one test a fault (research/venues.md §7, column OKX).

Over real sockets. What the server has seen is counted there: exactly one request for an order,
whatever becomes of its answer (C-402).
"""

import asyncio
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from brokers import open_venue
from brokers.okx.adapter import OkxBroker
from brokers.okx.client import Client, Keys
from brokers.okx.lists import STOP_KINDS
from brokers.okx.stream import AccountStream
from engine.domain.order import OrderStatus
from engine.domain.run import LinkState
from engine.ports import (
    Ambiguous,
    AuthFailed,
    Banned,
    BrokerError,
    LinkReport,
    MarketClosed,
    NotSent,
    OrderReport,
    Rejected,
    StreamRefused,
    Throttled,
)
from engine.runtime.clock import SystemClock
from tests.brokers.conformance import Lab
from tests.venues.okx import KEY, PASSPHRASE, SECRET, UID, OkxServer
from tests.venues.okx_lab import SECRETS, SYMBOL, Told, lab_of, opened, setup_of

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


def said(code: str, *, row: bool = False, status: int = 200) -> dict[str, Any]:
    """The answer of a fault, as HTTP says it."""
    rows = [{"sCode": code, "sMsg": "no"}] if row else []
    body = {"code": "1" if row else code, "msg": "no", "data": rows}
    return {"status": status, "body": json.dumps(body)}


async def fills_until(lab: Lab, key: str, quantity: str) -> list[OrderReport]:
    """Read reports until so much of an order has been told as executions."""
    found: list[OrderReport] = []
    told: dict[str, Decimal] = {}
    while sum(told.values()) < D(quantity):
        report = await lab.next_report()
        if isinstance(report, OrderReport) and report.client_order_id == key and report.fill:
            found.append(report)
            told[report.fill.execution_id] = report.fill.quantity
    return found


# --- 1 and 2: answers that are lost


@pytest.mark.parametrize(
    ("play", "more"),
    [
        ("drop_after", {}),
        ("truncate", {}),
        ("status_after", {"status": 502}),
        ("status_after", said("50004", status=400)),
        ("status_after", said("51149", status=200)),
    ],
)
async def test_C402_an_order_whose_answer_was_lost_is_ambiguous_and_is_found_by_its_id(
    server: OkxServer, lab: Lab, play: Any, more: dict[str, Any]
) -> None:
    server.fault("order", play, **more)
    with pytest.raises(Ambiguous):
        await lab.submit("a", limit="95")
    assert server.count("order") == 1
    found = await lab.broker.get_order("a")
    assert found is not None
    assert (found.status, found.limit_price) == (S.NEW, D(95))
    await lab.broker.cancel_order("a")
    await lab.until("a", S.CANCELED)


async def test_C402_an_order_that_was_lost_on_its_way_is_ambiguous_and_is_not_found(
    server: OkxServer, lab: Lab
) -> None:
    server.fault("order", "drop_before")
    with pytest.raises(Ambiguous):
        await lab.submit("a", limit="95")
    assert server.count("order") == 1
    assert await lab.broker.get_order("a") is None


@pytest.mark.parametrize("play", ["drop_after", "drop_before", "truncate"])
async def test_C402_each_other_request_is_sent_once_too(
    server: OkxServer, lab: Lab, play: Any
) -> None:
    await lab.submit("a", limit="95")
    await lab.submit("s", "BUY", stop="110")
    await lab.until("s", S.NEW)
    for op, ask in (
        ("amend", lambda: lab.broker.modify_order("a", D(5))),
        ("amend-algos", lambda: lab.broker.modify_order("s", D(5))),
        ("cancel", lambda: lab.broker.cancel_order("a")),
        ("cancel-algos", lambda: lab.broker.cancel_order("s")),
        ("get-order", lambda: lab.broker.get_order("a")),
        ("pending", lab.broker.get_open_orders),
        ("balance", lab.broker.get_positions),
        ("fills", lambda: lab.broker.get_fills_since(2**62)),
    ):
        server.fault(op, play)
        before = server.count(op)
        with pytest.raises(Ambiguous):
            await ask()
        assert server.count(op) == before + 1


async def test_facts_that_cannot_be_had_mean_that_the_order_was_not_sent(
    server: OkxServer, lab: Lab
) -> None:
    server.fault("instruments", "drop_after")
    with pytest.raises(NotSent, match="could not be asked"):
        await lab.submit("a", limit="95", symbol="ETH-USDT")
    assert server.count("order") == 0


# --- 3: ids


async def test_C405_an_id_is_refused_while_its_order_rests_and_taken_again_once_it_filled(
    server: OkxServer, lab: Lab
) -> None:
    """So that nothing here may be sent again: the adapter promises no de-duplication."""
    await lab.submit("a", limit="95")
    with pytest.raises(Rejected) as refused:
        await lab.submit("a", limit="95")
    assert refused.value.code == "DUPLICATE_ID"
    await lab.price("94")
    await lab.until("a", S.FILLED)
    await lab.submit("a", "BUY", "1")
    assert len(server.exchange.executions) == 2
    assert not lab.broker.capabilities.deduplicates


async def test_C405_a_stop_whose_id_rests_is_a_duplicate_too(lab: Lab) -> None:
    await lab.submit("s", "BUY", stop="110")
    with pytest.raises(Rejected) as refused:
        await lab.submit("s", "BUY", stop="110")
    assert refused.value.code == "DUPLICATE_ID"


# --- 4: taken is not done


async def test_a_change_that_was_taken_and_then_fails_is_rejected_and_the_order_is_as_it_was(
    server: OkxServer, lab: Lab
) -> None:
    await lab.submit("a", limit="95")
    server.amend_fails = "51502"
    with pytest.raises(Rejected) as refused:
        await lab.broker.modify_order("a", D(4), limit_price=D(94))
    assert refused.value.code == "51502"
    await lab.submit("s", "BUY", stop="110")
    with pytest.raises(Rejected) as refused:
        await lab.broker.modify_order("s", D(4), stop_price=D(108))
    assert refused.value.code == "51502"
    stop = await lab.broker.get_order("s")
    assert stop is not None
    assert (stop.quantity, stop.stop_price) == (D(10), D(110))
    found = await lab.broker.get_order("a")
    assert found is not None
    assert (found.quantity, found.limit_price) == (D(10), D(95))


async def test_a_change_of_which_nothing_is_told_is_ambiguous(server: OkxServer, lab: Lab) -> None:
    await lab.submit("a", limit="95")
    await lab.submit("s", "BUY", stop="110")
    server.amend_silent = True
    with pytest.raises(Ambiguous, match="was taken"):
        await lab.broker.modify_order("a", D(4))
    with pytest.raises(Ambiguous, match="was taken"):
        await lab.broker.modify_order("s", D(4))
    assert (server.count("amend"), server.count("amend-algos")) == (1, 1)


async def test_a_change_counts_what_has_filled_and_is_reported_with_its_terms(
    server: OkxServer, lab: Lab
) -> None:
    await lab.submit("a", limit="95")
    await lab.until("a", S.NEW)
    order = server.exchange.by_client_id("a")
    assert order is not None
    server.exchange.fill(order.id, D(3), D(95))
    await lab.until("a", S.PARTIALLY_FILLED)
    await lab.broker.modify_order("a", D(5), limit_price=D("94.5"))
    report = await lab.until("a", S.PARTIALLY_FILLED)
    assert (report.quantity, report.filled, report.limit_price) == (D(5), D(3), D("94.5"))
    await lab.broker.modify_order("a", D(3))
    assert (await lab.until("a", S.FILLED)).filled == 3
    (_, body, headers), *_ = [sent for sent in server.bodies if sent[0] == "amend"]
    assert (body["newSz"], body["newPx"], body["cxlOnFail"]) == ("5", "94.5", False)
    assert "expTime" in headers


async def test_an_order_that_is_taken_and_then_cancelled_says_why(
    server: OkxServer, lab: Lab
) -> None:
    server.post_only_crosses = True
    await lab.submit("a", limit="95")
    report = await lab.until("a", S.CANCELED)
    assert (report.filled, "post only" in report.text) == (D(0), True)


@pytest.mark.parametrize(("source", "word"), [("0", "venue"), ("20", "timer"), ("77", "77")])
async def test_a_cancel_by_the_venue_is_reported_with_its_source(
    server: OkxServer, lab: Lab, source: str, word: str
) -> None:
    await lab.submit("a", limit="95")
    order = server.exchange.by_client_id("a")
    assert order is not None
    server.exchange.cancel(order.id, source)
    assert word in (await lab.until("a", S.CANCELED)).text


# --- 5 and 6: events


async def test_D46_a_fill_that_is_told_before_the_answer_to_its_order_is_told_once(
    server: OkxServer, lab: Lab
) -> None:
    server.fault("order", "delay", seconds=0.2, late=True)
    sending = asyncio.create_task(lab.submit("a", "BUY", "1"))
    report = await lab.until("a", S.FILLED)
    assert not sending.done()
    await sending
    assert await lab.broker.get_fills_since(0) == (report.fill,)
    await lab.submit("b", limit="95")
    await lab.until("b", S.NEW)
    told = [r for r in lab.seen if isinstance(r, OrderReport) and r.fill is not None]
    assert told == [report]


async def test_a_burst_of_partial_fills_is_told_one_by_one(server: OkxServer, lab: Lab) -> None:
    server.exchange.slices = 8
    await lab.submit("a", "BUY", "8")
    reports = await fills_until(lab, "a", "8")
    assert [report.filled for report in reports] == [D(n) for n in range(1, 9)]
    assert reports[-1].status is S.FILLED
    told = tuple(report.fill for report in reports)
    assert await lab.broker.get_fills_since(0) == told
    assert server.count("fills") == 1


async def test_U21_an_event_of_a_fill_without_the_fill_is_completed_from_the_list(
    server: OkxServer, lab: Lab
) -> None:
    server.zero_fills, server.exchange.slices = True, 3
    await lab.submit("a", "BUY", "9")
    await fills_until(lab, "a", "9")
    report = await lab.until("a", S.FILLED) if S.FILLED not in lab.of("a") else None
    assert report is None or report.filled == 9
    fills = {r.fill for r in lab.seen if isinstance(r, OrderReport) and r.fill}
    assert fills == set(await lab.broker.get_fills_since(0))


async def test_U21_events_that_are_lost_show_in_the_next_and_are_asked_for(
    server: OkxServer, lab: Lab
) -> None:
    await lab.submit("a", limit="95")
    await lab.until("a", S.NEW)
    order = server.exchange.by_client_id("a")
    assert order is not None
    server.skip_events = 2
    for quantity in ("2", "3", "4"):
        server.exchange.fill(order.id, D(quantity), D(95))
    reports = await fills_until(lab, "a", "9")
    assert [report.filled for report in reports] == [D(2), D(5), D(9)]
    assert {report.status for report in reports} == {S.PARTIALLY_FILLED}
    assert server.count("fills") == 1


async def test_U21_where_executions_cannot_be_had_the_state_is_told_and_counts_them(
    server: OkxServer, lab: Lab
) -> None:
    """The engine sees by the count that some are missing, and asks."""
    await lab.submit("a", limit="95")
    await lab.until("a", S.NEW)
    order = server.exchange.by_client_id("a")
    assert order is not None
    server.skip_events = 1
    server.fault("fills", "status_after", status=502)
    server.exchange.fill(order.id, D(4), D(95))
    server.exchange.fill(order.id, D(6), D(95))
    report = await lab.until("a", S.FILLED)
    assert report.fill is not None
    assert (report.fill.quantity, report.filled) == (D(6), D(10))
    assert server.count("fills") == 1


@pytest.mark.parametrize("fault", ["double", "reverse"])
async def test_events_that_come_twice_or_in_another_order_are_the_same_executions(
    server: OkxServer, lab: Lab, fault: str
) -> None:
    server.exchange.slices = 3
    server.double_events = fault == "double"
    server.hold_events = fault == "reverse"
    await lab.submit("a", "BUY", "9")
    server.release(reverse=fault == "reverse")
    await fills_until(lab, "a", "9")
    if S.FILLED not in lab.of("a"):
        await lab.until("a", S.FILLED)
    told = {r.fill for r in lab.seen if isinstance(r, OrderReport) and r.fill}
    assert told == set(await lab.broker.get_fills_since(0))


async def test_D44_a_cancelled_order_is_never_filled_and_a_word_nobody_knows_ends_nothing(
    server: OkxServer, lab: Lab
) -> None:
    await lab.submit("a", limit="95")
    await lab.until("a", S.NEW)
    order = server.exchange.by_client_id("a")
    assert order is not None
    row = {
        "instId": SYMBOL, "ordId": order.id, "clOrdId": "a", "side": "buy", "ordType": "limit",
        "sz": "10", "px": "95", "state": "melted", "accFillSz": "1", "fillSz": "1",
        "fillPx": "95", "fillFee": "-0.1", "fillFeeCcy": "USDT", "tradeId": "77",
        "fillTime": "1700000000000", "uTime": "1700000000001",
    }  # fmt: skip
    server.push("orders", row)
    report = await lab.until("a", S.UNKNOWN)
    assert report.fill is not None
    assert (report.fill.execution_id, report.fill.commission) == (f"{SYMBOL}:77", D("0.1"))
    assert "melted" in report.text
    await lab.broker.cancel_order("a")
    assert (await lab.until("a", S.CANCELED)).filled == 0


async def test_numbers_that_are_none_are_told_as_such_and_the_row_is_not_dropped(
    server: OkxServer, lab: Lab
) -> None:
    row = {
        "instId": SYMBOL, "ordId": "5", "clOrdId": "x", "side": "buy", "ordType": "limit",
        "sz": "lots", "px": "95", "state": "live", "accFillSz": "many",
    }  # fmt: skip
    server.push("orders", row)
    report = await lab.until("x", S.NEW)
    assert report.filled is not None
    assert report.filled.is_nan()


# --- 7: silence


async def test_a_venue_that_does_not_answer_pings_is_noticed(server: OkxServer) -> None:
    why: list[str] = []
    over = asyncio.Event()

    def ended(text: str) -> None:
        why.append(text)
        over.set()

    keys = Keys(key=lambda: KEY, secret=lambda: SECRET, passphrase=lambda: PASSPHRASE)
    client = Client(server.url, clock=SystemClock(), keys=keys, demo=True)
    stream = AccountStream(
        private=f"{server.ws_url}/ws/v5/private",
        business=f"{server.ws_url}/ws/v5/business",
        login=client.login,
        order=lambda row: None,
        stop=lambda row: None,
        ended=ended,
        beat_seconds=0.05,
        silence_seconds=0.3,
    )
    await stream.open()
    server.mute = True
    await asyncio.wait_for(over.wait(), 5)
    assert why == ["nothing was heard for 0.3 s"]
    assert not stream.is_open
    await stream.close()
    assert why == ["nothing was heard for 0.3 s"]


@pytest.mark.parametrize("which", ["private", "business"])
async def test_C441_a_stream_that_the_venue_closes_is_told_once_and_both_come_back(
    server: OkxServer, lab: Lab, which: str
) -> None:
    await server.hang_up(which)
    assert "4004" in (await lab.disconnected()).detail
    await lab.start()
    await lab.submit("a", "BUY", "1")
    await lab.until("a", S.FILLED)
    assert [r for r in lab.seen if isinstance(r, LinkReport)][1:2] != []
    links = [r.state for r in lab.seen if isinstance(r, LinkReport)]
    assert links == [LinkState.CONNECTED, LinkState.DISCONNECTED, LinkState.CONNECTED]


@pytest.mark.parametrize("ends", ["by us", "by them"])
async def test_nothing_is_left_of_a_connection_that_is_over(server: OkxServer, ends: str) -> None:
    before = asyncio.all_tasks()
    async with lab_of(server) as lab:
        await lab.start()
        assert len(server.sockets) == 2
        if ends == "by them":
            await server.hang_up()
            await lab.disconnected()
        await lab.broker.disconnect()
        await lab.broker.disconnect()
        names = {task.get_name() for task in asyncio.all_tasks() - before if not task.done()}
        assert not [name for name in names if "stream" in name or "watch" in name]
        states = [report.state for report in lab.seen if isinstance(report, LinkReport)]
        assert states == [LinkState.CONNECTED, LinkState.DISCONNECTED][: len(states)]


# --- 8: who we are, and when


async def test_C201_another_account_than_the_one_that_is_named_is_refused(
    server: OkxServer,
) -> None:
    async with lab_of(server, account_id="1234") as lab:
        with pytest.raises(AuthFailed, match=UID):
            await lab.broker.connect()
        assert server.count("ws-private") == 0
    server.demo = False
    async with lab_of(server, environment="live") as lab:
        with pytest.raises(AuthFailed, match="account_id is missing"):
            await lab.broker.connect()
    async with lab_of(server, environment="live", account_id=UID) as lab:
        await lab.start()


async def test_P47_a_key_that_may_withdraw_is_refused_with_real_money(server: OkxServer) -> None:
    server.permissions = "read_only,withdraw,trade"
    async with lab_of(server) as lab:
        await lab.start()
        assert isinstance(lab.broker, OkxBroker)
        assert lab.broker.identity.rights.withdraw is True
    server.demo = False
    async with lab_of(server, environment="live", account_id=UID) as lab:
        with pytest.raises(AuthFailed, match="may withdraw"):
            await lab.broker.connect()
        with pytest.raises(NotSent):
            await lab.broker.get_open_orders()


async def test_E12_a_key_of_the_other_world_is_refused(server: OkxServer) -> None:
    server.demo = False
    async with lab_of(server) as lab:
        with pytest.raises(AuthFailed, match="50101"):
            await lab.broker.connect()


@pytest.mark.parametrize("level", ["2", "3", "4"])
async def test_an_account_that_may_borrow_is_refused(server: OkxServer, level: str) -> None:
    server.account_level = level
    async with lab_of(server) as lab:
        with pytest.raises(AuthFailed, match=f"account mode {level}"):
            await lab.broker.connect()


async def test_a_key_that_may_only_read_is_refused(server: OkxServer) -> None:
    server.permissions = "read_only"
    async with lab_of(server) as lab:
        with pytest.raises(AuthFailed, match="read_only"):
            await lab.broker.connect()


@pytest.mark.parametrize(
    ("variable", "code"),
    [("OKX_API_KEY", "50111"), ("OKX_SECRET_KEY", "50113"), ("OKX_PASSPHRASE", "50105")],
)
async def test_wrong_credentials_are_named_as_such_and_never_shown(
    server: OkxServer, variable: str, code: str
) -> None:
    connection = opened(server, {variable: "wrong-secret-words"})
    with pytest.raises(AuthFailed, match=code) as refused:
        await connection.broker.connect()
    shown = f"{refused.value!r} {refused.value} {connection.broker!r} {vars(connection.broker)}"
    assert "wrong-secret-words" not in shown
    assert SECRET not in shown
    await connection.broker.disconnect()


@pytest.mark.parametrize("missing", SECRETS)
async def test_X52_an_account_without_a_key_opens_and_is_refused_when_it_connects(
    server: OkxServer, missing: str
) -> None:
    """Else nothing could be closed at the other venues of the same config."""
    known = dict(SECRETS)
    del known[missing]

    def secret(variable: str) -> Told:
        if variable not in known:
            raise LookupError(f"{variable} is missing: it is not set")
        return Told(known[variable])

    connection = open_venue(msgspec.structs.replace(setup_of(server), secret=secret))
    with pytest.raises(AuthFailed, match=f"{missing} is missing"):
        await connection.broker.connect()
    known[missing] = SECRETS[missing]
    await connection.broker.connect()
    await connection.broker.disconnect()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("60005", AuthFailed), ("60007", AuthFailed), ("60024", AuthFailed),
    ],
)  # fmt: skip
async def test_a_stream_that_is_refused_leaves_nothing_open(
    server: OkxServer, code: str, kind: type[BrokerError]
) -> None:
    server.refuse_login = code
    before = asyncio.all_tasks()
    async with lab_of(server) as lab:
        with pytest.raises(kind, match=code):
            await lab.broker.connect()
        with pytest.raises(NotSent):
            await lab.broker.get_positions()
        assert not [t for t in asyncio.all_tasks() - before if "stream" in t.get_name()]


@pytest.mark.parametrize("code", ["60006", "63999", "60014"])
async def test_C441_a_login_that_is_refused_for_now_leaves_the_requests(
    server: OkxServer, code: str
) -> None:
    server.refuse_login = code
    before = asyncio.all_tasks()
    async with lab_of(server) as lab:
        with pytest.raises(StreamRefused, match=code):
            await lab.broker.connect()
        assert await lab.broker.get_positions() == ()
        assert not [t for t in asyncio.all_tasks() - before if "stream" in t.get_name()]
        server.refuse_login = ""
        await lab.broker.connect()


async def test_a_connect_that_is_given_up_leaves_nothing_open(server: OkxServer) -> None:
    server.fault("ws-business", "silent")
    async with lab_of(server) as lab:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await lab.broker.connect()
        with pytest.raises(NotSent):
            await lab.broker.get_positions()
        await lab.start()


async def test_a_clock_that_is_wrong_here_is_measured_and_a_time_refused_was_not_sent(
    server: OkxServer,
) -> None:
    server.clock_ms = 3_600_000
    async with lab_of(server) as lab:
        await lab.start()
        await lab.submit("a", "BUY", "1")
        await lab.until("a", S.FILLED)
        server.clock_ms = 0
        with pytest.raises(NotSent, match="50102"):
            await lab.submit("b", "BUY", "1")
        assert len(server.exchange.executions) == 1
        await lab.submit("b", "BUY", "1")
        await lab.until("b", S.FILLED)
        assert (server.count("time"), server.count("order")) == (1, 3)


async def test_an_order_expires_that_comes_late(server: OkxServer, lab: Lab) -> None:
    server.clock_ms = 6_000
    with pytest.raises(Rejected) as refused:
        await lab.submit("a", "BUY", "1")
    assert refused.value.code == "50036"
    assert server.exchange.executions == []


@pytest.mark.parametrize(("seconds", "arrives"), [(9, True), (11, False)])
async def test_a_stop_expires_that_comes_late(
    server: OkxServer, lab: Lab, seconds: int, arrives: bool
) -> None:
    """The venue has no such word for stops: the time with which it is signed is as old as leaves it
    ten seconds. What comes later was not looked at."""
    server.clock_ms = seconds * 1000
    if arrives:
        await lab.submit("s", "BUY", stop="110")
    else:
        with pytest.raises(NotSent, match="50102"):
            await lab.submit("s", "BUY", stop="110")
    assert len(server.exchange.open_orders) == int(arrives)
    assert lab.broker.capabilities.late_arrival_seconds == 10


async def test_a_log_out_in_the_middle_ends_the_stream(server: OkxServer, lab: Lab) -> None:
    server.log_out()
    assert "60011" in (await lab.disconnected()).detail


# --- 9: limits


@pytest.mark.parametrize(
    "more",
    [
        said("50011"), said("50011", status=429), said("50061", row=True), said("50040"),
        said("", status=429),
    ],
)  # fmt: skip
async def test_C200_a_venue_that_asks_to_wait_is_not_asked_again_before(
    server: OkxServer, lab: Lab, more: dict[str, Any]
) -> None:
    server.fault("order", "status_before", **more)
    with pytest.raises(Throttled) as first:
        await lab.submit("a", "BUY", "1")
    assert first.value.retry_after == 2
    with pytest.raises(Throttled):
        await lab.submit("b", "BUY", "1")
    assert server.count("order") == 1
    assert await lab.broker.get_order("a") is None


async def test_C200_a_ban_of_the_address_keeps_back_every_kind_of_request(
    server: OkxServer, lab: Lab
) -> None:
    """Limits are counted for each address of the venue's by itself, and a ban is not."""
    more = {"status": 429, "body": "error code: 1015", "headers": {"Retry-After": "600"}}
    server.fault("order", "status_before", **more)
    with pytest.raises(Banned) as ban:
        await lab.submit("a", "BUY", "1")
    assert ban.value.retry_after == 600
    with pytest.raises(Banned):
        await lab.broker.get_order("a")
    with pytest.raises(Banned):
        await lab.broker.get_positions()


async def test_C200_cancels_have_room_where_orders_have_none(server: OkxServer, lab: Lab) -> None:
    """A part of what the venue allows is kept for what reduces risk."""
    await lab.broker.instrument(lab.symbol)
    adds = [lab.order(f"o{n}", "BUY", "0.001", limit="40") for n in range(200)]
    adds = [msgspec.structs.replace(one, reserved=D(40)) for one in adds]
    told = await asyncio.gather(*map(lab.broker.submit_order, adds), return_exceptions=True)
    put_off = [one for one in told if isinstance(one, Throttled)]
    assert put_off
    assert 48 <= server.count("order") == 200 - len(put_off)
    await lab.submit("closes", "BUY", "0.001", limit="41")
    await lab.broker.cancel_order("o0")
    await lab.until("o0", S.CANCELED)


async def test_a_notice_that_the_connection_will_be_closed_ends_it(
    server: OkxServer, lab: Lab
) -> None:
    server.notice()
    assert "64008" in (await lab.disconnected()).detail


@pytest.mark.parametrize("channel", ["orders", "orders-algo"])
async def test_too_many_connections_are_told_after_the_acknowledgement_and_end_the_stream(
    server: OkxServer, lab: Lab, channel: str
) -> None:
    server.refuse_channel(channel)
    assert (
        f"too many connections to the channel {channel} (30)" in (await lab.disconnected()).detail
    )


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("51008", Rejected), ("51020", Rejected), ("51006", Rejected), ("51155", Rejected),
        ("51022", MarketClosed), ("51124", MarketClosed), ("50028", AuthFailed),
        ("50013", Ambiguous), ("50026", Ambiguous), ("51054", Ambiguous),
    ],
)  # fmt: skip
@pytest.mark.parametrize("row", [True, False])
async def test_C403_the_code_of_the_order_counts_and_not_only_that_of_the_answer(
    server: OkxServer, lab: Lab, code: str, kind: type[BrokerError], row: bool
) -> None:
    server.fault("order", "status_before", **said(code, row=row))
    with pytest.raises(kind, match=code):
        await lab.submit("a", "BUY", "1")
    assert server.count("order") == 1


@pytest.mark.parametrize("body", ['{"code": "1", "msg": "", "data": []}', "null", "{}", "", "[]"])
async def test_an_answer_that_names_no_reason_proves_nothing(
    server: OkxServer, lab: Lab, body: str
) -> None:
    server.fault("order", "status_before", status=200, body=body)
    with pytest.raises(Ambiguous):
        await lab.submit("a", "BUY", "1")


@pytest.mark.parametrize("row", ["{}", '{"sCode": "0", "ordId": "", "algoId": ""}'])
async def test_an_answer_that_names_no_order_is_ambiguous(
    server: OkxServer, lab: Lab, row: str
) -> None:
    body = f'{{"code": "0", "msg": "", "data": [{row}]}}'
    for op, stop in (("order", None), ("order-algo", "110")):
        server.fault(op, "status_before", status=200, body=body)
        with pytest.raises(Ambiguous, match="names no order"):
            await lab.submit(f"a{op.replace('-', '')}", "BUY", "1", stop=stop)
        assert server.count(op) == 1


async def test_balances_without_their_coins_are_no_empty_account(
    server: OkxServer, lab: Lab
) -> None:
    body = '{"code": "0", "msg": "", "data": [{"uTime": "1700000000000", "totalEq": "5"}]}'
    for ask in (lab.broker.get_positions, lab.broker.get_account):
        server.fault("balance", "status_before", status=200, body=body)
        with pytest.raises(Ambiguous, match="cannot be read"):
            await ask()


# --- what is refused before it is sent


@pytest.mark.parametrize(
    ("args", "more", "code"),
    [
        (("BUY", "0.00005"), {}, "LOT"),
        (("BUY", "0.0005"), {}, "MIN_QUANTITY"),
        (("BUY", "1"), {"limit": "95.001"}, "TICK"),
        (("BUY", "1"), {"stop": "105.001"}, "TICK"),
        (("SELL_SHORT", "1"), {}, "SHORT"),
        (("BUY", "1"), {"tif": "DAY"}, "TIME_IN_FORCE"),
        (("BUY", "1"), {"tif": "FOK"}, "TIME_IN_FORCE"),
        (("BUY", "1"), {"stop": "105", "tif": "IOC"}, "TIME_IN_FORCE"),
        (("BUY", "1"), {"kind": "LIMIT"}, "PRICE"),
        (("BUY", "1"), {"symbol": "DOGE-USDT"}, "51001"),
        (("BUY", "1"), {"symbol": "AAPL"}, "51001"),
    ],
)
async def test_what_is_off_the_grid_is_refused_in_words_and_not_sent(
    server: OkxServer, lab: Lab, args: tuple[str, str], more: dict[str, str], code: str
) -> None:
    with pytest.raises(Rejected) as refused:
        await lab.submit("a", *args, **more)
    assert (refused.value.code, server.count("order"), server.count("order-algo")) == (code, 0, 0)
    assert refused.value.text
    with pytest.raises(Rejected) as refused:
        await lab.submit("a_b", "BUY", "1")
    assert refused.value.code == "CLIENT_ID"


async def test_a_symbol_that_is_suspended_is_known_with_that_fault(
    server: OkxServer, lab: Lab
) -> None:
    server.states["ETH-USDT"] = "suspend"
    assert "suspend" in (await lab.broker.instrument("ETH-USDT")).fault
    facts = await lab.broker.instrument(SYMBOL)
    assert (facts.tick, facts.currency) == (D("0.01"), "USDT")
    assert facts.lot == D("0.001")  # the least that can be ordered, of a lot of 0.0001
    assert (facts.fault, facts.shortable) == ("", False)


async def test_C200_stops_are_listed_only_where_there_is_room_for_all_their_kinds(
    server: OkxServer, lab: Lab
) -> None:
    """Questions that break off in the middle would use up what the next attempt waits for, and
    whoever asks again as soon as it may would never have the whole list."""
    looks = [lab.broker.get_open_orders() for _ in range(10)]
    told = await asyncio.gather(*looks, return_exceptions=True)
    put_off = [one for one in told if isinstance(one, Throttled)]
    asked = server.count("pending-algos")
    assert put_off
    assert asked == (10 - len(put_off)) * len(STOP_KINDS)
    await asyncio.sleep(max(one.retry_after for one in put_off))
    await lab.broker.get_open_orders()
    assert server.count("pending-algos") == asked + len(STOP_KINDS)
