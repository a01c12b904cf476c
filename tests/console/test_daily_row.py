"""`journal daily` beside a running engine, and after a killed one: the day so far (A-402, X-90)."""

import signal
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.console.program import Program
from tests.process.driver import ProcessDriver

CASH = Decimal(100_000)
CASH_THERE = Decimal(10_000_000)
LISTS = ("events", "orders", "fills", "trades", "daily", "signals")


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    program = Program(tmp_path)
    program.configure('[signals]\nbuiltin = ""\n')
    yield program.start()
    program.stop()


def trade(program: Program, number: int) -> None:
    """Some AAPL bought and sold again: the `number`th trade."""
    program.ask(
        "order", side="buy", symbol="AAPL", quantity=str(9 + number), protect="1", hold="swing"
    )
    program.wait_for(lambda: program.ask("status")["positions"])
    program.ask("close", symbol="AAPL")
    program.wait_for(lambda: len(program.rows("trades")) == number)


def paid(fills: list[dict[str, Any]]) -> Decimal:
    """What all fills together brought, from the fills alone."""
    money = Decimal(0)
    for fill in fills:
        worth = Decimal(fill["quantity"]) * Decimal(fill["price"])
        money += (worth if fill["side"] == "SELL" else -worth) - Decimal(fill["commission"])
    return money


def test_A402_the_row_of_today_follows_what_is_traded(program: Program) -> None:
    program.wait_for(lambda: program.ask("status")["run_state"] == "ACTIVE")
    (row,) = program.rows("daily")
    assert (row["total_trades"], row["final"]) == (0, False)
    for number in (1, 2):
        trade(program, number)
        assert_current(program, number)
    program.send(signal.SIGKILL)
    program.ended()
    assert_current(program, 2)
    assert program.document("journal", "verify")["ok"]


def assert_current(program: Program, trades: int) -> None:
    """The day's row says what the fills and the trades say."""
    (row,) = program.rows("daily")
    gained = paid(program.rows("fills"))
    assert row["total_trades"] == trades
    assert row["winning_trades"] + row["losing_trades"] <= trades
    assert Decimal(row["starting_equity"]) == CASH
    assert Decimal(row["realized_pnl"]) == gained
    assert Decimal(row["ending_equity"]) == CASH + gained


def test_X90_every_list_says_as_of_when(program: Program) -> None:
    trade(program, 1)
    for name in LISTS:
        told = program.run("journal", name)
        assert told.stdout.splitlines()[-1].startswith("as of event "), name
        for form in ("json", "csv"):
            told = program.run("journal", name, "--format", form)
            assert "as of event" not in told.stdout
            assert told.stderr.splitlines()[-1].startswith("as of event "), name


def test_A402_the_row_of_today_is_at_the_prices_of_now(tmp_path: Path) -> None:
    """100 are bought at 100; at 97 it is 300 less, at 99 100."""
    desk = ProcessDriver(tmp_path, ["AAA"])
    try:
        desk.start()
        desk.buy("AAA", 100)
        for price, gained in ((97, -300), (99, -100)):
            move(desk, price)
            (row,) = desk.program.rows("daily")
            assert Decimal(row["unrealized_pnl"]) == gained
            assert Decimal(row["ending_equity"]) == CASH_THERE + gained
            assert Decimal(row["max_drawdown"]) >= Decimal(-gained) / CASH_THERE
            assert (row["final"], row["kill_switch_triggered"]) == (False, False)
        told = desk.program.run("journal", "daily")
        assert told.stdout.splitlines()[-1].endswith(", the day in progress as of now")
    finally:
        desk.close()


def move(desk: ProcessDriver, price: int) -> None:
    """The market goes there, and the engine has seen it."""
    desk.venue.move("AAA", price)
    desk.until(lambda: shown(desk) == str(price), f"AAA at {price}")


def shown(desk: ProcessDriver) -> str:
    """The last price of what is held."""
    (position,) = desk.status()["positions"] or [{"last": ""}]
    return str(position["last"])
