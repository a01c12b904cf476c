"""The reference rates of `[data] rates` at the paper venue, as the engine has them (X-86)."""

import datetime
from decimal import Decimal

import pytest

from engine.domain.instrument import Facts, instrument_of
from engine.ports import Rejected
from engine.reference.rates import ReferenceRate, restated
from tests.brokers.kit import FREE, D, rig

VOD = instrument_of("VOD", Facts(currency="GBP"))
FRIDAY = datetime.date(2026, 2, 27)
MONDAY = datetime.date(2026, 3, 2)


def told(currency: str, value: str, date: datetime.date = FRIDAY) -> ReferenceRate:
    return ReferenceRate(currency=currency, value=D(value), date=date)


def test_an_order_is_paid_at_the_reference_rate_where_no_pair_has_a_price() -> None:
    with rig(terms=FREE, instruments={"VOD": VOD}, rates=(told("GBP", "1.5"),)) as r:
        r.price("100", "VOD")
        r.submit("a", "BUY", "10", symbol="VOD")
        assert r.status("a") == "FILLED"
        account = r.venue.account()
        assert account.balances["GBP"] == -1_000
        assert account.equity == FREE.initial_cash
        assert account.buying_power == FREE.initial_cash - 1_500


def test_a_pair_that_has_a_price_goes_before_it() -> None:
    with rig(terms=FREE, instruments={"VOD": VOD}, rates=(told("GBP", "1.5"),)) as r:
        r.price("2", "GBP_USD")
        r.price("100", "VOD")
        r.submit("a", "BUY", "10", symbol="VOD")
        assert r.venue.account().buying_power == FREE.initial_cash - 2_000


def test_a_rate_of_a_day_that_has_not_begun_is_none() -> None:
    tomorrow = told("GBP", "1.5", datetime.date(2999, 1, 1))
    with rig(terms=FREE, instruments={"VOD": VOD}, rates=(tomorrow,)) as r:
        r.price("100", "VOD")
        with pytest.raises(Rejected, match="no rate of GBP"):
            r.submit("a", "BUY", "10", symbol="VOD")


@pytest.mark.parametrize(
    ("currency", "value"), [("USD", D("0.8")), ("JPY", D("0.008")), ("EUR", None)]
)
def test_rates_are_restated_in_the_currency_of_an_account(
    currency: str, value: Decimal | None
) -> None:
    rates = (told("EUR", "1.25"), told("JPY", "0.01"))
    found = {rate.currency: rate.value for rate in restated(rates, "USD", "EUR")}
    assert found.get(currency) == value


def test_a_rate_is_restated_by_the_newest_of_the_other_that_its_day_knew() -> None:
    rates = (told("EUR", "1.25"), told("EUR", "2", MONDAY), told("JPY", "0.01", MONDAY))
    found = {(r.currency, r.date): r.value for r in restated(rates, "USD", "EUR")}
    assert found == {
        ("USD", FRIDAY): D("0.8"),
        ("USD", MONDAY): D("0.5"),
        ("JPY", MONDAY): D("0.005"),
    }


def test_without_a_rate_of_the_accounts_currency_nothing_is_known() -> None:
    assert restated((told("JPY", "0.01"),), "USD", "EUR") == ()


def test_in_the_base_currency_they_stay_as_they_are() -> None:
    rates = (told("EUR", "1.25"), told("JPY", "0.01"))
    assert restated(rates, "USD", "USD") == rates
