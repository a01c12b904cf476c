"""Binance spot behind the port, against a local server of its protocol (C-210 to C-212)."""

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from tests.brokers.conformance import BrokerConformance, Lab
from tests.venues.binance import BinanceServer
from tests.venues.binance_account import SYMBOL, opened


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
