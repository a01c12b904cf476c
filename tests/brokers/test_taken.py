"""A protective stop has the terms that each venue takes of what it trades (C-131, rule 3).

By the venues' documents: Alpaca takes options and parts of shares for the day only, and no plain
stop of a coin (specs/alpaca; research/alpaca-binance.md §2); Binance, Coinbase, OKX and OANDA take
a stop that is good till cancelled (research/venues.md), and TWS of all kinds (research/ibkr.md).
"""

from decimal import Decimal

import pytest

from engine.domain.instrument import AssetClass, default_instrument
from engine.domain.order import OrderTerms, OrderType, Purpose, Side, TimeInForce
from engine.plans.reducing import stop_order
from tests.engine.driver import CoreDriver
from tests.test_venue_pages import CAN

D = Decimal
A, T, F = AssetClass, OrderType, TimeInForce

CALL = "AAPL 2026-12-18 200 C"


def stop_of(kind: str, symbol: str, quantity: str) -> OrderTerms:
    """The stop at 95 of so much that is held at the venue."""
    desk = CoreDriver(capabilities=CAN[kind]).price(symbol, "100")
    desk.hold(symbol, D(quantity), "100")
    return stop_order(desk.world, desk.held(symbol), D(95), D(quantity), desk.now)


@pytest.mark.parametrize(
    ("kind", "symbol", "asset", "quantity", "terms"),
    [
        ("alpaca", "AAPL", A.STOCK, "2", (T.STOP, F.GTC)),
        ("alpaca", "AAPL", A.STOCK, "2.5", (T.STOP, F.DAY)),
        ("alpaca", CALL, A.OPTION, "2", (T.STOP, F.DAY)),
        ("alpaca", "BTC-USD", A.CRYPTO, "0.5", (T.STOP_LIMIT, F.GTC)),
        ("ibkr", "AAPL", A.STOCK, "2", (T.STOP, F.GTC)),
        ("ibkr", CALL, A.OPTION, "2", (T.STOP, F.GTC)),
        ("ibkr", "ES 2026-12", A.FUTURE, "2", (T.STOP, F.GTC)),
        ("ibkr", "EUR_USD", A.FX, "20000", (T.STOP, F.GTC)),
        ("binance", "BTC-USDT", A.CRYPTO, "0.5", (T.STOP, F.GTC)),
        ("coinbase", "BTC-USD", A.CRYPTO, "0.5", (T.STOP, F.GTC)),
        ("okx", "BTC-USDT", A.CRYPTO, "0.5", (T.STOP, F.GTC)),
        ("oanda", "EUR_USD", A.FX, "100", (T.STOP, F.GTC)),
    ],
)
def test_the_terms_of_a_stop(
    kind: str, symbol: str, asset: AssetClass, quantity: str, terms: tuple[OrderType, TimeInForce]
) -> None:
    assert default_instrument(symbol).asset_class is asset
    stop = stop_of(kind, symbol, quantity)
    assert (stop.type, stop.time_in_force) == terms
    assert (stop.quantity, stop.purpose, stop.side) == (D(quantity), Purpose.PROTECT, Side.SELL)
    taken = CAN[kind].takes(asset, D(quantity))
    assert stop.type in taken.order_types
    assert stop.time_in_force in taken.times_in_force
