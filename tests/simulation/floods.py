"""What becomes of the signals that an overload refuses (X-89, rule 6)."""

from collections.abc import Callable
from typing import Final

from engine.domain import events as ev
from engine.domain.codes import Code
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.run import Phase

LOST: Final = "REFUSALS_LOST"


class Floods:
    """Follows every signal that is refused, over all processes of a run.

    It is told of in one event, a second after the one before at the soonest; or the process died
    within the second, and the next start says that some may be lost.
    """

    def __init__(self, broken: Callable[[str, str], None]) -> None:
        self._broken = broken
        self._offered = ""
        """The signal that is being decided."""
        self._owed: list[str] = []
        """Signals that were refused and are in no event yet, oldest first."""
        self._told_at: Nanos = 0
        self._early = False
        """The newest event of refusals came within a second: only an engine that stops may."""
        self._loss_owed = False
        self.refused = 0

    def offer(self, signal_id: str) -> None:
        """A signal is about to be submitted."""
        self._offered = signal_id

    def answered(self, verdict: ev.SignalDecided | ev.InputRejected) -> None:
        """Whoever offered it has the verdict."""
        if isinstance(verdict, ev.SignalDecided) and verdict.code == Code.OVERLOADED:
            self.refused += 1
            if self._offered:
                self._owed.append(verdict.signal_id)
        self._offered = ""

    def before(self, event: ev.Event, at: Nanos) -> None:
        """One event that is journalled."""
        if isinstance(event, ev.PhaseChanged) and event.phase is Phase.STOPPED:
            self._early = False
        if self._early and at > self._told_at:
            self._early = False
            self._broken("flood", "two events of refusals came within a second")
        if isinstance(event, ev.SignalsRefused):
            self._told(event, at)
        elif self._owed and at >= self._told_at + NS_PER_SECOND:
            self._broken("flood", f"{type(event).__name__} came before what was refused earlier")
        if isinstance(event, ev.Alarmed) and event.code == LOST:
            self._loss_owed = False

    def _told(self, event: ev.SignalsRefused, at: Nanos) -> None:
        self._early = bool(self._told_at) and at < self._told_at + NS_PER_SECOND
        told = [refusal.signal_id for refusal in event.refusals]
        if told == [self._offered] and not self._owed:
            self._offered = ""
        elif told != self._owed or event.count != len(told):
            self._broken("flood", f"{self._owed} were refused, and {told} are told of")
        self._owed = []
        self._told_at = at

    def started(self, told_at: Nanos) -> None:
        """A process begins, on a journal that told of refusals last at `told_at`; 0 never."""
        self._loss_owed = self._loss_owed or bool(self._owed and told_at == self._told_at)
        self._owed, self._told_at, self._offered = [], told_at, ""

    def running(self) -> None:
        """A process has started."""
        if self._loss_owed:
            self._broken("flood", "refusals were lost with a process, and its successor is silent")

    def at_end(self) -> None:
        """All is quiet."""
        if self._owed:
            self._broken("flood", f"{len(self._owed)} that were refused are in no event")
