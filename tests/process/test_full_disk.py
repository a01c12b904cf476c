"""A disk that runs full under a running engine, and has room again."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.host.client import Refused
from storage.latch import FileLatch
from tests.console.program import Program
from tests.process.disk import full

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
