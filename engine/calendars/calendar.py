"""Calendars by name, and the questions asked of them."""

import datetime
from collections.abc import Callable
from functools import cache
from typing import Final

from engine.calendars.continuous import ForeignExchange, UtcDays
from engine.calendars.exchange import ExchangeCalendar
from engine.calendars.session import Session, Sessions, Span
from engine.domain.instant import NS_PER_SECOND, Nanos, rfc3339


class UnknownCalendarError(LookupError):
    """No calendar has this name; the text names those that exist."""


class Calendar:
    """The sessions of one market. Every question is answered from UTC nanoseconds.

    Time is cut into spans of constant answers and the last one is kept, so that a question asked
    for every order costs two comparisons.

    `always_open`: closed at no time. `has_session_end`: False where a session's end means nothing
    to a position, so nothing is closed at the end of a day (X-16).
    """

    __slots__ = ("_last", "_sessions", "always_open", "has_session_end", "name")

    def __init__(
        self, name: str, sessions: Sessions, *, always_open: bool, has_session_end: bool
    ) -> None:
        self.name: Final = name
        self.always_open: Final = always_open
        self.has_session_end: Final = has_session_end
        self._sessions = sessions
        self._last: Span | None = None

    def session_at(self, now: Nanos) -> Session | None:
        """The session in progress; None while closed (A-086: open inclusive, close exclusive)."""
        return self._span(now).session

    def is_open(self, now: Nanos) -> bool:
        """Whether a session is in progress."""
        return self._span(now).session is not None

    def next_open(self, now: Nanos) -> Nanos | None:
        """The first opening after `now`; None when there is none: always open, or not in the table.

        At the very instant of an opening it is the one after that.
        """
        return self._span(now).next_open

    def close_of(self, now: Nanos) -> Nanos | None:
        """When the session in progress ends; None while closed, or where sessions have no end."""
        session = self._span(now).session
        return session.close if session is not None and self.has_session_end else None

    def last_minutes(self, now: Nanos, minutes: int) -> Nanos | None:
        """When the last `minutes` of the session in progress begin, early closes too (A-165, D-11).

        None while closed, or where sessions have no end.
        """
        close = self.close_of(now)
        return None if close is None else close - minutes * 60 * NS_PER_SECOND

    def constant_until(self, now: Nanos) -> Nanos:
        """The moment up to which every answer stays what it is now."""
        return self._span(now).end

    def session_date(self, now: Nanos) -> datetime.date:
        """The accounting day that `now` belongs to (X-12).

        It rolls when a session opens (A-284), so a closed market still belongs to the session
        before. Outside the table it is the exchange's calendar day.
        """
        return self._span(now).date

    def covers(self, now: Nanos) -> bool:
        """False on a day outside the table, which counts as closed."""
        return self._span(now).covered

    def explain(self, now: Nanos) -> str:
        """One sentence on why the market is open or closed, for verdicts and the console."""
        span = self._span(now)
        if not span.covered:
            return (
                f"{self.name} has no sessions for {span.date}, which counts as closed: "
                f"the table holds {self._sessions.range_text()}"
            )
        if span.session is None:
            until = "" if span.next_open is None else f" until {rfc3339(span.next_open)}"
            return f"{self.name} is closed{until}"
        if not self.has_session_end:
            return f"{self.name} is open and never closes"
        return f"{self.name} is open until {rfc3339(span.session.close)}"

    def _span(self, now: Nanos) -> Span:
        span = self._last
        if span is None or not span.start <= now < span.end:
            span = self._last = self._sessions.span(now)
        return span


def _xnys() -> Calendar:
    sessions = ExchangeCalendar.load("xnys.csv")
    return Calendar("XNYS", sessions, always_open=False, has_session_end=True)


def _round_the_clock() -> Calendar:
    return Calendar("24/7", UtcDays(), always_open=True, has_session_end=False)


def _foreign_exchange() -> Calendar:
    return Calendar("FX", ForeignExchange(), always_open=False, has_session_end=True)


def _simulated() -> Calendar:
    return Calendar("SIM", UtcDays(), always_open=True, has_session_end=False)


_MAKERS: Final[dict[str, Callable[[], Calendar]]] = {
    "XNYS": _xnys,
    "24/7": _round_the_clock,
    "FX": _foreign_exchange,
    "SIM": _simulated,
}

CALENDARS: Final = tuple(_MAKERS)
"""The names that `calendar` knows."""


@cache
def calendar(name: str) -> Calendar:
    """The calendar of that name, read once. Raises UnknownCalendarError for any other name."""
    maker = _MAKERS.get(name)
    if maker is None:
        raise UnknownCalendarError(
            f"no calendar is named {name!r}: {', '.join(CALENDARS)} are allowed"
        )
    return maker()
