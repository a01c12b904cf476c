"""A journal begins at an account that trades already: the processes, the files and the socket.

The paper account keeps its own book (`paper.db`); the journal of the engine that traded there is
gone.
"""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.console.program import Program

D = Decimal


@pytest.fixture
def program(tmp_path: Path) -> Any:
    made = Program(tmp_path)
    made.configure('[signals]\nbuiltin = ""\n[market]\nsymbols = ["AAPL", "MSFT"]\nseed = 3\n')
    yield made
    made.stop()


def lose_the_journal(program: Program) -> None:
    for file in program.folder.glob("journal.db*"):
        file.unlink()


def test_x75_a_journal_that_begins_late_takes_over_what_is_held(program: Program) -> None:
    program.start()
    for side, quantity in (("buy", "3"), ("sell", "1"), ("buy", "1")):
        done = (
            program.ask(
                "order", side=side, symbol="AAPL", quantity=quantity, hold="swing", protect="1"
            )
            if side == "buy"
            else program.ask("order", side=side, symbol="AAPL", quantity=quantity)
        )
        assert done
        program.wait_for(
            lambda: not [o for o in program.ask("status")["orders"] if o["purpose"] == "MANUAL"]
        )
    before = program.ask("status")
    (held,) = before["positions"]
    assert held["quantity"] == "3"
    stops = [o["client_order_id"] for o in before["orders"]]
    assert stops
    program.stop()
    lose_the_journal(program)

    program.start()
    status = program.ask("status")
    (position,) = status["positions"]
    assert (position["quantity"], position["trade_type"]) == ("3", "swing")
    account = status["account"]
    worth = D(account["cash"]) + D(position["market_value"])
    assert D(account["equity"]) == worth
    assert abs(D(account["starting_equity"]) - worth) < 500, "all of it, not cash alone"
    assert abs(D(account["daily_pnl"])) < 500
    assert [o["client_order_id"] for o in status["orders"]] == stops
    assert status["accounts"][0]["unexplained"] == []
    assert program.document("reconcile")["clean"]
    assert program.run("journal", "fills", "--json").stdout == ""
    assert program.run("journal", "trades", "--json").stdout == ""
    program.stop()
    # The stop still rests in the account's own book.
    program.start()
    assert [o["client_order_id"] for o in program.ask("status")["orders"]] == stops
