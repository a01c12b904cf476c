"""A disk that runs full under a running engine, and has room again."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.host.client import Refused
from storage.latch import FileLatch
from tests.console.program import MAIN, ROOT, Program
from tests.process.disk import full, full_for

pytestmark = pytest.mark.slow


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    made = Program(tmp_path)
    made.configure('[signals]\nbuiltin = ""\n')
    yield made
    made.stop()


def run_full(program: Program) -> None:
    """The disk runs full, which halts and leaves a latch without its details; then it has room."""
    engine = program.engine
    assert engine is not None
    with full(engine):
        with pytest.raises(Refused, match="the journal cannot be written"):
            program.ask("order", side="buy", symbol="AAPL", quantity="1", protect="1")
        program.wait_for(lambda: program.ask("status")["run_state"] == "HALTED")
        program.wait_for((program.folder / "HALT").exists)
        assert (program.folder / "HALT").read_bytes() == b""


def settled(program: Program) -> None:
    """The journal is written again."""
    program.wait_for(lambda: program.run("journal", "verify").returncode == 0)
    program.wait_for(lambda: program.run("resume", "--confirm", "RESUME").returncode == 0)


@pytest.mark.parametrize("blocks", [0, 2], ids=["nothing fits", "a part fits"])
def test_a_config_that_a_full_disk_does_not_take_leaves_no_part_of_one(
    program: Program, tmp_path: Path, blocks: int
) -> None:
    """A part of a config would be one whose other keys stand at their defaults."""
    path = tmp_path / "deep" / "new.toml"

    def init(*begun: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*begun, sys.executable, "-c", MAIN, "--config", str(path), "config", "init"],
            cwd=ROOT,
            env=program.environment,
            capture_output=True,
            text=True,
        )

    failed = init("sh", "-c", f'ulimit -f {blocks}; exec "$@"', "sh")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr == f"{path} cannot be written: File too large.\n"
    assert list(path.parent.iterdir()) == []
    assert init().returncode == 0
    assert path.read_text(encoding="utf-8").endswith("\n")


def test_doctor_says_of_a_disk_that_takes_nothing_that_it_is_bad(program: Program) -> None:
    program.folder.mkdir(mode=0o700)
    done = subprocess.run(
        full_for([sys.executable, "-c", MAIN, "--state-dir", str(program.folder), "doctor"]),
        cwd=ROOT,
        env=program.environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert f"BAD   disk        nothing can be written to {program.folder}: File too" in done.stdout
    assert list(program.folder.iterdir()) == []


def test_a_resume_after_a_full_disk_is_not_undone_by_a_latch_that_nobody_set_U71(
    program: Program,
) -> None:
    program.start()
    run_full(program)
    settled(program)
    program.wait_for(lambda: not (program.folder / "HALT").exists())
    assert program.run("unpause").returncode == 0
    assert program.ask("status")["run_state"] == "ACTIVE"


def test_nor_after_a_crash_in_between_U71(program: Program) -> None:
    program.start()
    run_full(program)
    program.wait_for(lambda: any("Halted" in str(row) for row in program.rows("events")))
    program.send(signal.SIGKILL)
    program.ended()
    program.start()
    assert program.ask("status")["run_state"] == "HALTED"
    settled(program)
    program.wait_for(lambda: not (program.folder / "HALT").exists())
    assert FileLatch(program.folder).read() is None
    assert program.ask("status")["run_state"] == "PAUSED"
