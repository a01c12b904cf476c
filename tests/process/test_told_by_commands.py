"""What commands say of what was ordered, and of what is held when no engine runs (INTERFACE)."""

import signal
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.console.program import Program

UNPROTECTED = "no --protect was given"


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    program = Program(tmp_path)
    program.configure('[signals]\nbuiltin = ""\n')
    program.start()
    program.wait_for(lambda: program.ask("status")["run_state"] == "ACTIVE")
    yield program
    program.stop()


def held(program: Program) -> Decimal:
    return sum((Decimal(p["quantity"]) for p in program.ask("status")["positions"]), Decimal(0))


def test_only_an_order_that_adds_is_warned_of_having_no_stop(program: Program) -> None:
    bought = program.run("order", "buy", "AAPL", "10", "--hold", "swing")
    assert (bought.returncode, UNPROTECTED in bought.stderr) == (0, True)
    program.wait_for(lambda: held(program) == 10)
    sold = program.run("order", "sell", "AAPL", "4")
    assert (sold.returncode, sold.stderr) == (0, "")
    program.wait_for(lambda: held(program) == 6)
    stop = program.run("order", "sell", "AAPL", "6", "--stop", "1", "--json")
    assert (stop.returncode, stop.stderr) == (0, "")


def test_without_an_engine_the_last_price_that_the_journal_knows_is_told(program: Program) -> None:
    program.run("order", "buy", "AAPL", "10", "--hold", "swing", "--protect", "1")
    program.wait_for(lambda: held(program) == 10)
    program.send(signal.SIGKILL)
    program.ended()
    told = program.document("status")
    (position,) = told["positions"]
    assert (told["running"], told["run_state"]) == (False, "STOPPED")
    assert Decimal(position["market_value"]) == 10 * Decimal(position["last"])
    paid = 10 * Decimal(position["average_price"])
    assert Decimal(position["unrealized_pnl"]) == Decimal(position["market_value"]) - paid
    lines = program.run("status").stdout.splitlines()
    (row,) = [line.split() for line in lines if line.startswith("paper") and "swing" in line]
    assert row[5] == position["last"]
