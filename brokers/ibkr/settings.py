"""What a table `[brokers.NAME]` of kind ibkr takes."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from engine.config.kinds import Text, whole
from engine.config.venue import RealVenueConfig
from engine.domain.instrument import AssetClass


class IbkrConfig(RealVenueConfig):
    """Interactive Brokers through TWS or its gateway."""

    asset_classes: ClassVar[frozenset[AssetClass]] = frozenset(AssetClass) - {AssetClass.CRYPTO}
    prices_apart: ClassVar[bool] = False
    opened_with: ClassVar[tuple[str, ...]] = ("host", "port")
    proof_left: ClassVar[str] = "that the program which answered at host and port is a TWS"

    environment: Literal["paper", "live"] = Field("paper", description="paper | live")
    host: Text = Field("127.0.0.1", description="of TWS or the gateway")
    port: Annotated[int, whole(1, 65_535)] = Field(4002, description="4002 is the paper gateway")
    client_id: Annotated[int, whole(0, 2**31 - 1)] = Field(17, description="one for each program")

    @property
    def asked_at(self) -> str:
        """Where TWS is asked, in words: any program may answer there."""
        return f"{self.host} port {self.port}; that a TWS answers there is not shown"
