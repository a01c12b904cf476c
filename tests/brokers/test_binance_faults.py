"""What goes wrong between us and Binance, one test a fault (research/alpaca-binance.md §9)."""

import asyncio
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from brokers import Connection
from brokers.binance.client import TIMEOUT_SECONDS
from brokers.binance.refusals import AskedToWait
from brokers.net.budget import Budget
from console.host.account_opening import account_setup, open_accounts
from engine.domain.instant import NS_PER_MS, NS_PER_SECOND
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
from tests.brokers.conformance import PATIENCE_SECONDS, Lab
from tests.configs import from_mapping
from tests.venues.binance import KEY, SECRET, UID, BinanceServer
from tests.venues.binance_account import SECRETS, SYMBOL, THEIRS, opened
from tests.venues.exchange import Rules

D = Decimal
S = OrderStatus


@pytest.fixture
async def server() -> AsyncIterator[BinanceServer]:
    async with BinanceServer() as served:
        yield served


@pytest.fixture
async def lab(server: BinanceServer) -> AsyncIterator[Lab]:
    async def set_price(symbol: str, price: Decimal) -> None:
        server.exchange.set_price(symbol.replace("-", ""), price)

    broker = opened(server).broker
    made = Lab(broker, set_price, symbol=SYMBOL)
    await made.start()
    yield made
    await broker.disconnect()


def sent(server: BinanceServer, name: str) -> list[dict[str, str]]:
    """The parameters of every request of that name."""
    return [
        {key: value for key, (value,) in parse_qs(urlsplit(path).query).items()}
        for op, _, path in server.requests
        if op == name
    ]


def said(code: int, msg: str = "said so", **more: Any) -> dict[str, Any]:
    """What a fault answers with."""
    return {"body": json.dumps({"code": code, "msg": msg}), **more}


# --- an answer that is lost, and a request that is


async def test_T07_an_order_whose_answer_was_lost_is_ambiguous_and_is_found_by_its_id(
    server: BinanceServer, lab: Lab
) -> None:
    server.fault("submit", "drop_after")
    with pytest.raises(Ambiguous):
        await lab.submit("a", "BUY", "10")
    assert server.count("submit") == 1
    known = await lab.broker.get_order("a")
    assert known is not None
    assert (known.status, known.filled, known.average_price) == (S.FILLED, D(10), D(100))
    (fill,) = await lab.broker.get_fills_since(0)
    assert fill.client_order_id == "a"


async def test_T07_an_order_that_was_lost_on_its_way_is_ambiguous_and_is_not_known(
    server: BinanceServer, lab: Lab
) -> None:
    server.fault("submit", "drop_before")
    with pytest.raises(Ambiguous):
        await lab.submit("a")
    assert server.count("submit") == 1
    assert await lab.broker.get_order("a") is None


async def test_T07_an_order_that_arrives_after_it_was_given_up_is_not_carried_out(
    server: BinanceServer, lab: Lab
) -> None:
    """It is held for longer than recvWindow, and longer than its answer is waited for."""
    server.fault("submit", "delay", seconds=3.3)
    with pytest.raises(Ambiguous):
        await lab.submit("a")
    server.fault("time", "delay", seconds=0.5)
    await lab.broker.server_time()  # the held request has been looked at by now
    assert server.refused == [-1021]
    assert server.exchange.orders == {}


@pytest.mark.parametrize("play", ["drop_after", "truncate", "status_after"])
@pytest.mark.parametrize("method", ["submit", "cancel", "cancelAll"])
async def test_C402_whatever_fails_the_server_sees_one_request(
    server: BinanceServer, lab: Lab, method: str, play: Any
) -> None:
    """Also a cancel, which aiohttp would send again by itself."""
    await lab.submit("a", limit="95")
    before = server.count(method)
    server.fault(method, play)
    asked = {
        "submit": lambda: lab.submit("b", limit="95"),
        "cancel": lambda: lab.broker.cancel_order("a"),
        "cancelAll": lab.broker.cancel_all,
    }
    with pytest.raises(Ambiguous):
        await asked[method]()
    assert server.count(method) == before + 1


@pytest.mark.parametrize(
    ("status", "code"), [(503, -1007), (500, -1000), (400, -1006), (400, -1007), (502, -1001)]
)
async def test_C211_what_the_venue_does_not_know_itself_is_ambiguous(
    server: BinanceServer, lab: Lab, status: int, code: int
) -> None:
    server.fault("submit", "status_after", status=status, **said(code))
    with pytest.raises(Ambiguous):
        await lab.submit("a", limit="95")
    known = await lab.broker.get_order("a")
    assert known is not None
    assert known.status is S.NEW


async def test_E09_an_id_is_taken_again_once_its_order_has_filled_so_nothing_is_claimed(
    server: BinanceServer, lab: Lab
) -> None:
    """While it is open the id is refused in words that the port knows."""
    await lab.submit("a", limit="95")
    with pytest.raises(Rejected) as refused:
        await lab.submit("a", limit="95")
    assert refused.value.code == "DUPLICATE_ID"
    await lab.price("95")
    await lab.submit("a")
    assert len(server.exchange.executions) == 2
    assert not lab.broker.capabilities.deduplicates


def test_E09_a_lost_order_may_arrive_within_its_window_and_the_time_of_the_venues_engine(
    server: BinanceServer,
) -> None:
    able = opened(server).broker.capabilities
    assert able.late_arrival_seconds == 2 + 10
    assert able.timeout_seconds == TIMEOUT_SECONDS == 5


# --- the clock


@pytest.mark.parametrize("offset", [-5_000, 5_000])
async def test_C211_a_request_of_a_wrong_time_was_not_carried_out_and_the_next_has_the_right_one(
    server: BinanceServer, lab: Lab, offset: int
) -> None:
    """It is refused before the engine sees it, so that it may be asked for again: Throttled."""
    server.clock_offset_ms = offset
    with pytest.raises(Throttled) as wait:
        await lab.submit("a")
    assert wait.value.retry_after <= 1
    assert server.exchange.orders == {}
    assert server.count("submit") == 1
    await lab.submit("a")
    await lab.until("a", S.FILLED)


async def test_C211_a_clock_that_is_apart_at_the_start_is_set_by_the_venue(
    server: BinanceServer,
) -> None:
    server.clock_offset_ms = -40_000
    broker = opened(server).broker
    await broker.connect()
    assert server.count("account") == 1
    assert abs(await broker.server_time() - server.now_ms() * NS_PER_MS) < NS_PER_SECOND
    await broker.disconnect()


async def test_a_request_says_that_it_is_valid_for_two_seconds(
    server: BinanceServer, lab: Lab
) -> None:
    await lab.submit("a", limit="95")
    (terms,) = sent(server, "submit")
    assert terms["recvWindow"] == "2000"


# --- the stream


async def test_a_report_told_twice_is_the_same_fill_twice(server: BinanceServer, lab: Lab) -> None:
    server.dup_reports = True
    await lab.submit("a")
    first = await lab.until("a", S.FILLED)
    again = await lab.until("a", S.FILLED)
    assert first.fill is not None
    assert again.fill == first.fill


async def test_reports_in_the_wrong_order_are_told_as_they_come(
    server: BinanceServer, lab: Lab
) -> None:
    server.held_reports = []
    server.exchange.slices = 2
    await lab.submit("a", "BUY", "10")
    server.release(reverse=True)
    await lab.until("a", S.NEW)
    reports = [r for r in lab.seen if isinstance(r, OrderReport)]
    assert [r.status for r in reports] == [S.FILLED, S.PARTIALLY_FILLED, S.NEW]
    assert [r.filled for r in reports] == [D(10), D(5), D(0)]
    fills = [r.fill for r in reversed(reports) if r.fill is not None]
    assert tuple(fills) == await lab.broker.get_fills_since(0)


async def test_D46_a_fill_that_is_told_before_the_answer_to_its_order_is_told(
    server: BinanceServer, lab: Lab
) -> None:
    server.fault("submit", "delay", seconds=0.2, late=True)
    await lab.submit("a")
    assert (await lab.until("a", S.FILLED)).fill is not None


async def test_a_fill_in_the_same_burst_as_the_answer_to_the_subscription_is_told(
    server: BinanceServer,
) -> None:
    """It follows the news of the connection, so that a look is asked for first."""
    server.first_event = _executed("BTCUSDT", "early")
    broker = opened(server).broker
    await broker.connect()
    reports = broker.reports()
    link, told = await anext(reports), await anext(reports)
    assert isinstance(link, LinkReport)
    assert isinstance(told, OrderReport)
    assert (told.client_order_id, told.fill is not None) == ("early", True)
    await broker.disconnect()


@pytest.mark.parametrize("how", ["shut_down", "terminate", "1000", "1001", "1008"])
async def test_C211_the_end_of_the_stream_is_told_and_the_next_connection_subscribes_anew(
    server: BinanceServer, lab: Lab, how: str
) -> None:
    await lab.submit("a", limit="95")
    await lab.until("a", S.NEW)
    if how.isdecimal():
        await server.hang_up(int(how))
    else:
        getattr(server, how)()
    report = await lab.disconnected()
    words = {"shut_down": "serverShutdown", "terminate": "eventStreamTerminated"}
    assert words.get(how, how) in report.detail
    await lab.price("94")  # nobody listens
    await lab.broker.disconnect()
    await lab.start()
    assert server.subscriptions == 1
    (fill,) = await lab.broker.get_fills_since(0)
    assert fill.client_order_id == "a"


async def test_C441_a_link_of_which_one_half_is_gone_is_noticed(server: BinanceServer) -> None:
    """Nothing is closed, and nothing comes any more: its pings are not answered."""
    server.half_open = True
    broker = opened(server).broker
    await broker.connect()
    reports = broker.reports()
    links = [await asyncio.wait_for(anext(reports), PATIENCE_SECONDS) for _ in range(2)]
    assert [link.state for link in links if isinstance(link, LinkReport)] == [
        LinkState.CONNECTED,
        LinkState.DISCONNECTED,
    ]
    await broker.disconnect()


async def test_a_late_refusal_of_a_request_ends_nothing(server: BinanceServer, lab: Lab) -> None:
    """The SDK's reader dies of it for good."""
    server.say_late_error()
    await lab.submit("a")
    await lab.until("a", S.FILLED)


async def test_what_was_missed_while_nobody_listened_is_in_the_list_of_fills_once_it_is_not_behind(
    server: BinanceServer, lab: Lab
) -> None:
    server.held_reports = []
    await lab.submit("a", "BUY", "10")
    server.trades_lag = 1
    assert await lab.broker.get_fills_since(0) == ()
    server.trades_lag = 0
    (fill,) = await lab.broker.get_fills_since(0)
    server.release()
    assert (await lab.until("a", S.FILLED)).fill == fill


async def test_a_trade_in_a_symbol_that_is_not_known_ends_the_stream_and_is_found_after_it() -> (
    None
):
    """Where BNBUSDT is divided only the venue can say, and a report cannot wait for that."""
    both = (Rules("BTCUSDT", base="BTC", quote="USDT"), Rules("BNBUSDT", base="BNB", quote="USDT"))
    async with BinanceServer(*both) as server:

        async def set_price(symbol: str, price: Decimal) -> None:
            server.exchange.set_price(symbol, price)

        lab = Lab(opened(server).broker, set_price, symbol="BTCUSDT")
        await lab.start()
        server.exchange.prices["BNBUSDT"] = D(600)
        server.exchange.place(
            client_id="byhand", symbol="BNBUSDT", sign=1, quantity=D(1), kind="market"
        )
        assert "BNBUSDT" in (await lab.disconnected()).detail
        await lab.broker.disconnect()
        await lab.start()
        (fill,) = await lab.broker.get_fills_since(0)
        assert (fill.symbol, fill.client_order_id, fill.quantity) == ("BNB-USDT", "byhand", D(1))
        (position,) = await lab.broker.get_positions()
        assert (position.symbol, position.quantity) == ("BNB-USDT", D(1))
        await lab.broker.disconnect()


async def test_C212_a_word_for_an_order_that_is_not_known_is_no_end(
    server: BinanceServer, lab: Lab
) -> None:
    """Nothing is concluded from the report, and an order that is listed so stays open."""
    server.status_word = "MELTED"
    await lab.submit("a", limit="95")
    report = await lab.next_report()
    assert isinstance(report, OrderReport)
    assert (report.status, "MELTED" in report.text) == (S.UNKNOWN, True)
    (listed,) = await lab.broker.get_open_orders()
    assert not listed.status.is_terminal


@pytest.mark.parametrize("field", ["q", "l", "L", "n", "z"])
async def test_a_number_that_is_none_reaches_the_port_as_one_that_it_refuses(
    server: BinanceServer, lab: Lab, field: str
) -> None:
    server.tell(_executed("BTCUSDT", "a") | {field: "many"})
    report = await lab.next_report()
    assert isinstance(report, OrderReport)
    assert report.fill is not None
    numbers = {
        "q": report.quantity,
        "l": report.fill.quantity,
        "L": report.fill.price,
        "n": report.fill.commission,
        "z": report.filled,
    }
    assert [name for name, value in numbers.items() if value is None or value.is_nan()] == [field]


def _executed(symbol: str, key: str) -> dict[str, Any]:
    """A report of a fill of 1 at 100."""
    return {
        "e": "executionReport", "E": 1, "s": symbol, "c": key, "S": "BUY", "o": "LIMIT",
        "f": "GTC", "q": "1.00000000", "p": "100.00000000", "P": "0.00000000", "C": "",
        "x": "TRADE", "X": "FILLED", "r": "NONE", "i": 77, "l": "1.00000000", "z": "1.00000000",
        "L": "100.00000000", "n": "0.00000000", "N": "USDT", "T": 1_770_000_000_000, "t": 5,
        "m": True,
    }  # fmt: skip


# --- cancels


async def test_a_cancel_is_told_under_the_id_of_its_order_and_not_under_its_own(
    server: BinanceServer, lab: Lab
) -> None:
    await lab.submit("a", limit="95")
    await lab.broker.cancel_order("a")
    report = await lab.until("a", S.CANCELED)
    assert report.filled == 0
    assert all(r.client_order_id == "a" for r in lab.seen if isinstance(r, OrderReport))


async def test_D44_a_cancel_that_comes_too_late_is_refused_and_a_question_tells_the_truth(
    server: BinanceServer, lab: Lab
) -> None:
    """-2011 says filled, cancelled or unknown alike."""
    await lab.submit("a", limit="95")
    await lab.price("94")
    with pytest.raises(Rejected) as refused:
        await lab.broker.cancel_order("a")
    assert refused.value.code == "-2011"
    known = await lab.broker.get_order("a")
    assert known is not None
    assert known.status is S.FILLED


async def test_an_order_of_an_earlier_process_is_cancelled_by_its_id(server: BinanceServer) -> None:
    """Its symbol is looked for: the venue cancels nothing without."""
    server.exchange.prices[THEIRS] = D(100)
    server.exchange.place(
        client_id="before", symbol=THEIRS, sign=1, quantity=D(1), kind="limit", limit=D(95)
    )
    broker = opened(server).broker
    await broker.connect()
    await broker.cancel_order("before")
    assert server.exchange.open_orders == []
    await broker.disconnect()


async def test_an_order_is_asked_about_and_cancelled_by_what_the_venue_calls_it(
    server: BinanceServer, lab: Lab
) -> None:
    await lab.submit("a", limit="95")
    (listed,) = await lab.broker.get_open_orders()
    assert listed.venue_order_id.startswith("BTCUSDT:")
    key = f"venue-binance-{listed.venue_order_id}"
    known = await lab.broker.get_order(key)
    assert known is not None
    assert known.venue_order_id == listed.venue_order_id
    await lab.broker.cancel_order(key)
    assert server.exchange.open_orders == []


async def test_cancel_all_asks_every_symbol_although_one_fails() -> None:
    both = (Rules("BTCUSDT", base="BTC", quote="USDT"), Rules("ETHUSDT", base="ETH", quote="USDT"))
    async with BinanceServer(*both) as server:
        broker = opened(server, symbols=("BTC-USDT", "ETH-USDT")).broker
        await broker.connect()
        for rules in both:
            server.exchange.prices[rules.symbol] = D(100)
            server.exchange.place(
                client_id=f"o{rules.base}", symbol=rules.symbol, sign=1, quantity=D(1),
                kind="limit", limit=D(95),
            )  # fmt: skip
        server.fault("cancelAll", "drop_before")
        with pytest.raises(Ambiguous):
            await broker.cancel_all()
        assert server.count("cancelAll") == 2
        assert len(server.exchange.open_orders) == 1
        await broker.disconnect()


async def test_C402_a_cancel_of_all_that_cannot_ask_what_is_open_has_sent_nothing(
    server: BinanceServer, lab: Lab
) -> None:
    await lab.submit("a", limit="95")
    server.fault("openOrders", "truncate")
    with pytest.raises(NotSent):
        await lab.broker.cancel_all()
    assert server.count("cancelAll") == 0


async def test_an_order_list_that_answers_a_cancel_of_its_leg_is_an_answer(
    server: BinanceServer, lab: Lab
) -> None:
    await lab.submit("a", limit="95")
    whole = json.dumps({"orderListId": 0, "symbol": THEIRS, "orders": []})
    server.fault("cancel", "status_after", status=200, body=whole)
    await lab.broker.cancel_order("a")
    await lab.until("a", S.CANCELED)


# --- limits


@pytest.mark.parametrize("status", [429, 418])
async def test_C200_a_venue_that_asks_us_to_wait_is_asked_nothing_until_then(
    server: BinanceServer, lab: Lab, status: int
) -> None:
    """Who goes on asking after 429 is banned, and 418 is a ban."""
    await lab.submit("a", limit="95")
    limit = said(-1003, "Too much request weight used")
    server.fault("order", "status_before", status=status, headers={"Retry-After": "7"}, **limit)
    with pytest.raises(Throttled) as wait:
        await lab.broker.get_order("a")
    assert wait.value.retry_after == 7
    seen = len(server.requests)
    with pytest.raises(Throttled) as still:
        await lab.broker.cancel_order("a")
    assert 6 < still.value.retry_after <= 7
    assert len(server.requests) == seen


async def test_C200_a_long_wait_for_weight_keeps_a_cancel_back_for_the_minute_that_is_counted(
    server: BinanceServer, lab: Lab
) -> None:
    await lab.submit("a", limit="95")
    limit = said(-1003, "Too much request weight used")
    server.fault("cancel", "status_before", status=429, headers={"Retry-After": "600"}, **limit)
    with pytest.raises(Throttled) as wait:
        await lab.broker.cancel_order("a")
    assert (type(wait.value), wait.value.retry_after) == (AskedToWait, 60)
    with pytest.raises(Throttled) as entry:
        await lab.submit("b", limit="95")
    assert 599 < entry.value.retry_after <= 600


@pytest.mark.parametrize(("status", "kind"), [(429, Throttled), (418, Banned)])
async def test_C200_what_the_venue_counts_by_address_holds_for_every_account_there(
    server: BinanceServer, lab: Lab, status: int, kind: type[Throttled]
) -> None:
    """Whoever asked for too much: a second account that goes on asking gets both banned."""
    shared: dict[str, Budget] = {}
    first, second, apart = (opened(server, budgets=one).broker for one in (shared, shared, None))
    for broker in (first, second, apart):
        await broker.connect()
    limit = said(-1003, "Too much request weight used")
    server.fault("account", "status_before", status=status, headers={"Retry-After": "7"}, **limit)
    with pytest.raises(kind):
        await first.get_account()
    seen = len(server.requests)
    with pytest.raises(kind) as still:
        await second.get_account()
    assert 6 < still.value.retry_after <= 7
    assert len(server.requests) == seen
    assert (await apart.get_account()).account_id, "another process knows nothing of it"
    for broker in (first, second, apart):
        await broker.disconnect()


async def test_C200_the_accounts_of_a_config_share_what_is_counted_by_address(
    server: BinanceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECOND_API_KEY", KEY)
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    there = {
        "rest_url": server.url,
        "ws_api_url": f"{server.ws_url}/ws-api/v3",
        "stream_url": server.ws_url,
    }
    config = from_mapping({
        "account": {"primary": "binance"},
        "market": {"symbols": [SYMBOL], "source": "broker"},
        "brokers": {
            "binance": there,
            "second": {"kind": "binance", "key_env": "SECOND_API_KEY", **there},
        },
    })  # fmt: skip
    plan = account_setup(config, "binance", {}, SystemClock(), own=False)
    found: dict[str, Connection] = {}
    open_accounts(config, plan, found, asked=config, own=False, unopened=None)
    one, two = (found[name].broker for name in ("binance", "second"))
    await one.connect()
    await two.connect()
    server.fault("account", "status_before", status=418, headers={"Retry-After": "7"})
    with pytest.raises(Banned):
        await one.get_account()
    seen = len(server.requests)
    with pytest.raises(Banned):
        await two.get_account()
    assert len(server.requests) == seen
    await one.disconnect()
    await two.disconnect()


async def test_C200_weight_that_one_account_has_used_is_used_for_the_other(
    server: BinanceServer,
) -> None:
    shared: dict[str, Budget] = {}
    first, second = (opened(server, budgets=shared).broker for _ in range(2))
    await first.connect()
    await second.connect()
    server.used_weight = 5_990
    await first.server_time()
    seen = len(server.requests)
    with pytest.raises(Throttled, match="used up"):
        await second.get_account()
    assert len(server.requests) == seen
    await first.disconnect()
    await second.disconnect()


@pytest.mark.parametrize(
    ("status", "code", "text"),
    [
        (418, -1003, "Way too much request weight used; IP banned until 1620286253180."),
        (418, 0, ""),
        (429, -1003, "Too many requests; IP banned until 1620286253180."),
        (403, 0, ""),
    ],
)
async def test_C200_a_ban_keeps_everything_back(
    server: BinanceServer, lab: Lab, status: int, code: int, text: str
) -> None:
    await lab.submit("a", limit="95")
    more = said(code, text) if code else {"body": "<html></html>"}
    server.fault("order", "status_before", status=status, headers={"Retry-After": "600"}, **more)
    with pytest.raises(Banned) as ban:
        await lab.broker.get_order("a")
    assert ban.value.retry_after == 600
    with pytest.raises(Banned) as still:
        await lab.broker.cancel_order("a")
    assert 599 < still.value.retry_after <= 600


async def test_C404_a_long_limit_of_orders_keeps_one_that_reduces_back_for_ten_seconds(
    server: BinanceServer, lab: Lab
) -> None:
    await lab.submit("a", "BUY", "2")
    await lab.until("a", S.FILLED)
    many = said(-1015, "Too many new orders; current limit is 160000 orders per DAY.")
    server.fault("submit", "status_before", status=429, headers={"Retry-After": "9000"}, **many)
    with pytest.raises(Throttled) as wait:
        await lab.submit("b", "SELL", "1", reduce_only=True)
    assert wait.value.retry_after == 10
    with pytest.raises(Throttled) as entry:
        await lab.submit("c", limit="95")
    assert 8999 < entry.value.retry_after <= 9000


async def test_C404_a_limit_of_orders_holds_back_no_cancel(server: BinanceServer, lab: Lab) -> None:
    await lab.submit("a", limit="95")
    many = said(-1015, "Too many new orders")
    server.fault("submit", "status_before", status=429, headers={"Retry-After": "9"}, **many)
    with pytest.raises(Throttled):
        await lab.submit("b", limit="95")
    with pytest.raises(Throttled):
        await lab.submit("c", limit="95")
    assert server.count("submit") == 2
    await lab.broker.cancel_order("a")
    await lab.until("a", S.CANCELED)


async def test_C200_the_venues_own_count_of_weight_is_the_one_that_matters(
    server: BinanceServer, lab: Lab
) -> None:
    """Of 6,000 a fifth is kept for what reduces risk."""
    await lab.submit("a", limit="95")
    server.used_weight = 5_900
    await lab.broker.server_time()
    seen = len(server.requests)
    with pytest.raises(Throttled):
        await lab.submit("b", limit="95")
    assert len(server.requests) == seen
    await lab.broker.cancel_order("a")


async def test_a_firewall_that_answers_is_no_refusal_of_the_key(
    server: BinanceServer, lab: Lab
) -> None:
    server.fault("submit", "status_before", status=403)
    with pytest.raises(Throttled) as wait:
        await lab.submit("a")
    assert wait.value.retry_after == 60


# --- the account and its keys


@pytest.mark.parametrize(
    "secrets",
    [
        {"BINANCE_API_KEY": "another-key", "BINANCE_SECRET_KEY": SECRET},
        {"BINANCE_API_KEY": KEY, "BINANCE_SECRET_KEY": "another-secret"},
        {"BINANCE_API_KEY": KEY},
    ],
)
async def test_C403_credentials_that_are_not_accepted_or_not_there(
    server: BinanceServer, secrets: dict[str, str]
) -> None:
    broker = opened(server, secrets=secrets).broker
    with pytest.raises(AuthFailed) as refused:
        await broker.connect()
    assert SECRET not in str(refused.value)
    assert KEY not in str(refused.value)
    assert server.count("ws-api") == 0


@pytest.mark.parametrize(
    ("environment", "account_id"), [("live", ""), ("live", "1"), ("testnet", "1")]
)
async def test_C201_nothing_is_sent_to_an_account_that_nobody_named(
    server: BinanceServer, environment: str, account_id: str
) -> None:
    broker = opened(server, environment=environment, account_id=account_id).broker
    with pytest.raises(AuthFailed, match=str(UID)):
        await broker.connect()
    with pytest.raises(NotSent):
        await broker.get_open_orders()
    confirmed = opened(server, environment=environment, account_id=str(UID)).broker
    await confirmed.connect()
    await confirmed.disconnect()


async def test_P47_a_key_that_may_withdraw_is_asked_about_and_refused_with_real_money(
    server: BinanceServer,
) -> None:
    server.may_withdraw = True
    tried = opened(server).broker
    await tried.connect()  # the test network has no such question
    await tried.disconnect()
    assert server.count("rights") == 0
    broker = opened(server, environment="live", account_id=str(UID)).broker
    with pytest.raises(AuthFailed, match="may withdraw"):
        await broker.connect()
    with pytest.raises(NotSent):
        await broker.get_open_orders()
    server.may_withdraw = False
    await broker.connect()
    rights = broker.identity.rights
    assert (rights.trade, rights.withdraw) == (True, False)
    assert "enable_withdrawals" not in rights.words
    await broker.disconnect()


@pytest.mark.parametrize("op", ["time", "account", "exchangeInfo"])
async def test_a_connect_that_fails_leaves_nothing_open_and_may_be_asked_again(
    server: BinanceServer, op: str
) -> None:
    server.fault(op, "drop_before")
    broker = opened(server).broker
    with pytest.raises(BrokerError):
        await broker.connect()
    assert server.subscriptions == 0
    with pytest.raises(NotSent):
        await broker.server_time()
    await broker.connect()
    assert server.subscriptions == 1
    await broker.disconnect()


@pytest.mark.parametrize("op", ["time", "account", "exchangeInfo", "ws-api"])
async def test_a_connect_that_is_given_up_leaves_nothing_open_and_no_task(
    server: BinanceServer, op: str
) -> None:
    server.fault(op, "silent", seconds=1)
    broker = opened(server).broker
    before = asyncio.all_tasks()
    coming = asyncio.create_task(broker.connect())
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not server.count(op):
            await asyncio.sleep(0.01)
    coming.cancel()
    with pytest.raises(asyncio.CancelledError):
        await coming
    with pytest.raises(NotSent):
        await broker.server_time()
    ours = [task for task in asyncio.all_tasks() - before if "127.0.0.1" in task.get_name()]
    assert ours == []
    await broker.connect()
    await broker.disconnect()
    assert [t for t in asyncio.all_tasks() - before if "127.0.0.1" in t.get_name()] == []


async def test_C441_a_subscription_that_is_refused_leaves_the_requests(
    server: BinanceServer,
) -> None:
    """The engine asks instead, and connects again for the stream alone."""
    server.refuses_subscription = True
    broker = opened(server).broker
    with pytest.raises(StreamRefused):
        await broker.connect()
    assert server.subscriptions == 0
    assert await broker.get_positions() == ()
    server.refuses_subscription = False
    await broker.connect()
    assert server.subscriptions == 1
    await broker.disconnect()


async def test_D43_no_listen_key_is_asked_for(server: BinanceServer, lab: Lab) -> None:
    """E-08: it answers 410, and its stream is gone."""
    assert not [path for _, _, path in server.requests if "userDataStream" in path]
    assert server.subscriptions == 1


# --- money and holdings


async def test_a_commission_in_the_coin_that_was_bought_comes_out_of_the_holding(
    server: BinanceServer, lab: Lab
) -> None:
    """What is left is no multiple of the lot: it is told as it is."""
    server.fee_rate = D("0.001")
    await lab.submit("a", "BUY", "0.12345")
    report = await lab.until("a", S.FILLED)
    assert report.fill is not None
    assert (report.fill.commission, report.fill.commission_currency) == (D("0.00012345"), "BTC")
    assert await lab.broker.get_fills_since(0) == (report.fill,)
    (position,) = await lab.broker.get_positions()
    assert position.quantity == D("0.12332655")
    assert not lab.broker.capabilities.odd_lots


async def test_a_commission_in_bnb_comes_out_of_cash_in_bnb(
    server: BinanceServer, lab: Lab
) -> None:
    server.fee_rate, server.fee_asset, server.coins = D("0.001"), "BNB", {"BNB": D(3)}
    await lab.submit("a", "BUY", "1")
    report = await lab.until("a", S.FILLED)
    assert report.fill is not None
    assert report.fill.commission_currency == "BNB"
    account = await lab.broker.get_account()
    assert account.balances["BNB"] == D(3) - report.fill.commission
    assert account.currency == "USDT"


async def test_cash_holdings_and_coins_that_no_symbol_stands_for(
    server: BinanceServer, lab: Lab
) -> None:
    server.coins = {"BTC": D(2), "DOGE": D(500), "ETH": D(0)}
    (position,) = await lab.broker.get_positions()
    assert (position.symbol, position.quantity, position.mark) == (SYMBOL, D(2), D(100))
    assert position.average_price == D(100)  # nothing says what it cost: the price of now
    account = await lab.broker.get_account()
    assert account.balances == {"USDT": D(100_000)}
    assert account.equity == D(100_200)


async def test_what_is_held_costs_what_its_newest_buys_cost(
    server: BinanceServer, lab: Lab
) -> None:
    for n, price in enumerate(("100", "110", "130")):
        await lab.price(price)
        await lab.submit(f"b{n}", "BUY", "2")
        await lab.until(f"b{n}", S.FILLED)
        if n == 1:
            assert (await lab.broker.get_positions())[0].average_price == D(105)
    await lab.submit("s", "SELL", "3")
    await lab.until("s", S.FILLED)
    (position,) = await lab.broker.get_positions()
    assert position.quantity == D(3)
    told = position.average_price
    await lab.broker.disconnect()
    await lab.disconnected()
    await lab.start()
    await lab.price("130")
    (position,) = await lab.broker.get_positions()
    assert position.average_price == told == (D(110) + 2 * D(130)) / 3


async def test_what_a_working_order_holds_back_is_held_and_is_not_free(
    server: BinanceServer, lab: Lab
) -> None:
    await lab.submit("a", "BUY", "10")
    await lab.submit("b", "BUY", "10", limit="90")
    await lab.submit("s", "SELL", "10", stop="80")
    (position,) = await lab.broker.get_positions()
    assert position.quantity == D(10)
    account = await lab.broker.get_account()
    assert (account.cash, account.buying_power) == (D(99_000), D(98_100))
    assert lab.broker.capabilities.nets_buying_power


async def test_a_look_asks_for_the_balances_once_and_after_a_fill_anew(
    server: BinanceServer, lab: Lab
) -> None:
    """A kill looks often: 20 of weight each time count."""
    before = server.count("account")
    await lab.broker.get_positions()
    await lab.broker.get_account()
    assert server.count("account") == before + 1
    await lab.broker.get_positions()
    await lab.submit("a", "BUY", "10")
    await lab.until("a", S.FILLED)
    assert (await lab.broker.get_account()).cash == D(99_000)
    await lab.broker.get_account()
    assert server.count("account") == before + 4


class Later(SystemClock):
    """A clock that a test puts forward."""

    passed = 0

    def monotonic(self) -> int:
        return super().monotonic() + self.passed


async def test_open_orders_are_asked_for_in_all_symbols_once_a_connection_and_once_a_minute(
    server: BinanceServer,
) -> None:
    """Between, an order in another symbol would be told by the stream."""
    clock = Later()
    broker = opened(server, clock=clock).broker

    async def asked() -> str:
        await broker.get_open_orders()
        return sent(server, "openOrders")[-1].get("symbol", "all")

    for _ in range(2):
        await broker.connect()
        assert [await asked(), await asked(), await asked()] == ["all", THEIRS, THEIRS]
        clock.passed += 59 * NS_PER_SECOND
        assert await asked() == THEIRS
        clock.passed += 2 * NS_PER_SECOND
        assert [await asked(), await asked()] == ["all", THEIRS]
        await broker.disconnect()


# --- what is sent


async def test_numbers_are_written_without_an_exponent(server: BinanceServer, lab: Lab) -> None:
    await lab.price("1000000")
    await lab.submit("a", "BUY", "1E-5", limit="9E+5")
    (terms,) = sent(server, "submit")
    assert (terms["quantity"], terms["price"]) == ("0.00001", "900000")


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        ({"quantity": "0.000015"}, "LOT_SIZE", "no multiple of 0.00001"),
        ({"quantity": "9000.00001"}, "LOT_SIZE", "above 9000"),
        ({"quantity": "5000.00001"}, "MARKET_LOT_SIZE", "above 5000"),
        ({"quantity": "1", "limit": "95.001"}, "PRICE_FILTER", "no multiple of 0.01"),
        ({"quantity": "1", "stop": "105.001"}, "PRICE_FILTER", "no multiple of 0.01"),
        ({"quantity": "0.04999", "limit": "100"}, "NOTIONAL", "below 5"),
        ({"quantity": "1", "limit": "95", "tif": "DAY"}, "TIME_IN_FORCE", "GTC"),
        ({"quantity": "1", "tif": "FOK"}, "TIME_IN_FORCE", "MARKET FOK cannot"),
        ({"quantity": "1", "stop": "105", "tif": "IOC"}, "TIME_IN_FORCE", "GTC can be kept"),
        ({"quantity": "1", "stop": "105", "tif": "DAY"}, "TIME_IN_FORCE", "GTC can be kept"),
    ],
)
async def test_C211_what_the_filters_refuse_is_not_sent(
    server: BinanceServer, lab: Lab, more: dict[str, str], code: str, words: str
) -> None:
    with pytest.raises(Rejected) as refused:
        await lab.submit("a", "BUY", **more)
    assert refused.value.code == code
    assert words in refused.value.text
    assert server.count("submit") == 0


@pytest.mark.parametrize("quantity", ["0.05", "0.05001"])
async def test_C211_what_the_filters_allow_is_sent(
    server: BinanceServer, lab: Lab, quantity: str
) -> None:
    await lab.submit("a", "BUY", quantity, limit="100")
    assert server.count("submit") == 1


@pytest.mark.parametrize("status", ["BREAK", "HALT", "CANCEL_ONLY"])
async def test_C211_a_symbol_that_takes_no_orders_now_is_closed_until_it_does(
    server: BinanceServer, lab: Lab, status: str
) -> None:
    """It was open when it was asked about: the venue refuses the first order, and is then asked
    for the state before each further one."""
    await lab.submit("a", limit="95")
    server.status[THEIRS] = status
    for _ in range(3):
        with pytest.raises(MarketClosed):
            await lab.submit("b")
    assert server.count("submit") == 2
    await lab.broker.cancel_order("a")
    await lab.until("a", S.CANCELED)
    server.status.clear()
    await lab.submit("c")
    await lab.until("c", S.FILLED)


async def test_C402_an_order_whose_symbol_cannot_be_asked_about_was_provably_not_sent(
    server: BinanceServer, lab: Lab
) -> None:
    server.status[THEIRS] = "BREAK"
    with pytest.raises(MarketClosed):
        await lab.submit("a")
    server.fault("exchangeInfo", "drop_after")
    before = server.count("submit")
    with pytest.raises(NotSent):
        await lab.submit("b")
    assert server.count("submit") == before


async def test_C402_a_cancel_whose_order_cannot_be_looked_for_was_provably_not_sent(
    server: BinanceServer, lab: Lab
) -> None:
    server.fault("order", "drop_after")
    with pytest.raises(NotSent):
        await lab.broker.cancel_order("before")
    assert server.count("cancel") == 0


async def test_no_error_tells_a_key_or_a_signature(server: BinanceServer, lab: Lab) -> None:
    plays: tuple[Any, ...] = ("drop_after", "truncate", "status_after", "status_before")
    for n, play in enumerate(plays):
        server.fault("submit", play, status=418 if play == "status_before" else 502)
        with pytest.raises(BrokerError) as failed:
            await lab.submit(f"a{n}", limit="95")
        told = f"{failed.value} {failed.value!r} {failed.value.__cause__!r}"
        assert not [word for word in (KEY, SECRET, "signature") if word in told]


async def test_a_symbol_that_would_book_a_coin_twice_takes_no_orders() -> None:
    rules = (
        Rules("BTCUSDT", base="BTC", quote="USDT"),
        Rules("BTCUSDC", base="BTC", quote="USDC"),
        Rules("ETHBTC", base="ETH", quote="BTC"),
    )
    async with BinanceServer(*rules) as server:
        broker = opened(server, symbols=("SOL-USDT", "BTC-USDT", "BTC-USDC", "ETH-BTC")).broker
        lab = Lab(broker, _nothing)
        await broker.connect()
        for symbol in ("BTC-USDC", "ETH-BTC"):
            with pytest.raises(Rejected, match="BTC is held as BTC-USDT"):
                await lab.submit("a", symbol=symbol)
        for symbol in ("SOL-USDT", "AAPL", "BT-CUSDT"):
            with pytest.raises(Rejected):
                await lab.submit("a", symbol=symbol)
            with pytest.raises(Rejected):
                await broker.instrument(symbol)
        assert server.count("submit") == 0
        await broker.disconnect()


async def test_a_symbol_that_is_not_configured_is_only_reduced() -> None:
    """After a restart nothing would tell that its coin is a holding."""
    both = (Rules("BTCUSDT", base="BTC", quote="USDT"), Rules("ETHUSDT", base="ETH", quote="USDT"))
    async with BinanceServer(*both) as server:
        server.exchange.prices["ETHUSDT"] = D(100)
        server.exchange.positions["ETHUSDT"] = D(3)
        server.exchange.costs["ETHUSDT"] = D(90)
        lab = Lab(opened(server).broker, _nothing, symbol="ETH-USDT")
        await lab.broker.connect()
        assert (await lab.broker.instrument("ETH-USDT")).lot == 1
        assert await lab.broker.get_positions() == ()
        with pytest.raises(Rejected, match="not among"):
            await lab.submit("a", "BUY", "1")
        await lab.submit("s", "SELL", "1", reduce_only=True)
        (position,) = await lab.broker.get_positions()
        assert (position.symbol, position.quantity) == ("ETH-USDT", D(2))
        assert server.count("submit") == 1
        await lab.broker.disconnect()


async def _nothing(symbol: str, price: Decimal) -> None:
    """No price is set."""


async def test_what_does_not_fill_at_once_is_told_to_have_expired(
    server: BinanceServer, lab: Lab
) -> None:
    await lab.submit("a", limit="95", tif="IOC")
    assert (await lab.until("a", S.EXPIRED)).filled == 0


async def test_a_fill_in_parts_is_told_part_by_part(server: BinanceServer, lab: Lab) -> None:
    server.exchange.slices = 3
    await lab.submit("a", "BUY", "9")
    last = await lab.until("a", S.FILLED)
    assert lab.of("a") == [S.NEW, S.PARTIALLY_FILLED, S.PARTIALLY_FILLED, S.FILLED]
    assert last.filled == D(9)


# --- the list of fills


@pytest.mark.parametrize("count", [999, 1000, 1001, 2500])
async def test_every_fill_is_found_however_many_pages_there_are(
    server: BinanceServer, lab: Lab, count: int
) -> None:
    server.past_trades(count, first_ms=1_700_000_000_000)
    fills = await lab.broker.get_fills_since(0)
    assert len({fill.execution_id for fill in fills}) == count
    assert [fill.time for fill in fills] == sorted(fill.time for fill in fills)


@pytest.mark.parametrize("before", [0, 1, 2000])
async def test_fills_since_a_moment_are_those_at_it_and_after_it(
    server: BinanceServer, lab: Lab, before: int
) -> None:
    """Days without a trade lie between; a full window of a day is divided."""
    first = 1_700_000_000_000
    server.past_trades(before, first_ms=first - 5 * 86_400_000)
    server.past_trades(2500, first_ms=first)
    for since, expected in ((first, 2500), (first + 1, 2499), (first - 3 * 86_400_000, 2500)):
        fills = await lab.broker.get_fills_since(since * NS_PER_MS)
        assert len(fills) == expected
