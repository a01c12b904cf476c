"""One engine an account: a lock that dies with its process, and the fence that ends its holder.

The lock is a flock on a file outside of the state folder. It is free the moment its process is
gone, however it went, so that a stale process id never holds anything and never frees anything.
The file says who took it; that is believed only while the lock is held and that process has the
file open, so that a recycled process id is never taken for the holder.
"""

import contextlib
import fcntl
import os
import signal
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

PROBE_SECONDS: Final = 0.5
"""A lock without a provable holder is asked for again this long: another process only looks."""

_PAUSE: Final = 0.005
_HAS_PROC: Final = sys.platform == "linux"


class Holder(msgspec.Struct, frozen=True):
    """Who holds an account lock."""

    pid: int
    state_dir: str


class AccountHeld(Exception):  # noqa: N818 - what is the case
    """Another engine holds the account (exit code 5)."""

    def __init__(self, path: Path, holder: Holder | None) -> None:
        who = "another process"
        if holder is not None:
            who = f"process {holder.pid} with state folder {holder.state_dir}"
        super().__init__(
            f"This account is held by {who} (lock {path}): only one engine may trade it. "
            "`status` shows what it does, `stop` ends it, `kill` halts and flattens."
        )
        self.holder = holder

    @property
    def pid(self) -> int | None:
        """The process that holds the account, if that is provable."""
        return None if self.holder is None else self.holder.pid


class FenceFailed(Exception):  # noqa: N818 - what is the case
    """The holder could not be ended, or the lock is still held: there may be a second writer."""


class LockError(Exception):
    """The lock file cannot be used: one sentence that names it and why."""


class AccountLock:
    """The lock of one account, held by this process until `release` or its end."""

    def __init__(self, path: Path, descriptor: int) -> None:
        """For `acquire`; takes over a descriptor that holds the flock."""
        self.path = path
        self._descriptor: int | None = descriptor

    @classmethod
    def acquire(cls, path: Path, *, state_dir: Path) -> Self:
        """Takes the lock at once or raises AccountHeld; LockError if the file cannot be used."""
        deadline = time.monotonic() + PROBE_SECONDS
        while True:
            descriptor = _open(path)
            try:
                mine = _try(descriptor, fcntl.LOCK_EX, path)
                found = None if mine else _proved(descriptor)
                if mine and _still_named(descriptor, path):
                    shown = str(state_dir).encode("utf-8", "replace").decode()
                    _write(descriptor, Holder(os.getpid(), shown))
                    kept, descriptor = descriptor, -1
                    return cls(path, kept)
            finally:
                if descriptor >= 0:
                    os.close(descriptor)
            if mine:
                continue
            if found is not None or time.monotonic() >= deadline:
                raise AccountHeld(path, found)
            time.sleep(_PAUSE)

    def release(self) -> None:
        """Gives the account free; a second call does nothing. The file stays: it is no lock."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def holder(path: Path) -> Holder | None:
    """Who holds the lock now; None if it is free, or if no holder can be proved.

    Never waits and never keeps the lock from anybody for longer than it takes to look.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LockError(_unusable(path, error)) from error
    try:
        return None if _try(descriptor, fcntl.LOCK_SH, path) else _proved(descriptor)
    finally:
        os.close(descriptor)


def last_holder(path: Path) -> Holder | None:
    """Who took the lock last, whether it is held or not; None if nobody ever did, or it is unread.

    It proves nothing about now: `holder` does.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Holder)
    except (OSError, msgspec.DecodeError):
        return None


def forget(path: Path) -> None:
    """Let a lock file say that nobody ever held it; the lock must be held by this process."""
    with contextlib.suppress(OSError):
        os.truncate(path, 0)


def fence(path: Path, *, state_dir: Path, timeout_seconds: float = 5.0) -> tuple[AccountLock, int]:
    """Ends the process that holds the lock and takes the lock; returns it and the ended process id.

    The id is 0 where the lock was free. The process is killed only while it is proved to be the
    holder, and the lock is ours before this returns: never two writers. A holder that a supervisor
    starts again at once is ended too. Raises FenceFailed when the lock is not ours after
    `timeout_seconds`: then nothing may be written in its name.
    """
    deadline = time.monotonic() + timeout_seconds
    ended = 0
    while True:
        try:
            return AccountLock.acquire(path, state_dir=state_dir), ended
        except AccountHeld as held:
            if held.pid == os.getpid():
                raise FenceFailed(f"{path} is held by this process itself.") from held
            if held.pid is not None and _kill(held.pid, path):
                ended = held.pid
            if time.monotonic() >= deadline:
                raise FenceFailed(
                    f"{held} It was not free after {timeout_seconds:g} s of trying to end its "
                    "holder."
                ) from held
        time.sleep(_PAUSE)


def _kill(pid: int, path: Path) -> bool:
    """SIGKILL to `pid` if it is proved to hold the lock; a descriptor pins it against reuse."""
    if not hasattr(os, "pidfd_open"):
        found = holder(path)
        if found is None or found.pid != pid:
            return False
        return _signalled(path, pid, lambda: os.kill(pid, signal.SIGKILL))
    try:
        pinned = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        found = holder(path)
        if found is None or found.pid != pid:
            return False
        return _signalled(path, pid, lambda: signal.pidfd_send_signal(pinned, signal.SIGKILL))
    finally:
        os.close(pinned)


def _signalled(path: Path, pid: int, send: Callable[[], None]) -> bool:
    try:
        send()
    except ProcessLookupError:
        return False
    except PermissionError as error:
        raise FenceFailed(
            f"Process {pid} holds {path} and may not be ended by this user."
        ) from error
    return True


def _open(path: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise LockError(_unusable(path, error)) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise LockError(f"{path} cannot be an account lock: it is no plain file.")
    return descriptor


def _try(descriptor: int, kind: int, path: Path) -> bool:
    """True where the lock is ours, False where it is held.

    Raises LockError where the system gives no such lock there: nobody can be shut out then.
    """
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise LockError(_unusable(path, error)) from error
    return True


def _still_named(descriptor: int, path: Path) -> bool:
    """False if the file was replaced between opening and locking it: others would lock another."""
    mine = os.fstat(descriptor)
    try:
        named = path.stat()
    except FileNotFoundError:
        return False
    return (mine.st_dev, mine.st_ino) == (named.st_dev, named.st_ino)


def _write(descriptor: int, who: Holder) -> None:
    # On a full disk the lock holds all the same: a kill must be able to take it. Nobody is proved
    # to be its holder then.
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, msgspec.json.encode(who), 0)


def _proved(descriptor: int) -> Holder | None:
    """The holder that the file names, if that process is alive and has this very file open."""
    try:
        found = msgspec.json.decode(os.pread(descriptor, 8192, 0), type=Holder)
    except msgspec.DecodeError:
        return None  # between lock and record
    return found if _has_open(found.pid, os.fstat(descriptor)) else None


def _has_open(pid: int, file: os.stat_result) -> bool:
    if not _HAS_PROC:
        # Without /proc only life can be asked; the flock that is held says the rest.
        with contextlib.suppress(PermissionError):
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return False
        return True
    try:
        names = os.listdir(f"/proc/{pid}/fd")  # noqa: PTH208
    except OSError:
        return False
    for name in names:
        try:
            found = os.stat(f"/proc/{pid}/fd/{name}")  # noqa: PTH116
        except OSError:
            continue  # closed while we looked
        if (found.st_dev, found.st_ino) == (file.st_dev, file.st_ino) and _holds(pid, name):
            return True
    return False


def _holds(pid: int, descriptor: str) -> bool:
    """True if the kernel lists a flock on that descriptor (a process that only looks has none)."""
    try:
        info = Path(f"/proc/{pid}/fdinfo/{descriptor}").read_text()
    except OSError:
        return False
    return "FLOCK" in info and "WRITE" in info


def _unusable(path: Path, error: OSError) -> str:
    return f"{path} cannot be an account lock: {error.strerror or error}."
