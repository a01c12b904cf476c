"""Sessions and accounting days: below, at and above each boundary (A-086, X-12, X-16, D-07)."""

import datetime
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.calendars import CALENDARS, Calendar, UnknownCalendarError, calendar
from engine.calendars.exchange import ExchangeCalendar
from engine.domain.instant import NS_PER_SECOND, Nanos, parse_rfc3339, rfc3339

XNYS = calendar("XNYS")
FX = calendar("FX")
CRYPTO = calendar("24/7")
SIM = calendar("SIM")

MONDAY_OPEN = parse_rfc3339("2013-10-07T13:30:00Z")
MONDAY_CLOSE = parse_rfc3339("2013-10-07T20:00:00Z")


def at(text: str) -> Nanos:
    return parse_rfc3339(text)


@pytest.mark.parametrize(
    ("opens", "closes"),
    [
        ("2013-03-08T14:30:00Z", "2013-03-08T21:00:00Z"),  # Friday before clocks go forward
        ("2013-03-11T13:30:00Z", "2013-03-11T20:00:00Z"),  # Monday after
        ("2013-11-01T13:30:00Z", "2013-11-01T20:00:00Z"),  # Friday before clocks go back
        ("2013-11-04T14:30:00Z", "2013-11-04T21:00:00Z"),  # Monday after
    ],
)
def test_A086_new_york_opens_at_0930_and_closes_at_1600_on_both_sides_of_daylight_saving(
    opens: str, closes: str
) -> None:
    assert not XNYS.is_open(at(opens) - 1)
    assert XNYS.is_open(at(opens))
    assert XNYS.is_open(at(closes) - 1)
    assert not XNYS.is_open(at(closes))
    assert XNYS.close_of(at(opens)) == at(closes)
    assert XNYS.close_of(at(closes)) is None


@pytest.mark.parametrize(
    "text",
    [
        "2013-10-05T15:00:00Z",  # Saturday
        "2013-10-06T15:00:00Z",  # Sunday
        "2013-11-28T16:00:00Z",  # Thanksgiving
        "2013-12-25T16:00:00Z",  # Christmas
        "2012-10-29T15:00:00Z",  # hurricane
        "2026-11-26T16:00:00Z",
    ],
)
def test_D07_weekends_and_holidays_have_no_session(text: str) -> None:
    assert XNYS.session_at(at(text)) is None
    assert XNYS.covers(at(text))


@pytest.mark.parametrize("day", ["2013-11-29", "2026-11-27", "2026-12-24"])
def test_E05_an_early_close_is_at_1300(day: str) -> None:
    close = at(f"{day}T18:00:00Z")
    assert XNYS.is_open(close - 1)
    assert XNYS.close_of(close - 1) == close
    assert not XNYS.is_open(close)


@pytest.mark.parametrize(
    ("day", "opens", "begin"),
    [
        ("2013-10-07", "13:30:00", "19:50:00"),
        ("2013-11-29", "14:30:00", "17:50:00"),  # closes early
    ],
)
def test_A165_the_last_minutes_of_a_session_are_counted_back_from_its_close(
    day: str, opens: str, begin: str
) -> None:
    now = at(f"{day}T{opens}Z")
    assert XNYS.last_minutes(now, 10) == at(f"{day}T{begin}Z")
    assert XNYS.last_minutes(now - 1, 10) is None, "closed"
    close = XNYS.close_of(now)
    assert close is not None
    assert XNYS.last_minutes(close - 1, 10) == at(f"{day}T{begin}Z")
    assert XNYS.last_minutes(close, 10) is None, "closed again"


@pytest.mark.parametrize("name", ["24/7", "SIM"])
def test_D11_a_market_that_never_closes_has_no_last_minutes(name: str) -> None:
    assert calendar(name).last_minutes(MONDAY_OPEN, 10) is None


def test_X16_the_session_says_its_date_open_and_close() -> None:
    session = XNYS.session_at(MONDAY_OPEN)
    assert session is not None
    assert (session.date, session.open, session.close) == (
        date(2013, 10, 7),
        MONDAY_OPEN,
        MONDAY_CLOSE,
    )


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("2013-10-07T13:29:59Z", "2013-10-07T13:30:00Z"),
        ("2013-10-07T13:30:00Z", "2013-10-08T13:30:00Z"),  # at the opening: the one after
        ("2013-10-11T20:00:00Z", "2013-10-14T13:30:00Z"),  # over a weekend
        ("2013-11-27T21:00:00Z", "2013-11-29T14:30:00Z"),  # over a holiday
    ],
)
def test_X43_the_next_open_is_where_a_queued_order_waits(now: str, opens: str) -> None:
    assert XNYS.next_open(at(now)) == at(opens)


def test_X12_A284_the_accounting_day_rolls_when_the_session_opens() -> None:
    assert XNYS.session_date(MONDAY_OPEN - 1) == date(2013, 10, 4)
    assert XNYS.session_date(MONDAY_OPEN) == date(2013, 10, 7)
    assert XNYS.session_date(MONDAY_CLOSE) == date(2013, 10, 7)
    assert XNYS.session_date(at("2013-10-08T05:00:00Z")) == date(2013, 10, 7)


@pytest.mark.parametrize(
    ("text", "covered"),
    [
        ("2000-01-03T04:59:59Z", False),
        ("2000-01-03T05:00:00Z", True),
        ("2036-01-01T04:59:59Z", True),
        ("2036-01-01T05:00:00Z", False),
    ],
)
def test_a_day_outside_the_table_is_not_covered(text: str, covered: bool) -> None:
    assert XNYS.covers(at(text)) is covered


def test_a_day_outside_the_table_counts_as_closed_and_says_so() -> None:
    now = at("2040-01-03T16:00:00Z")
    assert not XNYS.is_open(now)
    assert XNYS.next_open(now) is None
    assert XNYS.close_of(now) is None
    assert XNYS.session_date(now) == date(2040, 1, 3)
    assert XNYS.explain(now) == (
        "XNYS has no sessions for 2040-01-03, which counts as closed: "
        "the table holds 2000-01-03 to 2035-12-31"
    )


def test_the_ends_of_the_table() -> None:
    first_open, last_close = at("2000-01-03T14:30:00Z"), at("2035-12-31T21:00:00Z")
    assert XNYS.session_date(first_open - 1) == date(2000, 1, 3)
    assert XNYS.next_open(first_open - 1) == first_open
    assert XNYS.is_open(first_open)
    assert XNYS.next_open(last_close - 1) is None
    assert XNYS.next_open(last_close) is None
    assert XNYS.session_date(last_close) == date(2035, 12, 31)
    assert XNYS.explain(last_close) == "XNYS is closed"


@pytest.mark.parametrize(
    ("friday_close", "sunday_open"),
    [
        ("2014-05-09T21:00:00Z", "2014-05-11T21:00:00Z"),
        ("2014-03-07T22:00:00Z", "2014-03-09T21:00:00Z"),  # clocks go forward in between
        ("2014-10-31T21:00:00Z", "2014-11-02T22:00:00Z"),  # clocks go back in between
    ],
)
def test_foreign_exchange_rests_from_friday_to_sunday_1700_new_york(
    friday_close: str, sunday_open: str
) -> None:
    closes, opens = at(friday_close), at(sunday_open)
    assert FX.is_open(closes - 1)
    assert FX.close_of(closes - 1) == closes
    assert FX.next_open(closes - 1) == opens
    assert not FX.is_open(closes)
    assert FX.next_open(closes) == opens
    assert not FX.is_open(opens - 1)
    assert FX.is_open(opens)


def test_X12_a_day_of_foreign_exchange_rolls_at_1700_new_york() -> None:
    roll = at("2014-05-06T21:00:00Z")  # Tuesday
    assert FX.session_date(roll - 1) == date(2014, 5, 6)
    assert FX.session_date(roll) == date(2014, 5, 7)
    assert FX.is_open(roll)
    assert FX.next_open(roll - 1) == roll


def test_X12_the_weekend_of_foreign_exchange_belongs_to_friday() -> None:
    assert FX.session_date(at("2014-05-11T20:59:59Z")) == date(2014, 5, 9)
    assert FX.session_date(at("2014-05-11T21:00:00Z")) == date(2014, 5, 12)


@pytest.mark.parametrize("market", [CRYPTO, SIM], ids=lambda c: c.name)
def test_X12_markets_that_never_close_roll_at_midnight_utc(market: Calendar) -> None:
    midnight = at("2018-04-05T00:00:00Z")
    assert market.session_date(midnight - 1) == date(2018, 4, 4)
    assert market.session_date(midnight) == date(2018, 4, 5)
    assert market.is_open(midnight - 1)
    assert market.is_open(midnight)
    assert market.always_open


@pytest.mark.parametrize("market", [CRYPTO, SIM], ids=lambda c: c.name)
def test_X16_nothing_is_closed_at_the_end_of_a_day_that_has_no_end(market: Calendar) -> None:
    now = at("2018-04-04T23:58:00Z")
    assert not market.has_session_end
    assert market.close_of(now) is None
    assert market.next_open(now) is None


@pytest.mark.parametrize(
    ("market", "text", "sentence"),
    [
        (XNYS, "2013-10-07T14:00:00Z", "XNYS is open until 2013-10-07T20:00:00Z"),
        (XNYS, "2013-10-05T14:00:00Z", "XNYS is closed until 2013-10-07T13:30:00Z"),
        (FX, "2014-05-10T14:00:00Z", "FX is closed until 2014-05-11T21:00:00Z"),
        (CRYPTO, "2014-05-10T14:00:00Z", "24/7 is open and never closes"),
    ],
)
def test_a_calendar_says_why(market: Calendar, text: str, sentence: str) -> None:
    assert market.explain(at(text)) == sentence


def test_an_unknown_calendar_is_named_beside_those_allowed() -> None:
    with pytest.raises(UnknownCalendarError) as caught:
        calendar("XLON")
    assert str(caught.value) == "no calendar is named 'XLON': XNYS, 24/7, FX, SIM are allowed"


def test_a_calendar_is_made_once() -> None:
    assert calendar("XNYS") is XNYS


def test_reading_a_table_does_not_load_the_development_library(root: Path) -> None:
    code = (
        "import sys; from engine.calendars import calendar; calendar('XNYS'); "
        "sys.exit(', '.join({'exchange_calendars', 'pandas', 'numpy'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


instants = st.integers(at("1999-12-20T00:00:00Z"), at("2036-01-20T00:00:00Z"))


@pytest.mark.parametrize("name", CALENDARS)
@given(now=instants)
def test_answers_agree_with_each_other_at_any_instant(name: str, now: Nanos) -> None:
    market = calendar(name)
    session = market.session_at(now)
    assert market.is_open(now) == (session is not None)
    if session is not None:
        assert session.open <= now < session.close
        assert market.session_date(now) == session.date
        assert market.covers(now)
    opens = market.next_open(now)
    if opens is not None:
        assert opens > now
        following = market.session_at(opens)
        assert following is not None
        assert following.open == opens
        assert session is None or following.open >= session.close


@pytest.mark.parametrize("name", CALENDARS)
@given(now=instants, later=st.integers(0, 10 * 86_400 * NS_PER_SECOND))
def test_the_accounting_day_never_goes_back(name: str, now: Nanos, later: Nanos) -> None:
    market = calendar(name)
    assert market.session_date(now) <= market.session_date(now + later), rfc3339(now)


@given(moments=st.lists(instants, min_size=1, max_size=20))
def test_answers_do_not_depend_on_what_was_asked_before(moments: list[Nanos]) -> None:
    for now in moments:
        fresh = Calendar(
            "XNYS", ExchangeCalendar.load("xnys.csv"), always_open=False, has_session_end=True
        )
        assert XNYS.session_at(now) == fresh.session_at(now)
        assert XNYS.next_open(now) == fresh.next_open(now)
        assert XNYS.session_date(now) == fresh.session_date(now)


def test_a_year_has_its_sessions() -> None:
    table = ExchangeCalendar.load("xnys.csv")
    day, count = date(2013, 1, 1), 0
    while day.year == 2013:
        count += table.session_on(day) is not None
        day += datetime.timedelta(days=1)
    assert count == 252
