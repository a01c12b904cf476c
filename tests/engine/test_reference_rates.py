"""Rates from a file: one sentence for every bad line (X-86)."""

from datetime import date
from decimal import Decimal

import pytest

from engine.reference.rates import RatesError, ReferenceRate, read_rates

HEADER = "currency,rate,date"


def test_rates_are_read_in_their_order() -> None:
    text = f"{HEADER}\nEUR,1.0842,2026-11-27\nBTC,91000,2026-11-27\nEUR,1.08,2026-11-26\n"
    assert read_rates(text, "USD", "rates.csv") == (
        ReferenceRate(currency="EUR", value=Decimal("1.0842"), date=date(2026, 11, 27)),
        ReferenceRate(currency="BTC", value=Decimal(91000), date=date(2026, 11, 27)),
        ReferenceRate(currency="EUR", value=Decimal("1.08"), date=date(2026, 11, 26)),
    )
    assert read_rates(f"{HEADER}\n", "USD", "rates.csv") == ()


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("EUR,1.08", "3 fields are needed, 2 are there"),
        ("EUR,1.08,2026-11-27,x", "3 fields are needed, 4 are there"),
        ("eur,1.08,2026-11-27", "currency is 'eur': 1 to 16 capital letters and digits"),
        (",1.08,2026-11-27", "currency is ''"),
        ("E\x1bR,1.08,2026-11-27", "currency is 'E\ufffdR'"),
        ("USD,1,2026-11-27", "currency is USD, which is the base currency"),
        ("EUR,0,2026-11-27", "rate is '0': a number above 0 is allowed"),
        ("EUR,0.000,2026-11-27", "rate is '0.000'"),
        ("EUR,-1,2026-11-27", "rate is '-1'"),
        ("EUR,NaN,2026-11-27", "rate is 'NaN'"),
        ("EUR,Infinity,2026-11-27", "rate is 'Infinity'"),
        ("EUR,1e5,2026-11-27", "rate is '1e5'"),
        ("EUR,1_0,2026-11-27", "rate is '1_0'"),
        ("EUR, 1,2026-11-27", "rate is ' 1'"),
        ("EUR,,2026-11-27", "rate is ''"),
        ("EUR,1.08,2026-02-29", "date is '2026-02-29': a date that exists is allowed"),
        ("EUR,1.08,27.11.2026", "date is '27.11.2026'"),
        ("EUR,1.08,2026-W48-5", "date is '2026-W48-5'"),
        ("GBP,1.3,2026-11-27", "GBP has a rate for 2026-11-27 already"),
    ],
)
def test_a_bad_row_is_one_sentence_with_its_line(row: str, says: str) -> None:
    text = f"{HEADER}\nGBP,1.27,2026-11-27\n{row}\nCHF,1.1,2026-11-27\n"
    with pytest.raises(RatesError) as refused:
        read_rates(text, "USD", "rates.csv")
    (problem,) = refused.value.problems
    assert problem.startswith("rates.csv line 3: ")
    assert says in problem


def test_every_bad_row_is_told_at_once() -> None:
    text = f"{HEADER}\nEUR,0,2026-11-27\nGBP,1.27,2026-11-27\nCHF,x,2026-11-27\n"
    with pytest.raises(RatesError) as refused:
        read_rates(text, "USD", "rates.csv")
    assert [problem.split(":")[0] for problem in refused.value.problems] == [
        "rates.csv line 2",
        "rates.csv line 4",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "rates.csv is empty: the header currency,rate,date is needed"),
        ("currency,date,rate\n", "rates.csv line 1: the header must be currency,rate,date"),
        (
            f'{HEADER}\n"EUR,1,2026-11-27\n',
            "rates.csv line 2 column 1: a quote is opened here and is not closed on this line",
        ),
    ],
)
def test_what_is_no_table_of_rates_is_refused(text: str, says: str) -> None:
    with pytest.raises(RatesError, match=says):
        read_rates(text, "USD", "rates.csv")
