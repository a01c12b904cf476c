"""The account's lock file is taken away under its engine: still one engine, and a kill finds it."""

import errno
import fcntl
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.cli.program import main
from tests.console.program import Program
from tests.process.driver import ProcessDriver


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    made = Program(tmp_path)
    made.configure('[signals]\nbuiltin = ""\n')
    yield made
    if made.engine is not None and made.engine.poll() is None:
        made.engine.kill()
    made.stop()


def take_away(program: Program) -> None:
    shutil.rmtree(program.environment["MERIDIAN_LOCK_DIR"])


@pytest.mark.slow
def test_a_second_engine_is_refused_and_the_first_one_trades_on(program: Program) -> None:
    program.start()
    take_away(program)
    second = program.run("--headless", "--for", "1")
    assert second.returncode == 5
    assert program.engine is not None
    assert f"held by process {program.engine.pid} with state folder" in second.stderr
    assert program.ask("status")["run_state"] == "ACTIVE"
    assert program.run("reset", "--confirm", "RESET").returncode == 5
    assert program.run("stop").returncode == 0
    assert program.ended() == 0


@pytest.mark.slow
def test_one_account_of_another_process_is_not_traded_from_two_folders(tmp_path: Path) -> None:
    desk = ProcessDriver(tmp_path, ["AAPL"])
    try:
        desk.start()
        take_away(desk.program)
        desk.program.folder = tmp_path / "other"
        second = desk.program.run("--headless", "--for", "1")
        assert second.returncode == 5, second.stderr
        assert desk.program.engine is not None
        assert f"held by process {desk.program.engine.pid} " in second.stderr
    finally:
        if desk.program.engine is not None:
            desk.program.engine.kill()
        desk.close()


@pytest.mark.slow
def test_a_kill_ends_the_hung_engine_before_it_works_on_the_account(program: Program) -> None:
    program.start()
    program.ask("order", side="buy", symbol="AAPL", quantity="10", protect="1")
    program.wait_for(lambda: program.ask("status")["positions"])
    assert program.engine is not None
    take_away(program)
    program.send(signal.SIGSTOP)
    found = program.document("kill", "--flatten", "all")
    assert found["fenced"] == program.engine.pid
    assert program.ended() == -signal.SIGKILL
    assert found["brokers"]["paper"]["state"] == "VERIFIED"


def test_a_folder_that_the_system_cannot_lock_is_told_and_the_files_lock_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Some network filesystems lock files alone (fault 36)."""
    for name, value in (("CONFIG", "c"), ("STATE_DIR", "state"), ("LOCK_DIR", "locks")):
        monkeypatch.setenv(f"MERIDIAN_{name}", str(tmp_path / value))
    (tmp_path / "c").write_text('[signals]\nbuiltin = ""\n', encoding="utf-8")
    real = fcntl.flock

    def files_only(descriptor: int, kind: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):  # noqa: PTH112
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        real(descriptor, kind)

    monkeypatch.setattr(fcntl, "flock", files_only)
    assert main(["--headless", "--for", "0.1"]) == 0
    told = capsys.readouterr().err
    assert f"{tmp_path / 'state'} cannot be locked itself: Bad file descriptor" in told
    assert str(tmp_path / "locks") in told
    assert main(["kill"]) == 0
