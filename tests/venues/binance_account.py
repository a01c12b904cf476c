"""An account of the local Binance, opened as the host opens one."""

from typing import Any

from brokers import PriceSource, VenueSetup
from brokers.binance.setup import BinanceConnection, open_binance
from brokers.net.budget import Budget
from engine.runtime.clock import SystemClock
from tests.configs import from_mapping
from tests.venues.binance import KEY, SECRET, UID, BinanceServer

SYMBOL, THEIRS = "BTC-USDT", "BTCUSDT"


class Hidden:
    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value


SECRETS = {"BINANCE_API_KEY": KEY, "BINANCE_SECRET_KEY": SECRET}


def opened(
    server: BinanceServer,
    *,
    symbols: tuple[str, ...] = (SYMBOL, "AAPL"),
    secrets: dict[str, str] = SECRETS,
    clock: SystemClock | None = None,
    budgets: dict[str, Budget] | None = None,
    **settings: Any,
) -> BinanceConnection:
    """An account whose venue is that server."""
    config = from_mapping({"market": {"symbols": list(symbols)}})
    own = config.brokers.of("binance").model_copy(
        update={
            "rest_url": server.url,
            "ws_api_url": f"{server.ws_url}/ws-api/v3",
            "stream_url": server.ws_url,
            **settings,
        }
    )
    return open_binance(
        VenueSetup(
            name="binance",
            settings=own,
            market=config.market,
            account_id=str(UID),
            clock=clock or SystemClock(),
            state_dir=None,
            budgets={} if budgets is None else budgets,
            prices=PriceSource.MARKET,
            secret=lambda name: Hidden(secrets[name]),
        )
    )
