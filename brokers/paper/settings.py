"""What a table `[brokers.NAME]` of kind paper takes."""

from decimal import Decimal
from typing import Final

from pydantic import Field

from engine.config.kinds import (
    BasisPoints,
    Currency,
    FilePath,
    OptionalName,
    PositiveMoney,
    Share,
    ShareOrNone,
    Span,
)
from engine.config.venue import KindConfig, SimulatedVenueConfig

_BASIS_POINTS: Final = Decimal(10_000)


class PaperTermsConfig(KindConfig):
    """What a paper account trades under."""

    initial_cash: PositiveMoney = Field(Decimal(100_000), description="of a new paper account")
    currency: Currency = Field("USD", description="what a new account starts with")
    latency_ms: Span = Field((10, 50), description="from, to")
    slippage_bps: BasisPoints = Field(Decimal(5), description="of a market order")
    commission_bps: BasisPoints = Field(Decimal(10), description="of the traded amount")
    fill_probability: ShareOrNone = Field(Decimal("0.95"), description="of a limit that is touched")
    participation: Share = Field(Decimal("0.10"), description="of a bar's volume")


class PaperConfig(SimulatedVenueConfig, PaperTermsConfig):
    """The paper broker."""

    account_id: OptionalName = Field("", description='"" = the paper account of the state folder')
    address: FilePath = Field(
        "", description='socket of a paper venue in another process; "" = in this one'
    )

    @property
    def fee_rate(self) -> Decimal:
        """The commission, as a fraction of the traded amount."""
        return self.commission_bps / _BASIS_POINTS

    @property
    def slippage_rate(self) -> Decimal:
        """The slippage, as a fraction of the price."""
        return self.slippage_bps / _BASIS_POINTS
