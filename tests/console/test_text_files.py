"""Every text file of the user's is read by one reader: what is meant is taken, the rest is refused
in one sentence with file, line and column (INTERFACE, Files)."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from brokers.paper.bars import check_bars, read_bars
from brokers.paper.instruments import load_instruments
from console.cli.program import main
from console.host.rates import rates
from console.host.sectors import SectorFileError, sectors
from engine.config import ConfigError
from engine.reference.textfile import LONGEST_FIELD, LONGEST_LINE, BadFile
from tests.configs import load

Read = Callable[[Path], object]

BARS = (
    "time,symbol,open,high,low,close,volume,bid,bid_size,ask,ask_size",
    "2013-10-07T13:31:00Z,SPY,1,1,1,1,1,,,,",
    "2013-10-07T13:32:00Z,SPY,1,1,1,1,1,,,,",
)
INSTRUMENTS = (
    "symbol,asset_class,tick,lot,multiplier,currency,calendar,shortable",
    "AAPL,stock,0.01,1,1,USD,XNYS,true",
    "MSFT,stock,0.01,1,1,USD,XNYS,true",
)
SECTORS = ("ticker,sector", "AAPL,Tech", "XOM,Energy")
RATES = ("currency,rate,date", "EUR,1.08,2026-11-27", "GBP,1.30,2026-11-27")


def bars(path: Path) -> object:
    return list(read_bars(check_bars(path)))


TABLES: dict[str, tuple[tuple[str, ...], Read]] = {
    "bars": (BARS, bars),
    "instruments": (INSTRUMENTS, load_instruments),
    "sectors": (SECTORS, lambda path: sectors(str(path))),
    "rates": (RATES, lambda path: rates(str(path), "USD")),
}


@pytest.fixture(params=TABLES)
def table(request: pytest.FixtureRequest) -> tuple[tuple[str, ...], Read]:
    found: tuple[tuple[str, ...], Read] = TABLES[request.param]
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "table.csv"


def joined(lines: tuple[str, ...], end: str = "\n") -> bytes:
    return "".join(line + end for line in lines).encode()


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: b"\xef\xbb\xbf" + joined(lines),
        lambda lines: joined(lines, "\r\n"),
        lambda lines: joined((lines[0], "", "   ", *lines[1:], "")),
        lambda lines: joined(lines).rstrip(b"\n"),
        lambda lines: joined((lines[0], '"' + lines[1].replace(",", '","') + '"', lines[2])),
    ],
    ids=["BOM", "CRLF", "blank lines", "no last line feed", "quoted"],
)
def test_what_is_meant_is_taken(
    table: tuple[tuple[str, ...], Read], path: Path, change: Callable[[tuple[str, ...]], bytes]
) -> None:
    lines, read = table
    path.write_bytes(joined(lines))
    plain = read(path)
    path.write_bytes(change(lines))
    assert read(path) == plain


@pytest.mark.parametrize(
    ("last", "says"),
    [
        (b"ab\xff", "line 3 column 3: the byte 0xff is not UTF-8"),
        ("é".encode() + b"\xc3", "line 3 column 2: the byte 0xc3 is not UTF-8"),
        (b'a,"b,c', "line 3 column 3: a quote is opened here and is not closed on this line"),
        (b'"a"b,c', "line 3 column 4: a comma is needed behind a closing quote"),
        (
            b"a," + b"b" * (LONGEST_FIELD + 1),
            f"line 3 column 3: a field has {LONGEST_FIELD + 1} characters; {LONGEST_FIELD} are",
        ),
        (b"x" * (LONGEST_LINE + 1), f"line 3: it has more than {LONGEST_LINE} bytes"),
    ],
)
def test_what_is_no_text_is_refused_with_its_place(
    table: tuple[tuple[str, ...], Read], path: Path, last: bytes, says: str
) -> None:
    lines, read = table
    path.write_bytes(joined(lines[:2]) + last)
    with pytest.raises((BadFile, SectorFileError)) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["pipe", "folder", "empty"])
def test_what_is_no_file_is_refused_and_never_waited_for(
    table: tuple[tuple[str, ...], Read], path: Path, kind: str
) -> None:
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "empty":
            path.write_bytes(b"\xef\xbb\xbf")
    with pytest.raises((BadFile, SectorFileError)) as caught:
        table[1](path)
    assert str(path) in str(caught.value)


def test_a_field_as_long_as_may_be_is_no_fault_of_the_reader(path: Path) -> None:
    path.write_bytes(joined((SECTORS[0], "AAPL," + "x" * LONGEST_FIELD)))
    with pytest.raises(SectorFileError, match="a ticker and its sector are needed"):
        sectors(str(path))


def test_a_config_with_a_byte_order_mark_is_one(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b'\xef\xbb\xbf[signals]\r\nbuiltin = ""\r\n')
    assert load(path, {}).signals.builtin == ""


def test_a_pipe_as_config_is_refused_and_never_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    os.mkfifo(path)
    with pytest.raises(ConfigError, match="it is a pipe, and a plain file is needed"):
        load(path, {})


def test_the_command_says_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bars.csv"
    path.write_bytes(joined(BARS) + b'2013-10-07T13:33:00Z,"SPY,1,1,1,1,1,,,,\n')
    assert main(["replay", str(path)]) == 2
    assert f"{path} line 4 column 22: a quote is opened here" in capsys.readouterr().err
