"""Words of Binance that nobody here knows: no list and no stream is lost for one row (fault 46)."""

from decimal import Decimal

import pytest

from brokers.binance.wire import Execution, Order, order_of, report_of
from engine.domain.order import OrderType, Side

D = Decimal


def row(**more: str) -> Order:
    numbers = {"orig_qty": "2", "executed_qty": "0", "cummulative_quote_qty": "0", "price": "95"}
    return Order(symbol="BTCUSDT", order_id=7, status="NEW", **(numbers | more))


@pytest.mark.parametrize("side", ["SIDEWAYS", "buy", ""])
def test_a_side_is_never_guessed_and_what_has_none_has_no_quantity(side: str) -> None:
    assert order_of(row(type="LIMIT", side=side), "BTC-USDT").quantity.is_nan()
    event = Execution(s="BTCUSDT", i=7, S=side, x="TRADE", X="FILLED", l="2", L="95", T=1, t=1)
    fill = report_of(event, "binance", "BTC-USDT").fill
    assert fill is not None
    assert fill.quantity.is_nan()


@pytest.mark.parametrize(
    ("prices", "kind"),
    [
        ({}, OrderType.LIMIT),
        ({"price": "0.00"}, OrderType.MARKET),
        ({"price": "0.00", "stop_price": "90"}, OrderType.STOP),
        ({"stop_price": "90"}, OrderType.STOP_LIMIT),
    ],
)
def test_an_order_of_a_type_that_is_not_known_is_what_its_prices_say(
    prices: dict[str, str], kind: OrderType
) -> None:
    found = order_of(row(type="PEGGED", side="SELL", **prices), "BTC-USDT")
    assert (found.type, found.side, found.quantity) == (kind, Side.SELL, D(2))
