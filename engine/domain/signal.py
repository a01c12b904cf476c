"""What asks for a trade (U-11, A-040)."""

from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec

from engine.domain.instant import Nanos


class Direction(StrEnum):
    """Which way a signal points. FLAT asks to close."""

    LONG = "long"
    SHORT = "short"
    FLAT = "flat"

    @property
    def sign(self) -> int:
        """+1, -1 or 0."""
        return {Direction.LONG: 1, Direction.SHORT: -1}.get(self, 0)


class Timeframe(StrEnum):
    """The length of the bars a signal was seen on."""

    S10 = "10s"
    M1 = "1m"
    M5 = "5m"
    M10 = "10m"
    H1 = "1h"
    D1 = "1d"
    MTF = "mtf"


SECONDS_OF = {
    Timeframe.S10: 10,
    Timeframe.M1: 60,
    Timeframe.M5: 300,
    Timeframe.M10: 600,
    Timeframe.H1: 3600,
    Timeframe.D1: 86400,
}


class TradeType(StrEnum):
    """How long a position is meant to live (A-023)."""

    SCALP = "scalp"
    DAY = "day"
    SWING = "swing"

    @property
    def ends_with_session(self) -> bool:
        """Scalps and day trades are flat before the close (A-165, D-11)."""
        return self is not TradeType.SWING


_TRADE_TYPES = {
    Timeframe.S10: TradeType.SCALP,
    Timeframe.M1: TradeType.SCALP,
    Timeframe.M5: TradeType.SCALP,
    Timeframe.M10: TradeType.DAY,
}


def trade_type_of(timeframe: Timeframe) -> TradeType:
    """Up to 5m a scalp, 10m a day trade, longer a swing (A-023)."""
    return _TRADE_TYPES.get(timeframe, TradeType.SWING)


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """One request to trade, already checked for shape and range (`engine.intake.parse`).

    `conviction` is 0 to 100; prices are in the instrument's currency; `timestamp` is the close of
    the bar it was seen on (A-304).
    """

    signal_id: str
    signal_type: str
    direction: Direction
    ticker: str
    timeframe: Timeframe
    conviction: int
    entry_price: Decimal
    stop_loss: Decimal
    target_price: Decimal | None = None
    timestamp: Nanos
    source: str = ""
    cloud_states: tuple[Any, ...] = ()
    metadata: dict[str, Any] = {}

    @property
    def trade_type(self) -> TradeType:
        """Scalp, day or swing, by timeframe."""
        return trade_type_of(self.timeframe)

    @property
    def content(self) -> str:
        """What makes two signals the same within the window (X-66, A-301)."""
        return "|".join(
            (self.ticker, self.signal_type, self.direction, self.timeframe, self.source)
        )
