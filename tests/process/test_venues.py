"""The whole program at each venue: a process beside a local server of it (C-441, C-502, T-25).

The server is a process too (`tests.venues.serve`). Its keys are marked fakes; no file, no answer
and no line of a log may hold one of them.

What each venue shows takes most of its time waiting, a kill above all, which is proved only once
the venue can no longer be behind: all of it happens side by side, and each test looks at its own.
"""

import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from tests.console.program import Program
from tests.process.servers import (
    MARK,
    Server,
    is_priced,
    is_protected,
    last,
    links,
    until_ready,
)
from tests.venues.serve import VENUES, config

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Case:
    """What is bought of a venue's first symbol, and where it is protected."""

    quantity: str
    protect: str
    refused: str = ""
    """Nothing can be bought: the code that says so."""


CASES: Final = {
    "alpaca": Case("2", "190"),
    "binance": Case("0.01", "59000"),
    # Only its sandbox is open to mode "paper", and that has no products.
    "coinbase": Case("0.01", "59000", refused="NO_CONTRACT"),
    "ibkr": Case("2", "190"),
    "oanda": Case("100", "1.05"),
    "okx": Case("0.01", "59000"),
}


@dataclass
class Seen:
    """What happened with one venue, or with two."""

    folder: Path
    ready: dict[str, Any] = field(default_factory=dict)
    """`status` once the account was READY."""
    refused: str = ""
    held: list[Any] = field(default_factory=list)
    orders: list[Any] = field(default_factory=list)
    killed: dict[str, Any] = field(default_factory=dict)
    kill_code: int = -1
    ended: int = -1
    left: dict[str, Any] = field(default_factory=dict)
    """What the exchange itself says in the end."""
    outputs: list[str] = field(default_factory=list)

    def run(self, program: Program, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One command, whose output is kept."""
        done = program.run(*arguments)
        self.outputs += [done.stdout, done.stderr]
        return done

    def marked(self) -> list[str]:
        """Where a key is found: a file below the folder, or an output."""
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        found = [str(path) for path in files if MARK in path.read_bytes().lower()]
        return found + [text for text in self.outputs if MARK in text.lower().encode()]


def _buy(seen: Seen, program: Program, symbol: str, case: Case) -> str:
    """Buy by the command; the code of a refusal that does not pass, else "" once it is there."""
    program.wait_for(lambda: is_priced(program, symbol))
    asked = ("order", "buy", symbol, case.quantity, "--protect", case.protect, "--json")
    done = seen.run(program, *asked)
    answer = json.loads(done.stdout)
    if done.returncode:
        return str(answer["code"])
    program.wait_for(lambda: is_protected(program, symbol))
    return ""


def _alone(name: str, folder: Path) -> Seen:
    """Buy with a protection, kill, stop: all by commands."""
    seen, server, program = Seen(folder), Server(name, folder), Program(folder)
    try:
        program.configure(server.told["config"])
        program.environment |= server.told["environment"]
        program.start()
        until_ready(program, name)
        seen.ready = json.loads(seen.run(program, "status", "--json").stdout)
        seen.refused = _buy(seen, program, server.told["symbols"][0], CASES[name])
        status = program.ask("status")
        seen.held, seen.orders = status["positions"], status["orders"]
        done = seen.run(program, "kill", "--flatten", "all", "--json")
        seen.kill_code, seen.killed = done.returncode, json.loads(done.stdout)
        seen.run(program, "stop")
        seen.ended = program.ended()
        seen.run(program, "journal", "events", "--json")
        seen.outputs.append(program.told)
        seen.left = server.end()
    finally:
        program.stop()
        server.kill()
    return seen


def _together(folder: Path) -> Seen:
    """Binance and OANDA in one engine; OANDA's server is gone when all is to be closed."""
    seen, program = Seen(folder), Program(folder)
    coins, pairs = Server("binance", folder), Server("oanda", folder)
    try:
        route = '[[routes]]\nsymbol = "EUR_USD"\nbroker = "oanda"\n'
        both = coins.told["config"].replace('["BTC-USDT"]', '["BTC-USDT", "EUR_USD"]')
        program.configure(f"{both}\n{pairs.told['brokers']}\n{route}")
        program.environment |= coins.told["environment"] | pairs.told["environment"]
        program.start()
        until_ready(program, "binance", "oanda")
        for name, symbol in (("binance", "BTC-USDT"), ("oanda", "EUR_USD")):
            seen.refused += _buy(seen, program, symbol, CASES[name])
        seen.held = program.ask("status")["positions"]
        pairs.kill()
        program.wait_for(lambda: links(program)["oanda"] != "CONNECTED")
        before = last(program, "BTC-USDT")
        program.wait_for(lambda: last(program, "BTC-USDT") != before)  # its prices go on
        done = seen.run(program, "kill", "--flatten", "all", "--json")
        seen.kill_code, seen.killed = done.returncode, json.loads(done.stdout)
        seen.run(program, "stop")
        seen.ended = program.ended()
        seen.outputs.append(program.told)
        seen.left = coins.end()
    finally:
        program.stop()
        coins.kill()
        pairs.kill()
    return seen


Story = Callable[[], Seen]


@pytest.fixture(scope="module")
def stories(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Seen]]]:
    """What becomes of each venue, by its name, and of two of them as `two`."""
    with ThreadPoolExecutor(len(CASES) + 1) as pool:
        two = pool.submit(_together, tmp_path_factory.mktemp("two"))
        alone = {name: pool.submit(_alone, name, tmp_path_factory.mktemp(name)) for name in CASES}
        yield alone | {"two": two}


@pytest.mark.parametrize("name", CASES)
def test_C502_what_is_bought_at_a_venue_is_protected_and_is_proved_closed_by_a_kill(
    stories: dict[str, Future[Seen]], name: str
) -> None:
    seen, case = stories[name].result(), CASES[name]
    (account,) = seen.ready["accounts"]
    assert (account["broker"], account["state"]) == (name, "READY")
    assert seen.refused == case.refused
    if not case.refused:
        (position,) = seen.held
        assert (position["broker"], position["quantity"]) == (name, case.quantity)
        assert position["protected"] == position["quantity"]
        (stop,) = seen.orders
        assert (stop["purpose"], stop["side"]) == ("PROTECT", "SELL")
        assert float(stop["stop_price"]) == float(case.protect)
    row = seen.killed["brokers"][name]
    assert (row["state"], row["left"], row["unknown"]) == ("VERIFIED", [], []), seen.killed
    assert seen.kill_code == 0
    assert seen.left == {"positions": {}, "open_orders": []}
    assert seen.ended == 0


@pytest.mark.parametrize("name", CASES)
def test_T25_no_key_of_a_venue_is_in_a_file_or_in_an_answer(
    stories: dict[str, Future[Seen]], name: str
) -> None:
    keys = VENUES[name].environment
    assert bool(keys) is (name != "ibkr")
    assert all(MARK in key.encode().lower() for key in keys.values())
    seen = stories[name].result()
    assert any((seen.folder / "state").rglob("*"))
    assert seen.marked() == []


def _told_once(seen: Seen, program: Program, name: str) -> None:
    """The engine ends with one sentence that names the account, and with no key in it."""
    done = seen.run(program, "--headless", "--for", "10")
    assert done.returncode == 1, done.stderr
    (said,) = done.stderr.splitlines()
    assert said.startswith(f"The account {name} cannot be connected to: ")
    assert not [text for text in seen.outputs if "Traceback" in text]
    assert seen.marked() == []


@pytest.mark.parametrize("name", ["alpaca", "binance", "oanda", "okx"])
def test_U72_a_key_that_the_venue_refuses_ends_the_start_in_one_sentence(
    tmp_path: Path, name: str
) -> None:
    seen, server, program = Seen(tmp_path), Server(name, tmp_path), Program(tmp_path)
    try:
        program.configure(server.told["config"])
        keys = server.told["environment"]
        program.environment |= {variable: f"{key}-wrong" for variable, key in keys.items()}
        looked = seen.run(program, "doctor")
        assert (looked.returncode, looked.stderr) == (1, "")
        assert all(f"{variable} is set" in looked.stdout for variable in keys)
        assert "it does not let us in: " in looked.stdout
        _told_once(seen, program, name)
    finally:
        program.stop()
        server.kill()


@pytest.mark.parametrize("name", CASES)
def test_C441_a_venue_that_is_not_there_ends_the_start_in_one_sentence(
    tmp_path: Path, name: str
) -> None:
    seen, program = Seen(tmp_path), Program(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens there, nor can anybody
        server = VENUES[name].make()
        server.port = taken.getsockname()[1]
        program.configure(config(name, server, tmp_path))
        program.environment |= VENUES[name].environment
        _told_once(seen, program, name)


def test_C502_a_kill_proves_one_venue_and_names_the_other_that_is_gone(
    stories: dict[str, Future[Seen]],
) -> None:
    seen = stories["two"].result()
    assert seen.refused == ""
    assert {row["broker"]: row["quantity"] for row in seen.held} == {
        "binance": "0.01",
        "oanda": "100",
    }
    coins, pairs = seen.killed["brokers"]["binance"], seen.killed["brokers"]["oanda"]
    assert (coins["state"], coins["left"], coins["unknown"]) == ("VERIFIED", [], [])
    assert pairs["state"] == "DEGRADED"
    assert pairs["left"] or pairs["unknown"]
    assert seen.kill_code == 1
    assert seen.left == {"positions": {}, "open_orders": []}
    assert seen.marked() == []
