"""Every signal of an event that tells of many has a row of its own (X-89, X-90, rule 6)."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from engine.domain import events as ev
from engine.domain.codes import Code, Stage, Verdict
from engine.domain.instant import NS_PER_MS, rfc3339
from storage import memory_database, migrations, open_journal, tables
from storage.connection import open_reader, prepare
from storage.reader import PAGE, Reader, Row
from storage.verify import verify
from tests.storage.lives import START, History
from tests.storage.test_rows_behind import rebuilt

REASON = "More comes in than can be decided in time."


def refused(*ids: str, symbol: str = "AAPL") -> ev.SignalsRefused:
    """The signals of a second, a millisecond apart."""
    return ev.SignalsRefused(
        stage=Stage.KILL_SWITCH,
        code=Code.OVERLOADED,
        reason=REASON,
        count=len(ids),
        refusals=tuple(
            ev.Refusal(
                signal_id=signal_id,
                symbol=symbol,
                at=START + number * NS_PER_MS,
                measured=f"{251 + number} ms",
                limit="50 ms",
            )
            for number, signal_id in enumerate(ids)
        ),
    )


def history() -> History:
    made = History()
    made.signal("before", "AAPL")
    made.add(refused("a", "b", "c"))
    made.add(refused("d", symbol="MSFT"))
    made.signal("after", "AAPL", Verdict.REJECTED, "DAILY_LOSS")
    return made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "journal.db"
    journal = open_journal(path, inline=True)
    made = history()
    journal.append(made.records, made.touched)
    journal.close()
    return path


async def listed(path: Path, **filters: object) -> list[Row]:
    async with Reader(path) as reader:
        return [row async for row in reader.signals(**filters)]  # type: ignore[arg-type]


async def test_each_refused_signal_is_listed_as_any_other(path: Path) -> None:
    rows = await listed(path)
    assert [row["signal_id"] for row in rows] == ["before", "a", "b", "c", "d", "after"]
    assert rows[2] == {
        "signal_id": "b",
        "time": rfc3339(START + NS_PER_MS),
        "symbol": "AAPL",
        "outcome": "REJECTED",
        "stage": "kill_switch",
        "code": "OVERLOADED",
        "measured": "252 ms",
        "limit": "50 ms",
        "reason": REASON,
        "client_order_ids": [],
    }


async def test_they_are_cut_by_symbol_number_and_time(path: Path) -> None:
    assert [r["signal_id"] for r in await listed(path, symbol="MSFT")] == ["d"]
    assert [r["signal_id"] for r in await listed(path, limit=3)] == ["c", "d", "after"]
    early = await listed(path, until=START + NS_PER_MS)
    assert [r["signal_id"] for r in early] == ["a", "b", "d"]


@pytest.mark.parametrize("count", [PAGE - 1, PAGE, PAGE + 1, 3 * PAGE + 7])
async def test_an_event_of_more_than_a_page_is_listed_whole(tmp_path: Path, count: int) -> None:
    path, made = tmp_path / "journal.db", History()
    made.add(refused(*(f"s{n}" for n in range(count))))
    journal = open_journal(path, inline=True)
    journal.append(made.records, made.touched)
    journal.close()
    assert [r["signal_id"] for r in await listed(path)] == [f"s{n}" for n in range(count)]


async def test_a_page_of_them_is_found_by_the_index(path: Path) -> None:
    with closing(open_reader(path)) as database:
        plan = database.execute(
            "EXPLAIN QUERY PLAN SELECT signal_id FROM signals WHERE 1 "
            "AND (seq * 1048576 + place) > 0 ORDER BY (seq * 1048576 + place) LIMIT 500"
        ).fetchall()
    assert [row[3] for row in plan] == ["SEARCH signals USING INDEX ix_signals_order (<expr>>?)"]


async def test_the_event_is_found_by_the_symbol_of_any_of_them(path: Path) -> None:
    async with Reader(path) as reader:
        events = [r["type"] async for r in reader.events(symbol="MSFT")]
    assert events == ["SignalsRefused"]


async def test_the_counts_say_what_the_rows_say(path: Path) -> None:
    with closing(open_reader(path)) as database:
        counts = dict(database.execute("SELECT code, inputs FROM outcomes").fetchall())
    assert counts["OVERLOADED"] == 4
    assert history().book.data.outcomes["OVERLOADED"] == 4


async def test_where_no_engine_runs_they_are_folded_in_memory(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("DELETE FROM signals")
        database.execute("UPDATE watermark SET seq = 0")
    assert len(await listed(path)) == 6


def test_the_rows_equal_a_rebuild_and_the_journal_verifies(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        assert tables.watermark(database) == 6
        with closing(rebuilt(database)) as fresh:
            assert tables.differing(database, fresh) == ()
        tables.rebuild(database)
    assert verify(path, tables=True).ok


def test_an_accepted_signal_that_was_refused_before_gives_its_trade_its_context() -> None:
    made = History()
    made.add(refused("s-1"))
    made.signal("s-1", "AAPL", orders=["o1"])
    made.life("o1", "AAPL", signal_id="s-1")
    database = memory_database()
    journal = open_journal(database, inline=True)
    journal.append(made.records, made.touched)
    journal.catch_up()
    ((context,),) = database.execute("SELECT metadata_json FROM trade_executions").fetchall()
    assert '"seen":"twice"' in context


def test_the_step_up_keeps_every_row_and_the_step_down_the_first_of_an_event() -> None:
    made, database = history(), memory_database()
    prepare(database, "in memory")
    tables.write(database, made.touched)
    up = "SELECT seq, signal_id, code FROM signals ORDER BY seq, time"
    migrations.migrate(database, 140)
    below = database.execute(up).fetchall()
    assert [signal_id for _, signal_id, _ in below] == ["before", "a", "d", "after"]
    migrations.migrate(database, 141)
    assert database.execute(up).fetchall() == below
    assert database.execute("SELECT DISTINCT place FROM signals").fetchall() == [(0,)]


async def test_a_journal_of_the_schema_before_can_be_read(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        migrations.migrate(database, 140)
    assert [r["signal_id"] for r in await listed(path)] == ["before", "a", "d", "after"]
