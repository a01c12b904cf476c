"""A primary account in another process, and a fallback in this one (A-240, A-242, X-44).

The primary's venue is killed, and it is made mute: the first is proof that it took nothing, the
second proves nothing.
"""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from console.host.client import Refused
from tests.console.program import Program
from tests.process.venue import Venue

pytestmark = pytest.mark.slow

D = Decimal
CONFIG = """
[account]
primary = "far"
fallback = "paper"

[market]
symbols = ["AAPL", "MSFT"]

[signals]
builtin = ""

[brokers.far]
kind = "paper"
address = "{address}"
"""
UNPRICED = ("NO_PRICE", "STALE_QUOTE")


class Pair:
    """An engine whose primary is far, and whose fallback is its own."""

    def __init__(self, folder: Path) -> None:
        self.venue = Venue(folder, {"AAPL": 100, "MSFT": 100})
        self.program = Program(folder)
        self.program.configure(CONFIG.format(address=self.venue.path))

    @property
    def status(self) -> Any:
        return self.program.ask("status")

    @property
    def held(self) -> dict[tuple[str, str], Decimal]:
        rows = self.status["positions"]
        return {(row["broker"], row["symbol"]): D(row["quantity"]) for row in rows}

    def until_link(self, state: str) -> None:
        self.program.wait_for(lambda: self.status["brokers"]["far"]["state"] == state)

    def until_held(self, expected: dict[tuple[str, str], int]) -> None:
        self.program.wait_for(lambda: self.held == expected)

    def buy(self, symbol: str, quantity: int) -> None:
        self.program.ask("order", side="buy", symbol=symbol, quantity=str(quantity), hold="swing")

    def is_bought(self, symbol: str, quantity: int, *passing: str) -> bool:
        """True once it is; a refusal of a passing kind is waited out."""
        try:
            self.buy(symbol, quantity)
        except Refused as refused:
            if refused.code not in passing:
                raise
            return False
        return True

    def alarms(self, code: str) -> list[str]:
        events = self.program.rows("events")
        told = [e["data"] for e in events if e["type"] == "Alarmed"]
        return [alarm["text"] for alarm in told if alarm["code"] == code]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    made = Pair(tmp_path)
    made.program.start()
    made.until_link("CONNECTED")
    # A new process has no price until the market speaks.
    made.program.wait_for(lambda: made.is_bought("AAPL", 5, *UNPRICED))
    made.until_held({("far", "AAPL"): 5})
    yield made
    made.program.stop()
    made.venue.stop()


def test_A242_a_venue_that_is_gone_has_taken_nothing_and_the_fallback_does(pair: Pair) -> None:
    pair.venue.kill()
    pair.until_link("DISCONNECTED")
    pair.program.wait_for(lambda: pair.is_bought("MSFT", 2, *UNPRICED))
    pair.until_held({("far", "AAPL"): 5, ("paper", "MSFT"): 2})
    (text,) = pair.alarms("FALLBACK")
    assert text.startswith("BUY 2 MSFT goes to the fallback paper: far ")
    pair.venue.start()
    pair.until_link("CONNECTED")
    assert len(pair.venue.hand.submits()) <= 1, "what it took before, if it remembers that"
    assert pair.venue.hand.positions() == {"AAPL": D(5)}
    # With the primary back the next entry is its own again, and a close goes to who holds.
    pair.program.wait_for(lambda: pair.is_bought("AAPL", 1, "NO_ACCOUNT", *UNPRICED))
    pair.program.ask("close", symbol="MSFT")
    pair.until_held({("far", "AAPL"): 6})


def test_A242_a_venue_that_is_mute_proves_nothing_and_nobody_else_is_asked(pair: Pair) -> None:
    pair.venue.hand.hold("requests")
    pair.buy("MSFT", 3)
    pair.program.wait_for(lambda: [o["status"] for o in pair.status["orders"]] == ["UNKNOWN"])
    with pytest.raises(Refused) as refused:
        pair.buy("MSFT", 4)
    assert refused.value.code == "UNKNOWN_STATE"
    assert pair.held == {("far", "AAPL"): 5}
    pair.venue.hand.release("requests")
    pair.program.wait_for(lambda: pair.status["orders"] == [])
    # Whatever became of it, it became of it there.
    assert {broker for broker, _ in pair.held} == {"far"}
    assert pair.alarms("FALLBACK") == []
    assert set(pair.venue.hand.submits().values()) == {1}


def test_A240_the_shell_says_of_an_order_that_it_goes_to_the_fallback(pair: Pair) -> None:
    """Who sends it there by `order` must not take it for one at the primary."""
    pair.venue.kill()
    pair.until_link("DISCONNECTED")
    pair.program.wait_for(lambda: pair.is_bought("MSFT", 2, *UNPRICED))
    done = pair.program.run("order", "buy", "MSFT", "1", "--hold", "swing")
    assert done.returncode == 0, done.stderr
    (said,) = [line for line in done.stderr.splitlines() if "fallback" in line]
    assert "BUY 1 MSFT goes to the fallback paper: far " in said
    answer = pair.program.document("order", "buy", "MSFT", "3", "--hold", "swing")
    assert [text.startswith("BUY 3 MSFT goes to the") for text in answer["notes"]] == [True], answer
    pair.venue.start()


def test_A242_nor_does_what_adds_to_a_holding_that_is_out_of_reach(pair: Pair) -> None:
    pair.venue.kill()
    pair.until_link("DISCONNECTED")
    pair.program.wait_for(lambda: pair.is_bought("MSFT", 2, *UNPRICED))
    done = pair.program.run("order", "buy", "AAPL", "1", "--hold", "swing")
    assert done.returncode == 4, done.stderr
    assert "It does not go to the fallback paper: AAPL is held in far" in " ".join(
        done.stderr.split()
    )
    assert pair.held == {("far", "AAPL"): 5, ("paper", "MSFT"): 2}
    pair.venue.start()
