"""Writes the session tables of engine/calendars from exchange_calendars (`make calendars`).

The library is a development tool: it is slow to load and brings pandas.
"""

import datetime
from collections.abc import Iterable
from pathlib import Path

FIRST = datetime.date(2000, 1, 3)
LAST = datetime.date(2035, 12, 31)
TABLES = Path(__file__).resolve().parents[2] / "engine" / "calendars"
OPEN = datetime.time(9, 30)
CLOSE = datetime.time(16)


def sessions(name: str) -> dict[datetime.date, tuple[datetime.time, datetime.time]]:
    """Each session's open and close on the exchange's wall clock, as the library has them."""
    import exchange_calendars

    calendar = exchange_calendars.get_calendar(name, start=str(FIRST), end=str(LAST))
    return {
        session.date(): (
            calendar.session_open(session).tz_convert(calendar.tz).time(),
            calendar.session_close(session).tz_convert(calendar.tz).time(),
        )
        for session in calendar.sessions
    }


def weekdays() -> Iterable[datetime.date]:
    day = FIRST
    while day <= LAST:
        if day.weekday() < 5:
            yield day
        day += datetime.timedelta(days=1)


def table(name: str) -> str:
    """The file's text. Raises ValueError for a session the table has no words for."""
    known = sessions(name)
    odd = [d for d, (opens, _) in known.items() if opens != OPEN or d.weekday() >= 5]
    if odd:
        raise ValueError(f"{name}: sessions that open late or on a weekend: {odd}")
    rows = [f"# {name} {FIRST} {LAST}", "date,close"]
    for day in weekdays():
        if day not in known:
            rows.append(f"{day},")
        elif known[day][1] != CLOSE:
            rows.append(f"{day},{known[day][1]:%H:%M}")
    return "\n".join(rows) + "\n"


def main() -> None:
    target = TABLES / "xnys.csv"
    target.write_text(table("XNYS"), encoding="utf-8")
    print(f"wrote {target.name}: {FIRST} to {LAST}")


if __name__ == "__main__":
    main()
