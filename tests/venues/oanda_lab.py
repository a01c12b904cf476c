"""An adapter on a local OANDA, for tests."""

import contextlib
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

from brokers import PriceSource, VenueSetup
from brokers.oanda.adapter import OandaBroker
from brokers.oanda.api import OandaApi, oanda_budget
from brokers.oanda.setup import OandaConnection, open_oanda
from engine.domain.order import OrderStatus
from engine.domain.run import LinkState
from engine.ports import LinkReport, OrderReport
from engine.runtime.clock import SystemClock
from tests.brokers.conformance import Lab
from tests.configs import from_mapping
from tests.venues.oanda import ACCOUNT, SYMBOL, TOKEN, OandaServer


class Known:
    """The secret of a test."""

    def reveal(self) -> str:
        return TOKEN


def plan(server: OandaServer, **settings: Any) -> VenueSetup:
    """What the account of a server is opened for."""
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


class OandaLab(Lab):
    """A lab on a local OANDA, `server`."""

    def __init__(self, server: OandaServer, broker: OandaBroker) -> None:
        async def set_price(symbol: str, price: Decimal) -> None:
            server.exchange.set_price(symbol, price)

        super().__init__(broker, set_price, symbol=SYMBOL, pays=False)
        self.server = server

    async def all_told(self) -> list[OrderReport]:
        """Every report on an order until now: an order is sent, and told, behind them."""
        await self.submit("marker", "BUY", "1")
        await self.until("marker", OrderStatus.FILLED)
        told = [report for report in self.seen if isinstance(report, OrderReport)]
        return [report for report in told if report.client_order_id != "marker"]

    async def link_lost(self) -> str:
        """Why the connection ended, once it has."""
        while True:
            report = await self.next_report()
            if isinstance(report, LinkReport):
                assert report.state is LinkState.DISCONNECTED
                return report.detail


@contextlib.asynccontextmanager
async def opened(server: OandaServer, **settings: Any) -> AsyncIterator[OandaConnection]:
    """The account as the host opens it."""
    connection = open_oanda(plan(server, **settings))
    try:
        yield connection
    finally:
        await connection.broker.disconnect()
        connection.close()


@contextlib.asynccontextmanager
async def lab_of(
    server: OandaServer,
    *,
    silence_seconds: float = 60,
    quiet_seconds: float = 60,
    **settings: Any,
) -> AsyncIterator[OandaLab]:
    """An adapter whose stream may be silent, and quiet, for so long; not connected yet."""
    given = plan(server, **settings)
    api = OandaApi(given.name, given.settings, given.secret, oanda_budget(given.clock.monotonic))
    broker = OandaBroker(
        given.name,
        api,
        given.clock,
        silence_seconds=silence_seconds,
        quiet_seconds=quiet_seconds,
    )
    try:
        yield OandaLab(server, broker)
    finally:
        await broker.disconnect()
