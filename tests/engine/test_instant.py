"""Instants are exact integers, and their text is RFC 3339 in UTC."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.instant import (
    EARLIEST,
    LATEST,
    NS_PER_MS,
    NS_PER_SECOND,
    from_datetime,
    nearest_rfc3339,
    parse_rfc3339,
    rfc3339,
    seconds,
    to_datetime,
)

FIRST, LAST = (datetime(year, 1, 1, tzinfo=UTC).replace(tzinfo=None) for year in (1700, 2262))
instants = st.integers(EARLIEST, LATEST)


@given(instants)
def test_text_round_trip_is_exact(instant: int) -> None:
    assert parse_rfc3339(rfc3339(instant)) == instant


@given(st.datetimes(FIRST, LAST, timezones=st.timezones()))
def test_datetime_round_trip_is_exact(moment: datetime) -> None:
    assert to_datetime(from_datetime(moment)) == moment.astimezone(UTC)


@given(
    st.datetimes(FIRST, LAST),
    st.integers(-23 * 60 - 59, 23 * 60 + 59),
)
def test_offsets_agree_with_the_standard_library(naive: datetime, minutes: int) -> None:
    moment = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert parse_rfc3339(moment.isoformat()) == from_datetime(moment)


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_381_154_400 * NS_PER_SECOND, "2013-10-07T14:00:00Z"),
        (NS_PER_MS * 500, "1970-01-01T00:00:00.500Z"),
        (120_000, "1970-01-01T00:00:00.000120Z"),
        (1, "1970-01-01T00:00:00.000000001Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (LATEST, "2262-04-11T23:47:16.854775807Z"),
    ],
)
def test_the_fraction_has_none_3_6_or_9_digits(instant: int, text: str) -> None:
    assert rfc3339(instant) == text
    assert parse_rfc3339(text) == instant


@pytest.mark.parametrize(
    "text",
    [
        "2013-10-07T14:00:00Z",
        "2013-10-07t14:00:00z",
        "2013-10-07 14:00:00.0Z",
        "2013-10-07T10:00:00-04:00",
        "2013-10-07T19:30:00.000000000+05:30",
        "2013-10-08T00:00:00+10:00",
    ],
)
def test_one_instant_has_many_texts(text: str) -> None:
    assert parse_rfc3339(text) == 1_381_154_400 * NS_PER_SECOND


@pytest.mark.parametrize("text", ["2013-10-07T14:00:00", "2013-10-07 14:00:00.123"])
def test_a_naive_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="has no offset"):
        parse_rfc3339(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2013-10-07",
        "2013-10-07T14:00Z",
        "2013-10-07T14:00:00.Z",
        "2013-10-07T14:00:00.1234567890Z",
        "2013-10-07T14:00:00Z\n",
        "+2013-10-07T14:00:00Z",
        "２013-10-07T14:00:00Z",
        "2013-02-29T00:00:00Z",
        "2013-13-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "2013-10-07T24:00:00Z",
        "2013-10-07T23:60:00Z",
        "2016-12-31T23:59:60Z",
        "2013-10-07T14:00:00+24:00",
        "2013-10-07T14:00:00+00:60",
        "1677-09-21T00:12:43.145224191Z",
        "2262-04-11T23:47:16.854775808Z",
    ],
)
def test_anything_else_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S") as caught:
        parse_rfc3339(text)
    assert "\n" not in str(caught.value)


def test_the_range_is_that_of_64_bits() -> None:
    assert parse_rfc3339("1677-09-21T00:12:43.145224192Z") == EARLIEST
    for outside in (LATEST + 1, EARLIEST - 1):
        with pytest.raises(ValueError, match="out of range"):
            rfc3339(outside)
        with pytest.raises(ValueError, match="out of range"):
            to_datetime(outside)


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        (60, 60 * NS_PER_SECOND),
        (-1, -NS_PER_SECOND),
        (Decimal("0.000000001"), 1),
        (Decimal("0.0000000005"), 0),
        (Decimal("0.0000000015"), 2),
        (0.1, 100_000_000),
        (1.5, 1_500_000_000),
    ],
)
def test_seconds_become_nanoseconds(interval: Decimal | float, expected: int) -> None:
    assert seconds(interval) == expected


@pytest.mark.parametrize("interval", [float("nan"), float("inf"), Decimal("NaN"), Decimal("-Inf")])
def test_an_interval_is_a_finite_number(interval: Decimal | float) -> None:
    with pytest.raises(ValueError, match="not a finite number"):
        seconds(interval)


def test_a_naive_datetime_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        from_datetime(FIRST)


def test_a_datetime_is_cut_to_the_microsecond_never_rounded_up() -> None:
    assert to_datetime(999_999_999) == datetime(1970, 1, 1, 0, 0, 0, 999_999, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2999-12-31T00:00:00Z", "0001-01-01T00:00:00Z"])
def test_a_year_out_of_range_is_told_in_years(text: str) -> None:
    with pytest.raises(ValueError, match=r"out of range: years 1677 to 2262 are allowed") as caught:
        parse_rfc3339(text)
    assert text in str(caught.value)
    assert "ns" not in str(caught.value)


def test_a_bound_of_a_span_is_the_nearest_instant_in_range() -> None:
    assert nearest_rfc3339("2999-12-31T00:00:00Z") == LATEST
    assert nearest_rfc3339("1500-01-01T00:00:00Z") == EARLIEST
    assert nearest_rfc3339("1970-01-01T00:00:01Z") == NS_PER_SECOND
    with pytest.raises(ValueError, match="does not exist"):
        nearest_rfc3339("2999-02-30T00:00:00Z")
