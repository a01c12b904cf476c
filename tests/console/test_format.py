"""Numbers as text: signs, separators, missing values, and the width they may take."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.ui import format as text
from console.ui.format import ASCII, NANOS_PER_SECOND, UNICODE
from console.ui.panes.base import fitted_price
from engine.domain.instrument import default_instrument

D = Decimal
MS = NANOS_PER_SECOND // 1_000


@pytest.mark.parametrize(
    ("value", "places", "expected"),
    [
        (None, 2, "-"),
        (D("NaN"), 2, "-"),
        (D("Infinity"), 2, "-"),
        (D("1E+31"), 2, "-"),
        (D("1234567.891"), 2, "1,234,567.89"),
        (D("1.005"), 2, "1.00"),
        (D("1.015"), 2, "1.02"),
        (D("-0.001"), 2, "0.00"),
        (D("0.25"), None, "0.25"),
        (120, None, "120"),
    ],
)
def test_number(value: Decimal | None, places: int | None, expected: str) -> None:
    assert text.number(value, places) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (D("441.6"), "+441.60"),
        (D("-70"), "-70.00"),
        (D("0"), "0.00"),
        (D("-0.004"), "0.00"),
        (D("0.004"), "0.00"),
        (D("12345.6"), "+12,345.60"),
        (None, "-"),
    ],
)
def test_a_signed_number_always_prints_its_sign(value: Decimal | None, expected: str) -> None:
    assert text.signed(value) == expected


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9))
def test_a_signed_number_says_which_side_of_zero_it_prints(value: Decimal) -> None:
    printed = text.signed(value)
    shown = D(printed.replace(",", ""))
    assert (printed[0] == "+", printed[0] == "-") == (shown > 0, shown < 0)


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [(D("0.028"), "+2.8%"), (D("-0.005"), "-0.5%"), (D("0"), "0.0%"), (None, "-")],
)
def test_a_rate_is_a_fraction_of_one(fraction: Decimal | None, expected: str) -> None:
    assert text.percent(fraction) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (D(999), "999"),
        (D(1000), "1.0k"),
        (D(61_200), "61.2k"),
        (D(1_042_331), "1.04M"),
        (D("18200000"), "18.2M"),
        (D(-17_115), "-17.1k"),
        (None, "-"),
    ],
)
def test_compact(value: Decimal | None, expected: str) -> None:
    assert text.compact(value) == expected


@pytest.mark.parametrize(
    ("nanos", "expected"),
    [
        (None, "-"),
        (-5, "0ms"),
        (0, "0ms"),
        (41 * MS, "41ms"),
        (100 * MS - 1, "99ms"),
        (100 * MS, "0.1s"),
        (9_999 * MS, "9.9s"),
        (10_000 * MS, "10s"),
        (59_999 * MS, "59s"),
        (60_000 * MS, "1m"),
        (3_600_000 * MS, "1h"),
        (86_400_000 * MS, "1d"),
        (10**9 * 86_400_000 * MS, "9999d"),
    ],
)
def test_age(nanos: int | None, expected: str) -> None:
    assert text.age(nanos) == expected


@given(st.integers(0, 10**24))
def test_an_age_fits_five_cells(nanos: int) -> None:
    assert 2 <= len(text.age(nanos)) <= 5


@pytest.mark.parametrize(
    ("used", "filled"),
    [
        (None, 0),
        (D("-1"), 0),
        (D(0), 0),
        (D("0.001"), 1),
        (D("0.61"), 6),
        (D("0.999"), 9),
        (D(1), 10),
        (D(2), 10),
        (D("NaN"), 0),
    ],
)
def test_bar(used: Decimal | None, filled: int) -> None:
    assert text.bar(used) == "▓" * filled + "░" * (10 - filled)
    assert text.bar(used, glyphs=ASCII) == "#" * filled + "." * (10 - filled)


@pytest.mark.parametrize(
    ("change", "unicode", "ascii_"),
    [(D("0.1"), "▲", "+"), (D("-0.1"), "▼", "-"), (D(0), " ", " "), (None, " ", " ")],
)
def test_tick(change: Decimal | None, unicode: str, ascii_: str) -> None:
    assert (text.tick(change), text.tick(change, ASCII)) == (unicode, ascii_)


@pytest.mark.parametrize(
    ("account", "expected"), [("PA3XYZ77", "PA…77"), ("12345", "12…45"), ("1234", "****"), ("", "")]
)
def test_an_account_id_is_masked(account: str, expected: str) -> None:
    assert text.mask_account(account) == expected
    assert all(ord(c) < 128 for c in text.mask_account(account, ASCII))


def test_sides() -> None:
    assert [text.position_side(D(n)) for n in (120, 0, -150)] == ["LONG", "FLAT", "SHORT"]
    assert [text.order_side(s) for s in ("BUY", "SELL", "SELL_SHORT")] == ["BUY", "SELL", "SHORT"]


def test_profit_style() -> None:
    assert [text.profit_style(v) for v in (D(1), D(-1), D(0), None)] == ["profit", "loss", "", ""]


def test_the_ascii_set_is_ascii_and_both_sets_tell_paper_from_live_by_shape() -> None:
    for name in ASCII.__dataclass_fields__:
        assert "".join(getattr(ASCII, name)).isascii(), name
    for glyphs in (UNICODE, ASCII):
        assert glyphs.paper != glyphs.live


@pytest.mark.parametrize(
    ("stop", "average", "shown"),
    [
        ("1", "229", "1.00"),
        ("0.5", "229", "0.50"),
        ("225", "229", "225.00"),
        ("0.505", "0.7", "0.5050"),
        ("0.505", "229", "0.5050"),
        ("1", None, "1.000"),
    ],
)
def test_a_stop_has_the_decimals_of_the_price_beside_it_unless_it_needs_more(
    stop: str, average: str | None, shown: str
) -> None:
    beside = None if average is None else D(average)
    assert fitted_price(D(stop), default_instrument("AAPL"), 7, beside) == shown
