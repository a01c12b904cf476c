"""`journal daily` beside a running engine, and after a killed one: the day so far (A-402, X-90)."""

import signal
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.console.program import Program

CASH = Decimal(100_000)
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
