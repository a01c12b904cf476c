"""Why a position is closed, and the trade it was from flat to flat (U-19, A-392)."""

from decimal import Decimal
from enum import StrEnum

import msgspec

from engine.domain.instant import Nanos
from engine.domain.money import ONE
from engine.domain.signal import TradeType


class ExitReason(StrEnum):
    """Why a position was closed; a closed list, details in a field of their own (A-027)."""

    STOP_LOSS = "stop_loss"
    EXHAUSTION = "exhaustion"
    CLOUD_FLIP = "cloud_flip"
    TARGET = "target"
    TIME_STOP = "time_stop"
    EOD = "eod"
    TRAILING = "trailing"
    KILL = "kill"
    MANUAL = "manual"
    SIGNAL = "signal"
    UNPROTECTED = "unprotected"
    VENUE = "venue"


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """One fill's part in a round trip."""

    execution_id: str
    quantity: Decimal
    """Signed: positive bought."""
    price: Decimal
    commission: Decimal
    """In the currency of the instrument, whatever it was taken in."""
    time: Nanos


class ExitDecision(msgspec.Struct, frozen=True, kw_only=True):
    """That a position is to be closed: why, how much, which attempt, and what was measured."""

    reason: ExitReason
    detail: str
    priority: int
    """1 to 7 are the exits of A-160; 0 is a person, a signal or a kill."""
    quantity: Decimal | None
    """None is all of it, whatever that is by then."""
    attempt: int
    """Numbers the orders that close one position, so that each has an id of its own."""
    measured: str
    limit: str


class RoundTrip(msgspec.Struct, frozen=True, kw_only=True):
    """A finished trade as the journal keeps it (A-392; names by X-72)."""

    trade_id: str
    position_id: str
    symbol: str
    direction: str
    instrument_type: str = "stock"
    """The kind of instrument (`AssetClass`)."""
    trade_type: TradeType
    quantity: Decimal
    entry_price: Decimal
    exit_price: Decimal
    entry_time: Nanos
    exit_time: Nanos
    exit_reason: str
    exit_detail: str = ""
    pnl: Decimal
    """After commission; money is in the currency of the instrument."""
    pnl_pct: Decimal
    fees: Decimal
    r_multiple: Decimal | None
    mae: Decimal | None
    """Worst price move against the position per unit, as a fraction of entry (<= 0)."""
    mfe: Decimal | None
    """Best price move for the position per unit, as a fraction of entry (>= 0)."""
    signal_id: str
    signal_type: str = ""
    timeframe: str = ""
    conviction: int | None = None
    initial_stop: Decimal | None = None
    target_price: Decimal | None = None
    slippage_bps: Decimal | None = None
    account: str
    order_id: str = ""
    strategy: str = ""
    leverage: Decimal = ONE
    origin: str = "bot"
    legs: tuple[Leg, ...] = ()
