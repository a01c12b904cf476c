"""What a table `[brokers.NAME]` of kind alpaca takes."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from brokers.values import Url, Variable
from engine.config.venue import RealVenueConfig
from engine.domain.instrument import AssetClass


class AlpacaConfig(RealVenueConfig):
    """Alpaca."""

    asset_classes: ClassVar[frozenset[AssetClass]] = frozenset(
        {AssetClass.STOCK, AssetClass.ETF, AssetClass.OPTION, AssetClass.CRYPTO}
    )
    opened_with: ClassVar[tuple[str, ...]] = ("key_env",)
    hosts: ClassVar[Mapping[str, frozenset[str]]] = {
        "paper": frozenset({"paper-api.alpaca.markets"}),
        "live": frozenset({"api.alpaca.markets"}),
    }
    shared_hosts: ClassVar[frozenset[str]] = frozenset(
        {"data.alpaca.markets", "stream.data.alpaca.markets"}
    )

    environment: Literal["paper", "live"] = Field("paper", description="paper | live")
    key_env: Variable = Field("ALPACA_API_KEY", description="the variable that holds the key")
    secret_env: Variable = Field("ALPACA_SECRET_KEY", description="and the secret")
    trading_url: Url = Field("", description='"" = the venue\'s own')
    trading_stream_url: Url = Field("", description='"" = the venue\'s own')
    data_url: Url = Field("", description='"" = the venue\'s own')
    data_stream_url: Url = Field("", description='"" = the venue\'s own')
