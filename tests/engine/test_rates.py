"""What a currency is worth, and for how long that may be leaned on (X-86)."""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.instant import NS_PER_SECOND, Nanos, parse_rfc3339
from engine.domain.instrument import default_instrument
from engine.domain.market import Quote
from engine.reference.rates import ReferenceRate
from engine.state.rates import Rates

D = Decimal
TUESDAY_NOON = parse_rfc3339("2026-03-03T12:00:00Z")
FRIDAY_CLOSE = parse_rfc3339("2026-03-06T22:00:00Z")
"""17:00 in New York, a week before the clocks change."""
SUNDAY_OPEN = parse_rfc3339("2026-03-08T21:00:00Z")
"""17:00 in New York, on the day on which the clocks changed."""
SECOND = NS_PER_SECOND


def quote(symbol: str, last: str, time: Nanos = TUESDAY_NOON, **more: Any) -> Quote:
    sides = {name: D(text) for name, text in more.items() if name in ("bid", "ask")}
    return Quote(
        symbol=symbol,
        bid=sides.get("bid"),
        ask=sides.get("ask"),
        last=D(last),
        time=time,
        stale_at=more.get("stale_at", 0),
    )


def rates(*quotes: Quote, base: str = "USD", calendar: str = "") -> Rates:
    made = Rates(base, max_age_seconds=15)
    for each in quotes:
        made.take_quote(default_instrument(each.symbol, calendar), each)
    return made


def value(made: Rates, currency: str, now: Nanos = TUESDAY_NOON) -> Decimal | None:
    rate = made.rate(currency, now)
    return None if rate is None else rate.value


def test_a_pair_tells_what_its_base_is_worth() -> None:
    for symbol in ("EUR_USD", "EUR-USD"):
        rate = rates(quote(symbol, "1.08")).rate("EUR", TUESDAY_NOON)
        assert rate is not None
        assert (rate.value, rate.time, rate.source) == (D("1.08"), TUESDAY_NOON, symbol)
        assert rate.fresh
    assert value(rates(quote("BTC-USD", "91000")), "BTC") == 91_000


def test_a_pair_that_begins_with_the_base_currency_is_turned_round() -> None:
    made = rates(quote("USD_JPY", "160"))
    assert value(made, "JPY") == D("0.00625")
    assert value(rates(quote("EUR_USD", "1.25"), base="EUR"), "USD") == D("0.8")


def test_a_base_that_is_a_coin_has_the_rates_of_its_pairs_and_no_peg() -> None:
    assert value(rates(quote("BTC-USDT", "91000"), base="USDT"), "BTC") == 91_000
    assert value(rates(quote("USDT-USD", "0.8"), base="USDT"), "USD") == D("1.25")
    assert value(rates(quote("BTC-USD", "91000"), base="USDT"), "USD") is None


def test_the_middle_of_both_sides_counts_else_the_last_price() -> None:
    assert value(rates(quote("EUR_USD", "2", bid="1.07", ask="1.09")), "EUR") == D("1.08")
    assert value(rates(quote("EUR_USD", "1.05", bid="1.07")), "EUR") == D("1.05")


def test_the_base_currency_is_worth_one_of_itself() -> None:
    rate = rates().rate("USD", TUESDAY_NOON)
    assert rate is not None
    assert (rate.value, rate.time, rate.fresh) == (D(1), TUESDAY_NOON, True)


@pytest.mark.parametrize(
    "unusable",
    [
        quote("EUR_USD", "NaN"),
        quote("EUR_USD", "Infinity"),
        quote("EUR_USD", "0"),
        quote("EUR_USD", "-1"),
        quote("EUR_USD", "1e19"),
        quote("EUR_USD", "1e-999999"),
        quote("EUR_USD", "1", bid="1", ask="9e999999"),
        quote("EUR_USD", "1", bid="0", ask="1"),
        quote("EUR_USD", "1", bid="1", ask="NaN"),
        quote("EUR_USD", "1", bid="1.0001", ask="1"),
        quote("AAPL", "200"),
        quote("EUR_GBP", "0.85"),
        quote("AAPL 2026-12-18 200 C", "3"),
    ],
)
def test_what_tells_no_rate_leaves_none(unusable: Quote) -> None:
    made = Rates("USD", 15)
    assert not made.take_quote(default_instrument(unusable.symbol), unusable)
    assert made.rate("EUR", TUESDAY_NOON) is None
    assert not made.is_fresh("EUR", TUESDAY_NOON)


def test_a_bad_quote_leaves_the_rate_before_it() -> None:
    made = rates(quote("EUR_USD", "1.08"), quote("EUR_USD", "NaN"), quote("EUR_USD", "0"))
    assert value(made, "EUR") == D("1.08")


def test_no_peg_is_assumed_and_no_chain_followed() -> None:
    made = rates(quote("BTC-USDT", "91000"), quote("USDT-USD", "0.999"))
    assert value(made, "USDT") == D("0.999")
    assert value(made, "BTC") is None


def test_an_older_quote_of_a_pair_changes_nothing() -> None:
    made = rates(quote("EUR_USD", "1.08"), quote("EUR_USD", "1.07", TUESDAY_NOON - 1))
    assert value(made, "EUR") == D("1.08")


class TestFreshness:
    """At the boundary: one below, at, one above."""

    @pytest.mark.parametrize(("age", "fresh"), [(0, True), (15 * SECOND, True)])
    def test_a_quote_is_fresh_for_its_age_in_an_open_market(self, age: Nanos, fresh: bool) -> None:
        made = rates(quote("EUR_USD", "1.08"))
        assert made.is_fresh("EUR", TUESDAY_NOON + age) is fresh
        assert not made.is_fresh("EUR", TUESDAY_NOON + 15 * SECOND + 1)
        assert value(made, "EUR", TUESDAY_NOON + 86_400 * SECOND) == D("1.08")

    def test_a_price_of_a_bar_is_fresh_as_long_as_it_says(self) -> None:
        made = rates(quote("EUR_USD", "1.08", stale_at=TUESDAY_NOON + 75 * SECOND))
        assert made.is_fresh("EUR", TUESDAY_NOON + 75 * SECOND)
        assert not made.is_fresh("EUR", TUESDAY_NOON + 75 * SECOND + 1)

    def test_over_a_closure_it_stays_fresh_until_the_market_opens(self) -> None:
        made = rates(quote("EUR_USD", "1.08", FRIDAY_CLOSE - 15 * SECOND))
        assert made.is_fresh("EUR", FRIDAY_CLOSE)
        assert made.is_fresh("EUR", SUNDAY_OPEN - 1)
        assert not made.is_fresh("EUR", SUNDAY_OPEN)

    def test_what_was_stale_when_the_market_closed_stays_so(self) -> None:
        made = rates(quote("EUR_USD", "1.08", FRIDAY_CLOSE - 15 * SECOND - 1))
        assert not made.is_fresh("EUR", FRIDAY_CLOSE)
        assert not made.is_fresh("EUR", SUNDAY_OPEN - 1)

    def test_a_quote_out_of_a_closure_is_fresh_until_the_market_opens(self) -> None:
        made = rates(quote("EUR_USD", "1.08", FRIDAY_CLOSE + 3600 * SECOND))
        assert made.is_fresh("EUR", SUNDAY_OPEN - 1)
        assert not made.is_fresh("EUR", SUNDAY_OPEN)

    def test_one_day_of_foreign_exchange_follows_the_other_without_a_closure(self) -> None:
        roll = parse_rfc3339("2026-03-03T22:00:00Z")
        made = rates(quote("EUR_USD", "1.08", roll - 5 * SECOND))
        assert made.is_fresh("EUR", roll + 10 * SECOND)
        assert not made.is_fresh("EUR", roll + 10 * SECOND + 1)

    @pytest.mark.parametrize("calendar", ["24/7", "SIM", "MOON"])
    def test_a_market_that_never_closes_or_is_not_known_gives_no_more_time(
        self, calendar: str
    ) -> None:
        made = rates(quote("EUR_USD", "1.08"), calendar=calendar)
        assert made.is_fresh("EUR", TUESDAY_NOON + 15 * SECOND)
        assert not made.is_fresh("EUR", TUESDAY_NOON + 15 * SECOND + 1)

    def test_a_quote_from_the_future_is_not_fresh(self) -> None:
        made = rates(quote("EUR_USD", "1.08"))
        assert made.is_fresh("EUR", TUESDAY_NOON - 15 * SECOND)
        assert not made.is_fresh("EUR", TUESDAY_NOON - 15 * SECOND - 1)

    def test_a_fresh_pair_goes_before_a_newer_stale_one_and_a_newer_before_an_older(self) -> None:
        stale = quote("EUR-USD", "1.09", TUESDAY_NOON + 1, stale_at=TUESDAY_NOON + 2)
        made = rates(quote("EUR_USD", "1.08"), stale)
        assert value(made, "EUR", TUESDAY_NOON + 2) == D("1.09")
        assert value(made, "EUR", TUESDAY_NOON + 3) == D("1.08")


def reference(currency: str, rate: str, day: date) -> ReferenceRate:
    return ReferenceRate(currency=currency, value=D(rate), date=day)


class TestReference:
    """Reference data is fresh until the end of the next business day after its date."""

    @pytest.mark.parametrize(
        ("day", "last_moment"),
        [
            (date(2026, 3, 3), "2026-03-04T23:59:59.999999999Z"),
            (date(2026, 3, 5), "2026-03-06T23:59:59.999999999Z"),
            (date(2026, 3, 6), "2026-03-09T23:59:59.999999999Z"),
            (date(2026, 3, 7), "2026-03-09T23:59:59.999999999Z"),
            (date(2026, 3, 8), "2026-03-09T23:59:59.999999999Z"),
        ],
    )
    def test_it_is_fresh_until_the_end_of_the_next_business_day(
        self, day: date, last_moment: str
    ) -> None:
        made = Rates("USD", 15)
        made.take_reference([reference("CHF", "1.1", day)])
        last = parse_rfc3339(last_moment)
        assert made.is_fresh("CHF", last)
        assert not made.is_fresh("CHF", last + 1)
        assert value(made, "CHF", last + 1) == D("1.1")

    def test_it_holds_from_the_beginning_of_its_day(self) -> None:
        made = Rates("USD", 15)
        made.take_reference(
            [reference("CHF", "1.2", date(2026, 3, 4)), reference("CHF", "1.1", date(2026, 3, 3))]
        )
        midnight = parse_rfc3339("2026-03-04T00:00:00Z")
        assert value(made, "CHF", midnight - 1) == D("1.1")
        rate = made.rate("CHF", midnight)
        assert rate is not None
        assert (rate.value, rate.time, rate.source) == (D("1.2"), midnight, "reference")
        assert value(made, "CHF", parse_rfc3339("2026-03-02T23:59:59Z")) is None

    def test_a_gap_in_the_quotes_does_not_bring_back_an_older_day(self) -> None:
        """The quote's 1.38 is the last known value; 1.30 was known days before it."""
        made = rates(quote("EUR_USD", "1.38"))
        made.take_reference([reference("EUR", "1.30", date(2026, 3, 2))])
        last_fresh = TUESDAY_NOON + 15 * SECOND
        for now, fresh in ((last_fresh, True), (last_fresh + 1, False)):
            rate = made.rate("EUR", now)
            assert rate is not None
            assert (rate.value, rate.source, rate.fresh) == (D("1.38"), "EUR_USD", fresh)
            assert made.value("EUR", now) == D("1.38")
        made.take_quote(default_instrument("EUR_USD"), quote("EUR_USD", "1.39", last_fresh + 1))
        assert made.value("EUR", last_fresh + 1) == D("1.39")
        assert made.is_fresh("EUR", last_fresh + 1)

    @pytest.mark.parametrize(("behind", "counts"), [(-1, D("1.08")), (0, D("1.08")), (1, D("1.1"))])
    def test_it_goes_before_a_stale_quote_only_where_its_day_began_after_it(
        self, behind: Nanos, counts: Decimal
    ) -> None:
        midnight = parse_rfc3339("2026-03-03T00:00:00Z")
        made = rates(quote("EUR_USD", "1.08", midnight - behind))
        made.take_reference([reference("EUR", "1.1", date(2026, 3, 3))])
        assert value(made, "EUR", midnight) == D("1.08")
        rate = made.rate("EUR", midnight + 16 * SECOND)
        assert rate is not None
        assert (rate.value, rate.fresh) == (counts, counts == D("1.1"))

    def test_of_two_stale_ones_the_newer_counts(self) -> None:
        long_after = parse_rfc3339("2026-03-20T12:00:00Z")
        for day, counts in ((date(2026, 3, 2), D("1.08")), (date(2026, 3, 4), D("1.1"))):
            made = rates(quote("EUR_USD", "1.08"))
            made.take_reference([reference("EUR", "1.1", day)])
            assert value(made, "EUR", long_after) == counts
            assert not made.is_fresh("EUR", long_after)

    def test_a_stale_quote_of_a_second_pair_does_not_bring_it_back_either(self) -> None:
        made = rates(quote("EUR_USD", "1.08"), quote("EUR-USD", "1.09", TUESDAY_NOON - SECOND))
        made.take_reference([reference("EUR", "1.1", date(2026, 3, 3))])
        assert value(made, "EUR", TUESDAY_NOON + 16 * SECOND) == D("1.08")

    @pytest.mark.parametrize("bad", ["NaN", "0", "-1", "Infinity"])
    def test_what_is_no_rate_is_left_out(self, bad: str) -> None:
        made = Rates("USD", 15)
        made.take_reference(
            [reference("EUR", bad, date(2026, 3, 3)), reference("USD", "2", date(2026, 3, 3))]
        )
        assert value(made, "EUR") is None
        assert value(made, "USD") == 1

    def test_new_reference_data_replaces_the_old(self) -> None:
        made = Rates("USD", 15)
        made.take_reference([reference("EUR", "1.1", date(2026, 3, 3))])
        made.take_reference([reference("CHF", "1.2", date(2026, 3, 3))])
        assert value(made, "EUR") is None

    @pytest.mark.parametrize("day", [date.min, date.max])
    def test_any_date_has_an_answer(self, day: date) -> None:
        made = Rates("USD", 15)
        made.take_reference([reference("EUR", "1.1", day)])
        assert not made.is_fresh("EUR", TUESDAY_NOON)


class TestRemembered:
    """What a quote told before the process began is the last known value, and no fresh one."""

    def test_it_counts_and_is_not_fresh(self) -> None:
        made = Rates("USD", 15)
        made.remember("EUR", D("1.38"), TUESDAY_NOON)
        rate = made.rate("EUR", TUESDAY_NOON)
        assert rate is not None
        assert (rate.value, rate.time, rate.fresh) == (D("1.38"), TUESDAY_NOON, False)
        assert made.value("EUR", TUESDAY_NOON) == D("1.38")

    @pytest.mark.parametrize(("behind", "counts"), [(-1, "1.38"), (0, "1.38"), (1, "1.3")])
    def test_reference_data_counts_where_its_day_began_later(
        self, behind: Nanos, counts: str
    ) -> None:
        midnight = parse_rfc3339("2026-03-03T00:00:00Z")
        made = Rates("USD", 15)
        made.remember("EUR", D("1.38"), midnight - behind)
        made.take_reference([reference("EUR", "1.3", date(2026, 3, 3))])
        assert value(made, "EUR", midnight) == D(counts)
        assert made.is_fresh("EUR", midnight) is (counts == "1.3")

    @pytest.mark.parametrize(("later", "counts"), [(-1, "1.38"), (0, "1.37"), (1, "1.37")])
    def test_a_quote_counts_from_the_same_time_on(self, later: Nanos, counts: str) -> None:
        made = Rates("USD", 15)
        made.remember("EUR", D("1.38"), TUESDAY_NOON)
        made.take_quote(
            default_instrument("EUR_USD"),
            quote("EUR_USD", "1.37", TUESDAY_NOON + later, stale_at=TUESDAY_NOON + later + 1),
        )
        long_after = TUESDAY_NOON + 3600 * SECOND
        assert value(made, "EUR", long_after) == D(counts)
        assert made.value("EUR", long_after) == D(counts)

    def test_the_time_of_a_quote_is_told_and_that_of_reference_data_is_not(self) -> None:
        made = rates(quote("EUR_USD", "1.38"))
        made.take_reference([reference("CHF", "1.1", date(2026, 3, 3))])
        made.remember("GBP", D("1.5"), TUESDAY_NOON - 1)
        assert made.quoted_at(("CHF", "EUR", "GBP", "JPY", "USD"), TUESDAY_NOON) == {
            "EUR": TUESDAY_NOON,
            "GBP": TUESDAY_NOON - 1,
        }


class TestCross:
    """A cross goes through the base currency, and only over two fresh legs."""

    def test_it_is_the_ratio_of_both_legs_and_as_old_as_the_older(self) -> None:
        made = rates(quote("EUR_USD", "1.2"), quote("GBP_USD", "1.5", TUESDAY_NOON - SECOND))
        rate = made.cross("EUR", "GBP", TUESDAY_NOON)
        assert rate is not None
        assert (rate.value, rate.time) == (D("0.8"), TUESDAY_NOON - SECOND)
        back = made.cross("USD", "EUR", TUESDAY_NOON)
        assert back is not None
        assert abs(Fraction(back.value) - Fraction(10, 12)) < Fraction(1, 10**27)

    def test_a_stale_or_missing_leg_gives_none(self) -> None:
        made = rates(quote("EUR_USD", "1.2"), quote("GBP_USD", "1.5", TUESDAY_NOON - SECOND))
        assert made.cross("EUR", "GBP", TUESDAY_NOON + 14 * SECOND) is not None
        assert made.cross("EUR", "GBP", TUESDAY_NOON + 14 * SECOND + 1) is None
        assert made.cross("GBP", "EUR", TUESDAY_NOON + 14 * SECOND + 1) is None
        assert made.cross("EUR", "CHF", TUESDAY_NOON) is None


NUMBERS = st.decimals() | st.none()


@given(
    last=st.decimals() | st.sampled_from([D("1e18"), D("1e19"), D("1e-18"), D("1e-19")]),
    bid=NUMBERS,
    ask=NUMBERS,
    time=st.integers(0, 2**63),
    now=st.integers(0, 2**63),
    symbol=st.sampled_from(["EUR_USD", "USD_EUR", "EUR-USD"]),
)
def test_whatever_is_quoted_a_rate_is_finite_and_positive_or_none(
    *,
    last: Decimal,
    bid: Decimal | None,
    ask: Decimal | None,
    time: Nanos,
    now: Nanos,
    symbol: str,
) -> None:
    made = Rates("USD", 15)
    given_quote = Quote(symbol=symbol, bid=bid, ask=ask, last=last, time=time)
    taken = made.take_quote(default_instrument(symbol), given_quote)
    rate = made.rate("EUR", now)
    assert taken is (rate is not None)
    if rate is not None:
        assert rate.value.is_finite()
        assert rate.value > 0


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["EUR_USD", "EUR-USD", "USD_JPY", "BTC-USD"]),
            st.sampled_from(["0.9", "1.08", "160"]),
            st.sampled_from([-40, -1, 0, 1, 30]),
        ),
        max_size=12,
    ),
    st.booleans(),
)
def test_the_value_alone_is_that_of_the_rate_in_force(
    told: list[tuple[str, str, int]], reference: bool
) -> None:
    made = rates()
    if reference:
        made.take_reference([ReferenceRate(currency="EUR", date=date(2026, 3, 2), value=D("1.1"))])
    for symbol, price, seconds in told:
        given_at = TUESDAY_NOON + seconds * SECOND
        made.take_quote(default_instrument(symbol, ""), quote(symbol, price, given_at))
        for now in (TUESDAY_NOON, TUESDAY_NOON + 20 * SECOND, SUNDAY_OPEN):
            for currency in ("EUR", "JPY", "BTC", "USD", "CHF"):
                assert made.value(currency, now) == value(made, currency, now)
