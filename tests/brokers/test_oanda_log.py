"""The log of transactions by itself, of lines as OANDA writes them (C-270)."""

from typing import Any

import msgspec
import pytest

from brokers.oanda import wire
from brokers.oanda.log import TransactionLog
from engine.domain.order import OrderStatus
from engine.ports import OrderReport

Json = dict[str, Any]

MARKET: Json = {
    "type": "MARKET_ORDER",
    "instrument": "EUR_USD",
    "units": "10",
    "timeInForce": "IOC",
    "positionFill": "DEFAULT",
    "reason": "CLIENT_ORDER",
    "clientExtensions": {"id": "a"},
}
PART: Json = {
    "type": "ORDER_FILL",
    "instrument": "EUR_USD",
    "price": "1.10000",
    "reason": "MARKET_ORDER",
}


@pytest.mark.parametrize("ids", [("2", "2"), (2, "2"), ("2", 2)])
def test_C270_parts_of_a_market_order_belong_together_however_its_id_is_written(
    ids: tuple[str | int, str | int],
) -> None:
    reports: list[OrderReport] = []
    log = TransactionLog("fx", reports.append)
    account = {"id": "1", "currency": "USD", "lastTransactionID": "1"}
    log.begin(msgspec.convert(account, wire.AccountRow))
    lines = [
        MARKET | {"id": "2"},
        PART | {"id": "3", "orderID": ids[0], "units": "4", "requestedUnits": "10"},
        PART | {"id": "4", "orderID": ids[1], "units": "6", "requestedUnits": "6"},
    ]
    assert log.take([msgspec.convert(line, wire.Transaction) for line in lines])
    assert [(r.status, r.venue_order_id) for r in reports] == [
        (OrderStatus.NEW, "2"),
        (OrderStatus.PARTIALLY_FILLED, "2"),
        (OrderStatus.FILLED, "2"),
    ]
