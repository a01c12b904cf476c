"""What goes wrong between us and an exchange of ccxt, and what is refused there (C-403, X-51)."""

import subprocess
import sys
from collections.abc import AsyncIterator
from decimal import Decimal, getcontext
from pathlib import Path
from typing import Any

import ccxt
import pytest

import brokers
from brokers.ccxt.adapter import capabilities_of
from brokers.ccxt.client import Client
from brokers.ccxt.refusals import error_of, local_error_of
from brokers.ccxt.wire import Listing, order_of
from brokers.net.rest import ANSWER_SECONDS, CONNECT_SECONDS
from engine.config.load import ConfigError
from engine.domain.market import Quote
from engine.domain.order import OrderStatus, OrderType
from engine.plans.kill import DEADLINE
from engine.ports import (
    Ambiguous,
    AuthFailed,
    BrokerError,
    MarketClosed,
    NotSent,
    Rejected,
    Throttled,
)
from engine.reference.textfile import BadFile
from engine.runtime.clock import SystemClock
from tests.brokers.conformance import Lab
from tests.brokers.kit import order
from tests.configs import from_mapping
from tests.venues.binance import BinanceServer
from tests.venues.ccxt_account import SYMBOL, opened

D = Decimal


@pytest.fixture
async def server() -> AsyncIterator[BinanceServer]:
    async with BinanceServer() as served:
        yield served


@pytest.fixture
async def lab(server: BinanceServer) -> AsyncIterator[Lab]:
    async def set_price(symbol: str, price: Decimal) -> None:
        server.exchange.set_price(symbol.replace("-", ""), price)

    broker = opened(server.url).broker
    made = Lab(broker, set_price, symbol=SYMBOL)
    await made.start()
    yield made
    await broker.disconnect()


def said(code: int, status: int = 400) -> dict[str, Any]:
    """What a fault answers with."""
    return {"body": f'{{"code": {code}, "msg": "said so"}}', "status": status}


async def test_the_engine_goes_on_to_compute_as_it_did(server: BinanceServer, lab: Lab) -> None:
    """ccxt sets the rounding of the process, and a trap, with each number that it writes: figures
    of every account were rounded another way from the first order on."""
    context = getcontext()
    before = context.rounding, dict(context.traps), context.prec
    server.exchange.set_price(SYMBOL.replace("-", ""), D(100))
    await lab.submit("a", "BUY", "0.105", limit="95.25")
    await lab.submit("b", "BUY", "0.105")
    await lab.until("b", OrderStatus.FILLED)
    assert (context.rounding, dict(context.traps), context.prec) == before


# --- an answer that is lost, and a request that is


async def test_an_order_whose_answer_was_lost_is_found_by_its_id_and_sent_once(
    server: BinanceServer, lab: Lab
) -> None:
    server.fault("submit", "drop_after")
    with pytest.raises(Ambiguous):
        await lab.submit("a", "BUY", "10")
    assert server.count("submit") == 1
    known = await lab.broker.get_order("a")
    assert known is not None
    assert (known.status, known.filled, known.average_price) == (OrderStatus.FILLED, 10, 100)
    (fill,) = await lab.broker.get_fills_since(0)
    assert fill.client_order_id == "a"


async def test_an_order_that_was_lost_on_its_way_is_not_known(
    server: BinanceServer, lab: Lab
) -> None:
    server.fault("submit", "drop_before")
    with pytest.raises(Ambiguous):
        await lab.submit("a")
    assert server.count("submit") == 1
    assert await lab.broker.get_order("a") is None


@pytest.mark.parametrize("play", ["drop_after", "truncate", "status_after"])
async def test_a_cancel_that_fails_is_sent_once(server: BinanceServer, lab: Lab, play: Any) -> None:
    """The library's own client sends a DELETE again."""
    await lab.submit("a", limit="95")
    server.fault("cancel", play)
    with pytest.raises(Ambiguous):
        await lab.broker.cancel_order("a")
    assert server.count("cancel") == 1
    await lab.until("a", OrderStatus.CANCELED)


async def test_an_order_listed_without_an_id_may_be_any_order(
    server: BinanceServer, lab: Lab
) -> None:
    """Then nobody can say that the one asked about is not there."""
    assert await lab.broker.get_order("a") is None
    server.exchange.place(
        client_id="", symbol="BTCUSDT", sign=1, quantity=D(1), kind="limit", limit=D(90),
        stop=None, tif="gtc",
    )  # fmt: skip
    with pytest.raises(Ambiguous, match="whether a is one of them"):
        await lab.broker.get_order("a")


# --- what an exchange says


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (said(-1003, 429), Throttled),
        (said(-1021), NotSent),
        (said(-2015, 401), AuthFailed),
        (said(-2010), Rejected),
        (said(-1007, 504), Ambiguous),
        (said(-99999), Ambiguous),
        ({"body": "<html>no</html>", "status": 502}, Ambiguous),
        ({"body": "<html>no</html>", "status": 200}, Ambiguous),
    ],
)
async def test_what_an_exchange_answers_an_order_with(
    server: BinanceServer, lab: Lab, answer: dict[str, Any], kind: type[BrokerError]
) -> None:
    server.fault("submit", "status_before", **answer)
    with pytest.raises(BrokerError) as told:
        await lab.submit("a")
    assert type(told.value) is kind
    assert server.count("submit") == 1


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ccxt.InsufficientFunds("x"), Rejected),
        (ccxt.InvalidOrder("x"), Rejected),
        (ccxt.OrderNotFound("x"), Rejected),
        (ccxt.DuplicateOrderId("x"), Rejected),
        (ccxt.BadSymbol("x"), Rejected),
        (ccxt.PermissionDenied("x"), AuthFailed),
        (ccxt.MarketClosed("x"), MarketClosed),
        (ccxt.OnMaintenance("x"), Throttled),
        (ccxt.RateLimitExceeded("x"), Throttled),
        (ccxt.DDoSProtection("x"), Throttled),
        (ccxt.InvalidNonce("x"), NotSent),
        (ccxt.RequestTimeout("x"), Ambiguous),
        (ccxt.ExchangeNotAvailable("x"), Ambiguous),
        (ccxt.NetworkError("x"), Ambiguous),
        (ccxt.ExchangeError("x"), Ambiguous),
        (KeyError("x"), Ambiguous),
    ],
)
def test_c403_every_exception_of_ccxt_is_one_of_the_six(
    error: Exception, kind: type[BrokerError]
) -> None:
    assert type(error_of(error, 1)) is kind
    before = local_error_of(error)  # nothing was sent: it cannot be unknown what became of it
    assert type(before) is (NotSent if kind is Ambiguous else kind)


async def test_a_key_that_is_not_taken_lets_nobody_in(server: BinanceServer) -> None:
    broker = opened(server.url, secrets={"CCXT_API_KEY": "k", "CCXT_SECRET_KEY": "s"}).broker
    with pytest.raises(AuthFailed):
        await broker.connect()
    with pytest.raises(NotSent):
        await broker.get_open_orders()


async def test_a_question_that_fails_ends_the_connection_and_the_next_one_finds_the_fill(
    server: BinanceServer, lab: Lab
) -> None:
    await lab.submit("a", limit="95")
    await lab.until("a", OrderStatus.NEW)
    server.fault("openOrders", "drop_before", times=1)
    await lab.disconnected()
    await lab.price("94")
    await lab.broker.connect()
    (fill,) = await lab.broker.get_fills_since(0)
    assert (fill.client_order_id, fill.quantity) == ("a", 10)


async def test_more_executions_than_a_page_shows_are_not_taken_for_all(
    server: BinanceServer, lab: Lab
) -> None:
    server.past_trades(999, first_ms=1000)
    assert len(await lab.broker.get_fills_since(0)) == 999
    server.past_trades(1, first_ms=2000)
    with pytest.raises(Ambiguous, match="more may have happened"):
        await lab.broker.get_fills_since(0)


# --- what is sent, and what is not


async def test_what_goes_over_the_wire_is_what_was_decided(server: BinanceServer, lab: Lab) -> None:
    await lab.submit("mt7", "BUY", "0.12345", limit="95.01", tif="IOC")
    (told,) = server.exchange.orders.values()
    assert (told.client_id, told.quantity, told.limit, told.tif) == (
        "mt7", D("0.12345"), D("95.01"), "ioc",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"quantity": "0.123456", "limit": "95"}, "PRECISION"),
        ({"limit": "95.001"}, "PRECISION"),
        ({"quantity": "9000.00001", "limit": "95"}, "LIMIT"),
        ({"limit": "1000000.01"}, "LIMIT"),
        ({"quantity": "0.05263", "limit": "95"}, "LIMIT"),
        ({"symbol": "ETH-USDT"}, "UNKNOWN_SYMBOL"),
        ({"limit": "95", "tif": "DAY"}, "TIME_IN_FORCE"),
    ],
)
async def test_what_is_off_grid_or_out_of_bounds_is_not_sent(
    server: BinanceServer, lab: Lab, more: dict[str, Any], code: str
) -> None:
    with pytest.raises(Rejected) as refused:
        await lab.submit("a", **more)
    assert refused.value.code == code
    assert server.count("submit") == 0


@pytest.mark.parametrize(
    "more",
    [
        {"quantity": "0.12345", "limit": "95"},
        {"limit": "95.01"},
        {"quantity": "0.05264", "limit": "95"},
    ],
)
async def test_what_is_on_the_grid_and_at_the_bounds_is_sent(
    server: BinanceServer, lab: Lab, more: dict[str, Any]
) -> None:
    await lab.submit("a", **more)
    assert server.count("submit") == 1


@pytest.mark.parametrize("kind", ["STOP", "STOP_LIMIT"])
async def test_a_stop_is_refused_where_it_was_not_shown(server: BinanceServer, kind: str) -> None:
    broker = opened(server.url, exchange="kraken").broker
    assert not broker.capabilities.native_stop
    assert OrderType(kind) not in broker.capabilities.order_types
    with pytest.raises(Rejected) as refused:
        await broker.submit_order(
            order("a", "SELL", stop="95", limit="94" if kind == "STOP_LIMIT" else None)
        )
    assert refused.value.code == "UNSUPPORTED"
    assert capabilities_of("binanceus").native_stop
    assert server.requests == []


def test_a_request_ends_within_the_time_that_is_declared() -> None:
    assert capabilities_of("kraken").timeout_seconds >= CONNECT_SECONDS + ANSWER_SECONDS


@pytest.mark.parametrize("exchange", ["kraken", "binanceus"])
def test_a_kill_can_prove_flat_before_it_gives_up(exchange: str) -> None:
    """What may still arrive keeps it from that."""
    assert capabilities_of(exchange).longest_under_way < DEADLINE


async def test_c201_real_money_is_refused_before_anything_is_sent(server: BinanceServer) -> None:
    broker = opened(server.url, environment="live").broker
    with pytest.raises(AuthFailed, match="account_id cannot be checked: real money is refused"):
        await broker.connect()
    assert server.requests == []


def test_c201_a_config_for_real_money_is_refused() -> None:
    with pytest.raises(ConfigError, match="ccxt is not traded live yet"):
        from_mapping({
            "mode": "live",
            "account": {"primary": "ccxt"},
            "market": {"symbols": ["BTC-USDT"], "source": "broker"},
            "brokers": {"ccxt": {"exchange": "gate", "environment": "live", "account_id": "1"}},
        })  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"exchange": ""}, "exchange is missing: the name of one as ccxt writes it"),
        ({"exchange": "binance"}, 'has an adapter of its own: kind = "binance"'),
        ({"exchange": "robinhood"}, "is none that ccxt"),
        ({"exchange": "kucoin"}, "asks for password beside a key and a secret"),
        (
            {"exchange": "kraken", "rest_url": ""},
            "has no test environment of its own that ccxt knows",
        ),
        *(
            (
                {"exchange": name, "rest_url": ""},
                f'"{name}" has no test environment of its own: ccxt sends it to that of {parent}',
            )
            for name, parent in (("binanceus", "binance"), ("gateeu", "gate"))
        ),
    ],
)
def test_an_exchange_that_cannot_be_worked_with_is_refused_in_one_sentence(
    settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadFile, match=words) as refused:
        opened("http://127.0.0.1:9", **settings)
    assert str(refused.value).startswith("[brokers.ccxt] exchange")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("exchange", ["binanceusdm", "gate", "bybiteu"])
def test_a_test_environment_of_its_own_is_taken(exchange: str) -> None:
    """One venue under two names of ccxt has one, and so has a name of another host."""
    client = Client("ccxt", exchange, SystemClock(), sandbox=True, rest_url="")
    assert "test" in str(client.exchange.urls["api"])


# --- prices, facts, start-up


async def test_prices_are_the_tickers(server: BinanceServer) -> None:
    server.exchange.set_price("BTCUSDT", D("100.01"))
    market = opened(server.url).market
    assert market is not None
    events = market.events()
    told = await anext(events)
    assert isinstance(told, Quote)
    assert (told.symbol, told.bid, told.ask, told.last) == (SYMBOL, *[D("100.01")] * 3)
    await events.aclose()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("mode", "given", "grid"),
    [
        (ccxt.TICK_SIZE, "0.05", "0.05"),
        (ccxt.DECIMAL_PLACES, "2", "0.01"),
        (ccxt.DECIMAL_PLACES, 0, "1"),
        (ccxt.SIGNIFICANT_DIGITS, "5", None),
        (ccxt.TICK_SIZE, 0.05, None),
        (ccxt.TICK_SIZE, None, None),
    ],
)
def test_a_grid_that_cannot_be_read_is_no_grid(mode: int, given: Any, grid: str | None) -> None:
    """A float is none: what it was before is not known any more."""
    market = {
        "symbol": "BTC/USDT", "base": "BTC", "quote": "USDT", "spot": True,
        "precision": {"price": given, "amount": "1"},
    }  # fmt: skip
    if grid is None:
        with pytest.raises(Rejected):
            Listing(market, mode, "x")
    else:
        assert Listing(market, mode, "x").instrument().tick == D(grid)


def test_an_order_that_states_no_side_is_not_taken_for_a_sale() -> None:
    row = {"id": "1", "symbol": "BTC/USDT", "amount": "1", "filled": "0", "status": "open"}
    assert order_of(row | {"side": "buy"}, "").side.sign > 0
    for side in ("", None, "long"):
        with pytest.raises(Ambiguous, match="states the side"):
            order_of(row | {"side": side}, "")


def test_c200_the_paper_console_loads_nothing_of_ccxt() -> None:
    code = (
        "import sys, console.cli.program, console.ui.app, brokers; brokers.venue_kinds(); "
        "import brokers.paper.setup; brokers.missing_libraries('ccxt'); "
        "sys.exit(', '.join(m for m in sys.modules if 'ccxt' in m and m != 'brokers.ccxt'"
        " and m != 'brokers.ccxt.settings') or 0)"
    )
    root = Path(brokers.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
