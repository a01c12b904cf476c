"""OANDA behind the broker port, over real sockets against a local server of it (C-270, E-06, D-45).

The named cases are the wire faults of research/venues.md §7.
"""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from brokers import PriceSource, VenueSetup
from brokers.oanda.setup import OandaConnection, open_oanda
from engine.runtime.clock import SystemClock
from tests.brokers.conformance import BrokerConformance, Lab
from tests.configs import from_mapping
from tests.venues.oanda import ACCOUNT, SYMBOL, TOKEN, OandaServer

D = Decimal


class Known:
    """A secret of a test."""

    def reveal(self) -> str:
        return TOKEN


def setup(server: OandaServer, **settings: Any) -> VenueSetup:
    """A plan for the account of a server."""
    table = {"rest_url": server.url, "stream_url": server.url, "account_id": ACCOUNT, **settings}
    config = from_mapping({"market": {"symbols": [SYMBOL], "bar_seconds": 5}})
    return VenueSetup(
        name="fx",
        kind="oanda",
        settings=config.brokers.of("oanda").model_copy(update=table),
        market=config.market,
        account_id=ACCOUNT,
        clock=SystemClock(),
        state_dir=None,
        prices=PriceSource.MARKET,
        secret=lambda variable: Known(),
    )


@pytest.fixture
async def server() -> AsyncIterator[OandaServer]:
    async with OandaServer() as served:
        yield served


@pytest.fixture
async def connection(server: OandaServer) -> AsyncIterator[OandaConnection]:
    opened = open_oanda(setup(server))
    yield opened
    await opened.broker.disconnect()
    opened.close()


@pytest.fixture
def lab(server: OandaServer, connection: OandaConnection) -> Lab:
    async def set_price(symbol: str, price: Decimal) -> None:
        server.exchange.set_price(symbol, price)

    return Lab(connection.broker, set_price, symbol=SYMBOL, pays=False)


class TestOANDAConformance(BrokerConformance):
    """What every adapter must do."""
