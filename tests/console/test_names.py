"""How a contract is named where its id does not fit (U-10)."""

from decimal import Decimal

import pytest

from console.ui.panes.base import name_cell
from console.ui.widgets.rows import Cell
from engine.domain.instrument import AssetClass, Facts, instrument_of
from engine.domain.instruments.option import OptionRight

FUTURE = Facts(multiplier=Decimal(50))
BY_TABLE = Facts(
    asset_class=AssetClass.OPTION,
    terms={
        "underlying": "SPXW",
        "expiry": "2026-03-02",
        "strike": Decimal("5850.5"),
        "right": OptionRight.PUT,
    },
)


@pytest.mark.parametrize(
    ("symbol", "facts", "short"),
    [
        ("AAPL 2026-12-18 200 C", Facts(), "AAPL 18Dec26 200C"),
        ("KO 2027-01-05 62.5 P", Facts(), "KO 5Jan27 62.5P"),
        ("ES 2026-12", FUTURE, "ES Dec26"),
        (
            "CL 2026-02",
            Facts(multiplier=Decimal(1000), terms={"expiry": "2026-02-20"}),
            "CL 20Feb26",
        ),
        # an id of the user's own that says less than its contract, and is shorter
        ("SPXW-P5850", BY_TABLE, ""),
        ("SPXW260302P05850500", BY_TABLE, "SPXW 2Mar26 5850.5P"),
        ("ESZ6", Facts(asset_class=AssetClass.FUTURE, multiplier=Decimal(50)), ""),
        ("AAPL", Facts(), ""),
        ("BTC-USD", Facts(), ""),
    ],
)
def test_the_short_name_says_the_same_as_the_id(symbol: str, facts: Facts, short: str) -> None:
    made = instrument_of(symbol, facts)
    # As long as the id it is no better than the id.
    expected = "" if len(short) >= len(symbol) else short
    assert name_cell(made) == Cell(symbol, "strong", short=expected)


def test_the_account_of_a_holding_follows_either_name() -> None:
    made = instrument_of("AAPL 2026-12-18 200 C", Facts())
    assert name_cell(made, "AAPL 2026-12-18 200 C @eur") == Cell(
        "AAPL 2026-12-18 200 C @eur",
        "strong",
        short="AAPL 18Dec26 200C @eur",
    )
    stock = instrument_of("AAPL", Facts())
    assert name_cell(stock, "AAPL @eur") == Cell("AAPL @eur", "strong")


@pytest.mark.parametrize(
    ("symbol", "facts", "least"),
    [
        ("AAPL 2026-12-18 200 C", Facts(), "AAPL…200C"),
        ("KO 2027-01-05 62.5 P", Facts(), "KO…62.5P"),
        ("ES 2026-12", FUTURE, "ESZ26"),
        # the day it expires on does not tell the month it is named by
        ("CL 2026-02", Facts(multiplier=Decimal(1000), terms={"expiry": "2026-02-20"}), ""),
        ("AAPL", Facts(), ""),
    ],
)
def test_the_least_name_keeps_the_end_by_which_contracts_differ(
    symbol: str, facts: Facts, least: str
) -> None:
    made = instrument_of(symbol, facts)
    assert name_cell(made, f"{symbol} @eur", brief=True).least == (f"{least} @eur" if least else "")
    assert not name_cell(made).least
