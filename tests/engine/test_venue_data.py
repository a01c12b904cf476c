"""Venues from a file, with a date and one sentence for every bad line (A-461 to A-463)."""

from datetime import date
from decimal import Decimal

import pytest

from engine.reference.venues import (
    COLUMNS,
    FeeModel,
    FeeUnit,
    Venue,
    VenuesError,
    VenueType,
    read_venues,
    us_equities,
)

HEADER = ",".join(COLUMNS)
GOOD = "X,lit_exchange,maker_taker,unit,-0.002,0.003,0.8,0.85,0.0001,0.02,2026-11-30"


def test_a_row_is_read_with_its_date() -> None:
    assert read_venues(f"{HEADER}\n{GOOD}\n", "venues.csv") == (
        Venue(
            name="X",
            type=VenueType.LIT_EXCHANGE,
            fee_model=FeeModel.MAKER_TAKER,
            fee_unit=FeeUnit.UNIT,
            maker=Decimal("-0.002"),
            taker=Decimal("0.003"),
            latency_ms=Decimal("0.8"),
            fill_rate=Decimal("0.85"),
            price_improvement=Decimal("0.0001"),
            adverse_selection=Decimal("0.02"),
            as_of=date(2026, 11, 30),
        ),
    )


def test_the_published_table_is_built_in_with_a_date() -> None:
    found = {v.name: v for v in us_equities()}
    assert {name: (str(v.maker), str(v.taker)) for name, v in found.items()} == {
        "NYSE": ("-0.0020", "0.0030"),
        "NASDAQ": ("-0.0025", "0.0030"),
        "ARCA": ("-0.0024", "0.0030"),
        "BZX": ("-0.0025", "0.0030"),
        "BYX": ("0.0003", "-0.0002"),
        "IEX": ("0", "0.0009"),
        "EDGX": ("-0.0020", "0.0030"),
        "EDGA": ("0.0004", "-0.0002"),
        "MEMX": ("-0.0020", "0.0025"),
        "DARK_MIDPOINT": ("0", "0.0010"),
        "SIGMA_X": ("0", "0.0008"),
    }
    measured = {
        name: (str(v.latency_ms), str(v.fill_rate))
        for name, v in found.items()
        if v.fill_rate is not None
    }
    assert measured == {
        "NYSE": ("0.8", "0.85"),
        "NASDAQ": ("0.5", "0.88"),
        "ARCA": ("0.6", "0.82"),
        "BZX": ("0.4", "0.80"),
        "BYX": ("0.5", "0.75"),
        "IEX": ("1.5", "0.78"),
        "MEMX": ("0.3", "0.76"),
        "DARK_MIDPOINT": ("2.0", "0.45"),
        "SIGMA_X": ("3.0", "0.40"),
    }
    assert [name for name, v in found.items() if not v.is_lit] == ["DARK_MIDPOINT", "SIGMA_X"]
    assert {v.as_of for v in found.values()} == {date(2026, 11, 30)}


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("venue", "", "venue is '': a text of 1 to 32 characters is allowed"),
        ("venue", " X", "venue is ' X'"),
        ("type", "lit", "type is 'lit': one of lit_exchange, dark_pool, ats, internalizer"),
        ("fee_model", "", "fee_model is '': one of maker_taker, flat, inverted, free"),
        ("fee_unit", "bps", "fee_unit is 'bps': one of unit, notional is allowed"),
        ("maker", "", "maker is '': a number from -1 to 1 is allowed"),
        ("maker", "NaN", "maker is 'NaN'"),
        ("taker", "1.0001", "taker is '1.0001'"),
        ("latency_ms", "-0.1", "latency_ms is '-0.1': a number from 0 to 60000 is allowed"),
        ("fill_rate", "1.01", "fill_rate is '1.01': a number from 0 to 1 is allowed"),
        ("price_improvement", "2", "price_improvement is '2'"),
        ("adverse_selection", "x", "adverse_selection is 'x'"),
        ("as_of", "2026-02-30", "as_of is '2026-02-30': a date that exists is allowed"),
        ("as_of", "", "as_of is ''"),
    ],
)
def test_a_bad_field_is_named_with_its_line(column: str, value: str, says: str) -> None:
    fields = GOOD.split(",")
    fields[COLUMNS.index(column)] = value
    with pytest.raises(VenuesError) as told:
        read_venues(f"{HEADER}\n{','.join(fields)}\n", "venues.csv")
    (problem,) = told.value.problems
    assert problem.startswith(f"venues.csv line 2: {says}")


@pytest.mark.parametrize(
    ("model", "maker", "taker", "fits"),
    [
        ("maker_taker", "0.002", "0.003", True),
        ("maker_taker", "0.003", "0.003", True),
        ("maker_taker", "0.0031", "0.003", False),
        ("inverted", "0.003", "0.002", True),
        ("inverted", "0.003", "0.003", False),
        ("flat", "0.003", "0.003", True),
        ("flat", "0.003", "0.002", False),
        ("free", "0", "0", True),
        ("free", "0", "0.001", False),
    ],
)
def test_fees_that_contradict_their_model_are_refused(
    model: str, maker: str, taker: str, fits: bool
) -> None:
    text = f"{HEADER}\nX,ats,{model},unit,{maker},{taker},,,,,2026-11-30\n"
    if fits:
        assert len(read_venues(text, "venues.csv")) == 1
        return
    with pytest.raises(VenuesError, match=f"a maker's fee of {maker} and a taker's of {taker}"):
        read_venues(text, "venues.csv")


def test_every_bad_line_is_told_of() -> None:
    text = f"{HEADER}\n{GOOD}\n{GOOD}\nX\n"
    with pytest.raises(VenuesError) as told:
        read_venues(text, "venues.csv")
    assert told.value.problems == (
        "venues.csv line 3: 'X' has a row already",
        "venues.csv line 4: 11 fields are needed, 1 are there",
    )
    with pytest.raises(VenuesError, match="is empty: the header venue,type"):
        read_venues("", "venues.csv")
    with pytest.raises(VenuesError, match="line 1: the header must be venue,type"):
        read_venues("venue,maker\n", "venues.csv")
    with pytest.raises(VenuesError, match="a quote is opened here"):
        read_venues(f'{HEADER}\n"X', "venues.csv")


@pytest.mark.parametrize(
    ("unit", "price", "taker", "maker"),
    [("unit", "200", "0.003", "-0.002"), ("notional", "60000", "180", "-120")],
)
def test_a_fee_is_of_the_unit_or_of_the_notional(
    unit: str, price: str, taker: str, maker: str
) -> None:
    text = f"{HEADER}\nX,ats,maker_taker,{unit},-0.002,0.003,,,,,2026-11-30\n"
    (venue,) = read_venues(text, "venues.csv")
    assert venue.fee(Decimal(price), takes=True) == Decimal(taker)
    assert venue.fee(Decimal(price), takes=False) == Decimal(maker)
