"""Triggers, the halt and the kill that follows it."""

from decimal import Decimal

from engine.domain.events.base import Event
from engine.domain.run import Halt, Trigger, TriggerAction


class TriggerFired(Event, frozen=True, kw_only=True):
    """A kill trigger's condition held, with what was measured (U-52)."""

    trigger: Trigger
    action: TriggerAction
    measured: str
    limit: str
    reason: str


class Halted(Event, frozen=True, kw_only=True):
    """The latch is set, or raised to a higher level (X-52)."""

    halt: Halt


class HaltCleared(Event, frozen=True, kw_only=True):
    """A person cleared the latch after a clean reconcile; the state is PAUSED (X-69)."""

    by: str
    note: str
    epoch: int


class LossAccepted(Event, frozen=True, kw_only=True):
    """A person accepted a fall from the highest equity: the limit on it counts anew (X-73)."""

    by: str
    note: str
    before: Decimal
    """The high-water mark until then, in the base currency."""
    after: Decimal
    """Equity at that moment, which is the high-water mark from then on."""


class KillProgressed(Event, frozen=True, kw_only=True):
    """One read of the venue during a kill; done when enough reads in a row found nothing left."""

    epoch: int
    account: str
    clean_reads: int
    left: tuple[str, ...]
    unknown: tuple[str, ...]


class KillProved(Event, frozen=True, kw_only=True):
    """A kill ended at one broker: VERIFIED, or DEGRADED with what is left (DESIGN, Kill)."""

    epoch: int
    account: str
    state: str
    """One of `KillState`."""
    cancelled: int
    closed: int
    left: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
