"""`kill` from a second shell: engine healthy, stopped, blocked and dead (T-05, C-503, X-52)."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from storage.latch import FileLatch
from tests.console.program import BLOCKING_HOST, Program

pytestmark = pytest.mark.slow

KEYS = {"latched", "flatten", "fenced", "brokers"}
BROKER_KEYS = {"state", "cancelled", "closed", "left", "unknown"}
QUIET = '[signals]\nbuiltin = ""\n'


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    made = Program(tmp_path)
    made.configure(QUIET)
    yield made
    made.stop()


def hold(program: Program, symbol: str = "AAPL", *, hold: str = "day") -> None:
    """A position with a protective stop behind it."""
    price = program.ask("order", side="buy", symbol=symbol, quantity="10", protect="1", hold=hold)
    assert price["client_order_ids"]

    def protected() -> bool:
        status = program.ask("status")
        held = {p["symbol"] for p in status["positions"]}
        stops = {o["symbol"] for o in status["orders"] if o["status"] == "NEW"}
        return symbol in held and symbol in stops

    program.wait_for(protected)


def killed(program: Program, *options: str) -> dict[str, Any]:
    done = program.run("kill", "--json", *options)
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert set(found) == KEYS
    assert all(set(row) == BROKER_KEYS for row in found["brokers"].values())
    assert done.returncode == 0, done.stdout + done.stderr
    return found


def assert_flat_and_latched(program: Program, found: dict[str, Any]) -> None:
    assert found["latched"] is True
    assert found["brokers"]["paper"]["state"] == "VERIFIED"
    assert found["brokers"]["paper"]["closed"] == 1
    assert FileLatch(program.folder).read() is not None
    status = program.document("status")
    assert status["halt"] is not None
    assert status["positions"] == []


def test_a_healthy_engine_kills_itself(program: Program) -> None:
    program.start()
    hold(program)
    found = killed(program)
    assert found["fenced"] is None
    assert_flat_and_latched(program, found)
    assert program.engine is not None
    assert program.engine.poll() is None, "a halted engine goes on observing"
    again = killed(program)
    assert again["brokers"]["paper"]["state"] == "VERIFIED"
    assert len([o for o in program.rows("orders") if o["purpose"] in ("EXIT", "FLATTEN")]) == 1


def test_a_stopped_process_is_fenced(program: Program) -> None:
    program.start()
    hold(program)
    program.send(signal.SIGSTOP)
    assert program.engine is not None
    found = killed(program)
    assert found["fenced"] == program.engine.pid
    assert program.ended() == -signal.SIGKILL
    assert_flat_and_latched(program, found)


def test_a_blocked_loop_is_fenced_and_its_thread_had_latched_before(program: Program) -> None:
    program.start(module=("-m", BLOCKING_HOST))
    hold(program)
    (program.folder / "block").touch()
    program.wait_for((program.folder / "blocked").exists)
    assert program.engine is not None
    answer = program.ask("kill", reason="test", wait=False)
    assert answer["latched"] is True
    assert answer["acknowledged"] is False
    assert FileLatch(program.folder).read() is not None
    found = killed(program)
    assert found["fenced"] == program.engine.pid
    assert_flat_and_latched(program, found)


def test_a_dead_engine_is_killed_at_its_broker(program: Program) -> None:
    program.start()
    hold(program)
    program.send(signal.SIGKILL)
    assert program.ended() == -signal.SIGKILL
    found = killed(program)
    assert found["fenced"] is None
    assert_flat_and_latched(program, found)


def test_without_any_engine_ever_the_latch_is_set_and_proved(program: Program) -> None:
    found = killed(program)
    assert found["latched"] is True
    assert found["brokers"]["paper"]["closed"] == 0
    program.start()
    assert program.ask("status")["run_state"] == "HALTED"


def test_the_prices_it_closes_at_are_told_with_their_age(program: Program) -> None:
    program.start()
    hold(program)
    program.send(signal.SIGKILL)
    program.ended()
    done = program.run("kill")
    assert done.returncode == 0
    assert "AAPL: the last price known is" in done.stderr
    assert "s old" in done.stderr
    assert "HALTED" in done.stdout
    assert "VERIFIED" in done.stdout


@pytest.mark.parametrize(
    ("flatten", "left"), [("none", ["AAPL", "MSFT"]), ("day", ["MSFT"]), ("all", [])]
)
def test_flatten_says_what_is_closed(program: Program, flatten: str, left: list[str]) -> None:
    program.start()
    hold(program, "AAPL")
    hold(program, "MSFT", hold="swing")
    found = killed(program, "--flatten", flatten)
    assert found["flatten"] == flatten
    status = program.document("status")
    assert [p["symbol"] for p in status["positions"]] == left
    protected = sorted(o["symbol"] for o in status["orders"])
    assert protected == left, "what stays keeps its stop, what went has none"


def test_a_halt_file_made_by_hand_halts_a_running_engine(program: Program) -> None:
    program.start()
    (program.folder / "HALT").touch()
    program.wait_for(lambda: program.ask("status")["run_state"] == "HALTED", 5.0)
    refused = program.run("order", "buy", "AAPL", "1")
    assert refused.returncode == 4
    assert program.run("resume", "--confirm", "RESUME").returncode == 0
    assert not (program.folder / "HALT").exists()
    assert program.ask("status")["run_state"] == "PAUSED"
    assert program.run("unpause").returncode == 0
    assert program.ask("status")["run_state"] == "ACTIVE"


def test_a_latch_survives_a_crash_and_a_restart(program: Program) -> None:
    program.start()
    killed(program)
    program.send(signal.SIGKILL)
    program.ended()
    program.start()
    assert program.ask("status")["run_state"] == "HALTED"
    (program.folder / "HALT").unlink()
    program.send(signal.SIGKILL)
    program.ended()
    program.start()
    assert program.ask("status")["run_state"] == "HALTED", "the journal's half of the latch"


def test_a_config_that_is_broken_still_latches(program: Program) -> None:
    program.configure("mode = 7\n")
    done = program.run("kill", "--json")
    found = json.loads(done.stdout)
    assert found["latched"] is True
    assert found["brokers"] == {}
    assert done.returncode == 1
    assert (program.folder / "HALT").exists()
