"""The schema: numbered steps that go both ways, and the published tables (A-400..A-407, X-62)."""

import sqlite3
from typing import Any

import pytest

from storage import memory_database, migrations
from storage.connection import prepare


def schema(connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
    ).fetchall()


@pytest.fixture
def database() -> sqlite3.Connection:
    connection = memory_database()
    prepare(connection, "in memory")
    return connection


def columns(connection: sqlite3.Connection, table: str) -> dict[str, tuple[str, bool]]:
    """Name to declared type and whether it must be given."""
    rows = connection.execute(f"PRAGMA table_info({table})").fetchall()
    return {name: (kind, bool(required)) for _, name, kind, required, _, _ in rows}


def indexes(connection: sqlite3.Connection, table: str) -> set[tuple[str, ...]]:
    names = [row[1] for row in connection.execute(f"PRAGMA index_list({table})")]
    return {
        tuple(row[2] for row in connection.execute(f"PRAGMA index_info({name})")) for name in names
    }


def test_up_down_and_up_again_give_the_same_schema() -> None:
    connection = memory_database()
    empty = schema(connection)
    migrations.migrate(connection, migrations.LATEST)
    full = schema(connection)
    migrations.migrate(connection, 0)
    assert schema(connection) == empty
    assert migrations.version(connection) == 0
    migrations.migrate(connection, migrations.LATEST)
    assert schema(connection) == full


@pytest.mark.parametrize("number", [step.number for step in migrations.steps()])
def test_each_step_can_be_undone_alone(number: int) -> None:
    connection = memory_database()
    migrations.migrate(connection, number)
    before = schema(connection)
    migrations.migrate(connection, migrations.LATEST)
    migrations.migrate(connection, number)
    assert schema(connection) == before
    assert migrations.version(connection) == number


def test_the_first_step_bears_the_published_name_and_makes_both_tables() -> None:
    """A-403, X-62."""
    first = migrations.steps()[0]
    assert (first.number, first.name) == (135, "135_trade_executor")
    connection = memory_database()
    migrations.migrate(connection, first.number)
    tables = [row[1] for row in schema(connection) if row[0] == "table"]
    assert tables == ["daily_pnl", "trade_executions"]


def test_the_numbers_have_no_gap_and_end_at_the_latest() -> None:
    numbers = [step.number for step in migrations.steps()]
    assert numbers == list(range(135, migrations.LATEST + 1))


def test_a_step_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="schema 999 does not exist"):
        migrations.migrate(memory_database(), 999)


def test_a_step_that_fails_leaves_the_schema_of_the_one_before() -> None:
    connection = memory_database()
    connection.execute("CREATE TABLE orders (mine)")
    with pytest.raises(sqlite3.OperationalError, match="orders"):
        migrations.migrate(connection, migrations.LATEST)
    assert migrations.version(connection) == 136
    assert not connection.in_transaction


MONEY = "NUMERIC_TEXT"


def test_trade_executions_has_the_published_columns(database: sqlite3.Connection) -> None:
    """A-400 with the changes of A-405: wide symbols, money as decimal text."""
    found = columns(database, "trade_executions")
    published = {
        "id": ("INTEGER", False),
        "signal_id": ("VARCHAR(50)", False),
        "ticker": ("VARCHAR(32)", True),
        "direction": ("VARCHAR(10)", True),
        "trade_type": ("VARCHAR(10)", True),
        "entry_price": (MONEY, True),
        "exit_price": (MONEY, False),
        "shares": (MONEY, True),
        "stop_loss": (MONEY, False),
        "target_price": (MONEY, False),
        "conviction": ("INTEGER", False),
        "status": ("VARCHAR(20)", True),
        "exit_reason": ("VARCHAR(50)", False),
        "pnl": (MONEY, False),
        "pnl_pct": (MONEY, False),
        "broker": ("VARCHAR(20)", False),
        "order_id": ("VARCHAR(100)", False),
        "entry_time": ("DATETIME", True),
        "exit_time": ("DATETIME", False),
        "metadata_json": ("TEXT", False),
        "created_at": ("DATETIME", False),
    }
    assert {name: found.get(name) for name in published} == published
    assert {"position_id", "account_id", "mode", "origin"} <= found.keys()
    defaults = {row[1]: row[4] for row in database.execute("PRAGMA table_info(trade_executions)")}
    assert defaults["status"] == "'open'"
    assert defaults["created_at"] == "CURRENT_TIMESTAMP"


def test_trade_executions_has_the_published_indexes(database: sqlite3.Connection) -> None:
    """A-401."""
    assert {("ticker", "status"), ("signal_id",), ("ticker",), ("entry_time",)} <= indexes(
        database, "trade_executions"
    )


def test_daily_pnl_has_the_published_columns_and_indexes(database: sqlite3.Connection) -> None:
    """A-402, A-403; one row an account and day (A-407)."""
    found = columns(database, "daily_pnl")
    published = {
        "id": ("INTEGER", False),
        "date": ("DATE", True),
        "starting_equity": (MONEY, True),
        "ending_equity": (MONEY, True),
        "realized_pnl": (MONEY, True),
        "unrealized_pnl": (MONEY, True),
        "total_trades": ("INTEGER", True),
        "winning_trades": ("INTEGER", True),
        "losing_trades": ("INTEGER", True),
        "max_drawdown": (MONEY, False),
        "kill_switch_triggered": ("BOOLEAN", True),
        "metadata_json": ("TEXT", False),
    }
    assert {name: found.get(name) for name in published} == published
    assert {("date",), ("account_id", "date")} <= indexes(database, "daily_pnl")


@pytest.mark.parametrize("table", ["trade_executions", "daily_pnl", "orders", "fills", "signals"])
def test_every_row_says_whose_it_is(database: sqlite3.Connection, table: str) -> None:
    """A-405."""
    assert {"account_id", "mode"} <= columns(database, table).keys()


def test_a_fill_is_unique_by_account_symbol_day_and_execution(database: sqlite3.Connection) -> None:
    """A-405, X-91."""
    assert ("broker", "symbol", "day", "execution_id") in indexes(database, "fills")


def trade(**changes: Any) -> tuple[str, tuple[Any, ...]]:
    row: dict[str, Any] = {
        "ticker": "AAPL",
        "direction": "long",
        "trade_type": "day",
        "entry_price": "167.40",
        "shares": "10",
        "status": "closed",
        "exit_price": "168",
        "exit_time": "2013-10-07T14:00:00.000000000Z",
        "pnl": "6",
        "entry_time": "2013-10-07T13:30:00.000000000Z",
        "position_id": "p1",
        "account_id": "a",
        "mode": "paper",
    } | changes
    sql = f"INSERT INTO trade_executions ({','.join(row)}) VALUES ({','.join('?' * len(row))})"
    return sql, tuple(row.values())


@pytest.mark.parametrize("missing", ["exit_time", "exit_price", "pnl"])
def test_a_closed_trade_has_its_end(database: sqlite3.Connection, missing: str) -> None:
    """A-405: the check holds for closed rows and only for them."""
    database.execute(*trade())
    database.execute(*trade(status="open", position_id="p2", **{missing: None}))
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        database.execute(*trade(position_id="p3", **{missing: None}))


@pytest.mark.parametrize(("column", "value"), [("status", "done"), ("trade_type", "long")])
def test_a_word_outside_its_list_is_refused(
    database: sqlite3.Connection, column: str, value: str
) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        database.execute(*trade(**{column: value}))


@pytest.mark.parametrize(
    "amount", ["0.1", "100.10", "12345678901234567890.123456789", "0.00000001", "-0.35", "7"]
)
def test_money_comes_back_to_the_last_digit(database: sqlite3.Connection, amount: str) -> None:
    """A NUMERIC column of SQLite would make binary floats of these (A-405)."""
    database.execute(*trade(pnl=amount))
    assert database.execute("SELECT pnl FROM trade_executions").fetchone() == (amount,)


def test_an_option_symbol_fits(database: sqlite3.Connection) -> None:
    """A-405: an OSI symbol has 21 characters."""
    database.execute(*trade(ticker="AAPL  131019C00500000"))
    kind = columns(database, "trade_executions")["ticker"][0]
    assert int(kind.removeprefix("VARCHAR(").removesuffix(")")) >= 32
