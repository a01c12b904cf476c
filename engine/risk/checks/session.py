"""Is the instrument's market in session (A-086, A-165, X-16, X-43, D-07)?"""

from engine.calendars import Calendar
from engine.domain.instant import Nanos, rfc3339
from engine.domain.instrument import Instrument
from engine.domain.signal import TradeType
from engine.risk.finding import Finding, passed, refused
from engine.state.position import Position


def known_calendar(instrument: Instrument, calendar: Calendar | None, symbol: str) -> Finding:
    """NO_CALENDAR: the instrument's sessions are known (U-53)."""
    name = instrument.calendar
    if calendar is None:
        return refused(name or "none", "a calendar", f"{symbol} has no calendar: {name!r}.")
    return passed(name, "a calendar")


def market_open(
    calendar: Calendar | None,
    now: Nanos,
    trade_type: TradeType,
    position: Position | None,
    limit: int,
) -> Finding | None:
    """MARKET_CLOSED: in session, and for day trades not within `limit` minutes of its end.

    What adds to a day trade ends with it, whatever it says of itself (X-83).
    """
    if calendar is None:
        return None
    at = rfc3339(now)
    if not calendar.is_open(now):
        opens = calendar.next_open(now)
        known = "in session" if opens is None else f"in session, from {rfc3339(opens)}"
        return refused(at, known, f"{calendar.explain(now)}.")
    close, last = calendar.close_of(now), calendar.last_minutes(now, limit)
    if close is None or last is None:
        return passed(at, "never closes")
    day = position is not None and position.trade_type.ends_with_session
    if not (day or trade_type.ends_with_session):
        return passed(at, rfc3339(close))
    if now < last:
        return passed(at, rfc3339(last))
    opens = calendar.next_open(now)
    again = "" if opens is None else f", and opens next at {rfc3339(opens)}"
    return refused(
        at,
        rfc3339(last),
        f"{calendar.name} closes at {rfc3339(close)}{again}; "
        f"day and scalp entries end {limit} minutes before.",
    )
