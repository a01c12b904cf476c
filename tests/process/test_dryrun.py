"""The whole acceptance run, on paper and at a local server of each venue (C-700 to C-706, X-51).

Latencies are measured, and a busy machine is slow: no test asks for a short one.
"""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console.host.acceptance.script import READY_SECONDS
from tests.console.program import MAIN, PATIENCE, ROOT, Program
from tests.process.servers import MARK, Server

pytestmark = pytest.mark.slow

VENUES = ("alpaca", "binance", "ibkr", "oanda", "okx")
DONE, FAILED, USAGE, REFUSED, HELD = 0, 1, 2, 4, 5
QUICK = ("--rounds", "2", "--steady", "1")


class Place:
    """A program and the server of its account."""

    def __init__(self, folder: Path, name: str = "", *options: str, **switches: object) -> None:
        self.program = Program(folder)
        self.server = Server(name, folder, *options, **switches) if name else None
        if self.server is not None:
            self.program.configure(self.server.told["config"])
            self.program.environment |= self.server.told["environment"]

    def dryrun(self, *options: str) -> tuple[int, dict[str, Any]]:
        done = self.program.run("dryrun", "--json", *options)
        assert MARK not in (done.stdout + done.stderr).lower().encode()
        return done.returncode, json.loads(done.stdout)

    def close(self) -> None:
        self.program.stop()
        if self.server is not None:
            self.server.kill()


@pytest.fixture
def places(tmp_path: Path) -> Iterator[list[Place]]:
    found: list[Place] = []
    yield found
    for place in found:
        place.close()


def place(places: list[Place], *given: Any, **more: Any) -> Place:
    places.append(Place(*given, **more))
    return places[-1]


def bad(content: dict[str, Any]) -> set[str]:
    return {row["name"] for row in content["criteria"] if row["ok"] is False}


@pytest.mark.parametrize("name", VENUES)
def test_C702_a_test_environment_is_run_measured_and_left_as_it_was_found(
    tmp_path: Path, places: list[Place], name: str
) -> None:
    at = place(places, tmp_path, name)
    code, told = at.dryrun(*QUICK)
    content = told["content"]
    assert bad(content) == set(), content
    assert (code, content["passed"]) == (DONE, True)
    assert (content["account"], content["kind"]) == (name, name)
    # TWS always answers on the machine itself: the report says that nobody knows whether it was one
    evidence = "sandbox-verified" if name == "ibkr" else "simulated"
    assert content["evidence"] == evidence
    assert ("is a TWS" in str(content["not_shown"])) is (name == "ibkr")
    kinds = [row["kind"] for row in content["orders"]]
    assert (kinds.count("resting limit"), kinds.count("at the market")) == (2, 4)
    for row in content["orders"]:
        rests = row["kind"] == "resting limit"
        assert row["ended"] == ("CANCELED" if rests else "FILLED")
        assert row["filled"] == ("0" if rests else row["quantity"])
    assert at.server is not None
    assert at.server.end() == {"positions": {}, "open_orders": []}
    assert Path(told["report"]).parent == at.program.folder / "reports"
    text = Path(told["report"]).with_suffix(".txt").read_text(encoding="utf-8")
    assert text.startswith(f"PASSED: dry run of {name} ({name} {content['environment']})\n")
    assert told["sha256"] in text
    journal = at.program.rows("events")
    assert journal[content["journal_last"] - 1]["hash"] == content["journal_head"]
    assert at.program.run("journal", "verify").returncode == DONE


def test_C701_the_paper_account_is_run_and_its_report_says_simulated(
    tmp_path: Path, places: list[Place]
) -> None:
    at = place(places, tmp_path)
    code, told = at.dryrun(*QUICK, "--symbol", "MSFT")
    content = told["content"]
    assert bad(content) <= {"fill latency"}, content
    assert code == (DONE if content["passed"] else FAILED)
    assert (content["evidence"], content["environment"], content["symbol"]) == (
        "simulated", "", "MSFT",
    )  # fmt: skip
    outcomes = [row for row in at.program.rows("events") if row["type"] == "SignalReceived"]
    assert not outcomes, "nothing but the orders of the run is traded"
    assert at.program.document("status")["positions"] == []


def test_C706_a_symbol_that_the_venue_does_not_trade_is_told_at_once(
    tmp_path: Path, places: list[Place]
) -> None:
    """Its price would never come: no minute is waited for it."""
    at = place(places, tmp_path, "okx")
    assert at.server is not None
    at.program.configure(at.server.told["config"].replace('["BTC-', '["NOPE-USDT", "BTC-'))
    began = time.monotonic()
    code, told = at.dryrun(*QUICK, "--symbol", "NOPE-USDT")
    assert time.monotonic() - began < READY_SECONDS
    (row,) = [row for row in told["content"]["criteria"] if row["name"] == "trouble"]
    assert code == FAILED
    assert "NOPE-USDT is not traded at okx: " in row["measured"]
    assert told["content"]["orders"] == []


def test_P03_orders_that_never_reach_the_venue_fail_the_run(
    tmp_path: Path, places: list[Place]
) -> None:
    at = place(places, tmp_path, "binance", "--fault", "submit=status_before")
    code, told = at.dryrun("--rounds", "1", "--steady", "0")
    assert (code, told["content"]["passed"]) == (FAILED, False)
    assert {"resting limits", "order success"} <= bad(told["content"])
    assert at.server is not None
    assert at.server.end() == {"positions": {}, "open_orders": []}


def test_C706_no_other_engine_runs_beside_it_and_told_to_end_it_closes_what_it_opened(
    tmp_path: Path, places: list[Place]
) -> None:
    at = place(places, tmp_path, "binance")
    run = subprocess.Popen(
        [sys.executable, "-c", MAIN, "--state-dir", str(at.program.folder), "dryrun",
         "--rounds", "1000", "--steady", "0"],
        cwd=ROOT, env=at.program.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + PATIENCE
        while at.program.trader != run.pid or not (at.program.folder / "control.sock").exists():
            assert time.monotonic() < deadline
            assert run.poll() is None
            time.sleep(0.05)
        assert at.dryrun(*QUICK)[0] == HELD
        assert at.program.run("--headless", "--for", "1").returncode == HELD
        at.program.wait_for(lambda: at.program.ask("status")["oms"]["filled_orders"] > 0)
        run.send_signal(signal.SIGTERM)
        assert run.wait(timeout=120) == FAILED
        assert run.stderr is not None
        assert b"ended before it was done" in run.stderr.read()
    finally:
        run.kill()
        run.wait()
        for pipe in (run.stdout, run.stderr):
            assert pipe is not None
            pipe.close()
    assert at.server is not None
    assert at.server.end() == {"positions": {}, "open_orders": []}
    assert not (at.program.folder / "reports").exists()


def test_C502_a_kill_ends_a_dry_run_which_has_failed_then_and_everything_is_closed(
    tmp_path: Path, places: list[Place]
) -> None:
    at = place(places, tmp_path, "okx")
    run = subprocess.Popen(
        [sys.executable, "-c", MAIN, "--state-dir", str(at.program.folder), "dryrun", "--json",
         "--rounds", "1000", "--steady", "0"],
        cwd=ROOT, env=at.program.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + PATIENCE
        while not (at.program.folder / "control.sock").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        at.program.wait_for(lambda: at.program.ask("status")["oms"]["filled_orders"] > 0)
        killed = at.program.run("kill", "--flatten", "all", "--json")
        row = json.loads(killed.stdout)["brokers"]["okx"]
        assert (row["left"], row["unknown"]) == ([], []), "proved in time or not, nothing is left"
        told, _ = run.communicate(timeout=120)
    finally:
        run.kill()
        run.wait()
    if json.loads(killed.stdout)["fenced"] is None:
        content = json.loads(told)["content"]
        assert (run.returncode, content["passed"]) == (FAILED, False)
        assert "trouble" in bad(content)
    else:  # a busy machine: its loop did not acknowledge in time, and the kill ended it
        assert (run.returncode, told) == (-signal.SIGKILL, b"")
    assert at.server is not None
    assert at.server.end() == {"positions": {}, "open_orders": []}


def test_X61_what_gives_canned_answers_is_read_alone_and_what_is_not_there_is_refused(
    tmp_path: Path, places: list[Place]
) -> None:
    at = place(places, tmp_path, "coinbase")
    code, told = at.dryrun(*QUICK)
    content = told["content"]
    assert (code, content["passed"], content["orders"]) == (DONE, True, [])
    assert {"link", "identity", "balances"} <= {row["name"] for row in content["criteria"]}
    assert "part of a dry run that reads, and no ground for real money" in str(content["not_shown"])
    text = Path(told["report"]).with_suffix(".txt").read_text(encoding="utf-8")
    assert text.startswith(
        "PASSED: dry run of coinbase (coinbase sandbox), of the part that reads alone\n"
    )
    assert at.dryrun(*QUICK, "--broker", "nobody")[0] == USAGE
    at.program.configure(
        at.server.told["config"] + '[brokers.other]\nkind = "okx"\n' if at.server else ""
    )
    code, told = at.dryrun(*QUICK, "--broker", "other", "--symbol", "BTC-USD")
    assert (code, told["code"]) == (USAGE, "INVALID_INPUT"), "it is routed elsewhere"
    at.program.configure("")
    assert at.dryrun(*QUICK, "--symbol", "NONE")[0] == USAGE
    at.program.folder.mkdir(exist_ok=True)
    (at.program.folder / "HALT").write_text("", encoding="utf-8")
    code, told = at.dryrun(*QUICK)
    assert (code, told["code"]) == (REFUSED, "KILL_SWITCH")
