"""Numbers and times from outside: none is guessed, and what is none is seen to be none."""

from decimal import Decimal
from typing import Any

import pytest

from brokers.net.numbers import (
    number,
    number_or_none,
    price_or_none,
    time_of,
    time_of_millis,
    written,
)
from engine.domain.instant import parse_rfc3339

D = Decimal


@pytest.mark.parametrize(
    ("given", "found"),
    [("1.50", "1.50"), ("-3", "-3"), ("1e-8", "1e-8"), (7, "7"), (D("2.5"), "2.5"), ("0", "0")],
)
def test_a_number_is_exact(given: Any, found: str) -> None:
    assert number(given) == D(found)


@pytest.mark.parametrize("given", ["1", "+1", "1.", "1.0", "1E0", "10e-1", "0001", "01E+0000"])
def test_each_way_to_write_a_number_in_digits_is_read(given: str) -> None:
    assert number(given) == 1


@pytest.mark.parametrize("given", [".5", "-.5", "5e-1", "-0.5E+0"])
def test_a_number_below_one_is_read(given: str) -> None:
    assert abs(number(given)) == D("0.5")


ODD = [
    "1_000",
    " 1",
    "1 ",
    "1\n",
    "sNaN",
    "-sNaN12",
    "NaN",
    "Infinity",
    "1E+99999",
    ".",
    "+",
    "0x10",
]


@pytest.mark.parametrize("given", [*ODD, D("sNaN"), D("NaN")])
def test_what_only_python_takes_for_a_number_is_none_and_can_be_compared(given: Any) -> None:
    """Each is asked as adapters ask: a comparison with "sNaN" would raise (U-53, fault 46)."""
    found = price_or_none(given)
    assert found is not None
    assert found.is_qnan()
    assert number_or_none(given) not in {None, D(0)}
    assert time_of_millis(given) == 0


@pytest.mark.parametrize("given", ["", "abc", None, 0.1, True, "1,5", "٣", "1" * 65, [], "--1"])
def test_what_is_no_number_is_seen_to_be_none(given: Any) -> None:
    assert number(given).is_nan()


def test_nothing_and_zero() -> None:
    assert number_or_none(None) is None
    assert number_or_none("") is None
    assert number_or_none("0") == 0
    assert price_or_none("0.00") is None
    assert price_or_none("0.01") == D("0.01")
    nan = price_or_none("abc")
    assert nan is not None
    assert nan.is_nan()


@pytest.mark.parametrize(
    ("value", "text"), [("1E-8", "0.00000001"), ("1E+3", "1000"), ("1.50", "1.50")]
)
def test_a_number_is_written_without_an_exponent(value: str, text: str) -> None:
    assert written(D(value)) == text


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2026-11-30T10:00:00Z", "2026-11-30T10:00:00Z"),
        ("2026-11-30T10:00:00.123456789Z", "2026-11-30T10:00:00.123456789Z"),
        ("2026-11-30T05:00:00.5-05:00", "2026-11-30T10:00:00.5Z"),
    ],
)
def test_a_time_is_exact_to_the_nanosecond(text: str, same: str) -> None:
    assert time_of(text) == parse_rfc3339(same)


@pytest.mark.parametrize(
    "given", ["", "soon", None, 5, "2026-11-30T10:00:00", "2026-11-30T10:00:00.1234567891Z"]
)
def test_what_is_no_time_is_0(given: Any) -> None:
    assert time_of(given) == 0


def test_milliseconds() -> None:
    assert time_of_millis(1_700_000_000_123) == 1_700_000_000_123_000_000
    assert time_of_millis("1700000000123") == 1_700_000_000_123_000_000
    for wrong in (0, -1, "x", None, 10**16):
        assert time_of_millis(wrong) == 0


@pytest.mark.parametrize(
    ("millis", "is_one"), [(253_402_300_799_999, True), (253_402_300_800_000, False)]
)
def test_a_time_after_the_year_9999_is_none(millis: int, is_one: bool) -> None:
    """A clock that is set by it could not be written, and nothing would be signed any more."""
    assert time_of_millis(str(millis)) == (millis * 1_000_000 if is_one else 0)
