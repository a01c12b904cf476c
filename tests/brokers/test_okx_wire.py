"""What OKX writes and what it means, checked with what nobody here wrote (C-260, C-403).

The venue's own list of codes and its published messages lie beside the project, see `shared`.
"""

import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from brokers.okx import refusals
from brokers.okx.client import stamp
from brokers.okx.hosts import hosts_of
from brokers.okx.settings import OkxConfig
from brokers.okx.stream import StreamEnded, read
from brokers.okx.translation import (
    fill_of_event,
    fill_of_row,
    order_of,
    report_of,
    report_of_stop,
    stop_of,
)
from brokers.okx.wire import (
    STATES,
    AlgoRow,
    ConfigRow,
    FillRow,
    InstrumentRow,
    Message,
    OrderRow,
    Reply,
)
from engine.domain.order import Liquidity, OrderStatus, OrderType, Side, TimeInForce
from engine.ports import Ambiguous, AuthFailed, MarketClosed, NotSent, Rejected, Throttled
from engine.reference.textfile import BadFile

D = Decimal
S = OrderStatus


@pytest.fixture(scope="module")
def shared(root: Path) -> Path:
    """The folder of what others have written, beside the project."""
    folder = Path(os.environ.get("MERIDIAN_SHARED") or root.parent / "shared")
    if not folder.is_dir():
        pytest.skip(f"the venue's own lists and messages are not at {folder}")
    return folder


@pytest.fixture(scope="module")
def codes(shared: Path) -> dict[str, list[dict[str, str]]]:
    path = shared / "specs" / "okx" / "error_codes_from_official_docs_2025-04.json"
    found: dict[str, list[dict[str, str]]] = json.loads(path.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def examples(shared: Path) -> dict[str, list[Any]]:
    path = shared / "recorded" / "okx" / "official_docs_examples.json"
    found: dict[str, list[Any]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def example(examples: dict[str, list[Any]], end: str, n: int = 0) -> bytes:
    (name,) = [name for name in examples if name.endswith(end)]
    return json.dumps(examples[name][n]).encode()


TABLES = {
    "DUPLICATE": Rejected,
    "AUTH": AuthFailed,
    "EXPIRED": NotSent,
    "THROTTLED": Throttled,
    "AMBIGUOUS": Ambiguous,
    "CLOSED": MarketClosed,
}


@pytest.mark.parametrize("name", TABLES)
def test_C403_each_code_of_a_table_is_one_of_the_venue_and_means_what_the_table_says(
    codes: dict[str, Any], name: str
) -> None:
    table: frozenset[str] = getattr(refusals, name)
    assert table <= codes.keys()
    for code in table:
        assert type(refusals.error_of(code, "no")) is TABLES[name]
    assert {refusals.NO_ORDER, refusals.BUSY_LOGIN} <= codes.keys()


def test_C403_the_tables_share_no_code() -> None:
    tables = [getattr(refusals, name) for name in TABLES]
    assert sum(map(len, tables)) == len(frozenset().union(*tables))


def test_C403_what_the_venue_itself_calls_a_time_out_is_never_a_refusal(
    codes: dict[str, list[dict[str, str]]],
) -> None:
    """Of what trading can meet: 50xxx and 51xxx."""
    for code, rows in codes.items():
        told = " ".join(row["msg"].lower() for row in rows)
        late = "timed out" in told or "timeout" in told or any(r["http"] >= "500" for r in rows)
        if late and code[:2] in {"50", "51"}:
            assert isinstance(refusals.error_of(code, told), Ambiguous), code


@pytest.mark.parametrize("code", ["", "1", "2", "new", "999", "5100x", "-1"])
def test_a_code_that_is_none_proves_nothing(code: str) -> None:
    assert isinstance(refusals.error_of(code, "no"), Ambiguous)


@pytest.mark.parametrize("code", ["51000", "51008", "51603", "59999"])
def test_a_code_that_no_table_names_is_a_refusal_with_its_words(code: str) -> None:
    error = refusals.error_of(code, "no funds")
    assert isinstance(error, Rejected)
    assert (error.code, error.text) == (code, f"no funds ({code})")


# --- the venue's own messages


def test_the_published_event_of_an_order_is_read(examples: dict[str, list[Any]]) -> None:
    message = msgspec.json.decode(example(examples, "WS / Order channel", 5), type=Message)
    (row,) = msgspec.json.decode(message.data, type=list[OrderRow])
    fill = fill_of_event("okx", row)
    assert fill is not None
    assert (fill.quantity, fill.price, fill.side) == (D("0.001"), D("31527.1"), Side.SELL)
    assert (fill.commission, fill.commission_currency) == (D("0.02522168"), "USDT")
    assert (fill.liquidity, fill.time) == (Liquidity.MAKER, 1654084353263_000_000)
    assert fill.execution_id == "BTC-USDT:242589207"
    report = report_of("okx", row, fill, 0)
    assert (report.status, report.filled, report.quantity) == (S.FILLED, D("0.001"), D("0.001"))
    assert (report.limit_price, report.time_in_force) == (D("31527.1"), TimeInForce.GTC)
    assert (report.client_order_id, report.venue_order_id) == ("", "452197707845865472")
    assert report.time == 1654084353264_000_000


def test_a_market_buy_for_an_amount_of_money_has_the_quantity_that_filled(
    examples: dict[str, list[Any]],
) -> None:
    """The example is for 100 USDT: 100 BTC would be wrong."""
    answer = example(examples, "GET / Order details")
    (row,) = msgspec.json.decode(answer, type=Reply[OrderRow]).data
    order = order_of(row)
    assert (order.type, order.limit_price) == (OrderType.MARKET, None)
    assert (order.quantity, order.filled) == (D("0.00192834"), D("0.00192834"))
    open_one = order_of(msgspec.structs.replace(row, acc_fill_sz="0", state="live"))
    assert open_one.quantity.is_nan()
    assert report_of("okx", row, None, 0).quantity == D("0.00192834")
    assert report_of("okx", msgspec.structs.replace(row, acc_fill_sz=""), None, 0).quantity is None


def test_the_published_execution_is_read(examples: dict[str, list[Any]]) -> None:
    answer = example(examples, "Transaction details (last 3 days)")
    (row,) = msgspec.json.decode(answer, type=Reply[FillRow]).data
    fill = fill_of_row("okx", row, "a", "1")
    assert (fill.commission, fill.commission_currency) == (D("0.00000192834"), "BTC")
    assert (fill.execution_id, fill.liquidity) == ("BTC-USDT:744876980", Liquidity.TAKER)
    assert fill.time == 1708587373361_000_000


def test_the_published_lists_are_read(examples: dict[str, list[Any]]) -> None:
    for end in ("GET / Order List", "Order history (last 7 days)", "Order history (last 3 months)"):
        answer = msgspec.json.decode(example(examples, end), type=Reply[OrderRow])
        for row in answer.data:
            assert row.state in STATES
            assert order_of(row).quantity > 0
    (config,) = msgspec.json.decode(
        example(examples, "Get account configuration"), type=Reply[ConfigRow]
    ).data
    assert (config.uid, config.acct_lv) == ("44705892343619584", "2")
    (rules,) = msgspec.json.decode(
        example(examples, "Public Data > REST API > Get instruments"), type=Reply[InstrumentRow]
    ).data
    assert (rules.tick_sz, rules.lot_sz, rules.min_sz) == ("0.1", "0.00000001", "0.00001")


def test_the_published_events_of_a_connection_end_it_or_do_not(
    examples: dict[str, list[Any]],
) -> None:
    read(example(examples, "Connection count limit", 0))
    with pytest.raises(StreamEnded, match="too many connections"):
        read(example(examples, "Connection count limit", 1))
    with pytest.raises(StreamEnded, match="64008"):
        read(example(examples, "WebSocket > Notification"))
    with pytest.raises(StreamEnded, match="60012"):
        read(example(examples, "WS / Order channel", 4))


# --- stops


def algo(**more: Any) -> AlgoRow:
    row = {"inst_id": "BTC-USDT", "algo_id": "7", "side": "sell", "sz": "2", "state": "live"}
    return AlgoRow(**{**row, **more})


@pytest.mark.parametrize(
    ("more", "stop", "limit"),
    [
        ({"sl_trigger_px": "95", "sl_ord_px": "-1"}, "95", None),
        ({"sl_trigger_px": "95", "sl_ord_px": "94", "tp_trigger_px": "120"}, "95", "94"),
        ({"tp_trigger_px": "120", "ord_px": ""}, "120", None),
        ({"trigger_px": "90", "order_px": "-1"}, "90", None),
        ({"trigger_px": "90", "ord_px": "89"}, "90", "89"),
        ({"move_trigger_px": "88"}, "88", None),
        ({"px_limit": "101"}, None, "101"),
    ],
)
def test_the_prices_of_whatever_waits_for_one(
    more: dict[str, str], stop: str | None, limit: str | None
) -> None:
    known = stop_of(algo(**more))
    assert known.stop_price == (None if stop is None else D(stop))
    assert known.limit_price == (None if limit is None else D(limit))
    assert known.type is (OrderType.STOP if limit is None else OrderType.STOP_LIMIT)


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("live", S.NEW), ("pause", S.SUSPENDED), ("canceled", S.CANCELED),
        ("order_failed", S.REJECTED), ("melted", S.UNKNOWN), ("partially_failed", S.UNKNOWN),
        ("effective", None), ("partially_effective", None),
    ],
)  # fmt: skip
def test_the_states_of_a_stop(state: str, status: OrderStatus | None) -> None:
    report = report_of_stop("okx", algo(state=state), 5)
    assert (None if report is None else report.status) is status


@pytest.mark.parametrize(
    ("more", "quantity"),
    [
        ({"side": "sell"}, "2"),
        ({"side": "buy"}, None),
        ({"side": "buy", "tgt_ccy": "quote_ccy"}, None),
        ({"side": "buy", "tgt_ccy": "base_ccy"}, "2"),
        ({"side": "buy", "sl_ord_px": "94"}, "2"),
    ],
)
def test_a_stop_that_buys_for_an_amount_of_money_has_no_quantity(
    more: dict[str, str], quantity: str | None
) -> None:
    row = algo(**{"sl_trigger_px": "95", "sl_ord_px": "-1", **more})
    report = report_of_stop("okx", row, 5)
    assert report is not None
    assert report.quantity == (None if quantity is None else D(quantity))
    assert (report.stop_price is None) is (quantity is None)
    assert stop_of(row).quantity.is_nan() is (quantity is None)


@pytest.mark.parametrize("side", ["sideways", "BUY", ""])
def test_a_side_is_never_guessed_and_no_list_is_lost_for_it(side: str) -> None:
    """What has none has no quantity, and the engine puts that one row aside."""
    numbers = {"ord_type": "limit", "sz": "2", "px": "95", "acc_fill_sz": "1", "state": "live"}
    row = OrderRow(inst_id="BTC-USDT", ord_id="1", side=side, **numbers)
    assert order_of(row).quantity.is_nan()
    assert report_of("okx", row, None, 1).quantity is None
    fill = FillRow(inst_id="BTC-USDT", trade_id="7", ord_id="1", side=side, fill_sz="1")
    assert fill_of_row("okx", fill, "a", "1").quantity.is_nan()
    assert stop_of(AlgoRow(inst_id="BTC-USDT", algo_id="7", side=side, sz="2")).quantity.is_nan()


# --- addresses and times


@pytest.mark.parametrize(
    ("rest", "environment", "private"),
    [
        ("", "live", "wss://ws.okx.com:8443/ws/v5/private"),
        ("", "demo", "wss://wspap.okx.com:8443/ws/v5/private"),
        ("https://eea.okx.com", "live", "wss://wseea.okx.com:8443/ws/v5/private"),
        ("https://us.okx.com", "demo", "wss://wsuspap.okx.com:8443/ws/v5/private"),
    ],
)
def test_the_streams_are_those_of_the_region(rest: str, environment: Any, private: str) -> None:
    hosts = hosts_of("okx", OkxConfig(rest_url=rest, environment=environment))
    assert hosts.rest == (rest or "https://www.okx.com")
    assert hosts.private == private
    assert hosts.business == hosts.candles == private.replace("private", "business")
    assert hosts.public == private.replace("private", "public")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"rest_url": "https://proxy.example"}, "stream_url is missing"),
        ({"stream_url": "wss://a.example/ws"}, "ends in /private"),
        ({"public_stream_url": "wss://a.example/ws"}, "ends in /public"),
    ],
)
def test_an_address_is_never_guessed(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(BadFile, match=words):
        hosts_of("okx", OkxConfig(**settings))


def test_a_time_is_signed_with_milliseconds() -> None:
    assert stamp(1_700_000_000_007_999_999) == "2023-11-14T22:13:20.007Z"
