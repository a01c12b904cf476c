"""A kill with a hundred working orders at each venue, while another venue is gone (C-502, DESIGN).

Two accounts in one engine: one whose server goes on, and one whose server hangs up with a position
open and comes back later. `make kill-states` runs them; each takes most of its time waiting.
"""

import json
import time
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from tests.console.program import Program
from tests.process.servers import Server, accounts, is_priced, is_protected, until_ready

pytestmark = pytest.mark.long

ORDERS: Final = 100

WIDE: Final = """
[risk]
max_risk_per_trade = "0.5"
daily_loss_limit = "1"
drawdown_limit = "1"
max_concurrent_positions = 100
min_account_equity = "0"
consecutive_loss_threshold = 1000
consecutive_loss_pct = "1"
max_single_stock_exposure = "1"
max_sector_exposure = "1"
max_gross_exposure = "1"
max_order_notional = "1000000"
max_orders_per_minute = 1000
max_open_orders = 1000
max_trades_per_day = 1000
price_collar_pct = "1"
"""


@dataclass(frozen=True)
class Case:
    """Where a hundred orders rest, a grid apart, and what is held there and elsewhere."""

    quantity: str
    limit: Decimal
    grid: Decimal
    held: str
    protect: str
    beside: str
    """The venue that is gone."""
    pause: float = 0
    """Seconds between two orders."""
    rests: float = 0
    """Seconds from the last order to the kill: the requests of so long ago count no more."""


COIN: Final = ("0.001", Decimal(30_000), Decimal(1), "0.01", "20000")
SHARE: Final = ("1", Decimal(100), Decimal("0.01"), "2", "80")
PAIR: Final = ("10", Decimal("0.5"), Decimal("0.0001"), "100", "0.4")

CASES: Final = {
    # 200 requests a minute: a hundred orders and a hundred cancels in one are over it.
    "alpaca": Case(*SHARE, beside="oanda", rests=60),
    # 50 orders in 10 s, of which a part is kept for what reduces.
    "binance": Case(*COIN, beside="oanda", pause=0.3),
    "ibkr": Case(*SHARE, beside="oanda"),
    "oanda": Case(*PAIR, beside="okx"),
    "okx": Case(*COIN, beside="oanda"),
}


@dataclass
class Seen:
    """What happened at one venue and at the one beside it."""

    working: int = 0
    killed: dict[str, Any] = field(default_factory=dict)
    kill_code: int = -1
    left: dict[str, Any] = field(default_factory=dict)
    """What the exchange that went on says itself."""
    retried: dict[str, Any] = field(default_factory=dict)
    """The rows of a kill after the other venue was worked."""
    left_beside: dict[str, Any] = field(default_factory=dict)


def _resting(program: Program) -> int:
    orders = program.ask("status")["orders"]
    return sum(o["purpose"] == "MANUAL" and o["status"] == "NEW" for o in orders)


def _buy(program: Program, symbol: str, case: Case) -> None:
    """Hold some of it, protected."""
    program.wait_for(lambda: is_priced(program, symbol))
    bought = {"quantity": case.held, "protect": case.protect}
    program.ask("order", side="buy", symbol=symbol, **bought)
    program.wait_for(lambda: is_protected(program, symbol))


def _held(program: Program, name: str) -> list[Any]:
    return [row for row in program.ask("status")["positions"] if row["broker"] == name]


def _killed(name: str, folder: Path) -> Seen:
    """A hundred orders at `name`; the other hangs up, the kill is asked for, and it comes back."""
    seen, case, program = Seen(), CASES[name], Program(folder)
    here, there = Server(name, folder), Server(case.beside, folder)
    ours, theirs = here.told["symbols"][0], there.told["symbols"][0]
    try:
        listed = json.dumps(here.told["symbols"])
        both = here.told["config"].replace(listed, json.dumps([ours, theirs]))
        route = f'[[routes]]\nsymbol = "{theirs}"\nbroker = "{case.beside}"\n'
        program.configure(f'profile = "custom"\n{both}\n{WIDE}\n{there.told["brokers"]}\n{route}')
        program.environment |= here.told["environment"] | there.told["environment"]
        program.start()
        until_ready(program, name, case.beside)
        beside = CASES[case.beside]
        for symbol, each in ((ours, case), (theirs, beside)):
            _buy(program, symbol, each)
        for n in range(ORDERS):
            limit = case.limit - n * case.grid
            program.ask("order", side="buy", symbol=ours, quantity=case.quantity, limit=str(limit))
            time.sleep(case.pause)
        program.wait_for(lambda: _resting(program) == ORDERS)
        seen.working = _resting(program)
        time.sleep(case.rests)
        there.hang_up()
        program.wait_for(lambda: accounts(program)[case.beside] != "READY")
        done = program.run("kill", "--flatten", "all", "--json")
        seen.kill_code, seen.killed = done.returncode, json.loads(done.stdout)
        there.come_back()
        program.wait_for(lambda: not _held(program, case.beside), seconds=90)
        again = program.run("kill", "--flatten", "all", "--json")
        seen.retried = json.loads(again.stdout)["brokers"]
        program.run("stop")
        program.ended()
        seen.left, seen.left_beside = here.end(), there.end()
    finally:
        program.stop()
        here.kill()
        there.kill()
    return seen


@pytest.mark.parametrize("name", CASES)
def test_C502_a_hundred_orders_are_gone_and_the_venue_is_flat_while_another_is_gone(
    tmp_path: Path, name: str
) -> None:
    seen = _killed(name, tmp_path)
    assert seen.working == ORDERS
    row, dead = seen.killed["brokers"][name], seen.killed["brokers"][CASES[name].beside]
    assert (row["state"], row["left"], row["unknown"]) == ("VERIFIED", [], []), seen.killed
    assert row["cancelled"] >= ORDERS
    assert seen.left == {"positions": {}, "open_orders": []}
    assert dead["state"] == "DEGRADED"
    assert dead["left"] or dead["unknown"]
    assert seen.kill_code == 1
    # The one that was gone is worked by itself once it is back.
    rows = seen.retried.values()
    assert [(r["state"], r["left"], r["unknown"]) for r in rows] == [("VERIFIED", [], [])] * 2
    assert seen.left_beside == {"positions": {}, "open_orders": []}
