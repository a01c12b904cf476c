"""Numbers and times as venues write them; what is none becomes one that the port refuses.

A report or a row is never dropped because of one field: the engine puts it aside, with its symbol
(fault 46), and it can only do so with what it is given.
"""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from engine.domain.instant import Nanos

NAN: Final = Decimal("NaN")
"""Stands for what cannot be read: the engine's check of every number finds it."""

_LONGEST: Final = 64
_WRITTEN: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
"""A number in digits. Python takes more for one: "1_000" and " 1 ", and "sNaN", with which every
comparison raises, so that one field would end the stream or fail the list that told it."""

_LATEST_MILLIS: Final = 253_402_300_800_000
"""The end of the year 9999: no later time can be written, and no request would be signed any more
with a clock that was set by one."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def number(given: Any) -> Decimal:
    """A number that a venue wrote as text or as an integer; `NAN` for anything else.

    An exponent has at most four digits. A float is refused too: what it was before it became one is
    not known any more.
    """
    if not isinstance(given, str):
        if isinstance(given, Decimal):
            return NAN if given.is_nan() else given
        return Decimal(given) if isinstance(given, int) and not isinstance(given, bool) else NAN
    if len(given) > _LONGEST or _WRITTEN.fullmatch(given) is None:
        return NAN
    return Decimal(given)


def number_or_none(given: Any) -> Decimal | None:
    """As `number`; None where the venue wrote nothing: null, or an empty text."""
    return None if given is None or given == "" else number(given)


def price_or_none(given: Any) -> Decimal | None:
    """As `number_or_none`; None also for 0, which many venues write for a price that is not set."""
    found = number_or_none(given)
    return None if found == 0 else found


def written(value: Decimal) -> str:
    """A number as venues read it: plain digits, never an exponent."""
    return format(value, "f")


def time_of(text: Any) -> Nanos:
    """Nanoseconds UTC of an RFC 3339 time with up to nine decimals; 0 where it is none."""
    if not isinstance(text, str):
        return 0
    whole, point, rest = text.partition(".")
    digits = ""
    if point:
        count = len(rest) - len(rest.lstrip("0123456789"))
        digits, zone = rest[:count], rest[count:]
        whole += zone
    try:
        moment = datetime.fromisoformat(whole)
    except ValueError:
        return 0
    if moment.tzinfo is None or len(digits) > 9:
        return 0
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + int(digits.ljust(9, "0") or 0)


def time_of_millis(given: Any) -> Nanos:
    """Nanoseconds UTC of milliseconds since 1970, as a number or as text; 0 where it is none."""
    found = number(given)
    return int(found * 1_000_000) if found.is_finite() and 0 < found < _LATEST_MILLIS else 0
