"""Sessions of a stock exchange from its table of holidays and early closes.

The table is made by `make calendars`, and lists only the weekdays that are not full sessions.
"""

import datetime
from calendar import SATURDAY
from datetime import timedelta
from pathlib import Path
from typing import Final, Self

from engine.calendars.newyork import at, local
from engine.calendars.session import Session, Span
from engine.domain.instant import Nanos

OPEN: Final = datetime.time(9, 30)
CLOSE: Final = datetime.time(16)
_MIDNIGHT: Final = datetime.time(0)
_ONE_DAY: Final = timedelta(days=1)


class ExchangeCalendar:
    """Weekdays 09:30 to 16:00 New York, save for the holidays and early closes of a table.

    Args:
        first, last: the days the table speaks for; any other day counts as closed.
        exceptions: date to early close, or to None for a day without a session.
    """

    __slots__ = ("_exceptions", "_first", "_last", "_sessions")

    def __init__(
        self,
        first: datetime.date,
        last: datetime.date,
        exceptions: dict[datetime.date, datetime.time | None],
    ) -> None:
        self._first = first
        self._last = last
        self._exceptions = exceptions
        self._sessions: dict[datetime.date, Session | None] = {}

    @classmethod
    def load(cls, name: str) -> Self:
        """Read a table shipped beside this module. Raises ValueError naming a line it can't read.

        The first line is `# NAME FIRST LAST`, then rows `date,close` with an empty close for a
        holiday.
        """
        lines = Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines()
        try:
            _, _, first, last = lines[0].split()
            bounds = datetime.date.fromisoformat(first), datetime.date.fromisoformat(last)
        except (IndexError, ValueError) as error:
            raise ValueError(f"{name} line 1: expected '# NAME FIRST LAST'") from error
        exceptions: dict[datetime.date, datetime.time | None] = {}
        for number, line in enumerate(lines[2:], start=3):
            try:
                date, close = line.split(",")
                exceptions[datetime.date.fromisoformat(date)] = (
                    datetime.time.fromisoformat(close) if close else None
                )
            except ValueError as error:
                raise ValueError(f"{name} line {number}: {line!r} is not 'date,close'") from error
        return cls(*bounds, exceptions)

    def span(self, now: Nanos) -> Span:
        today = local(now).date()
        midnight, next_midnight = at(today, _MIDNIGHT), at(today + _ONE_DAY, _MIDNIGHT)
        if not self._first <= today <= self._last:
            return Span(midnight, next_midnight, today, None, next_open=None, covered=False)
        session = self.session_on(today)
        ahead = session is not None and now < session.open
        before = self._nearest(today, -_ONE_DAY) if session is None or ahead else session
        after = session if ahead else self._nearest(today, _ONE_DAY)
        next_open = None if after is None else after.open
        if session is not None and session.open <= now < session.close:
            return Span(session.open, session.close, today, session, next_open, covered=True)
        if before is None:
            end = next_midnight if next_open is None else min(next_open, next_midnight)
            return Span(midnight, end, today, None, next_open, covered=True)
        end = at(self._last + _ONE_DAY, _MIDNIGHT) if next_open is None else next_open
        return Span(before.close, end, before.date, None, next_open, covered=True)

    def session_on(self, date: datetime.date) -> Session | None:
        """The session of that New York date; None where there is none or the table ends."""
        if date not in self._sessions:
            self._sessions[date] = self._make(date)
        return self._sessions[date]

    def range_text(self) -> str:
        return f"{self._first} to {self._last}"

    def _make(self, date: datetime.date) -> Session | None:
        if date.weekday() >= SATURDAY or not self._first <= date <= self._last:
            return None
        close = self._exceptions.get(date, CLOSE)
        return None if close is None else Session(date, at(date, OPEN), at(date, close))

    def _nearest(self, date: datetime.date, step: timedelta) -> Session | None:
        """The first session on the way from the day after (or before) `date`; None at the end."""
        date += step
        while self._first <= date <= self._last:
            session = self.session_on(date)
            if session is not None:
                return session
            date += step
        return None
