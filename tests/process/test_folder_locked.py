"""Somebody else locks the state folder, as `flock FOLDER backup` does: that is no engine."""

import fcntl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.cli.program import main
from storage.latch import FileLatch

WHO = """
import fcntl, os, sys
folder = os.open(sys.argv[1], os.O_RDONLY)
fcntl.flock(folder, int(sys.argv[2]))
if sys.argv[3] == "leaves" and os.fork():
    os._exit(0)
print("locked", flush=True)
sys.stdin.read()
"""

Other = subprocess.Popen[str]


@pytest.fixture(
    params=[(fcntl.LOCK_EX, "stays"), (fcntl.LOCK_SH, "stays"), (fcntl.LOCK_EX, "leaves")],
    ids=["writes", "reads", "in its child"],
)
def folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Path]:
    """The state folder, which another program has locked; it works on when the test is done."""
    for name, value in (("CONFIG", "c"), ("STATE_DIR", "state"), ("LOCK_DIR", "locks")):
        monkeypatch.setenv(f"MERIDIAN_{name}", str(tmp_path / value))
    (tmp_path / "c").write_text('[signals]\nbuiltin = ""\n', encoding="utf-8")
    state = tmp_path / "state"
    assert main(["--headless", "--for", "0.1"]) == 0
    kind, how = request.param
    other = subprocess.Popen(
        [sys.executable, "-c", WHO, str(state), str(int(kind)), how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout is not None
    assert other.stdin is not None
    assert other.stdout.readline() == "locked\n"
    yield state
    ended = other.wait() if how == "leaves" else other.poll()
    other.stdin.close()
    other.stdout.read()
    other.stdout.close()
    assert ended == (0 if how == "leaves" else None), "nobody ended it"
    assert other.wait() == 0


def test_x52_a_kill_is_done_and_ends_nobody(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its engine gone nothing but the accounts' own locks keeps a kill from working."""
    assert main(["kill", "--flatten", "all"]) == 0
    told = capsys.readouterr()
    assert "VERIFIED" in told.out
    assert "was ended" not in told.out
    assert FileLatch(folder).read() is not None


@pytest.mark.usefixtures("folder")
def test_c504_a_stop_finds_no_engine_and_ends_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stop"]) == 3
    assert "has ended" not in capsys.readouterr().out


@pytest.mark.usefixtures("folder")
def test_c503_no_engine_starts_beside_it(capsys: pytest.CaptureFixture[str]) -> None:
    """Whether it is one of ours nobody can say everywhere, and adding risk fails closed."""
    assert main(["--headless", "--for", "0.1"]) == 5
    assert "held by" in capsys.readouterr().err
