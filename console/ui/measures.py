"""What a check measured, as a person reads it: a plain name, shares in %, seconds with their unit.

The numbers themselves stay exact in the journal; only what is drawn is rounded.
"""

from decimal import Decimal, InvalidOperation
from typing import Final

from console.ui.format import number, percent
from engine.domain.codes import Code

DECIMALS: Final = 3
"""Most decimals of a measured number on the screen."""

LABELS: Final = {
    Code.INVALID_INPUT: "request readable",
    Code.KILL_SWITCH: "halt",
    Code.RUN_STATE: "run state",
    Code.OVERLOADED: "wait",
    Code.UNKNOWN_STATE: "orders known",
    Code.STALE_SIGNAL: "signal age",
    Code.DUPLICATE_SIGNAL: "signal is new",
    Code.LOW_CONVICTION: "conviction",
    Code.NO_CALENDAR: "calendar",
    Code.MARKET_CLOSED: "market open",
    Code.CONFLICT: "no opposite",
    Code.DUPLICATE_POSITION: "not held yet",
    Code.NO_ACCOUNT: "account known",
    Code.NO_RATE: "rate known",
    Code.MIN_EQUITY: "min equity",
    Code.DAILY_LOSS: "day loss",
    Code.DRAWDOWN: "drawdown",
    Code.MAX_TRADES: "entries/day",
    Code.MAX_POSITIONS: "positions",
    Code.NO_PRICE: "price known",
    Code.STALE_QUOTE: "price fresh",
    Code.INVALID_STOP: "stop usable",
    Code.INVALID_TARGET: "target usable",
    Code.NO_CONTRACT: "facts fit",
    Code.NOT_SHORTABLE: "shortable",
    Code.SIZE_ZERO: "size",
    Code.SINGLE_EXPOSURE: "one name",
    Code.SECTOR_EXPOSURE: "one sector",
    Code.GROSS_EXPOSURE: "gross",
    Code.BUYING_POWER: "buying power",
    Code.BAD_TICK: "price on tick",
    Code.BAD_LOT: "whole lots",
    Code.MAX_NOTIONAL: "order value",
    Code.PRICE_COLLAR: "near the price",
    Code.MAX_OPEN_ORDERS: "open orders",
    Code.DUPLICATE_ORDER: "not repeated",
    Code.RATE_LIMIT: "orders/min",
    Code.CIRCUIT_OPEN: "gets through",
}
"""What a check asks, in the words of the Risk pane; its code is for when it fails."""

_BY_CODE: Final = {str(code): name for code, name in LABELS.items()}

SHARES: Final = frozenset(
    {
        Code.DAILY_LOSS,
        Code.DRAWDOWN,
        Code.SINGLE_EXPOSURE,
        Code.SECTOR_EXPOSURE,
        Code.GROSS_EXPOSURE,
        Code.PRICE_COLLAR,
    }
)
EXACT: Final = frozenset(
    {Code.NO_PRICE, Code.INVALID_STOP, Code.INVALID_TARGET, Code.BAD_TICK, Code.BAD_LOT}
)
"""What measures prices and the grids that they and quantities are on."""

SECONDS: Final = frozenset(
    {Code.STALE_SIGNAL, Code.STALE_QUOTE, Code.DUPLICATE_SIGNAL, Code.DUPLICATE_ORDER}
)


def label(code: str) -> str:
    """The plain name of a check; its code where it has none."""
    return _BY_CODE.get(code, code)


def short_code(code: str) -> str:
    """The code as it fits a column: what two long ones differ in stays in sight."""
    return code.replace("DUPLICATE_", "DUP_")


def measures(code: str, measured: str, limit: str) -> tuple[str, str]:
    """Both as text; shares that would look alike though they differ get more decimals."""
    shown = _measure(code, measured, 1), _measure(code, limit, 1)
    if shown[0] == shown[1] and measured != limit:
        return _measure(code, measured, DECIMALS), _measure(code, limit, DECIMALS)
    return shown


def _rounded(code: str, value: Decimal) -> Decimal:
    """To `DECIMALS`; where that left nothing of it, and it is no time, to as many figures."""
    rounded = round(value, DECIMALS)
    if rounded or code in SECONDS:
        return rounded
    return round(value, DECIMALS - 1 - value.adjusted())


def _measure(code: str, text: str, places: int) -> str:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return text
    if not value.is_finite():
        return text
    if code in SHARES:
        return percent(value, places, sign=False)
    rounded = (value if code in EXACT else _rounded(code, value)).normalize()
    if rounded == rounded.to_integral_value():
        rounded = rounded.quantize(Decimal(1))
    return number(rounded) + ("s" if code in SECONDS else "")
