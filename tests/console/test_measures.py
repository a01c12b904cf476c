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
