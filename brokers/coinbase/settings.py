"""What a table `[brokers.NAME]` of kind coinbase takes."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from brokers.values import Url, Variable
from engine.config.venue import RealVenueConfig
from engine.domain.instrument import AssetClass


class CoinbaseConfig(RealVenueConfig):
    """Coinbase Advanced Trade."""

    asset_classes: ClassVar[frozenset[AssetClass]] = frozenset({AssetClass.CRYPTO})
    opened_with: ClassVar[tuple[str, ...]] = ("key_env",)
    hosts: ClassVar[Mapping[str, frozenset[str]]] = {
        "sandbox": frozenset({"api-sandbox.coinbase.com"}),
        "live": frozenset({"api.coinbase.com", "advanced-trade-ws-user.coinbase.com"}),
    }
    shared_hosts: ClassVar[frozenset[str]] = frozenset({"advanced-trade-ws.coinbase.com"})
    canned: ClassVar[frozenset[str]] = frozenset({"sandbox"})
    trades_live: ClassVar[bool] = False

    environment: Literal["sandbox", "live"] = Field(
        "sandbox", description="sandbox (static answers) | live"
    )
    key_env: Variable = Field("COINBASE_API_KEY", description="the variable that holds the key")
    secret_env: Variable = Field("COINBASE_SECRET_KEY", description="and the secret")
    rest_url: Url = Field("", description='"" = the venue\'s own')
    stream_url: Url = Field("", description='"" = the venue\'s own')

    @property
    def key_variables(self) -> tuple[str, ...]:
        """The sandbox asks for none."""
        return super().key_variables if self.is_live else ()
