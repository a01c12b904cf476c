"""The life of a position after its fills."""

from decimal import Decimal

from engine.domain.events.base import Event
from engine.domain.position import ExitDecision, ExitReason, RoundTrip


class ExitPlanned(Event, frozen=True, kw_only=True):
    """A rule, a person or a kill decided to close (part of) a position."""

    account: str
    symbol: str
    position_id: str
    decision: ExitDecision


class ExitRefused(Event, frozen=True, kw_only=True):
    """The close of a position goes no further for now, and why: the venue refused its order, nobody
    knows what became of it, or the venue holds nothing to close. It goes on once it can."""

    account: str
    symbol: str
    position_id: str
    code: str


class Unprotected(Event, frozen=True, kw_only=True):
    """So much of a position has had no stop that is known to rest for longer than is allowed.

    It is being closed already, or an order waits for the end of its stop: told once, until a stop
    rests again.
    """

    account: str
    symbol: str
    position_id: str
    quantity: Decimal


class ExitAbandoned(Event, frozen=True, kw_only=True):
    """A close ended before all of it was closed; it is protected again and may exit again."""

    account: str
    symbol: str
    position_id: str
    reason: ExitReason
    detail: str


class StopTraded(Event, frozen=True, kw_only=True):
    """The venue says that a stop trades, and no fill of it is here: it was not told, or not taken.

    The stop is left alone for a while, and what would add to its position ends (X-78).
    """

    account: str
    symbol: str
    client_order_id: str


class StopRemoved(Event, frozen=True, kw_only=True):
    """An operator took the stop away, as 0.1.0 wrote it; since then it is a `StopMoved`."""

    account: str
    symbol: str
    by: str


class StopMoved(Event, frozen=True, kw_only=True):
    """An operator attached, moved or removed a stop (X-85); None is no stop."""

    account: str
    symbol: str
    position_id: str
    by: str
    before: Decimal | None
    after: Decimal | None


class TargetMoved(Event, frozen=True, kw_only=True):
    """An operator attached, moved or removed a target (X-85); None is no target."""

    account: str
    symbol: str
    position_id: str
    by: str
    before: Decimal | None
    after: Decimal | None


class PositionClosed(Event, frozen=True, kw_only=True):
    """From flat to flat: one finished trade (A-392)."""

    account: str
    trade: RoundTrip
    loss_streak: int = 0
    """Losses in a row of at least the configured size, this one counted (A-184, X-05)."""
