"""The broker port over Coinbase Advanced Trade, against a local server of it (C-250, E-07, X-61).

The faults are those of research/venues.md §7, column Coinbase; each has its number in its test.
"""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from brokers import VenueSetup, open_venue
from brokers.coinbase.settings import CoinbaseConfig
from engine.config.trading import MarketConfig
from engine.runtime.clock import SystemClock
from tests.brokers.conformance import BrokerConformance, Lab
from tests.venues.coinbase import KEY_NAME, PORTFOLIO, CoinbaseVenue

D = Decimal
SEED = Ed25519PrivateKey.generate()
RAW = SEED.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
PUBLIC = SEED.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
ED25519 = base64.b64encode(RAW + PUBLIC).decode()
ACCOUNT = PORTFOLIO.replace("-", "")


class Hidden:
    """A secret of the host."""

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "***"


def plan(venue: CoinbaseVenue, secret: str = ED25519, **more: Any) -> VenueSetup:
    """What an account is opened with; `more` are its settings."""
    given = {
        "environment": "live",
        "account_id": ACCOUNT,
        "rest_url": venue.url,
        "stream_url": venue.stream_url,
    }
    values = {"COINBASE_API_KEY": KEY_NAME, "COINBASE_SECRET_KEY": secret}
    return VenueSetup(
        name="coinbase",
        settings=CoinbaseConfig(**(given | more)),
        market=MarketConfig(symbols=("BTC-USD", "ETH-USD")),
        account_id="coinbase",
        clock=SystemClock(),
        state_dir=None,
        base_currency="USD",
        secret=lambda name: Hidden(values[name]),
    )


@asynccontextmanager
async def opened(venue: CoinbaseVenue, **more: Any) -> AsyncIterator[Lab]:
    """A lab of the account, which is not connected; nothing stays open."""
    connection = open_venue(plan(venue, **more))
    broker = connection.broker
    try:
        yield Lab(broker, venue.set_price, symbol="BTC-USD")
    finally:
        await broker.disconnect()
        connection.close()


@pytest.fixture
async def venue() -> AsyncIterator[CoinbaseVenue]:
    async with CoinbaseVenue(SEED.public_key(), "EdDSA") as served:
        yield served


@pytest.fixture
async def lab(venue: CoinbaseVenue) -> AsyncIterator[Lab]:
    async with opened(venue) as made:
        yield made


class TestCoinbaseConformance(BrokerConformance):
    """What every adapter must do."""
