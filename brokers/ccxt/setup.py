"""Opening an account at an exchange of ccxt: nothing is asked of it by that."""

from brokers import PriceSource, VenueSetup
from brokers.ccxt.adapter import CcxtBroker
from brokers.ccxt.client import Client
from brokers.ccxt.market import CcxtMarket
from brokers.ccxt.settings import CcxtConfig
from engine.ports import MarketData


class CcxtConnection:
    """An account, and the market of its symbols."""

    def __init__(self, broker: CcxtBroker, market: MarketData | None) -> None:
        self.broker = broker
        self.market = market

    def close(self) -> None:
        """Nothing of it is kept here."""


def open_ccxt(plan: VenueSetup) -> CcxtConnection:
    """The account of `plan`, not connected yet. Raises BadFile for an exchange that cannot be
    worked with here."""
    settings: CcxtConfig = plan.settings

    def client(shares: Client | None = None) -> Client:
        return Client(
            plan.name,
            settings.exchange,
            plan.clock,
            sandbox=settings.environment == "sandbox",
            rest_url=settings.rest_url,
            shares=shares,
        )

    symbols = tuple(plan.market.symbols)
    orders = client()
    broker = CcxtBroker(
        plan.name,
        settings,
        plan.clock,
        orders,
        symbols=symbols,
        secret=plan.secret,
        claim=plan.claim,
    )
    if plan.prices is not PriceSource.MARKET:
        return CcxtConnection(broker, None)
    return CcxtConnection(broker, CcxtMarket(client(orders), symbols, plan.clock))
