"""What must not be echoed or run: values of unknown keys, and cells of a CSV (U-72)."""

import csv
import io
from decimal import Decimal

import pytest

from brokers import venue_kinds
from console.host.output import Format, listing
from engine.config.load import ConfigError, parse

CANARY = "canary"


@pytest.mark.parametrize(
    "text",
    [
        '[secrets]\nalpaca = "canary"',
        '[keys]\nalpaca = ["canary"]',
        'secrets = "canary"',
        "keys = 'canary'",
        '[brokers.alpaca]\nprivate = "canary"',
        '[brokers.paper]\nnote = "canary"',
        '[brokers.mine]\nnote = "canary"',
        '[brokers]\nalpaca = "canary"',
        '[brokers.paper]\nlatency_ms = { password = "canary" }',
        '[brokers.paper.deep]\nprivate = { a = ["canary"] }',
        'mode = { private = "canary" }',
        '[risk]\nmax_positons = "canary"',
        '[[routes]]\nprivate = "canary"',
        'risk = "canary"',
        '[data]\nprovider_private = "canary"',
    ],
)
def test_the_value_of_a_key_that_is_unknown_is_never_told(text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(text, {}, venue_kinds())
    told = str(refused.value)
    assert CANARY not in told
    assert "***" in told


@pytest.mark.parametrize(
    "name",
    [
        "MERIDIAN_SECRETS",
        "MERIDIAN_SECRETS__ALPACA",
        "MERIDIAN_KEYS__A__B",
        "MERIDIAN_BROKERS__PAPER__PRIVATE",
        "MERIDIAN_BROKERS__ALPACA__PRIVATE",
        "MERIDIAN_BROKERS__ALPACA",
        "MERIDIAN_BROKERS",
        "MERIDIAN_ANYTHING",
        "MERIDIAN_RISK",
    ],
)
@pytest.mark.parametrize("value", [CANARY, '"canary"', '["canary"]', '{ a = "canary" }'])
def test_the_value_of_a_variable_that_is_no_key_is_never_told(name: str, value: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse("", {name: value}, venue_kinds())
    assert CANARY not in str(refused.value)


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ('=HYPERLINK("http://x","y")', '\'=HYPERLINK("http://x","y")'),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        (" =1+1", "' =1+1"),
        ("-", "'-"),
        ("-1.5", "-1.5"),
        ("+2", "+2"),
        ("-1E-8", "-1E-8"),
        (Decimal("-2970.25"), "-2970.25"),
        (-3, "-3"),
        ("AAPL", "AAPL"),
        ("a=b", "a=b"),
        ("", ""),
        (None, ""),
    ],
)
def test_a_cell_that_a_spreadsheet_would_run_is_text(
    value: object, cell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    listing([{"symbol": value, "reason": value}], ("symbol", "reason"), Format.CSV)
    (_, row) = csv.reader(io.StringIO(capsys.readouterr().out))
    assert row == [cell, cell]


@pytest.mark.parametrize("white", ["\t", "\r", "\n"])
def test_white_space_hides_no_formula(white: str, capsys: pytest.CaptureFixture[str]) -> None:
    listing([{"reason": f"{white}=1+1"}], ("reason",), Format.CSV)
    (_, row) = csv.reader(io.StringIO(capsys.readouterr().out))
    assert row[0].startswith("'") or not row[0].lstrip().startswith("=")
