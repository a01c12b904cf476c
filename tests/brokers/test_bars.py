"""Bars and instruments from files: one clear error, before anything trades (INTERFACE Files)."""

from datetime import date
from pathlib import Path

import pytest

from brokers.paper.bars import COLUMNS, check_bars, read_bars
from brokers.paper.instruments import Instruments, load_instruments
from engine.domain.instant import parse_rfc3339
from engine.domain.instrument import AssetClass
from engine.domain.instruments.option import OptionContract, OptionRight
from engine.reference.textfile import BadFile
from tests.brokers.kit import D

HEADER = ",".join(COLUMNS)
GOOD = "2013-10-07T14:00:00Z,SPY,10,12,9,11,500,10.9,100,11.1,200"


def write(tmp_path: Path, *rows: str, header: str = HEADER) -> Path:
    path = tmp_path / "bars.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_a_file_says_what_it_holds(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        GOOD,
        "2013-10-07T14:00:00Z,BAC,1,1,1,1,,,,,",
        "2013-10-07T10:05:00-04:00,SPY,10,12,9,11,0,10.9,0,11.1,200",
        "2013-10-07T14:06:00Z,SPY,10,12,9,11,1e3,,,,",
    )
    file = check_bars(path)
    assert (file.bars, file.symbols, file.seconds) == (4, ("SPY", "BAC"), 60)
    assert file.first == parse_rfc3339("2013-10-07T14:00:00Z")
    assert file.start == parse_rfc3339("2013-10-07T13:59:00Z")
    assert file.last == parse_rfc3339("2013-10-07T14:06:00Z")
    bars = list(read_bars(file))
    assert (bars[0].close, bars[0].ask_size, bars[0].seconds) == (D(11), D(200), 60)
    assert (bars[1].volume, bars[1].bid) == (None, None)
    assert [bar.volume for bar in bars[2:]] == [D(0), D(1000)]


@pytest.mark.parametrize(
    ("second", "seconds"), [("14:00:10", 10), ("14:05:00", 300), ("15:00:00", 3600)]
)
def test_the_length_of_a_bar_is_the_smallest_step(
    tmp_path: Path, second: str, seconds: int
) -> None:
    later = GOOD.replace("14:00:00", second)
    assert check_bars(write(tmp_path, GOOD, later)).seconds == seconds


def test_a_single_bar_is_a_minute(tmp_path: Path) -> None:
    assert check_bars(write(tmp_path, GOOD)).seconds == 60


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (GOOD.replace("10,12", "NaN,12"), "open is NaN"),
        (GOOD.replace("10,12", "-10,12"), "open is -10"),
        (GOOD.replace("10,12", "0,12"), "open is 0"),
        (GOOD.replace("10,12", "10,Infinity"), "high is Infinity"),
        (GOOD.replace("10,12", "10,1e999"), "high is 1e999"),
        (GOOD.replace("10,12", "10,1_2"), "high is '1_2'"),
        (GOOD.replace("10,12", "10,"), "high is ''"),
        (GOOD.replace("10,12", "10,10.5"), "do not enclose"),
        (GOOD.replace("9,11", "10.5,11"), "do not enclose"),
        (GOOD.replace("500", "-1"), "volume is -1"),
        (GOOD.replace("10.9,", "0,"), "bid is 0"),
        (GOOD.replace("10.9,", "11.2,"), "bid 11.2 is above ask 11.1"),
        (GOOD.replace("SPY", ""), "not a symbol"),
        (GOOD.replace("SPY", "\x1b[2J"), "not a symbol"),
        (GOOD.replace("14:00:00Z", "14:00:00"), "no offset"),
        (GOOD.replace("2013-10-07", "07/10/2013"), "RFC 3339"),
        (GOOD + ",1", "11 fields are needed, 12 are there"),
        ("2013-10-07T13:00:00Z,SPY,1,1,1,1,,,,,", "rows are sorted by time"),
        ("2013-10-07T13:59:00Z,SPY,1,1,1,1,,,,,", "SPY has a bar at"),
        ("2033-10-07T13:59:00Z,SPY,1,1,1,1,,,,,", "in the future"),
    ],
)
def test_a_bad_row_is_named_with_its_line(tmp_path: Path, row: str, says: str) -> None:
    first = GOOD.replace("14:00:00", "13:59:00")
    path = write(tmp_path, first, row)
    with pytest.raises(BadFile) as error:
        check_bars(path, not_after=parse_rfc3339("2026-01-01T00:00:00Z"))
    assert f"{path} line 3: " in str(error.value)
    assert says in str(error.value)
    assert "\x1b" not in str(error.value)


def test_a_bar_that_ends_now_is_not_of_the_future(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    end = parse_rfc3339("2013-10-07T14:00:00Z")
    assert check_bars(path, not_after=end).bars == 1
    with pytest.raises(BadFile):
        check_bars(path, not_after=end - 1)


def test_a_file_that_is_not_one_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="the header must be time,symbol"):
        check_bars(write(tmp_path, GOOD, header=HEADER.replace("time", "date")))
    with pytest.raises(BadFile, match="holds no bars"):
        check_bars(write(tmp_path))
    with pytest.raises(BadFile, match="cannot be read"):
        check_bars(tmp_path / "absent.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadFile, match="line 1 column 1: the byte 0xff is not UTF-8"):
        check_bars(tmp_path / "binary.csv")


TABLE = "symbol,asset_class,tick,lot,multiplier,currency,calendar,shortable"


def test_a_symbols_shape_says_what_it_is_and_a_table_overrides_it(tmp_path: Path) -> None:
    path = tmp_path / "instruments.csv"
    path.write_text(f"{TABLE}\nES,future,0.25,1,50,USD,,\nSOL-USD,,0.001,,,,,true\n")
    table = Instruments(load_instruments(path))
    future, sol, spy = table.get("ES"), table.get("SOL-USD"), table.get("SPY")
    assert (future.asset_class, future.tick, future.multiplier) == (
        AssetClass.FUTURE,
        D("0.25"),
        D(50),
    )
    assert (future.calendar, future.shortable) == ("XNYS", True)
    assert (sol.tick, sol.calendar, sol.shortable) == (D("0.001"), "24/7", True)
    assert (spy.calendar, table.get("EUR_USD").calendar) == ("XNYS", "FX")
    assert not table.get("BTC-USD").shortable


def test_a_market_of_its_own_calendar_puts_all_symbols_under_it(tmp_path: Path) -> None:
    path = tmp_path / "instruments.csv"
    path.write_text(f"{TABLE}\nES,future,,,50,,,\n")
    table = Instruments(load_instruments(path), calendar_name="SIM")
    assert {table.get(s).calendar for s in ("ES", "SPY", "BTC-USD")} == {"SIM"}
    assert table.calendar("SPY").name == "SIM"


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("ES,potato,,,,,,", "asset_class is 'potato'"),
        ("ES,,0,,,,,", "tick is '0'"),
        ("ES,,NaN,,,,,", "tick is 'NaN'"),
        ("ES,,,x,,,,", "lot is 'x'"),
        ("ES,,,,,U D,,", "currency is 'U D'"),
        ("ES,,,,,eur,,", "currency is 'eur': 1 to 16 capital letters and digits are allowed"),
        (f"ES,,,,,{'U' * 17},,", "1 to 16 capital letters and digits are allowed"),
        ("ES,,,,1e400,,,", "multiplier is 1.000e+400; below 1e+15"),
        ("ES,,,,1e15,,,", "multiplier is 1.000e+15; below 1e+15"),
        ("ES,,1e-61,,,,,", "tick is 1.000e-61; below 1e+15, at most 60 digits after the point"),
        ("ES,,,,,,MOON,", "calendar is 'MOON'"),
        ("ES,,,,,,,maybe", "shortable is 'maybe'"),
        (",,,,,,,", "not a symbol"),
        ("ES,,,,,,", "8 fields are needed"),
        ("AA,,,,,,,", "stands in the table twice"),
    ],
)
def test_a_bad_instrument_is_named_with_its_line(tmp_path: Path, row: str, says: str) -> None:
    path = tmp_path / "instruments.csv"
    path.write_text(f"{TABLE}\nAA,,,,,,,\n{row}\n")
    with pytest.raises(BadFile) as error:
        load_instruments(path)
    assert "line 3" in str(error.value)
    assert says in str(error.value)


def test_the_longest_currency_and_the_largest_and_smallest_numbers_are_taken(
    tmp_path: Path,
) -> None:
    path = tmp_path / "instruments.csv"
    path.write_text(f"{TABLE}\nES,,1e-60,,999999999999999,{'U' * 16},,\n")
    made = load_instruments(path)["ES"]
    assert (made.tick, made.multiplier) == (D("1e-60"), D(999_999_999_999_999))
    assert made.currency == "U" * 16


CONTRACTS = f"{TABLE},underlying,expiry,strike,right"


def test_a_table_may_state_contracts(tmp_path: Path) -> None:
    path = tmp_path / "instruments.csv"
    path.write_text(
        f"{CONTRACTS}\n"
        "AAPL 2014-01-18 480 C,,0.05,,,,,,,,,\n"
        "ES 2013-12,future,0.25,1,50,USD,XNYS,true,ES,2013-12-20,,\n"
        "ESZ3,future,0.25,,50,,,,ES,2013-12,,\n"
        "MYPUT,option,,,10,,,,SPY,2013-12-21,167.5,put\n"
    )
    table = Instruments(load_instruments(path))
    call, future, word = (table.get(s) for s in ("AAPL 2014-01-18 480 C", "ES 2013-12", "ESZ3"))
    assert (call.tick, call.multiplier, call.underlying) == (D("0.05"), D(100), "AAPL")
    assert (future.multiplier, future.underlying, future.last_day) == (
        D(50),
        "ES",
        date(2013, 12, 20),
    )
    assert (word.underlying, word.last_day) == ("ES", date(2013, 12, 31))
    assert table.get("MYPUT").contract == OptionContract(
        underlying="SPY", expiry=date(2013, 12, 21), strike=D("167.5"), right=OptionRight.PUT
    )
    assert table.get("MYPUT").source == "[data] instruments"


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("AAPL 2014-01-18 480 C,,,,,,,,,,490,", "strike is 490, but the id AAPL 2014-01-18 480 C"),
        ("AAPL 2014-01-18 480 C,future,,,,,,,,,,", "asset_class is future, but the id"),
        (
            "AAPL 2014-02-30 480 C,,,,,,,,,,,",
            "'2014-02-30': a date that exists, from 1970 to 2199, is allowed",
        ),
        ("ES 2013-12,,,,,,,,,,,", "the table of instruments must state it"),
        ("ES,future,,,0,,,,,,,", "multiplier is '0': a number above 0"),
        ("SOL-USD,,,,,EUR,,,,,,", "currency is EUR, but SOL-USD is paid in USD"),
        ("X,option,,,,,,,A\x1b,,,", "underlying is"),
        ("X,option,,,,,,,A,2014-01-18,1,both", "right is 'both': call, put are allowed"),
        (
            "X,future,,,50,,,,ES,2013-12-\x1b1,,",
            "a date that exists, from 1970 to 2199, is allowed",
        ),
        (
            "X,future,,,50,,,,ES,soon,,",
            "the expiry of X is 'soon': a date that exists, from 1970 to 2199, is allowed",
        ),
        ("X,option,,,,,,", "12 fields are needed, 8 are there"),
    ],
)
def test_a_contract_that_contradicts_itself_is_named_with_its_line(
    tmp_path: Path, row: str, says: str
) -> None:
    path = tmp_path / "instruments.csv"
    path.write_text(f"{CONTRACTS}\n{row}\n")
    with pytest.raises(BadFile) as error:
        load_instruments(path)
    assert f"{path} line 2: " in str(error.value)
    assert says in str(error.value)
    assert "\x1b" not in str(error.value)


def test_a_future_that_no_table_names_says_what_is_missing() -> None:
    assert "the table of instruments must state it" in Instruments().get("ES 2013-12").fault


def test_an_option_is_paid_as_the_row_of_its_underlying_says(tmp_path: Path) -> None:
    """Whichever row stands first, and for an option that has no row as well."""
    path = tmp_path / "instruments.csv"
    path.write_text(
        f"{CONTRACTS}\n"
        "SAP 2014-01-18 50 C,,,,,,,,,,,\n"
        "ODAX,option,,,5,,,,FDAX 2013-12,2013-12-20,9000,call\n"
        "SAP,stock,,,,EUR,,,,,,\n"
        "FDAX 2013-12,future,,,25,EUR,,,,,,\n"
        "SAP 2014-01-18 50 P,,,,,EUR,,,,,,\n"
    )
    table = Instruments(load_instruments(path), calendar_name="SIM")
    for symbol in (
        "SAP 2014-01-18 50 C",
        "SAP 2014-01-18 50 P",
        "SAP 2014-01-18 60 C",
        "ODAX",
        "FDAX 2013-12",
    ):
        assert table.get(symbol).currency == "EUR"
        assert table.get(symbol).calendar == "SIM"
    assert table.get("BTC-EUR 2014-01-18 50 C").currency == "EUR"
    assert table.get("AAPL 2014-01-18 50 C").currency == "USD"


@pytest.mark.parametrize(
    ("rows", "line", "says"),
    [
        (
            ["SAP 2014-01-18 50 C,,,,,USD,,,,,,", "SAP,,,,,EUR,,,,,,"],
            2,
            "currency is USD, but the underlying SAP is paid in EUR",
        ),
        (
            ["SAP,,,,,,,,,,,", "SAP 2014-01-18 50 C,,,,,EUR,,,,,,"],
            3,
            "currency is EUR, but the underlying SAP is paid in USD",
        ),
        (
            ["BTC-EUR 2014-01-18 50 C,,,,,USD,,,,,,"],
            2,
            "currency is USD, but the underlying BTC-EUR is paid in EUR",
        ),
        (
            ["SELFX,option,,,,,,,SELFX,2014-01-18,50,call"],
            2,
            "the underlying of SELFX is itself",
        ),
        (
            [
                "ONE,option,,,,,,,OTHER,2014-01-18,50,call",
                "OTHER,option,,,,,,,ONE,2014-01-18,50,call",
            ],
            2,
            "the underlying of OTHER is ONE, which leans on it",
        ),
    ],
)
def test_an_option_that_contradicts_its_underlying_is_named_with_its_line(
    tmp_path: Path, rows: list[str], line: int, says: str
) -> None:
    path = tmp_path / "instruments.csv"
    path.write_text("\n".join([CONTRACTS, *rows, ""]))
    with pytest.raises(BadFile) as error:
        load_instruments(path)
    assert f"{path} line {line}: " in str(error.value)
    assert says in str(error.value)
    assert "\n" not in str(error.value)
