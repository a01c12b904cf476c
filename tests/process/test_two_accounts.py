"""Two accounts in one engine, one of them in another process (C-402, C-441, X-87).

What happens to one of them is no business of the other: a link that is cut, an engine that is
killed, a position in the same symbol.
"""

import signal
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from console.host.client import Refused
from storage.verify import verify
from tests.console.program import Program
from tests.process.venue import Venue

pytestmark = pytest.mark.slow

UNPRICED = ("NO_PRICE", "STALE_QUOTE")

CONFIG = """
[market]
symbols = ["AAPL", "MSFT"]

[signals]
builtin = ""

[brokers.far]
kind = "paper"
address = "{address}"
"""


class Pair:
    """An engine with its own account, and with one at a venue in another process."""

    def __init__(self, folder: Path) -> None:
        self.venue = Venue(folder, {"AAPL": 100, "MSFT": 100})
        self.program = Program(folder)
        self.program.configure(CONFIG.format(address=self.venue.path))

    def buy(self, symbol: str, quantity: int, broker: str = "") -> None:
        self.program.ask(
            "order", side="buy", symbol=symbol, quantity=str(quantity), hold="swing", broker=broker
        )

    @property
    def status(self) -> Any:
        return self.program.ask("status")

    @property
    def links(self) -> dict[str, str]:
        return {name: row["state"] for name, row in self.status["brokers"].items()}

    @property
    def held(self) -> dict[tuple[str, str], Decimal]:
        rows = self.status["positions"]
        return {(row["broker"], row["symbol"]): Decimal(row["quantity"]) for row in rows}

    def until_held(self, expected: dict[tuple[str, str], int]) -> None:
        self.program.wait_for(lambda: self.held == expected)

    def until_links(self, **expected: str) -> None:
        self.program.wait_for(lambda: self.links == expected)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    made = Pair(tmp_path)
    made.program.start()
    made.until_links(paper="CONNECTED", far="CONNECTED")
    # A new process has no price until the market speaks.
    made.program.wait_for(lambda: _is_bought(made, "AAPL", 5, "", *UNPRICED))
    yield made
    made.program.stop()
    made.venue.stop()


def _is_bought(pair: Pair, symbol: str, quantity: int, broker: str, *passing: str) -> bool:
    """True once it is; a refusal of a passing kind is waited out."""
    try:
        pair.buy(symbol, quantity, broker)
    except Refused as refused:
        if refused.code not in passing:
            raise
        return False
    return True


def test_the_same_symbol_in_both_and_close_in_one(pair: Pair) -> None:
    pair.buy("AAPL", 3, "far")
    pair.until_held({("paper", "AAPL"): 5, ("far", "AAPL"): 3})
    assert pair.venue.hand.positions() == {"AAPL": Decimal(3)}
    pair.program.ask("close", symbol="AAPL", broker="far")
    pair.until_held({("paper", "AAPL"): 5})
    assert pair.venue.hand.positions() == {}


def test_a_link_that_is_cut_stops_entries_in_its_own_account_alone(pair: Pair) -> None:
    pair.buy("AAPL", 3, "far")
    pair.until_held({("paper", "AAPL"): 5, ("far", "AAPL"): 3})
    pair.venue.kill()
    pair.until_links(paper="CONNECTED", far="DISCONNECTED")
    with pytest.raises(Refused) as refused:
        pair.buy("MSFT", 1, "far")
    assert refused.value.code == "NO_ACCOUNT"
    pair.program.wait_for(lambda: _is_bought(pair, "MSFT", 2, "", *UNPRICED))
    pair.until_held({("paper", "AAPL"): 5, ("paper", "MSFT"): 2, ("far", "AAPL"): 3})
    assert pair.status["run_state"] == "ACTIVE"
    pair.venue.start()
    pair.until_links(paper="CONNECTED", far="CONNECTED")
    # It is traded with again once it was looked at.
    pair.program.wait_for(lambda: _is_bought(pair, "MSFT", 1, "far", "NO_ACCOUNT"))


def test_a_restart_finds_both_and_they_agree_with_their_venues(pair: Pair) -> None:
    pair.buy("AAPL", 3, "far")
    both = {("paper", "AAPL"): 5, ("far", "AAPL"): 3}
    pair.until_held(both)
    pair.program.send(signal.SIGKILL)
    pair.program.ended()
    assert verify(pair.program.folder / "journal.db").ok
    pair.program.start()
    pair.until_links(paper="CONNECTED", far="CONNECTED")
    assert pair.held == both
    found = pair.program.document("reconcile")
    assert (found["clean"], found["differences"]) == (True, [])
    accounts = {row["broker"]: row for row in pair.status["accounts"]}
    assert {name: row["state"] for name, row in accounts.items()} == {
        "paper": "READY",
        "far": "READY",
    }


def test_a_kill_proves_both(pair: Pair) -> None:
    pair.buy("AAPL", 3, "far")
    pair.until_held({("paper", "AAPL"): 5, ("far", "AAPL"): 3})
    done = pair.program.document("kill", "--flatten", "all")
    states = {name: row["state"] for name, row in done["brokers"].items()}
    assert states == {"paper": "VERIFIED", "far": "VERIFIED"}, done
    assert pair.held == {}
    assert pair.venue.hand.positions() == {}


def test_a_kill_without_the_engine_proves_both(pair: Pair) -> None:
    pair.buy("AAPL", 3, "far")
    pair.until_held({("paper", "AAPL"): 5, ("far", "AAPL"): 3})
    pair.program.send(signal.SIGKILL)
    pair.program.ended()
    done = pair.program.document("kill", "--flatten", "all")
    states = {name: row["state"] for name, row in done["brokers"].items()}
    assert states == {"paper": "VERIFIED", "far": "VERIFIED"}, done
    assert pair.venue.hand.positions() == {}


def test_a_kill_with_a_config_that_leaves_an_account_out_closes_the_others_and_names_it(
    pair: Pair,
) -> None:
    pair.buy("AAPL", 3, "far")
    pair.until_held({("paper", "AAPL"): 5, ("far", "AAPL"): 3})
    pair.program.send(signal.SIGKILL)
    pair.program.ended()
    pair.program.configure(CONFIG.partition("[brokers.far]")[0])
    done = pair.program.document("kill", "--flatten", "all")
    assert {name: row["state"] for name, row in done["brokers"].items()} == {
        "paper": "VERIFIED",
        "far": "DEGRADED",
    }
    assert done["brokers"]["paper"]["closed"] == 1
    assert done["brokers"]["far"]["left"] == ["AAPL 3"]
    assert done["brokers"]["far"]["unknown"] == ["the config does not open it"]
    assert pair.program.run("--headless", "--for", "1").returncode == 2


def _kills(pair: Pair) -> dict[str, str]:
    """How far the kill is in each account, as `status` says."""
    return {row["broker"]: row["kill"]["state"] for row in pair.status["accounts"] if row["kill"]}


def test_a_halt_outlives_a_restart_in_both_and_is_cleared_after_a_look_at_both(pair: Pair) -> None:
    """U-71, X-69, C-502: one venue is away while the process is killed and started again."""
    pair.buy("AAPL", 3, "far")
    pair.until_held({("paper", "AAPL"): 5, ("far", "AAPL"): 3})
    pair.venue.kill()
    pair.until_links(paper="CONNECTED", far="DISCONNECTED")
    pair.program.ask("kill", flatten="all", wait=False)
    pair.program.wait_for(lambda: _kills(pair)["paper"] == "VERIFIED")
    pair.program.wait_for(lambda: _kills(pair)["far"] == "DEGRADED", 45)
    told = pair.program.run("status").stdout
    assert "kill in paper: VERIFIED" in told
    assert "kill in far: DEGRADED; left AAPL 3" in told
    pair.program.send(signal.SIGKILL)
    pair.program.ended()
    assert verify(pair.program.folder / "journal.db").ok

    pair.program.start()
    pair.until_links(paper="CONNECTED", far="CONNECTING")
    assert pair.status["run_state"] == "HALTED"
    assert _kills(pair) == {"paper": "VERIFIED", "far": "DEGRADED"}
    assert pair.held == {("far", "AAPL"): 3}
    with pytest.raises(Refused, match="far"):
        pair.program.ask("resume", confirm="RESUME")
    assert pair.status["run_state"] == "HALTED"

    pair.venue.start()
    pair.program.wait_for(lambda: _kills(pair) == {"paper": "VERIFIED", "far": "VERIFIED"})
    assert pair.held == {}
    assert pair.venue.hand.positions() == {}
    assert pair.status["run_state"] == "HALTED"
    assert pair.program.document("reconcile", "--broker", "far")["clean"] is True
    pair.program.ask("resume", confirm="RESUME")
    assert pair.status["run_state"] == "PAUSED"
    assert _kills(pair) == {}
