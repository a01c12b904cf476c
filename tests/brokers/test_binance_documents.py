"""Binance's own examples and recorded messages, against what the adapter reads of them (C-210).

They stand outside of the project, and the tests are skipped where they are not there.
"""

import json
import os
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from brokers.binance.depth import Book, Change, Snapshot
from brokers.binance.refusals import Failure, meaning
from brokers.binance.wire import Execution, Taken, report_of
from engine.domain.order import OrderStatus
from engine.ports import Rejected
from tests.venues.binance import BinanceServer
from tests.venues.exchange import Rules

D = Decimal


@pytest.fixture(scope="module")
def shared(root: Path) -> Path:
    folder = Path(os.environ.get("MERIDIAN_SHARED", root.parent.parent / "shared"))
    for found in (folder, root.parent / "shared"):
        if (found / "recorded" / "binance").is_dir():
            return found
    pytest.skip("the venues' documents are not here: MERIDIAN_SHARED names their folder")


@pytest.fixture(scope="module")
def examples(shared: Path) -> dict[str, Any]:
    path = shared / "recorded" / "binance" / "official_docs_examples.json"
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return told


def test_the_venues_example_of_a_report_is_read(examples: dict[str, Any]) -> None:
    (example,) = examples["user-data-stream.md"]["Order Update"]
    event = msgspec.json.decode(json.dumps(example["event"]), type=Execution)
    report = report_of(event, "binance", "ETH-BTC")
    assert (report.client_order_id, report.status) == ("mUvoqJxFIILMdfAW5iGSOW", OrderStatus.NEW)
    assert (report.quantity, report.limit_price, report.filled) == (D(1), D("0.1026441"), D(0))
    assert (report.fill, report.text, report.stop_price) == (None, "", None)
    assert not report.fault


def test_the_local_server_tells_the_fields_of_the_venues_example(examples: dict[str, Any]) -> None:
    """Each that is always there, as the same kind of value."""
    (example,) = examples["user-data-stream.md"]["Order Update"]
    server = BinanceServer(Rules("ETHBTC", lot=D("0.1"), base="ETH", quote="BTC"))
    server.held_reports = []
    server.exchange.cash["USDT"] = D(100)
    server.exchange.place(
        client_id="a", symbol="ETHBTC", sign=1, quantity=D(1), kind="limit", limit=D(50)
    )
    (told,) = server.held_reports
    theirs = example["event"]
    assert set(theirs) - set(told) <= {"v"}  # only where a trade of one's own was prevented
    assert {name: type(told[name]) for name in told if name in theirs} == {
        name: type(theirs[name]) for name in told if name in theirs
    }


def test_the_venues_example_of_an_answer_and_of_a_refusal_are_read(
    examples: dict[str, Any],
) -> None:
    taken, refused = examples["web-socket-api.md"]["Response format"]
    read = msgspec.json.decode(json.dumps(taken["result"]), type=Taken)
    assert (read.symbol, read.client_order_id) == ("BTCUSDT", "a097fe6304b20a7e4fc436")
    failure = msgspec.json.decode(json.dumps(refused["error"]), type=Failure)
    error = meaning(failure, "an order")
    assert isinstance(error, Rejected)
    assert (error.code, "insufficient balance" in error.text) == ("-2010", True)


@pytest.mark.parametrize("symbol", ["NKNUSDT", "BLZETH", "LRCBTC", "RUNEEUR"])
def test_a_recorded_book_is_whole_from_its_snapshot_on(shared: Path, symbol: str) -> None:
    """Kept as it was told, the snapshot when it came; the best sides never cross."""
    folder = shared / "recorded" / "binance" / "cryptofeed_real"
    book, changes, whole = Book(), 0, 0
    asked = (folder / "BINANCE.http.0.0").read_text(encoding="utf-8")
    found = re.search(rf"symbol={symbol}&.* -> ([\d.]+): (\{{.*\}})", asked)
    assert found is not None
    at, taken = float(found[1]), False
    snapshot = msgspec.json.decode(found[2], type=Snapshot)
    for line in (folder / "BINANCE.ws.1.0").read_text(encoding="utf-8").splitlines():
        time, _, text = line.partition(": ")
        if f'"stream":"{symbol.lower()}@depth' not in text:
            continue
        if not taken and float(time) > at:
            taken = book.snapshot(snapshot)
            assert taken
        changes += 1
        whole += book.change(msgspec.json.decode(json.dumps(json.loads(text)["data"]), type=Change))
    if not taken:
        assert book.snapshot(snapshot)
        whole += 1
    assert not book.has_gap
    assert 0 < whole <= changes
    depth = book.depth(symbol, 1)
    assert len(depth.bids) == len(depth.asks) == 20
    assert depth.bids[0].price < depth.asks[0].price


def test_what_is_sent_is_named_in_the_venues_description(shared: Path) -> None:
    """Every path and parameter of ours stands in the description that was made of its documents."""
    text = (shared / "specs" / "binance" / "openxapi-spot.yaml").read_text(encoding="utf-8")
    for path in (
        "account", "allOrders", "depth", "exchangeInfo", "klines", "myTrades", "openOrders",
        "order", "ticker/price", "time",
    ):  # fmt: skip
        assert re.search(rf"^\s+['\"]?/api/v3/{path}['\"]?:", text, re.MULTILINE), path
    assert re.search(r"^\s+/sapi/v1/account/apiRestrictions:", text, re.MULTILINE)
    for name in (
        "newClientOrderId", "newOrderRespType", "omitZeroBalances", "origClientOrderId",
        "recvWindow", "stopPrice", "timeInForce", "enableReading", "enableWithdrawals",
        "enableSpotAndMarginTrading", "ipRestrict",
    ):  # fmt: skip
        assert re.search(rf"name: {name}$|^\s+{name}:", text, re.MULTILINE), name
