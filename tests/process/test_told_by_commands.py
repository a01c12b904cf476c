"""What commands say of what was ordered, and of what is held when no engine runs (INTERFACE)."""

import json
import signal
import socket
import subprocess
import sys
import threading
from codecs import BOM_UTF8
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.console.program import MAIN, PATIENCE, ROOT, Program

UNPROTECTED = "no --protect was given"


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    program = Program(tmp_path)
    program.configure('[signals]\nbuiltin = ""\n')
    program.start()
    program.wait_for(lambda: program.ask("status")["run_state"] == "ACTIVE")
    yield program
    program.stop()


def held(program: Program) -> Decimal:
    positions = program.document("status")["positions"]
    return sum((Decimal(p["quantity"]) for p in positions), Decimal(0))


def test_only_an_order_that_adds_is_warned_of_having_no_stop(program: Program) -> None:
    bought = program.run("order", "buy", "AAPL", "10", "--hold", "swing")
    assert (bought.returncode, UNPROTECTED in bought.stderr) == (0, True)
    program.wait_for(lambda: held(program) == 10)
    sold = program.run("order", "sell", "AAPL", "4")
    assert (sold.returncode, sold.stderr) == (0, "")
    program.wait_for(lambda: held(program) == 6)
    stop = program.run("order", "sell", "AAPL", "6", "--stop", "1", "--json")
    assert (stop.returncode, stop.stderr) == (0, "")


def test_without_an_engine_the_last_price_that_the_journal_knows_is_told(program: Program) -> None:
    program.run("order", "buy", "AAPL", "10", "--hold", "swing", "--protect", "1")
    program.wait_for(lambda: held(program) == 10)
    program.send(signal.SIGKILL)
    program.ended()
    told = program.document("status")
    (position,) = told["positions"]
    assert (told["running"], told["run_state"]) == (False, "STOPPED")
    assert Decimal(position["market_value"]) == 10 * Decimal(position["last"])
    paid = 10 * Decimal(position["average_price"])
    assert Decimal(position["unrealized_pnl"]) == Decimal(position["market_value"]) - paid
    lines = program.run("status").stdout.splitlines()
    (row,) = [line.split() for line in lines if line.startswith("paper") and "swing" in line]
    assert row[5] == position["last"]


def test_an_engine_that_hangs_is_told_of_long_before_its_answer_is_given_up(
    program: Program,
) -> None:
    """After 2 s, and the command still waits: it is answered once the engine goes on."""
    program.send(signal.SIGSTOP)
    asked = subprocess.Popen(
        [sys.executable, "-c", MAIN, "--state-dir", str(program.folder), "pause"],
        cwd=ROOT,
        env=program.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert asked.stderr is not None
        told = asked.stderr.readline()
        assert "the engine has not answered pause yet" in told
        assert "`meridian-tui kill` works" in told
        assert asked.poll() is None
        program.send(signal.SIGCONT)
        assert asked.wait(timeout=PATIENCE) == 0
    finally:
        asked.kill()
        asked.communicate()


def test_what_is_said_of_an_order_without_an_answer_is_one_sentence(tmp_path: Path) -> None:
    """Whoever takes the call hangs up."""
    program = Program(tmp_path)
    program.folder.mkdir()
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(program.folder / "control.sock"))
        engine.listen()

        def hang_up() -> None:
            call, _ = engine.accept()
            with call:
                call.recv(1)

        answering = threading.Thread(target=hang_up)
        answering.start()
        done = program.run("order", "buy", "AAPL", "1", "--id", "mine")
        answering.join(PATIENCE)
    assert done.returncode == 1
    end = "it may still have done it; the same command with --id mine cannot double it\n"
    assert done.stderr.endswith(end)


@pytest.mark.parametrize("running", [True, False])
def test_x52_a_kill_with_a_word_that_is_none_halts_and_says_so(
    program: Program, running: bool
) -> None:
    """It closes nothing, and one that names what to close can follow."""
    program.run("order", "buy", "AAPL", "10", "--protect", "1")
    program.wait_for(lambda: held(program) == 10)
    if not running:
        program.send(signal.SIGKILL)
        program.ended()
    killed = program.run("kill", "--flatten", "everything")
    assert killed.returncode == 2
    assert '--flatten "everything" is refused: none, day, all are allowed' in killed.stderr
    assert f"{program.folder} is halted all the same" in killed.stderr
    assert (program.folder / "HALT").exists()
    assert held(program) == 10
    again = program.run("kill", "--flatten", "all")
    assert again.returncode == 0, again.stderr
    assert "is never lowered" not in again.stderr
    assert held(program) == 0
    less = program.run("kill", "--flatten", "none")
    told = "--flatten none was asked; a kill with flatten all stands already, and a kill is never"
    assert told in less.stderr


def test_x52_a_kill_with_an_option_that_is_none_halts_the_running_engine(
    program: Program,
) -> None:
    program.run("order", "buy", "AAPL", "10", "--protect", "1")
    program.wait_for(lambda: held(program) == 10)
    killed = program.run("kill", "--flaten", "all")
    assert killed.returncode == 2
    assert "No such option: --flaten" in killed.stderr
    assert f"{program.folder} is halted all the same" in killed.stderr
    status = program.ask("status")
    assert (status["run_state"], held(program)) == ("HALTED", 10)


def test_signals_that_are_rejected_are_counted_beside_their_lines(program: Program) -> None:
    """Every line has its verdict, so that it is done; the lines are all that stdout has."""
    done = program.run("signal", "-", stdin='{"signal_id": 1}\nno json\n')
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 2)
    assert "2 of 2 signals rejected" in done.stderr
    second = json.loads(done.stdout.splitlines()[1])
    assert second["reason"].startswith("standard input line 2 column 1: the line is no JSON")
    file = program.folder.with_name("s.jsonl")
    file.write_bytes(b"\n{\xff}\n")
    named = json.loads(program.run("signal", str(file)).stdout)
    assert named["reason"] == f"{file} line 2 column 2: the byte 0xff is not UTF-8."
    assert named["reason"] in [row["reason"] for row in program.rows("signals")]
    nothing = program.run("signal", "-", stdin="\n")
    assert (nothing.returncode, nothing.stdout, nothing.stderr) == (0, "", "")


def test_bytes_of_another_encoding_are_refused_as_such_and_name_no_signal(
    program: Program,
) -> None:
    """Two ids in Latin-1 are not one id, and a file with nothing but its mark is empty."""
    file = program.folder.with_name("s.jsonl")
    ids = [b"caf\xe9", b"caf\xe8", "café".encode()]
    file.write_bytes(b"".join(b'{"signal_id": "' + name + b'"}\r\n' for name in ids))
    done = program.run("signal", str(file))
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, [row["signal_id"] for row in told]) == (0, ["", "", "café"])
    assert [row["reason"] for row in told][:2] == [
        f"{file} line 1 column 19: the byte 0xe9 is not UTF-8.",
        f"{file} line 2 column 19: the byte 0xe8 is not UTF-8.",
    ]
    file.write_bytes('{"signal_id": "s-1"}'.encode("utf-16"))
    wide = json.loads(program.run("signal", str(file)).stdout)
    assert wide["reason"] == f"{file} line 1 column 1: the byte 0xff is not UTF-8."
    file.write_bytes(b"\xff" * 65_536 + b"\n")
    long = json.loads(program.run("signal", str(file)).stdout)
    assert long["reason"] == f"{file} line 1 column 1: the byte 0xff is not UTF-8."
    file.write_bytes(b"\xff" * 70_000 + b"\n")
    longer = json.loads(program.run("signal", str(file)).stdout)
    assert longer["reason"] == f"{file} line 1: the line has 65537 bytes; 65536 are allowed."
    file.write_bytes(BOM_UTF8)
    nothing = program.run("signal", str(file))
    assert (nothing.returncode, nothing.stdout, nothing.stderr) == (0, "", "")


def test_a_list_of_a_symbol_in_small_letters_says_why_it_is_empty(program: Program) -> None:
    program.run("order", "buy", "AAPL", "10", "--protect", "1")
    listed = program.run("journal", "orders", "--symbol", "AAPL", "--json")
    assert (listed.returncode, "letters" in listed.stderr) == (0, False)
    small = program.run("journal", "orders", "--symbol", "aapl", "--json")
    assert (small.returncode, small.stdout) == (0, "")
    assert "nothing of aapl is listed: the size of its letters counts, as in AAPL" in small.stderr
