"""Markets without an exchange's table: every hour of every day, and the week of foreign exchange.

Days roll as X-12 says: at 00:00 UTC, and for foreign exchange at 17:00 in New York.
"""

import datetime
from datetime import timedelta
from typing import Final

from engine.calendars.newyork import at, local
from engine.calendars.session import Session, Span
from engine.domain.instant import NS_PER_SECOND, Nanos, to_datetime

DAY: Final[Nanos] = 86_400 * NS_PER_SECOND
ROLL: Final = datetime.time(17)
"""New York time at which a day of foreign exchange ends, and the next one starts."""

_FRIDAY: Final = 4


class UtcDays:
    """One session after the other, each a day of UTC."""

    def span(self, now: Nanos) -> Span:
        start = now - now % DAY
        date = to_datetime(start).date()
        session = Session(date, start, start + DAY)
        return Span(session.open, session.close, date, session, next_open=None, covered=True)

    def range_text(self) -> str:
        return "every day"


class ForeignExchange:
    """Sunday 17:00 to Friday 17:00 in New York; a day is named for the date on which it ends."""

    def span(self, now: Nanos) -> Span:
        moment = local(now)
        date = moment.date()
        if moment.time() >= ROLL:
            date += timedelta(days=1)
        weekend = date.weekday() - _FRIDAY
        if weekend > 0:
            friday = date - timedelta(days=weekend)
            start, end = at(friday, ROLL), at(friday + timedelta(days=2), ROLL)
            return Span(start, end, friday, None, next_open=end, covered=True)
        start, end = at(date - timedelta(days=1), ROLL), at(date, ROLL)
        reopens = at(date + timedelta(days=2), ROLL) if weekend == 0 else end
        return Span(start, end, date, Session(date, start, end), next_open=reopens, covered=True)

    def range_text(self) -> str:
        return "every week, Sunday to Friday 17:00 New York"
