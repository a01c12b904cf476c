"""Two engines are never at one real account, whatever each calls it (C-201, C-503).

Two state folders and two configs, one account at a local server of Alpaca. Neither config states an
`account_id`, and they name the account differently: only the venue's answer tells.
"""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console.host.locks import holder
from tests.console.program import Program
from tests.process.servers import Server

pytestmark = pytest.mark.slow

HELD, FAILED, DONE = 5, 1, 0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server("alpaca", tmp_path)
    try:
        yield made
    finally:
        made.kill()


def program(folder: Path, server: Server, name: str) -> Program:
    """A program with a state folder of its own, in which the account has this name."""
    (folder / name).mkdir()
    made = Program(folder / name)
    text = server.told["config"].replace("[brokers.alpaca]", f'[brokers.{name}]\nkind = "alpaca"')
    made.configure(text.replace('primary = "alpaca"', f'primary = "{name}"'))
    made.environment |= server.told["environment"] | {"MERIDIAN_LOCK_DIR": str(folder / "locks")}
    return made


@pytest.fixture
def first(tmp_path: Path, server: Server) -> Iterator[Program]:
    """An engine that trades the account as `mine`, ready and with a share that it holds."""
    made = program(tmp_path, server, "mine")
    made.start()
    try:
        made.wait_for(lambda: made.ask("status")["accounts"][0]["state"] == "READY")
        yield made
    finally:
        made.stop()


@pytest.fixture
def second(tmp_path: Path, server: Server) -> Program:
    """Another config and state folder, in which the account is `yours`."""
    return program(tmp_path, server, "yours")


def buy(at: Program) -> None:
    asked = ("order", "buy", "AAPL", "2", "--protect", "190")
    at.wait_for(lambda: at.run(*asked).returncode == DONE)
    at.wait_for(lambda: [p["protected"] for p in at.ask("status")["positions"]] == ["2"])


def left(server: Server) -> dict[str, Any]:
    return server.end()


def test_a_second_engine_at_the_account_is_refused_in_one_sentence(
    first: Program, second: Program
) -> None:
    done = second.run("--headless", "--for", "10")
    assert done.returncode == HELD, done.stderr
    (said,) = done.stderr.splitlines()
    assert said.startswith(f"This account is held by process {first.engine.pid} ")  # type: ignore[union-attr]
    assert str(first.folder) in said
    assert "Traceback" not in done.stderr
    assert first.ask("status")["run_state"] == "ACTIVE"
    # it is free again once that engine has ended
    first.run("stop")
    assert first.ended() == DONE
    assert second.run("--headless", "--for", "1").returncode == DONE


def test_of_several_accounts_none_is_traded_where_one_is_another_engines(
    first: Program, second: Program, server: Server, tmp_path: Path
) -> None:
    coins = Server("binance", tmp_path)
    try:
        text = Path(second.environment["MERIDIAN_CONFIG"]).read_text(encoding="utf-8")
        text = text.replace('"AAPL", "BTC-USD"', '"AAPL", "BTC-USDT"')
        route = '[[routes]]\nsymbol = "BTC-USDT"\nbroker = "binance"\n'
        second.configure(f"{text}\n{coins.told['brokers']}\n{route}")
        second.environment |= coins.told["environment"]
        done = second.run("--headless", "--for", "20")
        assert done.returncode == HELD, done.stderr
        assert str(first.folder) in done.stderr.splitlines()[-1]
        assert coins.end() == {"positions": {}, "open_orders": []}
        locks = tmp_path / "locks"
        ours = [found for found in map(holder, locks.glob("*.lock")) if found is not None]
        assert {found.state_dir for found in ours} == {str(first.folder)}
    finally:
        coins.kill()


def test_a_kill_under_another_name_is_put_to_the_engine_that_has_the_account(
    first: Program, second: Program, server: Server
) -> None:
    buy(first)
    done = second.run("kill", "--flatten", "all", "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["fenced"]) == (DONE, None), done.stderr
    assert {name: row["state"] for name, row in found["brokers"].items()} == {"mine": "VERIFIED"}
    assert first.ask("status")["run_state"] == "HALTED"
    assert (second.folder / "HALT").exists()
    first.run("stop")
    assert left(server) == {"positions": {}, "open_orders": []}


def test_a_kill_under_another_name_ends_an_engine_that_hangs_and_closes_there(
    first: Program, second: Program, server: Server
) -> None:
    buy(first)
    first.send(signal.SIGSTOP)
    done = second.run("kill", "--flatten", "all", "--json")
    found = json.loads(done.stdout)
    assert first.engine is not None
    assert found["fenced"] == first.engine.pid, done.stderr
    assert {name: row["state"] for name, row in found["brokers"].items()} == {"yours": "VERIFIED"}
    assert done.returncode == DONE
    assert (first.folder / "HALT").exists()  # it is halted where it ran, too
    assert left(server) == {"positions": {}, "open_orders": []}


@pytest.mark.parametrize("command", ["connect", "record"])
def test_C201_who_only_looks_is_kept_out_by_the_account_that_the_venue_answers_too(
    first: Program, second: Program, tmp_path: Path, command: str
) -> None:
    """A second connection may push the first one out, whatever each calls the account."""
    kept = tmp_path / "kept"
    asked = {
        "connect": ("connect", "yours", "--yes"),
        "record": ("doctor", "--record", str(kept), "--seconds", "0"),
    }[command]
    before = Path(second.environment["MERIDIAN_CONFIG"]).read_text(encoding="utf-8")
    done = second.run(*asked)
    assert done.returncode == HELD, done.stderr
    said = " ".join(done.stderr.split())
    assert "trades the account yours now, and a second connection could push it out" in said
    assert f"process {first.engine.pid}" in said  # type: ignore[union-attr]
    assert not kept.exists()
    assert Path(second.environment["MERIDIAN_CONFIG"]).read_text(encoding="utf-8") == before
    assert first.ask("status")["run_state"] == "ACTIVE"
    first.run("stop")
    assert first.ended() == DONE
    assert second.run(*asked).returncode == DONE
