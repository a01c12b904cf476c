"""A start whose clock is before the journal's last event (X-94), in processes of their own.

The clock of a process is set by what its system call says; the machine's stays as it is.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from console.cli.program import main
from tests.console.program import MAIN, Program

pytestmark = pytest.mark.slow

REFUSED, USAGE = 4, 2


def set_by(seconds: float) -> Sequence[str]:
    """How the program is started with the clock set by so much."""
    code = (
        "import time\n"
        "told = time.time_ns\n"
        f"time.time_ns = lambda: told() + {round(seconds * 1_000_000_000)}\n"
    )
    return ("-c", code + MAIN)


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    made = Program(tmp_path)
    made.configure('[signals]\nbuiltin = ""\n')
    yield made
    made.stop()


def traded(program: Program, seconds: float) -> dict[str, Any]:
    """A process that ran with its clock set by so much, bought, and stopped; its last status."""
    program.start(module=set_by(seconds))
    program.wait_for(lambda: _bought(program))
    program.wait_for(lambda: program.ask("status")["positions"])
    found: dict[str, Any] = program.ask("status")
    program.stop()
    return found


def _bought(program: Program) -> bool:
    done = program.run("order", "buy", "AAPL", "10", "--protect", "1", "--hold", "swing", "--json")
    return done.returncode == 0


def times(program: Program) -> list[str]:
    told = program.run("journal", "events", "--json").stdout
    return [json.loads(line)["time"] for line in told.splitlines()]


def test_a_clock_that_is_an_hour_behind_is_refused_in_words(program: Program) -> None:
    traded(program, 3600)
    rows = len(times(program))
    program.launch()
    assert program.ended() == REFUSED
    (told,) = [line for line in program.told.splitlines() if "journal's last event" in line]
    assert "--accept-clock" in told
    assert "Traceback" not in program.told
    assert len(times(program)) == rows


def test_two_seconds_are_waited_for(program: Program) -> None:
    traded(program, 2)
    program.start()
    program.stop()
    assert times(program) == sorted(times(program))


def test_with_the_word_it_starts_and_neither_time_nor_the_day_goes_back(program: Program) -> None:
    before = traded(program, 3600)
    program.start("--accept-clock")
    after = program.ask("status")
    assert after["account"]["starting_equity"] == before["account"]["starting_equity"]
    assert [p["quantity"] for p in after["positions"]] == ["10"]
    # Deadlines still come: what is closed is closed.
    program.wait_for(lambda: program.run("close", "--all").returncode == 0)
    program.wait_for(lambda: not program.ask("status")["positions"])
    program.stop()
    assert times(program) == sorted(times(program))
    assert program.run("journal", "verify").returncode == 0


@pytest.mark.parametrize("arguments", [["status", "--accept-clock"], ["--accept-clock", "kill"]])
def test_the_word_is_about_a_start(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == USAGE
    assert "--accept-clock is about a start" in capsys.readouterr().err
