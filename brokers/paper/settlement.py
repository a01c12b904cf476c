"""What becomes of a contract when it ends: when that is, and at what price (C-155).

Whoever holds it is paid in cash, at its last session's close, by the newest prices there are then:
an option what exercising it would bring, a future its own price.
"""

import datetime
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from engine.calendars import Calendar
from engine.domain.instant import Nanos, from_datetime
from engine.domain.instrument import Instrument
from engine.domain.market import Quote

EXPIRY: Final = "expiry "
"""Begins the id of an execution that settles a contract; the contract's id follows. It is held once
and settled once, and the book keeps the execution with the end of the holding."""

_DAYS_BACK: Final = 10
"""No exchange is closed for longer."""


def end_of(day: datetime.date) -> Nanos:
    """The end of a day in UTC: after its session, and before the next one."""
    following = day + datetime.timedelta(days=1)
    return from_datetime(datetime.datetime.combine(following, datetime.time(), datetime.UTC))


def ends_at(rules: Instrument, calendar: Calendar) -> Nanos | None:
    """When the last session of a contract closes; None for what does not expire.

    Where sessions have no end, or the calendar's table does not hold the day, that is the end of
    the day in UTC.
    """
    last = rules.last_day
    if last is None:
        return None
    for back in range(1, _DAYS_BACK):
        opens = calendar.next_open(end_of(last - datetime.timedelta(days=back)))
        if opens is not None and calendar.session_date(opens) <= last:
            return calendar.close_of(opens) or end_of(last)
    return end_of(last)


def settlement_price(rules: Instrument, quotes: Mapping[str, Quote]) -> Decimal | None:
    """What one unit is paid at; None while there is no price that tells it."""
    contract = rules.contract
    if contract is None:
        return None
    own, spot = quotes.get(rules.symbol), quotes.get(contract.leans_on)
    return contract.settled_at(
        None if own is None else own.last, None if spot is None else spot.last
    )
