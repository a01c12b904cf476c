"""What is sent to OANDA against its official definition, and what is read against recorded answers.

Both are in a folder outside of the project (DATA.md there): `MERIDIAN_SHARED`, or `../shared`.
"""

import json
import os
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from brokers.oanda import wire
from brokers.oanda.log import TransactionLog
from brokers.oanda.market import MidBars, events_of
from brokers.oanda.money import account_of, fill_of, positions_of
from brokers.oanda.orders import instrument_from, pair_of, venue_order
from brokers.oanda.refusals import CANCEL_STATUS
from engine.domain.instant import to_datetime
from engine.domain.market import Depth, Quote
from engine.domain.order import OrderStatus, OrderType, Side, TimeInForce
from engine.ports import OrderReport, Rejected
from tests.venues.oanda import SYMBOL, OandaServer
from tests.venues.oanda_lab import lab_of

D = Decimal
Json = dict[str, Any]

ADDED = {"requestedUnits", "quotePL"}
"""Fields of a fill that the venue has added since the definition of 2018."""


def _shared(root: Path, *names: str) -> Any:
    folder = Path(os.environ.get("MERIDIAN_SHARED") or root.parent / "shared")
    path = folder.joinpath(*names)
    if not path.is_file():
        pytest.skip(f"{path} is not there: official definitions and recordings are no part of this")
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture
def spec(root: Path) -> Json:
    found: Json = _shared(root, "specs", "oanda", "v20.prefixed.json")
    return found


@pytest.fixture
def recorded(root: Path) -> Any:
    def read(name: str, call: str) -> Any:
        told = _shared(root, "recorded", "oanda", "hootnot_mit", f"{name}.json")
        return told[call]["response"]

    return read


def answer(given: Any, kind: type[Any]) -> Any:
    """What the adapter reads of an answer."""
    return msgspec.json.decode(json.dumps(given).encode(), type=kind)


@pytest.fixture
async def server() -> AsyncIterator[OandaServer]:
    async with OandaServer() as served:
        yield served


def faults(spec: Json, name: str, given: Json, more: set[str] = frozenset()) -> list[str]:  # type: ignore[assignment]
    """What of an object is not as the definition of that name says."""
    properties = spec["definitions"][name]["properties"]
    found = [f"{name}.{key} is not defined" for key in given if key not in {*properties, *more}]
    for key, value in given.items():
        rule = properties.get(key, {})
        if "$ref" in rule:
            found += faults(spec, rule["$ref"].rpartition("/")[2], value)
        elif rule.get("type") == "string" and not isinstance(value, str):
            found.append(f"{name}.{key} is {value!r}, no text")
        elif "enum" in rule and value not in rule["enum"]:
            found.append(f"{name}.{key} is {value!r}, which is not allowed")
    return found


async def test_every_request_and_every_transaction_is_as_the_definition_says(
    spec: Json, server: OandaServer
) -> None:
    """Whatever the port can ask for, on every path that it takes."""
    async with lab_of(server) as lab:
        await lab.start()
        await lab.submit("a", "BUY", "10")
        await lab.submit("b", "SELL_SHORT", "5", limit="120", tif="DAY")
        await lab.submit("c", "SELL", "10", stop="95", reduce_only=True)
        await lab.submit("d", "SELL", "3", reduce_only=True)
        await lab.broker.cancel_order("b")
        server.beat()
        server.protect_by_hand("95")
        server.finance("-1.0000")
        for key in ("a", "b", "nobody"):
            await lab.broker.get_order(key)
        await lab.broker.get_open_orders()
        await lab.broker.get_positions()
        await lab.broker.get_account()
        await lab.broker.get_fills_since(0)
        await lab.broker.get_cash_movements_since(0)
        await lab.broker.server_time()
    for body in server.posted:
        assert faults(spec, f"{body['type'].title()}OrderRequest", body) == []
    for _, method, path in server.requests:
        bare, _, query = path.partition("?")
        names = {each.partition("=")[0] for each in query.split("&") if each}
        assert names <= _parameters(spec, method.lower(), bare)
    kinds = {told["type"] for told in server.transactions}
    assert {"MARKET_ORDER", "LIMIT_ORDER", "STOP_ORDER", "ORDER_FILL", "ORDER_CANCEL"} <= kinds
    for told in server.transactions:
        words = "".join(word.title() for word in told["type"].split("_"))
        assert faults(spec, f"{words}Transaction", told, ADDED) == []


def _parameters(spec: Json, method: str, path: str) -> set[str]:
    """The parameters in the query of the one path of the definition that this is."""
    parts = path.split("/")
    fits = []
    for known, methods in spec["paths"].items():
        names = known.split("/")
        same = [n == p or n.startswith("{") for n, p in zip(names, parts, strict=False)]
        if len(names) == len(parts) and all(same) and method in methods:
            fits.append((sum(n.startswith("{") for n in names), known))
    assert fits, f"{method} {path} is not defined"
    given = spec["paths"][min(fits)[1]][method]["parameters"]
    return {each["name"] for each in given if each.get("in") == "query"}


def test_every_reason_of_a_cancel_that_is_known_here_is_one_of_the_venue_s(root: Path) -> None:
    told = _shared(root, "recorded", "oanda", "hootnot_mit", "definitions_transactions.json")
    reasons = set(told["definitions"]["OrderCancelReason"])
    assert set(CANCEL_STATUS) - reasons == {"DIVIDEND_ADJUSTMENT_REPLACED"}  # newer than that list


# --- recorded answers


def test_a_recorded_order_is_read(recorded: Any) -> None:
    told = answer(recorded("orders", "_v3_accounts_accountID_orders_pending"), wire.OrdersAnswer)
    order = venue_order(told.orders[0], OrderStatus.NEW)
    assert (order.client_order_id, order.venue_order_id, order.symbol) == ("myID", "2304", SYMBOL)
    assert (order.side, order.quantity, order.type) == (Side.SELL, D(100), OrderType.LIMIT)
    assert (order.limit_price, order.time_in_force) == (D("1.20000"), TimeInForce.GTC)
    assert not order.reduce_only


def test_recorded_transactions_tell_a_replaced_order_and_its_end(recorded: Any) -> None:
    """An order is replaced, the new one is cancelled, a third is created; the account is
    configured in between, which is no news."""
    reports: list[OrderReport] = []
    log = TransactionLog("fx", reports.append)
    account = {"id": "1", "currency": "EUR", "lastTransactionID": "2303"}
    log.begin(msgspec.convert(account, wire.AccountRow))
    ranged = recorded("transactions", "_v3_accounts_transaction_idrange")
    since = recorded("transactions", "_v3_accounts_transaction_sinceid")
    assert log.take(answer(ranged, wire.TransactionsAnswer).transactions)
    assert log.take(answer(since, wire.TransactionsAnswer).transactions)
    assert log.last == 2311
    assert [(r.client_order_id, r.venue_order_id, r.status, r.quantity) for r in reports] == [
        ("", "2304", OrderStatus.NEW, D(100)),
        # It got its client id after it was created: it ends, and one of that id begins.
        ("", "2304", OrderStatus.CANCELED, None),
        ("myID", "2307", OrderStatus.NEW, D(500000)),
        ("myID", "2307", OrderStatus.CANCELED, None),
        ("", "2309", OrderStatus.NEW, D(100)),
    ]
    assert reports[0].limit_price == D("1.20000")


def test_a_recorded_answer_to_an_order_is_read(recorded: Any) -> None:
    done = answer(recorded("orders", "_v3_accounts_accountID_orders_create"), wire.Done)
    (created,) = done.transactions
    assert (created.type, created.number) == ("LIMIT_ORDER", 2304)
    done = answer(recorded("orders", "_v3_accounts_accountID_order_replace"), wire.Done)
    assert sorted(each.number for each in done.transactions) == [2306, 2307]


def test_a_recorded_heartbeat_says_how_far_the_log_is(recorded: Any) -> None:
    lines = recorded("transactions", "_v3_accounts_transactions_stream")
    told = [answer(line, wire.Transaction) for line in lines]
    assert {(each.type, each.number) for each in told} == {("HEARTBEAT", 0)}
    assert {wire.id_of(each.last_transaction_id) for each in told} == {2311}


def test_a_recorded_account_adds_up(recorded: Any) -> None:
    """Cash less what is owed for what is held, and that at the venue's marks, is its NAV."""
    told = answer(recorded("accounts", "_v3_account_by_accountID"), wire.AccountAnswer)
    account = account_of(told.account, 1)
    assert (account.account_id, account.currency) == ("101-004-1435156-001", "EUR")
    assert account.equity == D("49377.6580")
    assert account.buying_power == D("39428.7580")
    balance = account.cash - 2 * 10 * D("9984.7")  # two shorts in EUR brought that
    assert balance + D("682.0000") == account.equity
    assert [row.id for row in told.account.orders] == ["204"]


def test_recorded_holdings_are_signed(recorded: Any) -> None:
    told = recorded("positions", "_v3_accounts_accountID_openpositions")
    held = positions_of(answer(told, wire.PositionsAnswer).positions)
    assert [(p.symbol, p.quantity, p.average_price) for p in held] == [
        ("DE30_EUR", D(10), D("10678.3")),
        ("EUR_USD", D(-100), D("1.09843")),
    ]


def test_a_recorded_close_is_one_fill(recorded: Any) -> None:
    told = recorded("positions", "_v3_accounts_accountID_position_close")
    fill = fill_of(answer(told["longOrderFillTransaction"], wire.Transaction), "fx", "EUR")
    assert (fill.execution_id, fill.venue_order_id, fill.side) == ("6391", "6390", Side.SELL)
    assert (fill.quantity, fill.price) == (D(251), D("1.13018"))
    assert fill.time == 1_466_620_895_034_041_665


def test_recorded_instruments_have_their_grids(recorded: Any) -> None:
    told = recorded("accounts", "_v3_account_by_accountID_instruments")
    pairs = {row.name: pair_of(row) for row in answer(told, wire.InstrumentsAnswer).instruments}
    found = instrument_from(pairs[SYMBOL], to_datetime(0).date())
    assert (found.tick, found.lot, found.currency) == (D("0.00001"), D(1), "USD")
    assert found.calendar == "FX"
    with pytest.raises(Rejected, match="currencies and metals"):
        instrument_from(pairs["DE30_EUR"], to_datetime(0).date())


def test_recorded_prices_are_quotes_and_depth(recorded: Any) -> None:
    """Older lines say `status` where newer ones say `tradeable`."""
    lines = recorded("pricing", "_v3_accounts_accountID_pricing_stream")
    bars = MidBars(5)
    events = [event for line in lines for event in events_of(json.dumps(line).encode(), bars)]
    quotes = [event for event in events if isinstance(event, Quote)]
    assert [(quote.symbol, quote.bid, quote.ask) for quote in quotes] == [
        ("EUR_JPY", D("114.295"), D("114.312")),
        ("EUR_USD", D("1.09177"), D("1.09188")),
        ("EUR_JPY", D("114.298"), D("114.315")),
    ]
    assert not any(quote.fault for quote in quotes)
    assert sum(isinstance(event, Depth) for event in events) == 3


def test_recorded_candles_are_complete(recorded: Any) -> None:
    told = recorded("instruments", "_v3_instruments_instrument_candles")
    candles = answer(told, wire.CandlesAnswer).candles
    assert all(candle.complete and candle.mid.keys() == {"o", "h", "l", "c"} for candle in candles)
