"""Wiring: the state comes back whatever became of a snapshot; sectors from a table or a file."""

from pathlib import Path

import pytest

from console.host.data_files import instruments
from console.host.restoring import restored
from console.host.sectors import SectorFileError, sectors
from console.host.wiring import home_calendar, world_at_rest
from console.virtual import Rehearsal, rehearse
from engine.config import account_id
from engine.domain import events as ev
from engine.state.book import STATE_FORMAT, Book
from storage.connection import memory_database
from storage.opening import open_journal
from tests.configs import from_mapping


@pytest.mark.parametrize(
    ("symbols", "name"),
    [
        (("SPY", "BTC-USD"), "XNYS"),
        (("EUR_USD", "BTC-USD"), "FX"),
        (("BTC-USD",), "24/7"),
        ((), "XNYS"),
    ],
)
def test_the_day_of_an_account_is_that_of_its_strictest_market(
    symbols: tuple[str, ...], name: str
) -> None:
    config = from_mapping({})
    assert home_calendar(config, instruments(config, simulated=False), symbols) == name


def test_the_day_is_that_of_the_named_calendar_or_of_the_instruments_own(tmp_path: Path) -> None:
    """X-95: `[account] calendar`, else by `[data] instruments`; the simulated market: its own."""
    table = tmp_path / "instruments.csv"
    header = "symbol,asset_class,tick,lot,multiplier,currency,calendar,shortable"
    table.write_text(f"{header}\nROUND,stock,0.01,1,1,USD,24/7,true\n")
    config = from_mapping({"data": {"instruments": str(table)}})
    rules = instruments(config, simulated=False)
    assert home_calendar(config, rules, ("ROUND",)) == "24/7"
    assert home_calendar(config, instruments(config, simulated=True), ("SPY",)) == "SIM"
    named = from_mapping({"account": {"calendar": "FX"}})
    assert home_calendar(named, rules, ("SPY",)) == "FX"


def test_the_id_of_a_paper_account_says_nothing_of_its_folder() -> None:
    assert account_id(from_mapping({}), "paper") == "paper"
    config = from_mapping({"brokers": {"paper": {"account_id": "mine"}, "eur": {"kind": "paper"}}})
    assert [account_id(config, name) for name in ("paper", "eur")] == ["mine", "eur"]


async def test_a_snapshot_of_another_shape_is_passed_over() -> None:
    database = memory_database()
    journal = open_journal(database, inline=True, state_format=STATE_FORMAT)
    journal.append([ev.Record(1, 5, ev.Paused(by="test", reason="a reason"))])
    assert restored(database)[0].data.pause_reason == "a reason"
    journal.save_snapshot(1, b'{"seq": "not a number"}')
    book, warning = restored(database)
    assert (book.data.seq, book.data.pause_reason) == (1, "a reason")
    assert "another shape" in warning
    journal.close()
    database.close()


def test_an_empty_state_folder_is_an_empty_book(tmp_path: Path) -> None:
    assert restored(tmp_path / "journal.db")[0].data.seq == 0


@pytest.mark.parametrize(
    ("market", "calendar"), [({}, "SIM"), ({"source": "replay", "file": "bars.csv"}, "XNYS")]
)
def test_a_world_at_rest_knows_sectors_instruments_and_the_day(
    market: dict[str, str], calendar: str
) -> None:
    world = world_at_rest(from_mapping({"market": market}), Book())
    assert world.groups.sector_of("JPM") == "financials"
    assert world.instrument("JPM").calendar == world.home.name == calendar


def test_sectors_are_built_in_or_of_a_file(tmp_path: Path) -> None:
    assert sectors("")["JPM"] == "financials"
    path = tmp_path / "sectors.csv"
    path.write_text("ticker,sector\nJPM,mine\n", encoding="utf-8")
    assert sectors(str(path)) == {"JPM": "mine"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ticker\nJPM\n", "line 1"),
        ("ticker,sector\nJPM\n", "line 2"),
        ("ticker,sector\nJPM,a\nJPM,b\n", "line 3"),
        ("ticker,sector\nJPM,\n", "line 2"),
        ("ticker,sector\nJPM,a\x1bb\n", "line 2"),
    ],
)
def test_a_bad_table_of_sectors_is_named_by_its_line(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "sectors.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SectorFileError, match=says):
        sectors(str(path))
    with pytest.raises(SectorFileError):
        sectors(str(tmp_path / "none.csv"))


def test_a_rehearsal_takes_config_and_a_start() -> None:
    async def play(run: Rehearsal) -> tuple[str, int]:
        return run.engine.world.config.profile.value, run.now

    config = {"profile": "autotrader"}
    assert rehearse(play, start="2020-01-01T00:00:00Z", config=config) == (
        "autotrader",
        1_577_836_800_000_000_000,
    )


def test_what_a_rehearsal_raises_comes_out() -> None:
    async def play(run: Rehearsal) -> None:
        await run.wait(1)
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        rehearse(play)


@pytest.mark.parametrize(
    ("symbols", "rows", "name"),
    [
        (["AAPL"], "AAPL,stock,0.01,1,1,USD,24/7,true", "24/7"),
        (["AAPL"], "AAPL,stock,0.01,1,1,USD,FX,true", "FX"),
        (["AAPL", "MSFT"], "AAPL,stock,0.01,1,1,USD,24/7,true", "XNYS"),
        (["BTC-USD"], "BTC-USD,crypto,0.01,1,1,USD,XNYS,true", "XNYS"),
        (["BTC-USD", "EUR_USD"], "BTC-USD,crypto,0.01,1,1,USD,24/7,true", "FX"),
        (["BTC-USD"], "AAPL,stock,0.01,1,1,USD,XNYS,true", "24/7"),
    ],
)
def test_X95_the_day_of_an_engine_is_that_of_its_symbols_as_the_file_tells_them(
    symbols: list[str], rows: str, name: str, tmp_path: Path
) -> None:
    columns = "symbol,asset_class,tick,lot,multiplier,currency,calendar,shortable"
    table = tmp_path / "instruments.csv"
    table.write_text(f"{columns}\n{rows}\n", encoding="utf-8")

    async def play(hand: Rehearsal) -> tuple[str, str]:
        return hand.engine.world.home.name, hand.engine.state.data.calendar

    config = {"data": {"instruments": str(table)}, "market": {"symbols": symbols}}
    assert rehearse(play, config=config) == (name, name)
