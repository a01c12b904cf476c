"""A console that is left gives the shell back, and the engine trades on (X-52)."""

import json
import os
import signal
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from tests.console.program import MAIN, PATIENCE, ROOT, Program
from tests.process.terminal import Terminal

pytestmark = pytest.mark.slow

QUIET = '[signals]\nbuiltin = ""\n'


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    made = Program(tmp_path)
    made.configure(QUIET)
    yield made
    made.stop()


@pytest.fixture
def terminal(program: Program) -> Iterator[Terminal]:
    made = Terminal(program, 100, 30)
    made.until(lambda text: "PAPER" in text and "ACTIVE" in text, "the banner")
    yield made
    made.close()


def leave(terminal: Terminal) -> int:
    """Leave the engine running; the exit code of the command."""
    terminal.press("\x11")
    terminal.until(lambda text: "Leave the engine running" in text, "the ways out")
    terminal.press("\x1b[B")
    terminal.press("enter")
    return terminal.program.ended()


def session(pid: int) -> tuple[int, int]:
    """The session of a process and the number of its terminal, 0 without one."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[3]), int(fields[4])


def wait_until(true: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Until it is so; the command may have ended."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_leaving_ends_the_command_and_the_engine_keeps_nothing_of_the_terminal(
    program: Program, terminal: Terminal
) -> None:
    parent, engine = program.engine, program.trader
    assert parent is not None
    assert engine is not None
    assert engine != parent.pid, "the shell waits for another process than the engine's"
    assert leave(terminal) == 0
    wait_until(lambda: "the engine goes on" in terminal.text)
    for word in ("status", "kill", "stop"):
        assert f" {word}" in terminal.text
    assert program.ask("status")["run_state"] == "ACTIVE"
    assert session(engine) == (engine, 0)
    for descriptor in (0, 1, 2):
        assert Path(f"/proc/{engine}/fd/{descriptor}").readlink() == Path(os.devnull)
    terminal.hang_up()
    assert program.ask("status")["run_state"] == "ACTIVE"
    done = program.run("stop")
    assert done.returncode == 0, done.stderr
    assert program.trader is None
    assert program.run("status").returncode == 3


def test_the_shell_is_back_and_ctrl_c_there_does_not_reach_the_engine(program: Program) -> None:
    environment = {**program.environment, "TERM": "xterm-256color", "PS1": "ready> "}
    shell = pexpect.spawn(
        "bash", ["--norc", "--noprofile", "-i"], cwd=str(ROOT), env=environment, timeout=PATIENCE
    )
    try:
        shell.expect("ready> ")
        shell.sendline(f"{sys.executable} -c '{MAIN}' --state-dir {program.folder}; echo code=$?")
        shell.expect("PAPER")
        wait_until(lambda: program.trader is not None)
        program.wait_for(lambda: program.ask("status")["run_state"] == "ACTIVE")
        shell.send("\x11")
        shell.expect("Leave the engine running")
        shell.send("\x1b[B")
        shell.send("\r")
        shell.expect("the engine goes on")
        shell.expect("code=0")
        shell.expect("ready> ")
        shell.sendintr()
        shell.sendline("echo $((40 + 2)); jobs")
        shell.expect("42")
        assert program.ask("status")["run_state"] == "ACTIVE"
        shell.sendline("exit")
        shell.expect(pexpect.EOF)
        assert program.ask("status")["run_state"] == "ACTIVE"
    finally:
        shell.close(force=True)


def test_an_end_of_the_waiting_process_is_not_the_engines(
    program: Program, terminal: Terminal
) -> None:
    engine = program.trader
    assert engine is not None
    program.send(signal.SIGKILL)
    program.ended()
    wait_until(lambda: session(engine) == (engine, 0))
    assert program.ask("status")["run_state"] == "ACTIVE"


def test_signals_stops_and_the_end_pass_through(program: Program, terminal: Terminal) -> None:
    parent, engine = program.engine, program.trader
    assert parent is not None
    assert engine is not None
    os.kill(engine, signal.SIGSTOP)
    _, status = os.waitpid(parent.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    parent.send_signal(signal.SIGCONT)
    assert program.ask("status")["run_state"] == "ACTIVE"
    parent.send_signal(signal.SIGTSTP)  # nothing stops one of them alone
    parent.send_signal(signal.SIGTERM)
    assert program.ended() == 0
    assert program.trader is None


def test_a_new_size_reaches_the_console(program: Program, terminal: Terminal) -> None:
    terminal.resize(120, 40)
    terminal.until(lambda text: len(text.split("\n")[-1].strip()) > 0, "a picture of that size")


def test_an_engine_that_is_killed_ends_the_command_so_and_the_terminal_is_usable(
    program: Program, terminal: Terminal
) -> None:
    engine = program.trader
    assert engine is not None
    before = terminal.attributes()
    os.kill(engine, signal.SIGKILL)
    assert program.ended() == -signal.SIGKILL
    assert terminal.attributes() != before, "it is no longer raw"
    assert terminal.attributes()[3] & termios.ECHO


def test_stop_without_an_engine_says_so(program: Program) -> None:
    done = program.run("stop", "--json")
    assert done.returncode == 3
    assert "No engine is running" in done.stderr


def test_stop_ends_a_headless_engine_in_order(program: Program) -> None:
    program.start()
    program.ask("order", side="buy", symbol="AAPL", quantity="10", protect="1")
    program.wait_for(lambda: [o["status"] for o in program.ask("status")["orders"]] == ["NEW"])
    last = float(program.ask("status")["positions"][0]["last"])
    rests = {"limit": f"{last * 0.97:.2f}", "protect": f"{last * 0.9:.2f}"}
    program.ask("order", side="buy", symbol="AAPL", quantity="1", **rests)
    found = program.document("stop")
    assert found["stopped"] is True
    assert found["unprotected"] == []
    assert program.ended() == 0
    status = program.document("status")
    assert [o["purpose"] for o in status["orders"]] == ["PROTECT"]


def test_stop_says_what_it_leaves_without_a_stop(program: Program) -> None:
    program.start()
    program.ask("order", side="buy", symbol="AAPL", quantity="10")
    program.wait_for(lambda: [p["symbol"] for p in program.ask("status")["positions"]] == ["AAPL"])
    done = program.run("stop")
    assert done.returncode == 0
    assert "UNPROTECTED: 10 AAPL in paper: no stop rests at the venue." in done.stdout
    assert program.ended() == 0
    rows = map(json.loads, program.run("journal", "events", "--json").stdout.splitlines())
    (alarm,) = [r["data"] for r in rows if r["data"].get("code") == "LEFT_UNPROTECTED"]
    assert "10 AAPL in paper" in alarm["text"]
