"""What an overload refuses is recorded once a second, not signal by signal (X-89).

The first refusal is recorded at once. Those that follow within a second are gathered here, in the
order they came, and recorded together when the second is over; nothing is decided after that
moment, and the engine does not stop, before they are. Whoever asked has had the verdict by then.

What is gathered is no part of the state, and ends with a process that is killed. The next start
knows that it may have been so: the journal then ends within a second after refusals were recorded.
"""

from typing import Final

from engine.domain import events as ev
from engine.domain.instant import NS_PER_SECOND, Nanos, rfc3339
from engine.domain.run import Phase, Severity
from engine.state.book import Book

RECORDED_EVERY: Final[Nanos] = NS_PER_SECOND
"""Two records of refusals come no closer together than this."""


class Refusals:
    """The refusals that are decided and not recorded yet."""

    def __init__(self) -> None:
        self._gathered: list[ev.Refusal] = []
        self._first: ev.SignalsRefused | None = None

    def due_at(self, book: Book) -> Nanos | None:
        """When what is gathered must be recorded; None while nothing is."""
        return _next(book) if self._gathered else None

    def due(self, book: Book, now: Nanos) -> bool:
        """Whether what is gathered must be recorded before anything else is decided."""
        return bool(self._gathered) and now >= _next(book)

    def take(self, event: ev.SignalsRefused, book: Book, now: Nanos) -> bool:
        """Gather what the event refuses; False where it is to be recorded at once."""
        if now >= _next(book):
            return False
        self._first = self._first or event
        self._gathered += event.refusals
        return True

    def told(self) -> ev.SignalsRefused | None:
        """All that is gathered as one event, and nothing is any more; None where nothing was."""
        first, gathered = self._first, tuple(self._gathered)
        if first is None:
            return None
        self._first, self._gathered = None, []
        return ev.SignalsRefused(
            stage=first.stage,
            code=first.code,
            reason=first.reason,
            count=len(gathered),
            refusals=gathered,
        )


def _next(book: Book) -> Nanos:
    """From when on refusals may be recorded again."""
    last = book.data.refused_at
    return last + RECORDED_EVERY if last else 0


def lost(book: Book) -> ev.Alarmed | None:
    """What a start says where the process before may have ended with refusals gathered.

    To be asked before the start is recorded.
    """
    data = book.data
    if not data.refused_at or data.phase is Phase.STOPPED or data.time >= _next(book):
        return None
    since = rfc3339(data.refused_at)
    return ev.Alarmed(
        code="REFUSALS_LOST",
        severity=Severity.WARNING,
        subject="signals",
        text=(
            f"the process before ended within a second after it refused signals at {since}: "
            "those that it refused after that have no row, and nothing was sent for them"
        ),
    )
