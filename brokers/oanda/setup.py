"""Opening an OANDA account: its broker and, where it is wanted, its prices."""

from brokers import PriceSource, VenueSetup
from brokers.net.budget import budget_of
from brokers.oanda.adapter import OandaBroker
from brokers.oanda.api import HOSTS, OandaApi, oanda_budget
from brokers.oanda.market import OandaMarket
from engine.ports import Broker, MarketData


class OandaConnection:
    """An account at OANDA, not connected yet."""

    def __init__(self, broker: Broker, market: MarketData | None) -> None:
        self.broker = broker
        self.market = market

    def close(self) -> None:
        """Nothing of it is kept here: the engine has disconnected it."""


def open_oanda(plan: VenueSetup) -> OandaConnection:
    """Open the account of `plan`; nothing is sent by that.

    The prices have a connection of their own, and share the budget of requests, as other accounts
    at that address do.
    """
    asked = plan.settings.rest_url or HOSTS[plan.settings.environment][0]
    budget = budget_of(plan.budgets, asked, lambda: oanda_budget(plan.clock.monotonic))

    def api() -> OandaApi:
        return OandaApi(plan.name, plan.settings, plan.secret, budget)

    market: MarketData | None = None
    if plan.prices is PriceSource.MARKET:
        market = OandaMarket(api(), plan.market.symbols, bar_seconds=plan.market.bar_seconds)
    broker = OandaBroker(plan.name, api(), plan.clock, claim=plan.claim)
    return OandaConnection(broker, market)
