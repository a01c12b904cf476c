"""The lists of `journal … --json`: exact keys, filters, and a writer beside them (INTERFACE)."""

import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine.domain import events as ev
from engine.domain.codes import Outcome, Verdict
from engine.domain.instant import NS_PER_SECOND, parse_rfc3339
from engine.domain.instrument import AssetClass
from engine.domain.order import Purpose, Side
from engine.domain.position import ExitReason
from engine.state.holdings import change, round_trip
from storage import JournalNewer, open_journal
from storage.connection import open_reader
from storage.reader import Reader, Row
from tests.storage.lives import START, History

KEYS = {
    "events": "seq time type data hash",
    "orders": "client_order_id venue_order_id intent_id signal_id symbol side type quantity filled "
    "average_price limit_price stop_price time_in_force status purpose broker reject_code "
    "created_at updated_at",
    "fills": "execution_id client_order_id symbol side quantity price currency commission "
    "commission_currency liquidity broker time",
    "trades": "symbol direction trade_type quantity entry_price exit_price entry_time exit_time "
    "exit_reason pnl fees r_multiple mae mfe signal_id currency",
    "daily": "id date starting_equity ending_equity realized_pnl unrealized_pnl total_trades "
    "winning_trades losing_trades max_drawdown kill_switch_triggered metadata_json",
    "signals": "signal_id time symbol outcome stage code measured limit reason client_order_ids",
}
"""INTERFACE, `journal … --json`; trades and daily may have more."""

A_392 = (
    "direction instrument_type entry_price exit_price pnl pnl_pct entry_time exit_time "
    "exit_reason conviction signal_type timeframe broker order_id trade_type leverage metadata "
    "trade_id position_id signal_id strategy initial_stop r_multiple fees slippage_bps mae mfe legs"
)


def history() -> History:
    made = History()
    made.signal("s-1", "AAPL", orders=["o1"])
    made.life("o1", "AAPL", signal_id="s-1")
    made.ended("s-1", Outcome.EXECUTED)
    made.order("o2", "AAPL", side=Side.SELL, purpose=Purpose.EXIT)
    position = made.book.holding("paper", "AAPL")
    (filled,) = made.fill("o2", 10, "168.40")
    assert isinstance(filled.event, ev.OrderFilled)
    fill = filled.event.fill
    closed = change(position, fill, filled.event.multiplier, made.book.order("o2")).closed
    assert closed is not None
    trade = round_trip(
        closed,
        fill,
        asset_class=AssetClass.STOCK,
        reason=ExitReason.TARGET,
        detail="",
        mae=None,
        mfe=None,
    )
    made.add(ev.PositionClosed(account="paper", trade=trade))
    made.signal("s-2", "MSFT", Verdict.REJECTED, "DAILY_LOSS")
    made.life("o3", "MSFT")
    made.day("2013-10-07", "100009.30")
    made.add(
        ev.DeadLettered(letter_id="d1", terms=made.new_order("o4", "XOM"), error="no route"),
        ev.DeadLettered(letter_id="d2", terms=made.new_order("o5", "XOM"), error="no route"),
        ev.DeadLetterClosed(account="paper", letter_id="d1", action="drop", by="me"),
    )
    return made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "journal.db"
    journal = open_journal(path, inline=True)
    made = history()
    journal.append(made.records, made.touched)
    journal.close()
    return path


@pytest.fixture
async def reader(path: Path) -> AsyncIterator[Reader]:
    async with Reader(path) as opened:
        yield opened


async def rows(listed: AsyncIterator[Row]) -> list[Row]:
    return [row async for row in listed]


@pytest.mark.parametrize("name", ["events", "orders", "fills", "signals"])
async def test_rows_have_exactly_the_promised_keys(reader: Reader, name: str) -> None:
    found = await rows(getattr(reader, name)())
    assert found
    assert {tuple(row) for row in found} == {tuple(KEYS[name].split())}


@pytest.mark.parametrize("name", ["trades", "daily"])
async def test_rows_that_may_grow_have_the_promised_keys(reader: Reader, name: str) -> None:
    (row,) = await rows(getattr(reader, name)())
    assert set(KEYS[name].split()) <= row.keys()


async def test_a_trade_has_every_field_of_a_392_under_the_names_of_x_72(reader: Reader) -> None:
    (row,) = await rows(reader.trades())
    assert set(A_392.split()) <= row.keys()
    assert not {"ticker", "shares"} & row.keys()
    assert row == row | {
        "symbol": "AAPL",
        "direction": "long",
        "quantity": "10",
        "entry_price": "167.4",
        "exit_price": "168.4",
        "entry_time": "2013-10-07T13:30:06Z",
        "exit_time": "2013-10-07T13:30:09Z",
        "exit_reason": "target",
        "pnl": "9.3",
        "fees": "0.7",
        "signal_id": "s-1",
    }
    assert len(row["legs"]) == 2


async def test_open_trades_are_listed_on_request(reader: Reader) -> None:
    found = await rows(reader.trades(unfinished=True))
    assert [(row["symbol"], row["status"]) for row in found] == [
        ("AAPL", "closed"),
        ("MSFT", "open"),
    ]


async def test_decimals_are_text_and_times_are_rfc_3339(reader: Reader) -> None:
    order = (await rows(reader.orders()))[0]
    assert (order["quantity"], order["filled"], order["average_price"]) == ("10", "10", "167.4")
    assert order["created_at"] == "2013-10-07T13:30:03Z"
    fill = (await rows(reader.fills()))[0]
    assert (fill["price"], fill["commission"], fill["time"]) == (
        "167.4",
        "0.35",
        "2013-10-07T13:30:06Z",
    )
    event = (await rows(reader.events()))[0]
    assert (event["seq"], event["time"]) == (1, "2013-10-07T13:30:01Z")
    assert event["data"]["signal"]["entry_price"] == "167.40"
    assert len(event["hash"]) == 64
    (day,) = await rows(reader.daily())
    assert (day["ending_equity"], day["kill_switch_triggered"]) == ("100009.3", False)


async def test_signals_say_how_they_ended(reader: Reader) -> None:
    found = await rows(reader.signals())
    ends = [(row["signal_id"], row["outcome"], row["code"]) for row in found]
    assert ends == [("s-1", "EXECUTED", ""), ("s-2", "REJECTED", "DAILY_LOSS")]
    assert found[0]["client_order_ids"] == ["o1"]
    assert await reader.outcomes() == {"EXECUTED": 1, "DAILY_LOSS": 1}


async def test_dead_letters_are_the_open_ones_unless_asked(reader: Reader) -> None:
    assert [row["id"] for row in await rows(reader.dead_letters())] == ["d2"]
    both = await rows(reader.dead_letters(closed=True))
    assert [(row["id"], row["action"]) for row in both] == [("d1", "drop"), ("d2", None)]
    assert both[0]["order"]["symbol"] == "XOM"


async def test_c430_a_dead_letter_says_when_it_expires(reader: Reader) -> None:
    """Five minutes after it was made."""
    for row in await rows(reader.dead_letters(closed=True)):
        made, expires = parse_rfc3339(row["created_at"]), parse_rfc3339(row["expires_at"])
        assert expires - made == 300 * NS_PER_SECOND


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        (None, None, ["o1", "o2", "o3"]),
        (8, None, ["o2", "o3"]),
        (9, None, ["o3"]),
        (None, 8, ["o1", "o2"]),
        (None, 7, ["o1"]),
        (8, 8, ["o2"]),
        (100, None, []),
        (None, -5, []),
    ],
)
async def test_since_and_until_include_their_instant(
    reader: Reader, since: int | None, until: int | None, expected: list[str]
) -> None:
    """The second order was made in second 8: one below, at, one above."""

    def at(second: int | None) -> int | None:
        return None if second is None else START + second * NS_PER_SECOND

    found = await rows(reader.orders(at(since), at(until)))
    assert [row["client_order_id"] for row in found] == expected


@pytest.mark.parametrize("name", ["trades", "daily", "fills", "signals", "events"])
async def test_every_list_is_cut_by_time(reader: Reader, name: str) -> None:
    day = 86_400 * NS_PER_SECOND
    lists = getattr(reader, name)
    assert await rows(lists(START - day, START + day)) == await rows(lists())
    assert await rows(lists(since=START + day)) == []
    assert await rows(lists(until=START - day)) == []


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("orders", (2, 1, 0)),
        ("fills", (2, 1, 0)),
        ("trades", (1, 0, 0)),
        ("signals", (1, 1, 0)),
        ("events", (10, 6, 2)),
    ],
)
async def test_a_symbol_cuts_every_list(
    reader: Reader, name: str, counts: tuple[int, int, int]
) -> None:
    """Events of an order or a signal belong to its symbol, although they name only its id."""
    found = [len(await rows(getattr(reader, name)(symbol=s))) for s in ("AAPL", "MSFT", "XOM")]
    assert tuple(found) == counts


@pytest.mark.parametrize(("limit", "expected"), [(0, []), (1, ["o3"]), (2, ["o2", "o3"])])
async def test_a_limit_keeps_the_newest_oldest_first(
    reader: Reader, limit: int, expected: list[str]
) -> None:
    found = await rows(reader.orders(limit=limit))
    assert [row["client_order_id"] for row in found] == expected


async def test_a_limit_counts_what_matches(reader: Reader) -> None:
    found = await rows(reader.orders(symbol="AAPL", limit=1))
    assert [row["client_order_id"] for row in found] == ["o2"]
    assert len(await rows(reader.orders(limit=99))) == 3


async def test_lists_longer_than_a_page_are_whole(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = await rows(reader.events())
    for page in (1, 2, len(whole) - 1, len(whole), len(whole) + 1):
        monkeypatch.setattr("storage.reader.PAGE", page)
        assert await rows(reader.events()) == whole


@pytest.mark.parametrize("name", [*KEYS, "dead_letters"])
async def test_a_missing_journal_is_empty_and_not_made(tmp_path: Path, name: str) -> None:
    missing = tmp_path / "journal.db"
    async with Reader(missing) as reader:
        assert await rows(getattr(reader, name)()) == []
        assert await reader.outcomes() == {}
    assert os.listdir(tmp_path) == []  # noqa: PTH208  # nothing else runs here


async def test_a_reader_sees_what_a_running_engine_adds(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    made = History()
    async with Reader(path) as reader:
        assert await rows(reader.orders()) == []
        journal = open_journal(path)
        for number in range(3):
            made.touched.clear()
            await journal.append(made.life(f"o{number}", "AAPL"), made.touched)
            assert len(await rows(reader.orders())) == number + 1
        listed = reader.events()
        first = await anext(listed)
        await journal.append(made.life("o9", "AAPL"))
        assert first["seq"] == 1
        assert len([row async for row in listed]) >= 11
        await journal.aclose()


async def test_a_newer_journal_is_refused_in_words(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version=999")
    async with Reader(path) as reader:
        with pytest.raises(JournalNewer, match="newer program"):
            await rows(reader.orders())


def plan(path: Path, sql: str) -> str:
    with closing(open_reader(path)) as connection:
        steps: list[Any] = connection.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()
    return " ".join(step[-1] for step in steps)


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        ("SELECT min(seq), max(seq) FROM signals WHERE time BETWEEN 1 AND 2", "ix_signals_time"),
        ("SELECT min(seq), max(seq) FROM events WHERE time BETWEEN 1 AND 2", "ix_events_time"),
        (
            "SELECT * FROM signals WHERE 1 AND seq > 1 AND seq <= 9 AND symbol = 'A' "
            "ORDER BY seq LIMIT 500",
            "ix_signals_symbol",
        ),
    ],
)
def test_filters_use_an_index_at_any_size(path: Path, sql: str, index: str) -> None:
    """A-314: a filtered query does not walk over the whole history."""
    assert index in plan(path, sql)


async def test_a_fill_names_the_currency_of_its_commission(reader: Reader) -> None:
    """That is the currency that it was paid in itself, where the venue names no other."""
    found = await rows(reader.fills())
    assert {(row["currency"], row["commission_currency"]) for row in found} == {("USD", "USD")}
