"""Whatever is wrong with an argument, a path or a lock is one sentence; a kill latches first."""

import errno
import fcntl
import json
import os
import pwd
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from console.cli.program import main
from console.host.locks import last_holder
from storage.latch import FileLatch
from tests.console.program import MAIN, ROOT, Program

LONG: Final = "x" * 300
FOREIGN: Final = re.compile(r"Traceback|INTERNAL|\b[A-Z][a-z]+Error\b")
"""Words of the program's inside."""


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MERIDIAN_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("MERIDIAN_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("MERIDIAN_LOCK_DIR", str(tmp_path / "locks"))
    (tmp_path / "config.toml").write_text('[signals]\nbuiltin = ""\n', encoding="utf-8")


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    made = Program(tmp_path)
    made.configure('[signals]\nbuiltin = ""\n')
    yield made
    made.stop()


COMMANDS: Final = (
    ["status"], ["journal", "events"], ["journal", "verify"], ["dead-letters", "list"],
    ["order", "buy", "AAPL", "1"], ["resume", "--confirm", "RESUME"], ["stop"], ["kill"],
    ["config", "check"], ["--headless", "--for", "0.1"],
)  # fmt: skip


@pytest.mark.parametrize("name", [LONG, f"{LONG}/state", "a" * 5_000], ids=["long", "part", "path"])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_name_over_the_systems_limits_is_a_sentence(
    command: list[str], name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["--state-dir", str(tmp_path / name), *command])
    printed = capsys.readouterr()
    assert not FOREIGN.search(printed.err + printed.out)
    if command != ["config", "check"]:
        assert code == 2
        assert "File name too long" in printed.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--config", LONG, "status"],
        ["config", "check", LONG],
        ["replay", LONG],
        ["replay", "/tmp"],
        ["signal", LONG],
        ["replay", "x.csv", "--seed", str(2**63)],
        ["replay", "x.csv", "--seed", str(10**40)],
        ["replay", "x.csv", "--seed", "-1"],
        ["journal", "events", "--since", "9" * 5_000],
        ["--config", os.fsdecode(b"\xff"), "config", "check"],
        ["replay", os.fsdecode(b"\xff")],
        ["signal", os.fsdecode(b"\xff")],
        [os.fsdecode(b"\xff")],
    ],
    ids=lambda found: repr(found)[:40],
)
def test_an_argument_that_nothing_can_be_is_a_usage_error(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.err
    assert not FOREIGN.search(printed.err + printed.out)


def test_the_largest_seed_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["replay", str(tmp_path / "none.csv"), "--seed", str(2**63 - 1)])
    assert "--seed" not in capsys.readouterr().err


@pytest.mark.parametrize("command", [*COMMANDS, ["doctor"]], ids=" ".join)
def test_a_state_folder_whose_name_is_not_utf8_is_a_sentence_and_a_kill_latches_there(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No engine starts on one; what only reads, and a kill, find what is in it."""
    folder = tmp_path / os.fsdecode(b"st\xffte")
    folder.mkdir(mode=0o700)
    code = main(["--state-dir", str(folder), *command])
    printed = capsys.readouterr()
    assert not FOREIGN.search(printed.err + printed.out)
    assert "codec" not in printed.err + printed.out
    if command[0] == "kill":
        assert code == 0, printed.err
        latched = FileLatch(folder).read()
        assert latched is not None
        assert latched.by == "cli"
        assert main(["--state-dir", str(folder), "journal", "verify"]) == 0
        assert "the journal is whole" in capsys.readouterr().out
    elif command[0] == "--headless":
        assert code == 2
        shown = f"{tmp_path}/st\N{REPLACEMENT CHARACTER}te"
        assert printed.err == f"{shown} cannot be the state folder: its name must be UTF-8.\n"
    else:
        assert code in (0, 1, 3), printed.err
    assert not list(folder.glob("meridian-error*"))


@pytest.mark.parametrize("name", ["control.sock", "journal.db", "paper.db", "meridian.log"])
@pytest.mark.parametrize("kind", ["folder", "dangling", "circle"])
def test_something_else_in_a_files_place_is_a_sentence(
    name: str, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    path = folder / name
    match kind:
        case "folder":
            path.mkdir()
        case "dangling":
            path.symlink_to("/nowhere/at/all")
        case _:
            path.symlink_to(path)
    starts = main(["--headless", "--for", "0.1"])
    assert starts == (0 if name == "control.sock" and kind != "folder" else 1)
    main(["status"])
    printed = capsys.readouterr()
    assert not FOREIGN.search(printed.err + printed.out)


def test_a_pipe_in_the_journals_place_is_not_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "state").mkdir(mode=0o700)
    os.mkfifo(tmp_path / "state" / "journal.db")
    assert main(["status"]) == 1
    assert main(["--headless", "--for", "0.1"]) == 1
    assert "it is no plain file" in capsys.readouterr().err


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EIO])
def test_a_system_without_locks_starts_nothing_and_a_kill_latches(
    number: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refused(descriptor: int, kind: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refused)
    assert main(["--headless", "--for", "0.1"]) == 1
    assert "cannot be an account lock" in capsys.readouterr().err
    assert main(["kill", "--json"]) == 1
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert (found["latched"], found["brokers"]) == (True, {})
    assert "cannot be an account lock" in printed.err
    assert FileLatch(tmp_path / "state").read() is not None


def test_an_error_that_nobody_foresaw_is_a_sentence_with_a_code_and_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "state").mkdir(mode=0o700)

    def broken(*_: object) -> None:
        raise ZeroDivisionError("a fault of the program")

    monkeypatch.setattr("engine.config.load", broken)
    assert main(["status", "--json"]) == 1
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert found["code"] == "INTERNAL"
    (file,) = (tmp_path / "state").glob("meridian-error-*.txt")
    assert str(file) in found["error"]
    assert str(file) in printed.err
    assert "Traceback" not in printed.err
    assert "a fault of the program" in file.read_text(encoding="utf-8")
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.slow
@pytest.mark.parametrize("home", [None, "", "~", "relative/home", "."])
def test_the_lock_does_not_depend_on_the_folder_a_command_is_run_in(
    program: Program, tmp_path: Path, home: str | None
) -> None:
    """Two engines from two folders are one too many; a kill from a third finds the first."""
    environment = program.environment
    environment.pop("MERIDIAN_LOCK_DIR")
    environment.pop("HOME", None)
    if home is not None:
        environment["HOME"] = home

    def place(name: str) -> dict[str, object]:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        return {"cwd": folder, "env": {**environment, "PYTHONPATH": str(ROOT)}}

    command = [sys.executable, "-c", MAIN, "--state-dir", str(program.folder)]
    null = subprocess.DEVNULL
    first = subprocess.Popen(  # type: ignore[call-overload]
        [*command, "--headless"], stdin=null, stdout=null, stderr=null, **place("one")
    )
    try:
        program.wait_for(lambda: program.ask("status")["run_state"] == "ACTIVE")
        second = subprocess.run(  # type: ignore[call-overload]
            [*command, "--headless", "--for", "1"], capture_output=True, timeout=60, **place("two")
        )
        assert second.returncode == 5
        first.send_signal(signal.SIGSTOP)
        third = subprocess.run(  # type: ignore[call-overload]
            [*command, "kill", "--json"], capture_output=True, timeout=90, **place("three")
        )
        assert json.loads(third.stdout)["fenced"] == first.pid
    finally:
        first.kill()
        first.wait()
        forget_locks(program.folder)


def forget_locks(folder: Path) -> None:
    """Remove what was left for that state folder below the home of this user's account."""
    home = Path(pwd.getpwuid(os.geteuid()).pw_dir)
    for path in (home / ".local" / "share" / "meridian" / "locks").glob("*.lock"):
        found = last_holder(path)
        if found is not None and found.state_dir == str(folder):
            path.unlink()


def test_a_lock_folder_that_depends_on_the_current_one_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MERIDIAN_LOCK_DIR", "locks")
    assert main(["--headless", "--for", "0.1"]) == 1
    assert "an absolute path is needed" in capsys.readouterr().err


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without an account, and so without a home."""

    def unknown(number: int) -> None:
        raise KeyError(number)

    monkeypatch.setattr("pwd.getpwuid", unknown)
    monkeypatch.delenv("HOME")
    for name in ("MERIDIAN_CONFIG", "MERIDIAN_STATE_DIR", "MERIDIAN_LOCK_DIR"):
        monkeypatch.delenv(name)
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.usefixtures("nobody")
def test_without_a_home_a_command_is_refused_in_words(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command) == 2
    printed = capsys.readouterr()
    assert "has no home folder" in printed.err
    assert not FOREIGN.search(printed.err)


@pytest.mark.usefixtures("nobody")
def test_without_a_home_a_kill_still_latches_the_folder_it_was_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--state-dir", str(tmp_path / "state"), "kill", "--json"]) == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out)["latched"] is True
    assert "has no home folder" in printed.err
    assert FileLatch(tmp_path / "state").read() is not None


# --- a state folder that is not where it was ------------------------------------------------------


def moved(program: Program) -> Path:
    """A position; then the state folder goes to another place."""
    program.start()
    program.ask("order", side="buy", symbol="AAPL", quantity="10", protect="1")
    program.wait_for(lambda: program.ask("status")["positions"])
    program.wait_for(lambda: [o["status"] for o in program.ask("status")["orders"]] == ["NEW"])
    there = program.folder.with_name("elsewhere")
    program.folder.rename(there)
    return there


def killed(program: Program) -> tuple[int, dict[str, object], str]:
    done = program.run("kill", "--json")
    return done.returncode, json.loads(done.stdout), done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("hung", [False, True])
def test_a_state_folder_moved_under_its_engine_is_found(program: Program, hung: bool) -> None:
    there = moved(program)
    if hung:
        program.send(signal.SIGSTOP)
    code, _, told = killed(program)
    assert code == 0, told
    assert str(there) in told
    assert FileLatch(program.folder).read() is not None
    assert FileLatch(there).read() is not None
    program.folder = there
    assert program.document("status")["positions"] == []


@pytest.mark.slow
def test_a_moved_state_folder_still_has_one_engine_and_is_killed_by_its_new_name(
    program: Program,
) -> None:
    program.folder = moved(program)
    engine = program.engine
    assert engine is not None
    assert program.run("--headless", "--for", "1").returncode == 5
    program.send(signal.SIGSTOP)
    code, found, told = killed(program)
    assert (code, found["fenced"]) == (0, engine.pid), told
    assert program.document("status")["positions"] == []


@pytest.mark.slow
def test_39_every_command_finds_the_engine_whose_state_folder_was_moved(program: Program) -> None:
    """It names what `kill` names. What adds exposure wants the folder's name of now."""
    there = moved(program)
    assert program.engine is not None
    named = f"process {program.engine.pid} holds the accounts; its state folder is {there} by now"
    status = program.run("status", "--json")
    assert (status.returncode, named in status.stderr) == (0, True), status.stderr
    told = json.loads(status.stdout)
    assert (told["running"], [p["symbol"] for p in told["positions"]]) == (True, ["AAPL"])
    for adds in (("order", "buy", "AAPL", "1"), ("unpause",)):
        refused = program.run(*adds)
        assert (refused.returncode, named in refused.stderr) == (4, True), refused.stderr
        assert f"--state-dir {there}" in refused.stderr
    for reduces in (("pause",), ("close", "AAPL")):
        done = program.run(*reduces)
        assert (done.returncode, named in done.stderr) == (0, True), done.stderr
    program.folder = there
    program.wait_for(lambda: program.ask("status")["positions"] == [])
    alarms = [row["data"] for row in program.rows("events") if row["type"] == "Alarmed"]
    (told,) = [row["text"] for row in alarms if "was moved or renamed" in row["text"]]
    assert f"and is {there} by now" in told


@pytest.mark.slow
def test_39_a_state_folder_removed_under_its_engine_is_not_called_new(program: Program) -> None:
    there = moved(program)
    subprocess.run(["rm", "-rf", str(there)], check=True)
    assert program.engine is not None
    for asked in (("status",), ("order", "buy", "AAPL", "1"), ("close", "AAPL")):
        done = program.run(*asked)
        assert done.returncode == 1, done.stdout
        assert f"process {program.engine.pid} holds the accounts" in done.stderr
        assert f"its journal is not in {program.folder}" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("how", ["moved", "removed"])
def test_nothing_is_proved_of_an_account_that_is_not_there(program: Program, how: str) -> None:
    there = moved(program)
    if how == "removed":
        subprocess.run(["rm", "-rf", str(there)], check=True)
        program.send(signal.SIGSTOP)
    else:
        program.send(signal.SIGKILL)
        program.ended()
    for _ in range(2):
        code, found, _ = killed(program)
        assert code == 1
        assert found["latched"] is True
        row = found["brokers"]["paper"]  # type: ignore[index]
        assert row["state"] == "DEGRADED"
        assert "is not there" in row["unknown"][0]


def test_a_folder_that_nobody_ever_used_is_called_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kill"]) == 0
    assert "No engine has ever run in" in capsys.readouterr().err
