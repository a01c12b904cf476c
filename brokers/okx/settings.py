"""What a table `[brokers.NAME]` of kind okx takes."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from brokers.values import Url, Variable
from engine.config.venue import RealVenueConfig
from engine.domain.instrument import AssetClass


class OkxConfig(RealVenueConfig):
    """OKX."""

    asset_classes: ClassVar[frozenset[AssetClass]] = frozenset({AssetClass.CRYPTO})
    opened_with: ClassVar[tuple[str, ...]] = ("key_env",)
    hosts: ClassVar[Mapping[str, frozenset[str]]] = {
        "demo": frozenset({"wspap.okx.com", "wseeapap.okx.com", "wsuspap.okx.com"}),
        "live": frozenset({"ws.okx.com", "wseea.okx.com", "wsus.okx.com"}),
    }
    shared_hosts: ClassVar[frozenset[str]] = frozenset({"www.okx.com", "eea.okx.com", "us.okx.com"})

    environment: Literal["demo", "live"] = Field("demo", description="demo | live")
    key_env: Variable = Field("OKX_API_KEY", description="the variable that holds the key")
    secret_env: Variable = Field("OKX_SECRET_KEY", description="and the secret")
    passphrase_env: Variable = Field("OKX_PASSPHRASE", description="and the passphrase")
    rest_url: Url = Field("", description='"" = the venue\'s own')
    stream_url: Url = Field("", description='private; "" = the venue\'s own')
    public_stream_url: Url = Field("", description='"" = the venue\'s own')
