"""What a table `[brokers.NAME]` of kind oanda takes."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from brokers.values import Url, Variable
from engine.config.venue import RealVenueConfig
from engine.domain.instrument import AssetClass


class OandaConfig(RealVenueConfig):
    """OANDA."""

    asset_classes: ClassVar[frozenset[AssetClass]] = frozenset({AssetClass.FX})
    opened_with: ClassVar[tuple[str, ...]] = ("token_env",)
    hosts: ClassVar[Mapping[str, frozenset[str]]] = {
        "practice": frozenset({"api-fxpractice.oanda.com", "stream-fxpractice.oanda.com"}),
        "live": frozenset({"api-fxtrade.oanda.com", "stream-fxtrade.oanda.com"}),
    }

    environment: Literal["practice", "live"] = Field("practice", description="practice | live")
    token_env: Variable = Field("OANDA_API_TOKEN", description="the variable that holds the token")
    rest_url: Url = Field("", description='"" = the venue\'s own')
    stream_url: Url = Field("", description='"" = the venue\'s own')
