"""OKX over real sockets, against a local server of it (C-260, D-44, E-12).

What is measured of the venue, and the list of its faults, is in research/venues.md §5 and §7.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from brokers import VenueSetup, open_venue
from brokers.okx.settings import OkxConfig
from engine.config.trading import MarketConfig
from engine.runtime.clock import SystemClock
from tests.brokers.conformance import BrokerConformance, Lab
from tests.venues.okx import KEY, PASSPHRASE, SECRET, UID, OkxServer

SYMBOL = "BTC-USDT"
PATIENCE_SECONDS = 5
SECRETS = {"OKX_API_KEY": KEY, "OKX_SECRET_KEY": SECRET, "OKX_PASSPHRASE": PASSPHRASE}


class Told:
    """A secret that the tests know."""

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value


def setup_of(
    server: OkxServer, secrets: dict[str, str] | None = None, **settings: Any
) -> VenueSetup:
    known = SECRETS | (secrets or {})
    return VenueSetup(
        name="okx",
        settings=OkxConfig(
            rest_url=server.url,
            stream_url=f"{server.ws_url}/ws/v5/private",
            public_stream_url=f"{server.ws_url}/ws/v5/public",
            **settings,
        ),
        market=MarketConfig(source="broker", symbols=(SYMBOL, "ETH-USDT")),
        account_id=UID,
        clock=SystemClock(),
        state_dir=None,
        secret=lambda name: Told(known[name]),
    )


@pytest.fixture
async def server() -> AsyncIterator[OkxServer]:
    async with OkxServer() as served:
        yield served


@pytest.fixture
async def lab(server: OkxServer) -> AsyncIterator[Lab]:
    connection = open_venue(setup_of(server))
    before = asyncio.all_tasks()
    yield Lab(connection.broker, server.set_price, symbol=SYMBOL)
    await connection.broker.disconnect()
    connection.close()
    ours = {task for task in asyncio.all_tasks() - before if "OKX" in task.get_name()}
    assert not ours


class TestOkxConformance(BrokerConformance):
    """What is promised of every adapter."""
