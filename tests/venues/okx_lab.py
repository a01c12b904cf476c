"""An account at the local OKX, opened as the host opens it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from brokers import Connection, VenueSetup, open_venue
from brokers.okx.settings import OkxConfig
from engine.config.trading import MarketConfig
from engine.runtime.clock import SystemClock
from tests.brokers.conformance import Lab
from tests.venues.okx import KEY, PASSPHRASE, SECRET, UID, OkxServer

SYMBOL = "BTC-USDT"
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
    """What the account is opened for; `settings` are keys of its table."""
    known = SECRETS | (secrets or {})
    table = {
        "rest_url": server.url,
        "stream_url": f"{server.ws_url}/ws/v5/private",
        "public_stream_url": f"{server.ws_url}/ws/v5/public",
    }
    return VenueSetup(
        name="okx",
        settings=OkxConfig(**{**table, **settings}),
        market=MarketConfig(source="broker", symbols=(SYMBOL, "ETH-USDT")),
        account_id=UID,
        clock=SystemClock(),
        state_dir=None,
        secret=lambda name: Told(known[name]),
    )


def opened(server: OkxServer, secrets: dict[str, str] | None = None, **settings: Any) -> Connection:
    """The account, not connected yet."""
    return open_venue(setup_of(server, secrets, **settings))


@asynccontextmanager
async def lab_of(server: OkxServer, **settings: Any) -> AsyncIterator[Lab]:
    """An account that is disconnected at the end."""
    connection = opened(server, **settings)
    try:
        yield Lab(connection.broker, server.set_price, symbol=SYMBOL)
    finally:
        await connection.broker.disconnect()
        connection.close()
