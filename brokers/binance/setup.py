"""Opening an account at Binance: nothing is asked of the venue by that."""

from typing import Final

from brokers import PriceSource, VenueSetup
from brokers.binance.adapter import BinanceBroker
from brokers.binance.client import Client, Keys, Limits, weight_budget
from brokers.binance.market import BinanceMarket
from brokers.binance.settings import BinanceConfig
from brokers.binance.symbols import Symbols
from brokers.net.budget import budget_of
from engine.ports import MarketData

ADDRESSES: Final = {
    "testnet": (
        "https://testnet.binance.vision",
        "wss://ws-api.testnet.binance.vision/ws-api/v3",
        "wss://stream.testnet.binance.vision",
    ),
    "live": (
        "https://api.binance.com",
        "wss://ws-api.binance.com:443/ws-api/v3",
        "wss://stream.binance.com:9443",
    ),
}
"""REST, WebSocket API and market streams of each of the venue's worlds."""


class BinanceConnection:
    """An account, and the market of its symbols."""

    def __init__(self, broker: BinanceBroker, market: MarketData | None) -> None:
        self.broker = broker
        self.market = market

    def close(self) -> None:
        """Nothing of it is kept here."""


def open_binance(plan: VenueSetup) -> BinanceConnection:
    """The account of `plan`, not connected yet."""
    settings: BinanceConfig = plan.settings
    rest, ws_api, streams = (
        stated or usual
        for stated, usual in zip(
            (settings.rest_url, settings.ws_api_url, settings.stream_url),
            ADDRESSES[settings.environment],
            strict=True,
        )
    )
    keys = Keys(
        lambda: plan.secret(settings.key_env).reveal(),
        lambda: plan.secret(settings.secret_env).reveal(),
    )
    # Both connections come from one address, and share its weight; so do other accounts' there.
    limits = Limits(plan.clock, budget_of(plan.budgets, rest, lambda: weight_budget(plan.clock)))
    client = Client(rest, keys, plan.clock, limits)
    symbols = Symbols(client, plan.market.symbols)
    broker = BinanceBroker(
        plan.name, settings, plan.clock, client, symbols, stream_url=ws_api, claim=plan.claim
    )
    market: BinanceMarket | None = None
    if plan.prices is PriceSource.MARKET:
        prices = Client(rest, keys, plan.clock, limits)
        market = BinanceMarket(
            prices, Symbols(prices, plan.market.symbols), plan.clock, stream_url=streams
        )
    return BinanceConnection(broker, market)
