"""What a command prints never decides what it does: its output may be gone, full or stuck."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import pytest

from engine.domain.instant import rfc3339
from storage.latch import FileLatch
from tests.console.program import MAIN, ROOT, Program
from tests.process.outputs import KINDS, Line, run

pytestmark = pytest.mark.slow

QUIET = '[signals]\nbuiltin = ""\n\n[brokers.paper]\nfill_probability = "1"\n'


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    made = Program(tmp_path)
    made.configure(QUIET)
    yield made
    made.stop()


def hold(program: Program) -> None:
    """A day trade with its stop."""
    program.ask("order", side="buy", symbol="AAPL", quantity="10", protect="1")
    program.wait_for(
        lambda: (
            program.ask("status")["positions"]
            and [o["status"] for o in program.ask("status")["orders"]] == ["NEW"]
        )
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("state", ["hung", "dead"])
def test_a_kill_past_the_engine_needs_nobody_who_listens(
    program: Program, state: str, kind: str
) -> None:
    program.start()
    hold(program)
    program.send(signal.SIGSTOP if state == "hung" else signal.SIGKILL)
    if state == "dead":
        program.ended()
    assert run(program, kind, "kill") == 0
    assert program.ended() == -signal.SIGKILL, "the engine that did not answer was ended"
    assert FileLatch(program.folder).read() is not None
    assert program.document("status")["positions"] == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_kill_through_the_engine_needs_nobody_who_listens(program: Program, kind: str) -> None:
    program.start()
    hold(program)
    assert run(program, kind, "kill", "--json") == 0
    status = program.ask("status")
    assert (status["run_state"], status["positions"]) == ("HALTED", [])


def test_a_kill_outlives_the_line_that_it_was_typed_on(program: Program) -> None:
    program.start()
    hold(program)
    program.send(signal.SIGSTOP)
    line = Line(program, "kill")
    try:
        program.wait_for((program.folder / "HALT").exists)
        line.hang_up()
        assert line.ended() == 0
    finally:
        line.stop()
    assert program.ended() == -signal.SIGKILL
    assert program.document("status")["positions"] == []


def line_of(number: int) -> bytes:
    """A signal."""
    signal_ = {
        "signal_id": f"s-{number}", "signal_type": "cloud_cross_bullish", "direction": "long",
        "ticker": "AAPL", "timeframe": "1m", "conviction": 80, "entry_price": "100",
        "stop_loss": "99", "target_price": None, "timestamp": rfc3339(time.time_ns()),
        "source": "test", "cloud_states": [], "metadata": {},
    }  # fmt: skip
    return json.dumps(signal_).encode() + b"\n"


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_done_decides_the_exit_code(program: Program, kind: str) -> None:
    program.start()
    assert run(program, kind, "order", "buy", "AAPL", "10", "--protect", "1") == 0
    program.wait_for(lambda: program.ask("status")["positions"])
    lines = b"".join(line_of(number) for number in range(3))
    assert run(program, kind, "signal", "-", stdin=lines) == 0
    assert {row["signal_id"] for row in program.rows("signals")} == {"s-0", "s-1", "s-2"}
    assert run(program, kind, "order", "buy", "AAPL", "0") != 0
    assert run(program, kind, "kill") == 0
    assert run(program, kind, "resume") == 4, "it was not confirmed"
    assert run(program, kind, "resume", "--confirm", "RESUME") == 0
    assert program.ask("status")["run_state"] == "PAUSED"
    program.send(signal.SIGKILL)
    program.ended()
    assert run(program, kind, "order", "buy", "AAPL", "10") == 3


@pytest.mark.parametrize(
    ("kind", "ends"), [("closed", 0), ("broken pipe", 0), ("full", 1), ("hung up", 1)]
)
def test_a_command_that_only_prints_has_failed_where_that_cannot_be_written(
    program: Program, kind: str, ends: int
) -> None:
    """Where somebody may still read, it waits: a pager that is left open. Who reads no more, as
    `head`, has what he wanted."""
    program.start()
    assert run(program, kind, "status") == ends
    assert run(program, kind, "journal", "events") == ends
    assert run(program, kind, "reconcile") == ends
    assert run(program, kind, "dead-letters", "list", "--json") == ends
    assert run(program, kind, "reconcile", "--apply") == 0
    program.send(signal.SIGKILL)
    program.ended()
    assert run(program, kind, "status") == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ("journal", "events", "--format", "csv"), ("journal", "orders", "--help"),
        ("journal", "verify"), ("config", "show"), ("config", "check"), ("doctor",), ("--version",),
    ],
    ids=" ".join,
)  # fmt: skip
def test_output_that_a_full_disk_cuts_short_is_one_sentence_and_exit_1(
    program: Program, arguments: tuple[str, ...]
) -> None:
    program.start("--for", "1")
    assert program.ended() == 0
    with Path("/dev/full").open("wb") as full:
        done = told(program, full, *arguments)
    assert done == (1, [NO_ROOM])


def test_a_list_that_is_written_in_part_is_told_of(program: Program, tmp_path: Path) -> None:
    """The command may write files of 1,024 bytes at most."""
    with (tmp_path / "list").open("wb") as file:
        done = told(
            program, file, "config", "show", begun=["sh", "-c", 'ulimit -f 2; exec "$@"', "sh"]
        )
    assert (tmp_path / "list").stat().st_size == 1_024
    assert done == (1, [NO_ROOM.replace("No space left on device", "File too large")])


NO_ROOM = (
    "standard output cannot be written (No space left on device): what this command prints is not "
    "whole there."
)


def told(
    program: Program, output: IO[bytes], *arguments: str, begun: Sequence[str] = ()
) -> tuple[int, list[str]]:
    """The exit code of a command with that standard output, and the lines on its stderr."""
    done = subprocess.run(
        [*begun, sys.executable, "-c", MAIN, "--state-dir", str(program.folder), *arguments],
        cwd=ROOT,
        env=program.environment,
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stderr.splitlines()


def test_a_list_ends_with_the_reader_that_is_gone(program: Program) -> None:
    program.start("--for", "1")
    program.ended()
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", MAIN, "--state-dir", str(program.folder), "journal", "events"],
        cwd=ROOT,
        env=program.environment,
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=60,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_what_an_output_cannot_spell_is_spelled_otherwise(program: Program, encoding: str) -> None:
    program.environment |= {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    program.start()
    assert run(program, "full", "kill", "--reason", "проверка €") == 0
    done = program.run("status")
    assert done.returncode == 0, done.stderr
    assert "HALTED by cli" in done.stdout


def test_a_file_takes_no_number_of_an_output_that_is_closed(program: Program) -> None:
    """A line for a person never lands in a file that was opened meanwhile."""
    assert run(program, "closed", "kill") == 0
    assert program.document("journal", "verify")["ok"]
    for file in program.folder.iterdir():
        assert b"HALTED: the latch is set" not in file.read_bytes(), file.name


def test_rule6_a_headless_engine_says_on_its_stderr_that_it_halts_and_goes_on_halted(
    program: Program,
) -> None:
    program.start()
    program.ask("kill", flatten="none", reason="the test says so")
    program.wait_for(lambda: "HALTED: kill by" in program.told)
    assert program.told.count("HALTED: kill by") == 1
    assert "the test says so" in program.told
    program.ask("stop")
    assert program.ended() == 0
    program.start()
    program.wait_for(lambda: "the test says so; only `resume` clears it" in program.told)
    program.ask("resume", confirm="RESUME")
    program.wait_for(lambda: "the halt was cleared by" in program.told)
