"""Binance spot behind the port, against a local server of its protocol (C-210 to C-212)."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from brokers import PriceSource, VenueSetup
from brokers.binance.setup import BinanceConnection, open_binance
from engine.runtime.clock import SystemClock
from tests.brokers.conformance import BrokerConformance, Lab
from tests.configs import from_mapping
from tests.venues.binance import KEY, SECRET, UID, BinanceServer

D = Decimal
SYMBOL, THEIRS = "BTC-USDT", "BTCUSDT"


class Hidden:
    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value


SECRETS = {"BINANCE_API_KEY": KEY, "BINANCE_SECRET_KEY": SECRET}


def opened(
    server: BinanceServer,
    *,
    symbols: tuple[str, ...] = (SYMBOL, "AAPL"),
    secrets: dict[str, str] = SECRETS,
    **settings: Any,
) -> BinanceConnection:
    """An account whose venue is that server."""
    config = from_mapping({"market": {"symbols": list(symbols)}})
    own = config.brokers.of("binance").model_copy(
        update={
            "rest_url": server.url,
            "ws_api_url": f"{server.ws_url}/ws-api/v3",
            "stream_url": server.ws_url,
            **settings,
        }
    )
    return open_binance(
        VenueSetup(
            name="binance",
            settings=own,
            market=config.market,
            account_id=str(UID),
            clock=SystemClock(),
            state_dir=None,
            prices=PriceSource.MARKET,
            secret=lambda name: Hidden(secrets[name]),
        )
    )


@pytest.fixture
async def server() -> AsyncIterator[BinanceServer]:
    async with BinanceServer() as served:
        yield served


@pytest.fixture
async def lab(server: BinanceServer) -> AsyncIterator[Lab]:
    async def set_price(symbol: str, price: Decimal) -> None:
        server.exchange.set_price(symbol.replace("-", ""), price)

    broker = opened(server).broker
    yield Lab(broker, set_price, symbol=SYMBOL)
    await broker.disconnect()


class TestBinanceConformance(BrokerConformance):
    pass
