"""Other programs at the journal of a running engine: a lock, and the file taken away (U-70)."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from console.host.client import Refused
from tests.console.program import Program

pytestmark = pytest.mark.slow


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    made = Program(tmp_path)
    made.configure('[signals]\nbuiltin = ""\n')
    yield made.start()
    made.stop()


@contextmanager
def locked(program: Program, seconds: float) -> Iterator[None]:
    """The write lock for so long, as a database browser takes it while it changes a cell."""
    path = program.folder / "journal.db"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(seconds, other.execute, ("ROLLBACK",))
        timer.start()
        try:
            yield
        finally:
            timer.join()


def buy(program: Program, symbol: str = "AAPL") -> Any:
    return program.ask("order", side="buy", symbol=symbol, quantity="1", protect="1")


def held(program: Program) -> Decimal:
    return sum((Decimal(p["quantity"]) for p in program.ask("status")["positions"]), Decimal(0))


@pytest.mark.parametrize("seconds", [0.6, 3.0])
def test_a_foreign_lock_keeps_an_entry_waiting_and_halts_nothing(
    program: Program, seconds: float
) -> None:
    buy(program)
    program.wait_for(lambda: held(program) == 1)
    with locked(program, seconds):
        buy(program, "MSFT")
    program.wait_for(lambda: held(program) == 2)
    assert program.ask("status")["run_state"] == "ACTIVE"
    assert not [row for row in program.rows("events") if row["type"] == "Halted"]


def test_what_reduces_does_not_wait_for_a_foreign_lock(program: Program) -> None:
    buy(program)
    program.wait_for(lambda: held(program) == 1)
    with locked(program, 4.0):
        asking = threading.Thread(target=program.ask, args=("close",), kwargs={"symbol": "AAPL"})
        asking.start()
        program.wait_for(lambda: held(program) == 0)
        assert program.ask("status")["run_state"] == "ACTIVE", "the lock is still there"
    asking.join()
    assert program.ask("status")["run_state"] == "ACTIVE"


def test_a_lock_that_stays_is_a_journal_that_cannot_be_written(program: Program) -> None:
    with locked(program, 8.0):
        with pytest.raises(Refused, match="not sent within"):
            buy(program)
        program.wait_for(lambda: program.ask("status")["run_state"] == "HALTED")
    halted = program.ask("status")["halt"]
    assert "journal" in halted["reason"]


def test_29_an_order_right_after_the_journal_was_deleted_is_no_success(program: Program) -> None:
    """Nothing was bought: the exit code says so, whichever id the order had."""
    (program.folder / "journal.db").unlink()
    told = program.run("order", "buy", "AAPL", "6", "--protect", "1", "--json")
    assert told.returncode == 4, told.stdout
    assert json.loads(told.stdout)["ok"] is False
    assert not program.ask("status")["positions"]


def test_a_journal_that_was_deleted_is_missed_by_all_who_read_it(program: Program) -> None:
    (program.folder / "journal.db").unlink()
    for asked in (("verify",), ("trades",), ("daily",), ("orders", "--json"), ("events",)):
        done = program.run("journal", *asked)
        assert done.returncode == 1, done.stdout
        assert done.stderr.startswith(f"there is no journal in {program.folder}: ")
    done = program.run("doctor")
    assert done.returncode == 1
    assert f"BAD   journal     there is no journal in {program.folder}" in done.stdout


@pytest.mark.parametrize("log", [False, True])
def test_a_journal_that_was_deleted_halts_and_is_not_called_durable(
    program: Program, log: bool
) -> None:
    name = "journal.db-wal" if log else "journal.db"
    (program.folder / name).unlink()
    program.wait_for(lambda: program.ask("pause") is not None)
    program.wait_for(lambda: program.ask("status")["run_state"] == "HALTED")
    halt = program.ask("status")["halt"]
    assert "journal" in halt["reason"]
    assert program.run("kill").returncode in (0, 1)
