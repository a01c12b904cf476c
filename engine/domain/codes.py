"""Stable strings: outcomes, stages and rejection codes (U-30, U-31, A-028)."""

from enum import StrEnum


class Code(StrEnum):
    """Why something was refused or ended. Never renamed (U-31)."""

    INVALID_INPUT = "INVALID_INPUT"
    KILL_SWITCH = "KILL_SWITCH"
    RUN_STATE = "RUN_STATE"
    OVERLOADED = "OVERLOADED"
    STALE_SIGNAL = "STALE_SIGNAL"
    DUPLICATE_SIGNAL = "DUPLICATE_SIGNAL"
    LOW_CONVICTION = "LOW_CONVICTION"
    NO_CALENDAR = "NO_CALENDAR"
    MARKET_CLOSED = "MARKET_CLOSED"
    CONFLICT = "CONFLICT"
    DUPLICATE_POSITION = "DUPLICATE_POSITION"
    NO_ACCOUNT = "NO_ACCOUNT"
    NO_RATE = "NO_RATE"
    MIN_EQUITY = "MIN_EQUITY"
    DAILY_LOSS = "DAILY_LOSS"
    DRAWDOWN = "DRAWDOWN"
    MAX_TRADES = "MAX_TRADES"
    MAX_POSITIONS = "MAX_POSITIONS"
    NO_PRICE = "NO_PRICE"
    STALE_QUOTE = "STALE_QUOTE"
    INVALID_STOP = "INVALID_STOP"
    INVALID_TARGET = "INVALID_TARGET"
    NO_CONTRACT = "NO_CONTRACT"
    NOT_SHORTABLE = "NOT_SHORTABLE"
    SIZE_ZERO = "SIZE_ZERO"
    SINGLE_EXPOSURE = "SINGLE_EXPOSURE"
    SECTOR_EXPOSURE = "SECTOR_EXPOSURE"
    GROSS_EXPOSURE = "GROSS_EXPOSURE"
    CORRELATION = "CORRELATION"
    VAR_BUDGET = "VAR_BUDGET"
    BUYING_POWER = "BUYING_POWER"
    BAD_TICK = "BAD_TICK"
    BAD_LOT = "BAD_LOT"
    MAX_NOTIONAL = "MAX_NOTIONAL"
    PRICE_COLLAR = "PRICE_COLLAR"
    MAX_OPEN_ORDERS = "MAX_OPEN_ORDERS"
    DUPLICATE_ORDER = "DUPLICATE_ORDER"
    RATE_LIMIT = "RATE_LIMIT"
    CIRCUIT_OPEN = "CIRCUIT_OPEN"
    FALLBACK = "FALLBACK"
    BROKER_REJECT = "BROKER_REJECT"
    UNKNOWN_STATE = "UNKNOWN_STATE"
    ORDER_TIMEOUT = "ORDER_TIMEOUT"
    NOT_SENT = "NOT_SENT"
    RWS_LIMIT = "RWS_LIMIT"
    REGIME_BLOCKED = "REGIME_BLOCKED"
    SIGN_CONFLICT = "SIGN_CONFLICT"
    PORTFOLIO_GROSS = "PORTFOLIO_GROSS"


class Stage(StrEnum):
    """Where in the pipeline a signal ended (A-028)."""

    INTAKE = "intake"
    KILL_SWITCH = "kill_switch"
    SIGNAL_GUARD = "signal_guard"
    RISK = "risk_assessment"
    INSTRUMENT = "instrument_routing"
    SIZING = "sizing"
    ORDER = "order_submission"
    FILL = "fill_validation"
    COMPLETED = "completed"


class Verdict(StrEnum):
    """The answer given at once to whoever submitted (INTERFACE `signal`)."""

    ACCEPTED = "ACCEPTED"
    RESIZED = "RESIZED"
    REJECTED = "REJECTED"


class Outcome(StrEnum):
    """How a signal ended, exactly one each (U-30)."""

    EXECUTED = "EXECUTED"
    RESIZED = "RESIZED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"


class Answer(StrEnum):
    """What one check said."""

    PASS = "PASS"  # noqa: S105  # an answer, not a password
    RESIZE = "RESIZE"
    REJECT = "REJECT"
