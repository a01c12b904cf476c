"""Opening an account at Alpaca, with its market data."""

from typing import Any, Final

from brokers import PriceSource, VenueSetup
from brokers.alpaca.adapter import AlpacaBroker
from brokers.alpaca.market import AlpacaMarket
from engine.ports import MarketData

TRADING: Final = {
    "paper": "https://paper-api.alpaca.markets",
    "live": "https://api.alpaca.markets",
}
STREAM: Final = {
    "paper": "wss://paper-api.alpaca.markets/stream",
    "live": "wss://api.alpaca.markets/stream",
}
DATA: Final = "https://data.alpaca.markets"
DATA_STREAM: Final = "wss://stream.data.alpaca.markets"


class AlpacaConnection:
    """An account at Alpaca, and its market; None where none is wanted."""

    def __init__(self, broker: AlpacaBroker, market: MarketData | None) -> None:
        self.broker = broker
        self.market = market

    def close(self) -> None:
        """Nothing of it is kept here."""


def open_alpaca(plan: VenueSetup) -> AlpacaConnection:
    """Open the account of `plan`; nothing is sent, nor any library loaded, before it connects.

    Which of Alpaca's worlds that is, `environment` says alone: an address is never guessed from
    the keys, which are others for each.
    """
    settings: Any = plan.settings

    def keys() -> tuple[str, str]:
        return plan.secret(settings.key_env).reveal(), plan.secret(settings.secret_env).reveal()

    broker = AlpacaBroker(
        plan.name,
        settings,
        plan.clock,
        keys=keys,
        rest_url=_without_version(settings.trading_url or TRADING[settings.environment]),
        stream_url=settings.trading_stream_url or STREAM[settings.environment],
        claim=plan.claim,
    )
    market = None
    if plan.prices is PriceSource.MARKET:
        market = AlpacaMarket(
            plan.market.symbols,
            plan.clock,
            keys=keys,
            rest_url=settings.data_url or DATA,
            stream_url=settings.data_stream_url or DATA_STREAM,
        )
    return AlpacaConnection(broker, market)


def _without_version(url: str) -> str:
    """The address as the SDK wants it, which adds `/v2` itself."""
    return url.rstrip("/").removesuffix("/v2")
