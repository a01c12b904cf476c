"""Modes, run states and what each allows (U-40 to U-42)."""

from enum import StrEnum

import msgspec

from engine.domain.instant import Nanos


class Mode(StrEnum):
    """Fixed for the life of a process (U-40)."""

    BACKTEST = "backtest"
    PAPER = "paper"
    SHADOW = "shadow"
    LIVE = "live"


class SignOff(msgspec.Struct, frozen=True, kw_only=True):
    """A dry run that a person has signed off for real money (C-706, C-707, M-80)."""

    kind: str
    """The kind of venue that was run."""
    environment: str
    account_id: str
    """Of the account that was run, as its venue answered."""
    at_venue: bool
    """It was run at the venue's own addresses."""
    evidence: str
    """X-51: `simulated` or `sandbox-verified`."""
    version: str
    """Of the program that ran it."""
    run_at: Nanos
    """When the run ended."""
    report: str
    """SHA-256 of its report."""
    limits: str
    """SHA-256 of the profile, the limits and what a kill does, as they were accepted with it."""


class ProfileName(StrEnum):
    """The named risk profiles (U-50); a bare installation runs with `conservative`."""

    CONSERVATIVE = "conservative"
    AXION_AGGRESSIVE = "axion_aggressive"
    AUTOTRADER = "autotrader"
    MERIDIAN = "meridian"
    CUSTOM = "custom"


class Phase(StrEnum):
    """Where the process stands in its own life."""

    STOPPED = "STOPPED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    ERROR = "ERROR"


class RunState(StrEnum):
    """What the engine may do now (U-41)."""

    STOPPED = "STOPPED"
    STARTING = "STARTING"
    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    REDUCE_ONLY = "REDUCE_ONLY"
    COOLDOWN = "COOLDOWN"
    HALTED = "HALTED"
    ERROR = "ERROR"

    @property
    def may_enter(self) -> bool:
        """True where exposure may grow by itself; everywhere but STOPPED it may shrink (U-42)."""
        return self is _ACTIVE

    @property
    def may_be_asked(self) -> bool:
        """True where an operator's order may add: a pause stops the machine alone (X-81)."""
        return self is _ACTIVE or self is RunState.PAUSED

    @property
    def may_reduce(self) -> bool:
        """Exits, cancels and protective orders pass in every state but STOPPED (U-42, X-20)."""
        return self is not RunState.STOPPED


_ACTIVE = RunState.ACTIVE
"""Once: every entry asks, and a member of an enum takes several times as long to look up."""


class Flatten(StrEnum):
    """Which positions a kill closes (X-32, X-52)."""

    NONE = "none"
    DAY = "day"
    ALL = "all"


class Level(StrEnum):
    """How far a stop goes (X-52): HALT keeps positions and stops, KILL cancels and flattens."""

    HALT = "halt"
    KILL = "kill"


class KillState(StrEnum):
    """How far a kill is in one account (DESIGN, Kill; X-52)."""

    WORKING = "WORKING"
    """It cancels and closes, and is not proved yet."""
    VERIFIED = "VERIFIED"
    """Reads in a row showed that nothing in its scope is left."""
    DEGRADED = "DEGRADED"
    """Something is left or unknown after its deadline (C-502); it goes on."""


class Trigger(StrEnum):
    """What can stop the engine (U-52, A-180 to A-184)."""

    MANUAL = "manual"
    DAILY_LOSS = "daily_loss"
    BROKER_LOST = "broker_lost"
    MIN_EQUITY = "min_equity"
    LOSS_STREAK = "loss_streak"
    DRAWDOWN = "drawdown"
    JOURNAL = "journal"
    DIVERGENCE = "divergence"
    OVERFILL = "overfill"
    REJECT_STORM = "reject_storm"
    CLOCK_SKEW = "clock_skew"
    LATCH = "latch"


class TriggerAction(StrEnum):
    """What a trigger does when it fires (config `[kill]`)."""

    KILL = "kill"
    REDUCE_ONLY = "reduce_only"
    ALERT = "alert"


class Severity(StrEnum):
    """How loudly the operator is told (A-414)."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


class LinkState(StrEnum):
    """The state of one broker connection."""

    CONNECTING = "CONNECTING"
    CONNECTED = "CONNECTED"
    POLLED = "POLLED"
    """Requests are answered, and the stream is refused: the venue is asked what happens there."""
    DISCONNECTED = "DISCONNECTED"

    @property
    def is_up(self) -> bool:
        """Whether requests go through."""
        return self in (LinkState.CONNECTED, LinkState.POLLED)


class CircuitState(StrEnum):
    """What an account's breaker lets through of what adds exposure (C-420)."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"
    """One order is under way that tries whether the venue takes orders again."""


_LEVELS = (Level.HALT, Level.KILL)
_CLOSES = (Flatten.NONE, Flatten.DAY, Flatten.ALL)
"""Each from what goes least far to what goes furthest."""


class Halt(msgspec.Struct, frozen=True, kw_only=True):
    """The latch as it stands: why, when, who, how far (U-71)."""

    reason: str
    at: Nanos
    by: str
    level: Level
    trigger: Trigger
    flatten: Flatten
    epoch: int

    @property
    def reach(self) -> tuple[int, int]:
        """How far it goes, to be compared: its level, then what it closes."""
        return _LEVELS.index(self.level), _CLOSES.index(self.flatten)

    def raised_by(self, other: "Halt") -> "Halt":
        """`other` where this one stands already: in no respect does it go less far (C-503)."""
        level = max(self.level, other.level, key=_LEVELS.index)
        flatten = max(self.flatten, other.flatten, key=_CLOSES.index)
        return msgspec.structs.replace(other, level=level, flatten=flatten)
