"""Trading sessions as plain data, and the questions asked of them (A-086, X-12, X-16).

`calendar(name)` answers with one of four calendars: `XNYS` (New York stocks), `24/7` (crypto), `FX`
and `SIM` (the simulated market).
"""

from engine.calendars.calendar import CALENDARS, Calendar, UnknownCalendarError, calendar
from engine.calendars.session import Session

__all__ = ["CALENDARS", "Calendar", "Session", "UnknownCalendarError", "calendar"]
