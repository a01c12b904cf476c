"""An account by ccxt at the local server of Binance's protocol, opened as the host opens one.

ccxt knows Binance.US, which speaks that protocol and has no adapter of its own here. Requests,
signatures and answers go through ccxt as they would go to the exchange.
"""

from typing import Any

from brokers import PriceSource, VenueSetup
from brokers.ccxt.setup import CcxtConnection, open_ccxt
from engine.ports import Clock
from engine.runtime.clock import SystemClock
from tests.configs import from_mapping
from tests.venues.binance import KEY, SECRET
from tests.venues.binance_account import Hidden

SYMBOL = "BTC-USDT"
SECRETS = {"CCXT_API_KEY": KEY, "CCXT_SECRET_KEY": SECRET}


def opened(
    url: str,
    *,
    symbols: tuple[str, ...] = (SYMBOL,),
    secrets: dict[str, str] = SECRETS,
    prices: PriceSource = PriceSource.MARKET,
    clock: Clock | None = None,
    **settings: Any,
) -> CcxtConnection:
    """An account whose exchange answers at that address."""
    config = from_mapping({"market": {"symbols": list(symbols)}})
    own = config.brokers.of("ccxt").model_copy(
        update={"exchange": "binanceus", "rest_url": url, **settings}
    )
    return open_ccxt(
        VenueSetup(
            name="ccxt",
            settings=own,
            market=config.market,
            account_id="",
            clock=clock or SystemClock(),
            state_dir=None,
            prices=prices,
            secret=lambda name: Hidden(secrets[name]),
        )
    )
