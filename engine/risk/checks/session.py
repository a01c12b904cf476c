"""Is the instrument's market in session (A-086, A-165, X-16, X-43, D-07)?"""

from engine.domain.instant import NS_PER_SECOND, rfc3339
from engine.risk.case import Case, Finding, Limit, RequestKind, passed, refused


def known_calendar(case: Case, _: Limit) -> Finding | None:
    """NO_CALENDAR: the instrument's sessions are known (U-53)."""
    name = case.instrument.calendar
    if case.calendar is None:
        return refused(name or "none", "a calendar", f"{case.symbol} has no calendar: {name!r}.")
    return passed(name, "a calendar")


def market_open(case: Case, limit: Limit) -> Finding | None:
    """MARKET_CLOSED: in session, and for day trades not within `limit` minutes of its end.

    Signals on longer bars are not queued for the next opening, so they are refused alike (X-43).
    """
    calendar = case.calendar
    if calendar is None:
        return None
    at = rfc3339(case.now)
    if not calendar.is_open(case.now):
        opens = calendar.next_open(case.now)
        known = "in session" if opens is None else f"in session, from {rfc3339(opens)}"
        return refused(at, known, f"{calendar.explain(case.now)}.")
    close = calendar.close_of(case.now)
    if close is None:
        return passed(at, "never closes")
    if case.kind is RequestKind.FLAT or not case.trade_type.ends_with_session:
        return passed(at, rfc3339(close))
    last = close - limit * 60 * NS_PER_SECOND
    if case.now < last:
        return passed(at, rfc3339(last))
    opens = calendar.next_open(case.now)
    again = "" if opens is None else f", and opens next at {rfc3339(opens)}"
    return refused(
        at,
        rfc3339(last),
        f"{calendar.name} closes at {rfc3339(close)}{again}; "
        f"day and scalp entries end {limit} minutes before.",
    )
