"""An id is the same whether its venue tells it as a number or as text (fault 46, C-260)."""

from typing import Any

import msgspec
import pytest

from brokers.binance import wire as binance
from brokers.coinbase import wire as coinbase
from brokers.okx import wire as okx

OKX_ORDER = {"instId": "BTC-USDT", "ordId": "312269865356374016", "clOrdId": "b15"}

ROWS: list[tuple[type[Any], dict[str, Any], dict[str, str]]] = [
    (okx.OrderRow, OKX_ORDER, {"ordId": "ord_id", "tradeId": "trade_id", "algoId": "algo_id",
                               "clOrdId": "cl_ord_id", "reqId": "req_id"}),
    (okx.AlgoRow, {"instId": "BTC-USDT", "algoId": "7"},
     {"algoId": "algo_id", "ordId": "ord_id", "algoClOrdId": "algo_cl_ord_id"}),
    (okx.FillRow, {"instId": "BTC-USDT", "tradeId": "1", "ordId": "2"},
     {"tradeId": "trade_id", "ordId": "ord_id", "billId": "bill_id", "clOrdId": "cl_ord_id"}),
    (okx.AckRow, {}, {"ordId": "ord_id", "algoId": "algo_id"}),
    (okx.ConfigRow, {"uid": "1", "acctLv": "1"}, {"uid": "uid"}),
    (coinbase.Order, {"order_id": "1"}, {"order_id": "order_id"}),
    (coinbase.Trade, {"trade_id": "1"},
     {"trade_id": "trade_id", "order_id": "order_id", "entry_id": "entry_id"}),
    (coinbase.Update, {"order_id": "1"}, {"order_id": "order_id"}),
    (coinbase.Taken, {}, {"order_id": "order_id"}),
    (coinbase.CancelResult, {}, {"order_id": "order_id"}),
]  # fmt: skip
TEXTS = [
    pytest.param(
        kind, row, told, name, id=f"{kind.__module__.split('.')[1]} {kind.__name__} {told}"
    )
    for kind, row, names in ROWS
    for told, name in names.items()
]


@pytest.mark.parametrize(
    "number", [0, 1, 312269865356374016, 2**63, 10**25], ids=lambda number: f"1e{len(str(number))}"
)
@pytest.mark.parametrize(("kind", "row", "told", "name"), TEXTS)
def test_an_id_that_is_text_is_that_of_its_digits_where_it_is_a_number(
    kind: type[Any], row: dict[str, Any], told: str, name: str, number: int
) -> None:
    found = [read(kind, row | {told: given}) for given in (number, f"{number}")]
    assert [getattr(one, name) for one in found] == [f"{number}"] * 2
    assert found[0] == found[1]


@pytest.mark.parametrize("given", [1.5, True, [1], {"id": 1}])
@pytest.mark.parametrize(("kind", "row", "told", "name"), TEXTS)
def test_what_is_neither_is_no_id(
    kind: type[Any], row: dict[str, Any], told: str, name: str, given: Any
) -> None:
    """Rounded, or made up, it would be another's."""
    with pytest.raises(msgspec.ValidationError):
        read(kind, row | {told: given})


NUMBERS = [
    (binance.Order, {"symbol": "BTCUSDT", "orderId": 1}, "orderId", "order_id"),
    (binance.Taken, {"symbol": "BTCUSDT", "orderId": 1}, "orderId", "order_id"),
    (binance.Trade, {"symbol": "BTCUSDT", "id": 1, "orderId": 1}, "id", "id"),
    (binance.Trade, {"symbol": "BTCUSDT", "id": 1, "orderId": 1}, "orderId", "order_id"),
    (binance.AccountRow, {"uid": 1, "balances": []}, "uid", "uid"),
    (binance.Execution, {"s": "BTCUSDT", "i": 1}, "i", "i"),
    (binance.Execution, {"s": "BTCUSDT", "i": 1}, "t", "t"),
]


@pytest.mark.parametrize(("kind", "row", "told", "name"), NUMBERS)
@pytest.mark.parametrize("number", [-1, 0, 28, 2**53 + 1])
def test_an_id_that_is_a_number_is_that_of_its_text(
    kind: type[Any], row: dict[str, Any], told: str, name: str, number: int
) -> None:
    found = [read(kind, row | {told: given}) for given in (number, f"{number}")]
    assert [getattr(one, name) for one in found] == [number] * 2


@pytest.mark.parametrize(("kind", "row", "told", "name"), NUMBERS)
@pytest.mark.parametrize("given", ["", "x1", "1.0", " 1", "1_0", "\u0661", 1.5, True, None])
def test_a_text_of_other_than_digits_is_no_such_id(
    kind: type[Any], row: dict[str, Any], told: str, name: str, given: Any
) -> None:
    with pytest.raises(msgspec.ValidationError):
        read(kind, row | {told: given})


def read(kind: type[Any], row: dict[str, Any]) -> Any:
    """A row as an adapter reads it: alone it stands for a list, and for a message of a stream."""
    return msgspec.json.decode(msgspec.json.encode([row]), type=list[kind])[0]  # type: ignore[valid-type]
