"""What a table `[brokers.NAME]` of kind oanda takes."""

from typing import ClassVar, Literal

from pydantic import Field

from brokers.values import Url, Variable
from engine.config.venue import RealVenueConfig
from engine.domain.instrument import AssetClass


class OandaConfig(RealVenueConfig):
    """OANDA."""

    asset_classes: ClassVar[frozenset[AssetClass]] = frozenset({AssetClass.FX})
    opened_with: ClassVar[tuple[str, ...]] = ("token_env",)

    environment: Literal["practice", "live"] = Field("practice", description="practice | live")
    token_env: Variable = Field("OANDA_API_TOKEN", description="the variable that holds the token")
    rest_url: Url = Field("", description='"" = the venue\'s own')
    stream_url: Url = Field("", description='"" = the venue\'s own')
