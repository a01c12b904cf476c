"""What came in, and what became of it."""

from decimal import Decimal

import msgspec

from engine.domain.codes import Answer, Code, Outcome, Stage, Verdict
from engine.domain.events.base import Event
from engine.domain.signal import Signal


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """One question and its answer, with the number seen and the limit it met."""

    code: Code
    answer: Answer
    measured: str
    limit: str
    max_quantity: Decimal | None = None


class InputRejected(Event, frozen=True, kw_only=True):
    """Something from outside that could not be read; recorded, and nothing else is lost."""

    source: str
    input_id: str
    reason: str
    line: int = 0


class SignalReceived(Event, frozen=True, kw_only=True):
    """A well-formed signal entered."""

    signal: Signal


class SignalDecided(Event, frozen=True, kw_only=True):
    """The verdict on a signal with every check that was asked (rule 6)."""

    signal_id: str
    symbol: str
    verdict: Verdict
    stage: Stage
    code: str
    measured: str
    limit: str
    reason: str
    checks: tuple[CheckResult, ...]
    client_order_ids: tuple[str, ...] = ()
    quantity: Decimal | None = None
    content: str = ""
    """Fingerprint for the duplicate window; empty when the guard did not accept it."""


class SignalEnded(Event, frozen=True, kw_only=True):
    """How an accepted signal ended; may be raised from CANCELLED to EXECUTED by a late fill."""

    signal_id: str
    symbol: str
    outcome: Outcome
    code: str
    reason: str
    previous: str = ""
    """The outcome or code under which it was counted before, when this one replaces it."""
