"""What a check measured, as it is drawn."""

import pytest

from console.ui.measures import label, measures, short_code
from engine.domain.codes import Code
from engine.risk.gate import CHECKS


def test_every_check_of_the_gate_has_a_name_of_its_own() -> None:
    names = [label(check.code) for check in CHECKS]
    assert len(set(names)) == len(CHECKS)
    assert not {str(code) for code in Code} & set(names)
    assert max(map(len, names)) <= 16


@pytest.mark.parametrize(
    ("code", "given", "shown"),
    [
        ("SINGLE_EXPOSURE", ("0.046", "0.2"), ("4.6%", "20.0%")),
        ("GROSS_EXPOSURE", ("1.00004", "1"), ("100.004%", "100.000%")),
        ("GROSS_EXPOSURE", ("1", "1"), ("100.0%", "100.0%")),
        ("STALE_QUOTE", ("1.23456789", "15"), ("1.235s", "15s")),
        ("STALE_QUOTE", ("0.000021", "15"), ("0s", "15s")),
        ("BUYING_POWER", ("4580.00000001", "99000.50"), ("4,580", "99,000.5")),
        ("RUN_STATE", ("ACTIVE", "ACTIVE"), ("ACTIVE", "ACTIVE")),
        ("NO_PRICE", ("229", "> 0"), ("229", "> 0")),
    ],
)
def test_shares_seconds_and_numbers(
    code: str, given: tuple[str, str], shown: tuple[str, str]
) -> None:
    assert measures(code, *given) == shown


def test_long_codes_differ_within_their_column() -> None:
    assert {short_code(c)[:13] for c in ("DUPLICATE_SIGNAL", "DUPLICATE_POSITION")} == {
        "DUP_SIGNAL",
        "DUP_POSITION",
    }


@pytest.mark.parametrize(
    ("code", "measured", "limit", "shown"),
    [
        (Code.BAD_TICK, "1.05", "0.00001", ("1.05", "0.00001")),
        (Code.BAD_LOT, "0.05", "0.00001", ("0.05", "0.00001")),
        (Code.BAD_LOT, "0.000012345", "0.00000001", ("0.000012345", "0.00000001")),
        (Code.NO_PRICE, "1.09999", "> 0", ("1.09999", "> 0")),
        (Code.INVALID_STOP, "1.09995", "below 1.10002", ("1.09995", "below 1.10002")),
        (Code.INVALID_TARGET, "60000.123", "above", ("60,000.123", "above")),
        (Code.BAD_TICK, "1E+1", "0.010", ("10", "0.01")),
        (Code.MAX_NOTIONAL, "0.00004", "50000", ("0.00004", "50,000")),
        (Code.MAX_NOTIONAL, "3002.99949", "50000", ("3,002.999", "50,000")),
    ],
)
def test_a_price_and_a_grid_are_shown_as_they_are_and_nothing_small_as_nothing(
    code: Code, measured: str, limit: str, shown: tuple[str, str]
) -> None:
    """A tick of 0.00001 was shown as a limit of 0."""
    assert measures(code, measured, limit) == shown
