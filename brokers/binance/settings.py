"""What a table `[brokers.NAME]` of kind binance takes."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from brokers.values import Url, Variable
from engine.config.venue import RealVenueConfig
from engine.domain.instrument import AssetClass


class BinanceConfig(RealVenueConfig):
    """Binance spot."""

    asset_classes: ClassVar[frozenset[AssetClass]] = frozenset({AssetClass.CRYPTO})
    opened_with: ClassVar[tuple[str, ...]] = ("key_env",)
    hosts: ClassVar[Mapping[str, frozenset[str]]] = {
        "testnet": frozenset(
            {
                "testnet.binance.vision",
                "ws-api.testnet.binance.vision",
                "stream.testnet.binance.vision",
            }
        ),
        "live": frozenset({"api.binance.com", "ws-api.binance.com", "stream.binance.com"}),
    }

    environment: Literal["testnet", "live"] = Field("testnet", description="testnet | live")
    key_env: Variable = Field("BINANCE_API_KEY", description="the variable that holds the key")
    secret_env: Variable = Field("BINANCE_SECRET_KEY", description="and the secret")
    rest_url: Url = Field("", description='"" = the venue\'s own')
    stream_url: Url = Field("", description='"" = the venue\'s own')
    ws_api_url: Url = Field("", description='"" = the venue\'s own')
