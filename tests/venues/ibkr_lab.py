"""An account at a local TWS, for tests."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from brokers import VenueSetup
from brokers.ibkr.adapter import IbkrBroker
from brokers.ibkr.settings import IbkrConfig
from brokers.ibkr.setup import open_ibkr
from engine.config.trading import MarketConfig
from engine.domain.instrument import Instrument
from engine.runtime.clock import SystemClock
from tests.brokers.conformance import D, Lab
from tests.venues.ibkr import Tws

NAME = "ibkr"


WATCHED = ("AAPL", "EUR_USD")


def opened(
    tws: Tws,
    watched: tuple[str, ...] = WATCHED,
    instruments: Mapping[str, Instrument] = MappingProxyType({}),
    **settings: Any,
) -> IbkrBroker:
    """An adapter for that TWS, not connected; its feed is of the `watched` symbols, and
    `instruments` are the user's table."""
    plan = VenueSetup(
        name=NAME,
        settings=IbkrConfig(port=tws.port, **settings),
        market=MarketConfig(source="broker", symbols=watched),
        account_id=settings.get("account_id", ""),
        clock=SystemClock(),
        instruments=instruments,
        state_dir=None,
    )
    return open_ibkr(plan).broker


class TwsLab(Lab):
    """The lab of the conformance tests, with the TWS behind it."""

    def __init__(self, tws: Tws, **settings: Any) -> None:
        async def price(symbol: str, price: D) -> None:
            tws.exchange.set_price(symbol, price)

        self.tws = tws
        self.adapter = opened(tws, **settings)
        super().__init__(self.adapter, price)
