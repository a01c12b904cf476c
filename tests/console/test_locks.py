"""One engine an account, proved with real processes; and the fence that ends a holder."""

import io
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from console.host.fencing import FenceFailed, Patience, fence
from console.host.locks import (
    AccountHeld,
    AccountLock,
    Holder,
    LockError,
    Work,
    holder,
    last_holder,
    last_sign,
)

ROOT = Path(__file__).resolve().parents[2]

HOLD = """
import sys
from pathlib import Path
from console.host.locks import AccountHeld, AccountLock, Work
try:
    path, work = Path(sys.argv[1]), Work(sys.argv[2])
    folder = path if path.is_dir() else Path("/state")
    lock = AccountLock.acquire(path, state_dir=folder, work=work)
except AccountHeld as held:
    print("held by", held.pid, flush=True)
    sys.exit(5)
print("holds", flush=True)
sys.stdin.read()
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a process that tries to hold a lock and says how that went; ended with the test."""
    running: list[subprocess.Popen[str]] = []

    def begin(path: Path, work: Work = Work.ENGINE) -> "subprocess.Popen[str]":
        child = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(path), work],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(child)
        return child

    yield begin
    for child in running:
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()


def says(child: "subprocess.Popen[str]") -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "paper.lock"


def test_a_second_engine_is_refused_and_told_who_holds_the_account(
    path: Path, start: Start
) -> None:
    child = start(path)
    assert says(child) == "holds"
    with pytest.raises(AccountHeld) as caught:
        AccountLock.acquire(path, state_dir=Path("/other"))
    assert caught.value.pid == child.pid
    assert str(caught.value) == (
        f"This account is held by process {child.pid} with state folder /state "
        f"(lock {path}): only one engine may trade it. "
        "`status` shows what it does, `stop` ends it, `kill` halts and flattens."
    )
    other = start(path)
    assert says(other) == f"held by {child.pid}"
    assert other.wait() == 5


def test_the_lock_is_free_once_its_process_is_killed(path: Path, start: Start) -> None:
    child = start(path)
    assert says(child) == "holds"
    assert holder(path) == Holder(child.pid, "/state")
    child.kill()
    child.wait()
    assert holder(path) is None
    with AccountLock.acquire(path, state_dir=Path("/mine")):
        assert holder(path) == Holder(os.getpid(), "/mine")
    assert holder(path) is None


def test_release_frees_it_and_may_be_repeated(path: Path) -> None:
    lock = AccountLock.acquire(path, state_dir=Path("/a"))
    lock.release()
    lock.release()
    AccountLock.acquire(path, state_dir=Path("/b")).release()


def test_the_same_process_does_not_take_it_twice(path: Path) -> None:
    with (
        AccountLock.acquire(path, state_dir=Path("/a")),
        pytest.raises(AccountHeld, match=f"process {os.getpid()} "),
    ):
        AccountLock.acquire(path, state_dir=Path("/b"))


def test_nobody_holds_a_lock_that_was_never_taken(path: Path) -> None:
    assert holder(path) is None


def test_the_lock_file_is_private(path: Path) -> None:
    AccountLock.acquire(path, state_dir=Path("/a")).release()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"7",
        b'{"pid": "7", "state_dir": "/x"}',
        b'{"pid": -1, "state_dir": "/x"}',
        b'{"pid": 1}',
        b"\xff" * 9000,
    ],
    ids=range(7),
)
def test_a_record_that_proves_nothing_still_leaves_the_account_held(
    path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.host.locks.PROBE_SECONDS", 0)
    with AccountLock.acquire(path, state_dir=Path("/a")):
        path.write_bytes(content)
        assert holder(path) is None
        with pytest.raises(AccountHeld, match="held by another process"):
            AccountLock.acquire(path, state_dir=Path("/b"))


def test_a_recycled_process_id_is_never_taken_for_the_holder(path: Path, start: Start) -> None:
    """The record names a process that lives and even has the file open, but another one holds."""
    child = start(path)
    assert says(child) == "holds"
    with path.open("rb+") as file:
        file.write(msgspec.json.encode(Holder(os.getpid(), "/state")))
        file.truncate()
        file.flush()
        assert holder(path) is None
        with pytest.raises(FenceFailed):
            fence(path, state_dir=Path("/k"), patience=Patience(0), timeout_seconds=0)
    assert child.poll() is None


def test_a_stale_record_of_a_free_lock_holds_nothing(path: Path) -> None:
    path.write_bytes(msgspec.json.encode(Holder(os.getpid(), "/old")))
    assert holder(path) is None
    AccountLock.acquire(path, state_dir=Path("/a")).release()


def test_a_link_or_a_folder_is_no_lock(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("link", ""):
        with pytest.raises(LockError, match=r"cannot be an account lock: .+\."):
            AccountLock.acquire(tmp_path / name, state_dir=Path("/a"))
    with pytest.raises(LockError):
        holder(tmp_path / "link")
    assert not (tmp_path / "elsewhere").exists()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(LockError, match="no plain file"):
        AccountLock.acquire(tmp_path / "pipe", state_dir=Path("/a"))


def test_looking_does_not_keep_an_engine_from_starting(path: Path, start: Start) -> None:
    """Another process that looks holds the flock for a moment without being a holder."""
    AccountLock.acquire(path, state_dir=Path("/a")).release()
    children = [start(path) for _ in range(3)]
    while all(child.poll() is None for child in children) and holder(path) is None:
        pass
    answers = sorted(says(child).partition(" ")[0] for child in children)
    assert answers == ["held", "held", "holds"]


def test_the_fence_ends_the_holder_and_holds_the_lock_itself(path: Path, start: Start) -> None:
    child = start(path)
    assert says(child) == "holds"
    lock, ended = fence(path, state_dir=Path("/kill"), patience=Patience(0))
    with lock:
        assert ended == Holder(child.pid, "/state")
        assert child.wait() == -signal.SIGKILL
        assert holder(path) == Holder(os.getpid(), "/kill", Work.KILL)


def test_the_fence_ends_a_holder_that_is_stopped(path: Path, start: Start) -> None:
    child = start(path)
    assert says(child) == "holds"
    child.send_signal(signal.SIGSTOP)
    lock, ended = fence(path, state_dir=Path("/kill"), patience=Patience(0))
    lock.release()
    assert (ended, child.wait()) == (Holder(child.pid, "/state"), -signal.SIGKILL)


def test_the_fence_takes_a_free_lock_and_ends_nobody(path: Path) -> None:
    lock, ended = fence(path, state_dir=Path("/kill"), patience=Patience(0))
    with lock:
        assert ended is None


def test_the_fence_never_ends_its_own_process(path: Path) -> None:
    with (
        AccountLock.acquire(path, state_dir=Path("/a")),
        pytest.raises(FenceFailed, match="this process itself"),
    ):
        fence(path, state_dir=Path("/kill"), patience=Patience(0))


def test_the_fence_says_when_the_lock_is_not_free(path: Path, start: Start) -> None:
    """A child that inherited the lock still holds it: then nothing may be written in its name."""
    child = start(path)
    assert says(child) == "holds"
    path.write_bytes(b"")
    with pytest.raises(FenceFailed, match="not free after 0 s"):
        fence(path, state_dir=Path("/kill"), patience=Patience(0), timeout_seconds=0)
    assert child.poll() is None


# --- a kill beside another command ---------------------------------------------------------------


@pytest.mark.parametrize("work", [Work.KILL, Work.RESET])
def test_x52_another_command_at_work_is_waited_for_and_not_ended(
    path: Path, start: Start, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = start(path, work)
    assert says(child) == "holds"
    assert holder(path) == Holder(child.pid, "/state", work)
    patience = Patience(0)
    shown = io.StringIO()  # read without being emptied, which would lose what is written meanwhile
    monkeypatch.setattr(sys, "stderr", shown)
    with ThreadPoolExecutor(1) as person:
        fenced = person.submit(fence, path, state_dir=Path("/kill"), patience=patience)
        end = time.monotonic() + 30
        while not shown.getvalue().endswith("\n") and time.monotonic() < end:
            time.sleep(0.01)
        assert not fenced.done()
        child.communicate("")
        lock, ended = fenced.result(timeout=30)
    lock.release()
    assert (ended, child.returncode) == (None, 0)
    told = shown.getvalue()
    assert f"a {work} (process {child.pid}) is at work" in told
    assert "engine" not in told


def test_x52_a_kill_without_a_sign_of_life_is_ended_and_named_a_kill(
    path: Path, start: Start
) -> None:
    child = start(path, Work.KILL)
    assert says(child) == "holds"
    child.send_signal(signal.SIGSTOP)
    lock, ended = fence(path, state_dir=Path("/kill"), patience=Patience(0, silent_seconds=1))
    lock.release()
    assert ended == Holder(child.pid, "/state", Work.KILL)
    assert child.wait(timeout=10) == -signal.SIGKILL
    assert ended.named == f"a kill (process {child.pid})"


def test_x52_a_kill_that_goes_on_without_end_is_ended(path: Path, start: Start) -> None:
    child = start(path, Work.KILL)
    assert says(child) == "holds"
    lock, ended = fence(path, state_dir=Path("/kill"), patience=Patience(0, longest_seconds=1))
    lock.release()
    assert ended == Holder(child.pid, "/state", Work.KILL)


def test_x52_a_kill_that_gives_signs_of_life_is_not_taken_for_silent(
    path: Path, start: Start
) -> None:
    child = start(path, Work.KILL)
    assert says(child) == "holds"
    held = holder(path)
    assert held is not None
    first = last_sign(held, path)
    while last_sign(held, path) == first:
        assert child.poll() is None


def test_c503_an_engine_is_told_that_a_kill_is_at_work(path: Path, start: Start) -> None:
    child = start(path, Work.KILL)
    assert says(child) == "holds"
    with pytest.raises(AccountHeld, match="try again when that kill has ended"):
        AccountLock.acquire(path, state_dir=Path("/other"))


def test_the_record_of_an_older_program_is_that_of_an_engine(path: Path) -> None:
    path.write_bytes(b'{"pid": 7, "state_dir": "/old", "lock": "/l"}')
    assert last_holder(path) == Holder(7, "/old", Work.ENGINE)


# --- a lock file that is not where it was ---------------------------------------------------------

TAKEN_AWAY: dict[str, Callable[[Path], object]] = {
    "deleted": Path.unlink,
    "renamed": lambda path: path.rename(path.with_name("aside")),
    "its folder deleted": lambda path: shutil.rmtree(path.parent),
}


@pytest.fixture
def below(tmp_path: Path) -> Path:
    folder = tmp_path / "locks"
    folder.mkdir()
    return folder / "paper.lock"


@pytest.mark.parametrize("how", TAKEN_AWAY)
def test_a_lock_holds_when_its_file_is_taken_away(below: Path, start: Start, how: str) -> None:
    """Whoever tidies a folder of locks does not let a second engine in (C-503)."""
    child = start(below)
    assert says(child) == "holds"
    TAKEN_AWAY[how](below)
    below.parent.mkdir(exist_ok=True)
    assert holder(below) == Holder(child.pid, "/state")
    for _ in range(2):
        with pytest.raises(AccountHeld) as caught:
            AccountLock.acquire(below, state_dir=Path("/other"))
        assert caught.value.pid == child.pid
    other = below.with_name("other.lock")
    AccountLock.acquire(other, state_dir=Path("/other")).release()
    child.kill()
    child.wait()
    assert holder(below) is None
    AccountLock.acquire(below, state_dir=Path("/other")).release()


def test_the_fence_ends_a_holder_whose_lock_file_was_deleted(path: Path, start: Start) -> None:
    child = start(path)
    assert says(child) == "holds"
    path.unlink()
    lock, ended = fence(path, state_dir=Path("/kill"), patience=Patience(0))
    with lock:
        assert ended == Holder(child.pid, "/state")
        assert child.wait(timeout=10) == -signal.SIGKILL
        assert holder(path) == Holder(os.getpid(), "/kill", Work.KILL)


def test_the_state_folder_itself_is_a_lock(tmp_path: Path, start: Start) -> None:
    """It cannot be deleted under an engine without its journal."""
    folder = tmp_path / "state"
    folder.mkdir()
    assert holder(folder) is None
    child = start(folder)
    assert says(child) == "holds"
    assert holder(folder) == Holder(child.pid, str(folder))
    with pytest.raises(AccountHeld, match=f"held by process {child.pid} ") as caught:
        AccountLock.acquire(folder, state_dir=folder)
    assert caught.value.pid == child.pid
    assert list(folder.iterdir()) == []
    lock, ended = fence(folder, state_dir=folder, patience=Patience(0))
    lock.release()
    assert ended == Holder(child.pid, str(folder))
    assert child.wait(timeout=10) == -signal.SIGKILL


def test_a_state_folder_that_was_moved_is_locked_by_its_new_name(
    tmp_path: Path, start: Start
) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    child = start(folder)
    assert says(child) == "holds"
    moved = folder.rename(tmp_path / "moved")
    assert holder(moved) == Holder(child.pid, str(moved))
    with pytest.raises(AccountHeld):
        AccountLock.acquire(moved, state_dir=moved)


def test_a_system_that_tells_of_no_holder_still_knows_that_a_folder_is_held(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = start(tmp_path)
    assert says(child) == "holds"
    monkeypatch.setattr("console.host.lock_owners.HAS_PROC", False)
    monkeypatch.setattr("console.host.locks.PROBE_SECONDS", 0)
    with pytest.raises(AccountHeld, match="held by another process"):
        AccountLock.acquire(tmp_path, state_dir=tmp_path)
    with pytest.raises(FenceFailed):
        fence(tmp_path, state_dir=tmp_path, patience=Patience(0), timeout_seconds=0)
    assert child.poll() is None


def test_a_doctor_leaves_the_lock_as_it_found_it(tmp_path: Path) -> None:
    path = tmp_path / "account.lock"
    for _ in range(2):
        with AccountLock.acquire(path, state_dir=tmp_path / "s", work=Work.DOCTOR):
            held = holder(path)
            assert held is not None
            assert held.work is Work.DOCTOR
        assert last_holder(path) is None, "nobody but a doctor was ever there"
    with AccountLock.acquire(path, state_dir=tmp_path / "s"):
        pass
    before = path.read_bytes()
    with AccountLock.acquire(path, state_dir=tmp_path / "other", work=Work.DOCTOR):
        pass
    assert path.read_bytes() == before, "the engine that was there is still known"
