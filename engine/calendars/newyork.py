"""New York's wall clock and UTC nanoseconds, by the time-zone database (D-07: no fixed offset)."""

import datetime
from typing import Final
from zoneinfo import ZoneInfo

from engine.domain.instant import Nanos, from_datetime, to_datetime

NEW_YORK: Final = ZoneInfo("America/New_York")


def local(now: Nanos) -> datetime.datetime:
    """What a clock in New York shows at that instant."""
    return to_datetime(now).astimezone(NEW_YORK)


def at(date: datetime.date, time: datetime.time) -> Nanos:
    """The instant at which a clock in New York shows that date and time.

    No session starts or ends in the hour that daylight saving skips or repeats (01:00 to 03:00 on
    a Sunday).
    """
    return from_datetime(datetime.datetime.combine(date, time, NEW_YORK))
