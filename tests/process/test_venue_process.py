"""A venue's server is killed and started again with its books under a running engine (C-441, P-05).

Of each protocol: the engine finds it, looks at it, and what the exchange's own books say is equal.
"""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.console.program import Program
from tests.process.servers import Server, is_priced, is_protected, links, until_ready
from tests.process.test_venue_kill import CASES

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", CASES)
def test_P05_a_venue_that_is_killed_and_started_again_has_its_books_and_is_traded_with(
    tmp_path: Path, name: str
) -> None:
    case, books, program = CASES[name], tmp_path / "books", Program(tmp_path)
    server = Server(name, tmp_path, "--books", str(books))
    symbol = server.told["symbols"][0]

    def buys(quantity: str, **more: str) -> None:
        program.wait_for(lambda: is_priced(program, symbol))
        program.ask("order", side="buy", symbol=symbol, quantity=quantity, **more)

    try:
        program.configure(server.told["config"])
        program.environment |= server.told["environment"]
        program.start()
        until_ready(program, name)
        buys(case.held, protect=case.protect)
        program.wait_for(lambda: is_protected(program, symbol))
        limit = program.ask("status")["positions"][0]["last"]
        below = str((Decimal(limit) * Decimal("0.97")).quantize(Decimal(case.grid)))
        buys(case.quantity, limit=below)
        program.wait_for(lambda: len(_resting(program)) == 1)
        before = _resting(program)

        server.kill()
        program.wait_for(lambda: links(program)[name] == "DISCONNECTED")
        server = Server(name, tmp_path, "--books", str(books), "--port", str(server.told["port"]))
        until_ready(program, name)
        assert is_protected(program, symbol)
        assert _resting(program) == before
        held = Decimal(case.held) + Decimal(case.quantity)
        buys(case.quantity, protect=case.protect)
        program.wait_for(lambda: _held(program) == held and is_protected(program, symbol))
        program.run("stop")
        program.ended()
        told = server.end()
        assert [Decimal(each) for each in told["positions"].values()] == [held]
        assert len(told["open_orders"]) == 1, "its stop, as the entry was cancelled"
    finally:
        program.stop()
        server.kill()


def _resting(program: Program) -> list[str]:
    """The entries of which the venue has said that it works them."""
    rows = program.ask("status")["orders"]
    works = [row for row in rows if row["purpose"] == "MANUAL" and row["status"] == "NEW"]
    return [row["client_order_id"] for row in works]


def _held(program: Program) -> Decimal:
    return sum((Decimal(row["quantity"]) for row in program.ask("status")["positions"]), Decimal(0))
