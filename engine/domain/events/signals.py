"""What came in, and what became of it."""

from decimal import Decimal

import msgspec

from engine.domain.codes import Answer, Code, Outcome, Stage, Verdict
from engine.domain.events.base import Event
from engine.domain.instant import Nanos
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
    """Where it came from: the path of a file, or the name of a way in."""
    input_id: str
    reason: str
    """The sentence for a person: file, line and, where it is known, column too (fault 33)."""
    line: int = 0
    """The number of its line there; 0 is none."""


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
    queued_until: Nanos = 0
    """The opening of its market for which it waits, and at which it is decided anew; 0: none."""


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """One signal of `SignalsRefused`: when it came, what was measured and the limit it met."""

    signal_id: str
    symbol: str
    at: Nanos
    measured: str
    limit: str


class SignalsRefused(Event, frozen=True, kw_only=True):
    """Signals that an overload refused, all of one second, in the order they came (X-89).

    It stands in for the `SignalReceived` and the `SignalDecided` of each. The place of a signal in
    `refusals` and the number of the event tell its row from those of the others.
    """

    stage: Stage
    code: Code
    reason: str
    count: int
    refusals: tuple[Refusal, ...]

    def verdict(self, refusal: Refusal) -> SignalDecided:
        """The verdict on one of `refusals`, as whoever asked gets it."""
        check = CheckResult(
            code=self.code,
            answer=Answer.REJECT,
            measured=refusal.measured,
            limit=refusal.limit,
        )
        return SignalDecided(
            signal_id=refusal.signal_id,
            symbol=refusal.symbol,
            verdict=Verdict.REJECTED,
            stage=self.stage,
            code=self.code,
            measured=refusal.measured,
            limit=refusal.limit,
            reason=self.reason,
            checks=(check,),
        )


class SignalEnded(Event, frozen=True, kw_only=True):
    """How an accepted signal ended; may be raised from CANCELLED to EXECUTED by a late fill."""

    signal_id: str
    symbol: str
    outcome: Outcome
    code: str
    reason: str
    previous: str = ""
    """The outcome or code under which it was counted before, when this one replaces it."""
