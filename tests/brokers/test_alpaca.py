"""The account at Alpaca over real sockets, against a local Alpaca with its faults (C-291).

The cases are those of research/alpaca-binance.md §5.
"""

from collections.abc import AsyncIterator
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from brokers import PriceSource, VenueSetup, open_venue
from brokers.alpaca.adapter import AlpacaBroker
from brokers.alpaca.settings import AlpacaConfig
from brokers.alpaca.setup import AlpacaConnection
from brokers.alpaca.symbols import to_venue
from engine.runtime.clock import SystemClock
from tests.brokers.conformance import BrokerConformance, Lab
from tests.venues.alpaca import KEY, SECRET, AlpacaServer

D = Decimal


class Held:
    """A secret that counts how often it was looked at."""

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value


def opened(
    server: AlpacaServer,
    *,
    key: str = KEY,
    symbols: tuple[str, ...] = ("AAPL",),
    prices: PriceSource = PriceSource.BY_HAND,
    **settings: Any,
) -> AlpacaConnection:
    """An account at the local server, not connected yet."""
    secrets = {"ALPACA_API_KEY": key, "ALPACA_SECRET_KEY": SECRET}
    plan = VenueSetup(
        name="alpaca",
        settings=AlpacaConfig(
            trading_url=server.url,
            trading_stream_url=f"{server.ws_url}/stream",
            data_url=server.url,
            data_stream_url=server.ws_url,
            **settings,
        ),
        market=SimpleNamespace(symbols=symbols),
        account_id="",
        clock=SystemClock(),
        state_dir=None,
        prices=prices,
        secret=lambda name: Held(secrets[name]),
    )
    connection = open_venue(plan)
    assert isinstance(connection, AlpacaConnection)
    return connection


@pytest.fixture
async def server() -> AsyncIterator[AlpacaServer]:
    async with AlpacaServer() as served:
        yield served


@pytest.fixture
async def broker(server: AlpacaServer) -> AsyncIterator[AlpacaBroker]:
    broker = opened(server).broker
    yield broker
    await broker.disconnect()


@pytest.fixture
async def lab(server: AlpacaServer, broker: AlpacaBroker) -> Lab:
    async def set_price(symbol: str, price: Decimal) -> None:
        server.exchange.set_price(to_venue(symbol), price)

    return Lab(broker, set_price)


class TestAlpacaConformance(BrokerConformance):
    """Everything that every adapter must do."""
