"""Alpaca's words, checked with what others say of them: its own description of its API, messages
that were recorded, and its SDK as a client of the local server.

The first two lie beside the project, in a folder that is not part of it (MERIDIAN_SHARED).
"""

import asyncio
import contextlib
import json
import os
import warnings
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from brokers.alpaca.activities import (
    KINDS,
    execution_id,
    fill_of_activity,
    fill_of_update,
    movement_of,
)
from brokers.alpaca.known import KEPT, KnownOrders, Named
from brokers.alpaca.rules import body_of, rules_of_asset, rules_of_contract
from brokers.alpaca.symbols import asset_path, from_venue, to_venue
from brokers.alpaca.wire import (
    STATUSES,
    AccountRow,
    ActivityRow,
    AssetRow,
    CancelRow,
    ContractRow,
    OrderRow,
    PositionRow,
    TradeUpdate,
    account_of,
    decode,
    order_of,
    position_of,
)
from engine.domain.account import MovementKind
from engine.domain.instant import parse_rfc3339
from engine.domain.order import OrderStatus, OrderType, Side, TimeInForce
from engine.ports import Rejected
from tests.brokers.kit import order
from tests.venues.alpaca import KEY, SECRET, AlpacaServer

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from alpaca.common.exceptions import APIError
    from alpaca.trading.client import TradingClient
    from alpaca.trading.enums import TradeEvent
    from alpaca.trading.models import TradeUpdate as SdkUpdate
    from alpaca.trading.stream import TradingStream

D = Decimal
SDK_TESTS = "tests/trading/trading_client"


def shared(*parts: str) -> Any:
    """A file of the folder beside the project; the test is skipped where there is none."""
    root = Path(__file__).parents[2]
    folder = Path(os.environ.get("MERIDIAN_SHARED", root.parent / "shared"))
    path = folder.joinpath(*parts)
    if not path.is_file():
        pytest.skip(f"{path} is not there: set MERIDIAN_SHARED to the folder of specs")
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture
def spec() -> Any:
    return shared("specs", "alpaca", "trading-api.json")


@pytest.fixture
def recorded() -> Any:
    return shared("recorded", "alpaca", "alpaca_py_tests_apache2.json")


def properties(spec: Any, name: str) -> dict[str, Any]:
    """The fields of a schema."""
    found: dict[str, Any] = spec["components"]["schemas"][name]["properties"]
    return found


def raw(value: Any) -> bytes:
    return json.dumps(value).encode()


# --- the venue's own description ------------------------------------------------------------------


def test_every_state_of_an_order_has_a_meaning(spec: Any) -> None:
    assert set(spec["components"]["schemas"]["OrderStatus"]["enum"]) == set(STATUSES)


def test_every_event_of_the_sdk_leads_to_a_state() -> None:
    """What an event does not say by itself, the state beside it does."""
    row = {"id": "1", "client_order_id": "a", "symbol": "AAPL", "side": "buy", "qty": "1"}
    for event in TradeEvent:
        update = decode(raw({"event": event, "order": row | {"status": "new"}}), TradeUpdate)
        assert update.event == event


def test_an_order_is_sent_with_the_fields_and_words_of_the_description(spec: Any) -> None:
    path = spec["paths"]["/v2/orders"]["post"]["requestBody"]["content"]["application/json"]
    fields = path["schema"]["properties"]
    schemas = spec["components"]["schemas"]
    said = AssetRow(status="active", tradable=True, fractionable=True, shortable=True)
    share = rules_of_asset("AAPL", said)
    for terms in (
        order("a", "BUY", "10", tif="DAY"),
        order("a", "SELL", "10", limit="95.01"),
        order("a", "SELL", "0.123456789", tif="DAY"),
        order("a", "SELL_SHORT", "10", stop="95", tif="IOC"),
        order("a", "BUY", "10", stop="95", limit="96", tif="FOK"),
    ):
        body = body_of(terms, share)
        assert set(body) <= set(fields)
        for name, value in body.items():
            kind = fields[name].get("$ref", "").rpartition("/")[2]
            assert isinstance(value, str)
            assert not kind or value in schemas[kind]["enum"]


def test_what_is_read_of_each_row_is_in_the_description(spec: Any) -> None:
    for kind, names in (
        (OrderRow, ("Order",)),
        (PositionRow, ("Position",)),
        (AccountRow, ("Account",)),
        (AssetRow, ("Assets",)),
        (ContractRow, ("OptionContract",)),
        (ActivityRow, ("TradingActivities", "NonTradeActivities")),
        (CancelRow, ("CanceledOrderResponse",)),
    ):
        known = set().union(*(properties(spec, name) for name in names))
        assert set(kind.__struct_fields__) <= known, kind


def test_every_type_of_the_history_that_moves_cash_has_a_kind(spec: Any) -> None:
    """Those without one move shares, or are sums of others; where one moves cash it is told too."""
    types = set(spec["components"]["schemas"]["ActivityType"]["enum"])
    assert types - set(KINDS) == {
        "FILL", "MISC", "ACATS", "JNLS", "MA", "NC", "OPASN", "OPCA", "OPCSH", "OPEXC", "OPEXP",
        "OPTRD", "REORG", "SPIN", "SPLIT",
    }  # fmt: skip


def test_the_examples_of_the_history(spec: Any) -> None:
    schemas = spec["components"]["schemas"]
    done = decode(raw(schemas["TradingActivities"]["x-examples"]["example-1"]), ActivityRow)
    fill = fill_of_activity("alpaca", done, Named("a", Side.BUY))
    assert (fill.symbol, fill.quantity, fill.price) == ("AAPL", D(2), D("174.78"))
    assert fill.execution_id == "b5abe576-6a8a-49f3-a353-46b72c1ccae9/2"
    assert fill.time == parse_rfc3339("2022-02-02T18:55:09.981482Z")
    paid = decode(raw(schemas["NonTradeActivities"]["x-examples"]["example-1"]), ActivityRow)
    moved = movement_of(paid)
    assert moved is not None
    assert (moved.kind, moved.currency, moved.amount) == (MovementKind.DIVIDEND, "USD", D("1.02"))
    assert moved.time == parse_rfc3339("2021-05-10T14:01:04.650275Z")


def test_the_examples_of_holdings(spec: Any) -> None:
    for example in properties_of_examples(spec, "Position"):
        held = position_of(decode(raw(example), PositionRow))
        assert (held.symbol, held.quantity) == ("AAPL", D(example["qty"]))
        assert held.mark == D(example["current_price"])


def properties_of_examples(spec: Any, name: str) -> list[Any]:
    return list(spec["components"]["schemas"][name]["x-examples"].values())


async def test_the_local_server_tells_rows_of_the_description(spec: Any) -> None:
    async with AlpacaServer() as server:
        server.exchange.set_price("AAPL", D(100))
        placed = server.exchange.place(
            client_id="a", symbol="AAPL", sign=1, quantity=D(3), kind="market", order_id="1"
        )
        row = server._row(placed)
        assert set(row) - set(properties(spec, "Order")) <= {"source", "subtag"}
        assert row["status"] in STATUSES


# --- what was recorded ----------------------------------------------------------------------------


def test_orders_that_were_recorded(recorded: Any) -> None:
    """Numbers come as texts and as numbers."""
    first, second = recorded[f"{SDK_TESTS}/test_order_routes.py::test_order_position_intent"]
    bought = order_of(decode(raw(first), OrderRow), Side.BUY)
    assert (bought.quantity, bought.filled, bought.status) == (D(1), D(0), OrderStatus.NEW)
    assert (bought.type, bought.average_price) == (OrderType.MARKET, None)
    known = KnownOrders()
    sold = decode(raw(second), OrderRow)
    assert known.see(sold).side is Side.SELL_SHORT
    assert order_of(sold, Side.SELL).limit_price == 300
    assert order_of(sold, Side.SELL).time_in_force is TimeInForce.DAY
    closed = recorded[f"{SDK_TESTS}/test_position_routes.py::test_close_all_positions"][0]
    coin = order_of(decode(raw(closed[0]["body"]), OrderRow), Side.SELL)
    assert (coin.symbol, coin.quantity) == ("BTC-USD", D("0.0283"))
    assert coin.status is OrderStatus.PENDING_NEW


def test_the_account_and_the_holdings_that_were_recorded(recorded: Any) -> None:
    row = recorded[f"{SDK_TESTS}/test_account_routes.py::test_get_account"][0]
    account = account_of(decode(raw(row), AccountRow), 7)
    assert (account.account_id, account.cash) == ("010203ABCD", D("-23140.2"))
    assert (account.equity, account.buying_power) == (D("103820.56"), D("262113.632"))
    rows = recorded[f"{SDK_TESTS}/test_position_routes.py::test_get_all_positions"][0]
    (held,) = (position_of(one) for one in decode(raw(rows), list[PositionRow]))
    assert (held.symbol, held.quantity, held.average_price) == ("AAPL", D(5), D(100))


def test_the_cancel_of_all_that_was_recorded(recorded: Any) -> None:
    rows = recorded[f"{SDK_TESTS}/test_order_routes.py::test_cancel_orders"][0]
    assert [row.status for row in decode(raw(rows), list[CancelRow])] == [200, 404]


def test_instruments_that_were_recorded(recorded: Any) -> None:
    row = recorded[f"{SDK_TESTS}/test_asset_routes.py::test_get_asset"][0]
    rules = rules_of_asset("AAPL", decode(raw(row), AssetRow))
    assert (rules.tradable, rules.fractionable, rules.instrument.shortable) == (True, True, True)
    row = recorded[f"{SDK_TESTS}/test_option_routes.py::test_get_option_contract"][0]
    rules = rules_of_contract("AAPL 2023-11-03 170 C", decode(raw(row), ContractRow))
    assert rules.venue_symbol == row["symbol"]
    assert rules.instrument.multiplier == 100


# --- the SDK as a client of the local server ------------------------------------------------------


@pytest.fixture
async def server() -> AsyncIterator[AlpacaServer]:
    async with AlpacaServer() as served:
        served.exchange.set_price("AAPL", D(100))
        yield served


async def test_the_sdk_reads_what_the_local_server_says(server: AlpacaServer) -> None:
    """With its models, which take no word that they do not know."""
    client = TradingClient(KEY, SECRET, url_override=server.url)
    placed = server.exchange.place(
        client_id="a", symbol="AAPL", sign=1, quantity=D(3), kind="market",
        order_id="61e69015-8549-4bfd-b9c3-01e75843f47d",
    )  # fmt: skip
    found: Any = await asyncio.to_thread(client.get_order_by_client_id, "a")
    assert (str(found.id), found.status.value, found.filled_qty) == (placed.id, "filled", "3")
    positions: Any = await asyncio.to_thread(client.get_all_positions)
    assert [(held.symbol, held.qty) for held in positions] == [("AAPL", "3")]
    account: Any = await asyncio.to_thread(client.get_account)
    assert account.cash == "99700"
    clock: Any = await asyncio.to_thread(client.get_clock)
    assert clock.is_open
    asset: Any = await asyncio.to_thread(client.get_asset, "AAPL")
    assert asset.fractionable
    client._session.close()


async def test_the_sdk_by_itself_sends_an_order_again(server: AlpacaServer) -> None:
    """What the adapter takes out of it: 504 is no proof that nothing was done, and it is answered
    with a refusal of an order that works."""
    client = TradingClient(KEY, SECRET, url_override=server.url)
    client._retry_wait = 0
    server.fault("submit", "status_after", status=504)
    body = {"symbol": "AAPL", "qty": "3", "side": "buy", "type": "limit", "limit_price": "95",
            "time_in_force": "gtc", "client_order_id": "a"}  # fmt: skip
    with pytest.raises(APIError, match="client_order_id must be unique"):
        await asyncio.to_thread(client.post, "/orders", body)
    assert server.count("submit") == 2
    assert len(server.exchange.open_orders) == 1
    client._session.close()


async def test_the_sdk_listens_to_the_local_server(server: AlpacaServer) -> None:
    heard: asyncio.Queue[SdkUpdate] = asyncio.Queue()

    async def hear(update: SdkUpdate) -> None:
        heard.put_nowait(update)

    stream = TradingStream(
        KEY, SECRET, url_override=f"{server.ws_url}/stream",
        websocket_params={"close_timeout": 0.2},
    )  # fmt: skip
    stream.subscribe_trade_updates(hear)
    run: Any = stream._run_forever
    task = asyncio.create_task(run())
    while not any(listener.listens for listener in server.listeners):
        await asyncio.sleep(0.01)
    server.exchange.place(
        client_id="a", symbol="AAPL", sign=1, quantity=D(3), kind="market",
        order_id="61e69015-8549-4bfd-b9c3-01e75843f47d",
    )  # fmt: skip
    new, fill = [await asyncio.wait_for(heard.get(), 5) for _ in range(2)]
    assert (new.event, fill.event, fill.qty, fill.price) == ("new", "fill", 3, 100)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await stream.close()


# --- ids and symbols ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("AAPL", "AAPL"),
        ("BRK.B", "BRK.B"),
        ("BTC-USD", "BTC/USD"),
        ("SHIB-USDT", "SHIB/USDT"),
        ("AAPL 2026-12-18 200 C", "AAPL261218C00200000"),
        ("SPY 2026-01-02 5.5 P", "SPY260102P00005500"),
        ("F 2026-01-02 0.005 C", "F260102C00000005"),
    ],
)
def test_symbols_there_and_back(ours: str, theirs: str) -> None:
    assert to_venue(ours) == theirs
    assert from_venue(theirs) == ours


def test_a_pair_has_its_own_name_among_the_assets() -> None:
    """As the venue's description says: the dollar without a slash, other coins with one."""
    assert asset_path("BTC-USD") == "BTCUSD"
    assert asset_path("BTC-USDT") == "BTC/USDT"
    assert asset_path("BRK.B") == "BRK.B"


@pytest.mark.parametrize(
    ("theirs", "asset_class", "ours"),
    [
        ("BTCUSD", "crypto", "BTC-USD"), ("BTCUSD", "", "BTC-USD"), ("UNIUSDC", "", "UNI-USDC"),
        ("ETHBTC", "crypto", "ETH-BTC"), ("GOOGL", "", "GOOGL"), ("BUSD", "us_equity", "BUSD"),
        ("TMUSD", "", "TMUSD"), ("XYZUSD", "us_equity", "XYZUSD"), ("?", "", "?"), ("", "", ""),
    ],
)  # fmt: skip
def test_symbols_of_lists(theirs: str, asset_class: str, ours: str) -> None:
    """Positions write a pair without its slash, and executions do not say what they are in."""
    assert from_venue(theirs, asset_class) == ours


@pytest.mark.parametrize("symbol", ["AAPL 2026-12-18 0.0005 C", "LONGNAME 2026-12-18 200 C"])
def test_an_option_that_has_no_symbol_there_is_refused(symbol: str) -> None:
    with pytest.raises(Rejected):
        to_venue(symbol)


def test_one_execution_has_one_id_whichever_way_it_is_told() -> None:
    """The number of all that has filled is written in several ways."""
    row = {"id": "7", "client_order_id": "a", "symbol": "AAPL", "side": "buy", "filled_qty": "5.0"}
    at = "2026-11-30T15:00:00.5Z"
    told = {"event": "fill", "timestamp": at, "qty": "2", "price": "9.5", "order": row}
    listed = {"order_id": "7", "symbol": "AAPL", "side": "buy", "qty": "2.000", "price": "9.50",
              "cum_qty": "5", "transaction_time": at}  # fmt: skip
    named = Named("a", Side.BUY)
    streamed = fill_of_update("alpaca", decode(raw(told), TradeUpdate), named)
    asked = fill_of_activity("alpaca", decode(raw(listed), ActivityRow), named)
    assert streamed == asked
    assert streamed.execution_id == execution_id("7", D(5)) == "7/5"
    assert execution_id("7", D("NaN")) == "7/?"


def test_an_execution_of_an_order_that_cannot_be_asked_is_told_without_its_id() -> None:
    for word, side in (("buy", Side.BUY), ("sell", Side.SELL), ("sell_short", Side.SELL_SHORT)):
        fill = fill_of_activity("alpaca", ActivityRow(order_id="7", side=word), None)
        assert (fill.client_order_id, fill.venue_order_id, fill.side) == ("", "7", side)
        assert fill.quantity.is_nan()


def test_only_so_many_orders_are_known() -> None:
    known = KnownOrders()
    for n in range(KEPT + 1):
        known.see(OrderRow(id=f"v{n}", client_order_id=f"c{n}", side="buy"))
    assert (known.named("v0"), known.venue_id("c0")) == (None, "")
    assert known.venue_id(f"c{KEPT}") == f"v{KEPT}"


@pytest.mark.parametrize("side", [None, "", "buy_or_sell", 7])
def test_what_does_not_say_its_side_is_put_aside(side: Any) -> None:
    row = OrderRow(id="there", symbol="AAPL", side=side, type="limit", qty="10", limit_price="95")
    known = KnownOrders().see(row)
    assert order_of(row, known.side).quantity.is_nan()
    update = TradeUpdate(event="fill", order=row, price="95", qty="10")
    assert fill_of_update("alpaca", update, known).quantity.is_nan()
    line = ActivityRow(order_id="there", symbol="AAPL", side=side, qty="10", price="95")
    assert fill_of_activity("alpaca", line, None).quantity.is_nan()
