"""Instants: UTC nanoseconds since 1970 as plain integers, and their RFC 3339 text.

Everything here is integer arithmetic, so text and number convert into each other without loss.
The range is that of a signed 64-bit integer (years 1677 to 2262), which is what the journal and
the wire formats can hold.
"""

import math
import re
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from typing import Final, TypeAlias

Nanos: TypeAlias = int
"""Nanoseconds since 1970-01-01T00:00:00Z, or the length of an interval in nanoseconds."""

NS_PER_SECOND: Final = 1_000_000_000
NS_PER_MS: Final = 1_000_000
NS_PER_US: Final = 1_000

CLOCKS_APART: Final[Nanos] = 5 * NS_PER_SECOND
"""How far a venue's clock and ours may differ (U-52, A-300)."""

EARLIEST: Final[Nanos] = -(2**63)
LATEST: Final[Nanos] = 2**63 - 1

_YEARS: Final = "years 1677 to 2262"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
_RFC3339: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?"
    r"(?:([Zz])|([+-])(\d\d):(\d\d))?",
    re.ASCII,
)


def parse_rfc3339(text: str) -> Nanos:
    """The instant an RFC 3339 text names, exact to the nanosecond.

    Raises ValueError with one sentence when the text has another shape, has no offset (`Z` or
    `+hh:mm`), names a date or time that does not exist (a leap second among them), or lies
    outside the range of a signed 64-bit integer of nanoseconds.
    """
    instant = _read(text)
    if not EARLIEST <= instant <= LATEST:
        raise ValueError(f"{text!r} is out of range: {_YEARS} are allowed")
    return instant


def nearest_rfc3339(text: str) -> Nanos:
    """The instant of a text that bounds a span: one outside the range is the nearest in it.

    Who asks for all until the year 2999 asks for all there is. Raises ValueError as `parse_rfc3339`
    does, but for the range.
    """
    return clipped(_read(text))


def _read(text: str) -> Nanos:
    """The instant that a text names, in range or not. Raises ValueError."""
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text[:64]!r} is not a time: expected RFC 3339 such as 2013-10-07T14:00:00.5Z, "
            "with at most 9 digits of fraction"
        )
    year, month, day, hour, minute, second, fraction, zulu, sign, off_hour, off_minute = (
        match.groups()
    )
    if zulu is None and sign is None:
        raise ValueError(f"{text!r} has no offset: a time needs Z or an offset such as -04:00")
    try:
        days = date(int(year), int(month), int(day)).toordinal() - _EPOCH_ORDINAL
    except ValueError as error:
        raise ValueError(f"{text!r} names a date that does not exist") from error
    hours, minutes, seconds_ = int(hour), int(minute), int(second)
    if hours > 23 or minutes > 59 or seconds_ > 59:
        raise ValueError(
            f"{text!r} names a time of day that does not exist: 00:00:00 to 23:59:59 are allowed"
        )
    whole = days * 86_400 + hours * 3_600 + minutes * 60 + seconds_
    if sign is not None:
        offset = int(off_hour) * 3_600 + int(off_minute) * 60
        if int(off_hour) > 23 or int(off_minute) > 59:
            raise ValueError(f"{text!r} has an offset outside -23:59 to +23:59")
        whole += offset if sign == "-" else -offset
    return whole * NS_PER_SECOND + (int(fraction.ljust(9, "0")) if fraction else 0)


def rfc3339(instant: Nanos) -> str:
    """The instant as RFC 3339 in UTC: `Z` at the end, a fraction of no, 3, 6 or 9 digits.

    Raises ValueError outside the range of a signed 64-bit integer.
    """
    second, fraction = divmod(_in_range(instant), NS_PER_SECOND)
    text = _second_text(second)
    if not fraction:
        return text + "Z"
    if not fraction % NS_PER_MS:
        return f"{text}.{fraction // NS_PER_MS:03d}Z"
    if not fraction % NS_PER_US:
        return f"{text}.{fraction // NS_PER_US:06d}Z"
    return f"{text}.{fraction:09d}Z"


def time_fault(instant: object) -> str:
    """What is told of a time from outside that can be none, and what is allowed; else ""."""
    if type(instant) is int and EARLIEST <= instant <= LATEST:
        return ""
    return f"{instant!r:.40}; whole nanoseconds since 1970, {_YEARS}, are allowed"


def clipped(instant: Nanos) -> Nanos:
    """The instant, or the nearest one in range."""
    return min(max(instant, EARLIEST), LATEST)


def seconds(interval: Decimal | float) -> Nanos:
    """The nanoseconds of an interval given in seconds, rounded half to even; it may be negative.

    Whole and decimal seconds convert exactly. Raises ValueError for NaN and infinities.
    """
    if isinstance(interval, int):
        return interval * NS_PER_SECOND
    if not math.isfinite(interval):
        raise ValueError(f"an interval of {interval} seconds is not a finite number")
    exact = interval if isinstance(interval, Decimal) else Decimal(interval)
    return int(exact.scaleb(9).to_integral_value(ROUND_HALF_EVEN))


def to_datetime(instant: Nanos) -> datetime:
    """The instant as an aware UTC datetime, cut (never rounded up) to its microsecond."""
    return _EPOCH + timedelta(microseconds=_in_range(instant) // NS_PER_US)


def from_datetime(moment: datetime) -> Nanos:
    """The instant of an aware datetime, exact. Raises ValueError for a naive one."""
    if moment.utcoffset() is None:
        raise ValueError(f"{moment.isoformat()} has no time zone: an aware datetime is needed")
    delta = moment - _EPOCH
    whole = delta.days * 86_400 + delta.seconds
    return _in_range(whole * NS_PER_SECOND + delta.microseconds * NS_PER_US)


# Journal rows come many to a second: the text of the second is made once.
@lru_cache(maxsize=4096)
def _second_text(second: int) -> str:
    return (_EPOCH + timedelta(seconds=second)).isoformat()[:19]


def _in_range(instant: Nanos) -> Nanos:
    if not EARLIEST <= instant <= LATEST:
        raise ValueError(f"{instant} ns since 1970 is out of range: {_YEARS} are allowed")
    return instant
