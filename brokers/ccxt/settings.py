"""What a table `[brokers.NAME]` of kind ccxt takes."""

import re
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from brokers.values import Url, Variable
from engine.config.kinds import text
from engine.config.venue import RealVenueConfig
from engine.domain.instrument import AssetClass

_ID: Final = re.compile(r"[a-z][a-z0-9]{1,31}", re.ASCII)

ExchangeId = Annotated[
    str,
    text(
        "the name of an exchange as ccxt writes it, such as kraken",
        lambda value: not value or _ID.fullmatch(value) is not None,
    ),
]


class CcxtConfig(RealVenueConfig):
    """Any other venue of coins, experimental."""

    asset_classes: ClassVar[frozenset[AssetClass]] = frozenset({AssetClass.CRYPTO})
    opened_with: ClassVar[tuple[str, ...]] = ("exchange", "key_env")
    # ccxt has no question that every exchange answers with the id of the account, so that nobody
    # could check whose money it is (C-201).
    trades_live: ClassVar[bool] = False
    is_experimental: ClassVar[bool] = True

    exchange: ExchangeId = Field("", description="as ccxt names it, such as kraken")
    environment: Literal["sandbox", "live"] = Field("sandbox", description="sandbox | live")
    key_env: Variable = Field("CCXT_API_KEY", description="the variable that holds the key")
    secret_env: Variable = Field("CCXT_SECRET_KEY", description="and the secret")
    rest_url: Url = Field("", description='"" = the venue\'s own')
