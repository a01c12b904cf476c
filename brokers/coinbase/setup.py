"""Opening an account at Coinbase, and its market data."""

import secrets

from brokers import PriceSource, VenueSetup
from brokers.coinbase.adapter import CoinbaseBroker
from brokers.coinbase.market import CoinbaseMarket
from brokers.coinbase.symbols import Assets

LIVE_REST = "https://api.coinbase.com"
SANDBOX_REST = "https://api-sandbox.coinbase.com"
USER_STREAM = "wss://advanced-trade-ws-user.coinbase.com"
MARKET_STREAM = "wss://advanced-trade-ws.coinbase.com"

DEFAULT_CURRENCY = "USD"


class CoinbaseConnection:
    """An account at Coinbase and its prices; nothing is open before the account connects."""

    def __init__(self, broker: CoinbaseBroker, market: CoinbaseMarket | None) -> None:
        self.broker = broker
        self.market = market

    def close(self) -> None:
        """Nothing of it is kept here."""


def open_coinbase(plan: VenueSetup) -> CoinbaseConnection:
    """Open the account of `plan`. Nothing is sent before it connects.

    The account counts in the portfolio's base currency. Prices are those of the live market in the
    sandbox too, which has none: nothing but a name is told for them.
    """
    settings = plan.settings
    stands = LIVE_REST if settings.is_live else SANDBOX_REST
    symbols = tuple(plan.market.symbols)
    broker = CoinbaseBroker(
        plan.name,
        settings,
        plan.clock,
        secret=plan.secret,
        nonce=lambda: secrets.token_hex(16),
        assets=Assets(plan.base_currency or DEFAULT_CURRENCY, symbols),
        rest_url=settings.rest_url or stands,
        stream_url=settings.stream_url or USER_STREAM,
        claim=plan.claim,
    )
    if plan.prices is not PriceSource.MARKET:
        return CoinbaseConnection(broker, None)
    market = CoinbaseMarket(
        symbols,
        plan.clock,
        rest_url=settings.rest_url or LIVE_REST,
        stream_url=settings.stream_url or MARKET_STREAM,
    )
    return CoinbaseConnection(broker, market)
