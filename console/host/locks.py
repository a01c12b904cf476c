"""One engine an account: a lock that dies with its process, and the fence that ends its holder.

The lock is a flock on a file outside of the state folder. It is free the moment its process is
gone, however it went, so that a stale process id never holds anything and never frees anything.
The file says who took it; that is believed only while the lock is held and that process has the
file open, so that a recycled process id is never taken for the holder.

A lock lasts as long as its process, and its file does not: whoever tidies the folder may delete or
rename it. Two things keep a second engine out then. Before a lock is given or said to be free, the
locks that are held are asked whether one of them was taken under that name (`lock_owners`). And an
engine holds the state folder itself, on every system: `path` may be that folder, which keeps no
record, and cannot be taken away without its journal.
"""

import contextlib
import fcntl
import os
import signal
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from console.host import lock_owners

PROBE_SECONDS: Final = 0.5
"""A lock without a provable holder is asked for again this long: another process only looks."""

_PAUSE: Final = 0.005


class Holder(msgspec.Struct, frozen=True):
    """Who holds an account lock."""

    pid: int
    state_dir: str


class _Record(Holder, frozen=True):
    """What a lock file says."""

    lock: str = ""
    """The path under which it was locked."""


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
        """Takes the lock at once or raises AccountHeld; LockError if the file cannot be used.

        `path` is the lock file of an account, or `state_dir` itself.
        """
        deadline = time.monotonic() + PROBE_SECONDS
        while True:
            descriptor = _open_folder(path) if path == state_dir else _open(path)
            try:
                # The file is open by now: whoever locked another one of that name is found here,
                # whoever locked this one keeps us from it.
                found = taken_under(path, os.fstat(descriptor))
                mine = found is None and _try(descriptor, fcntl.LOCK_EX, path)
                if found is None and not mine:
                    found = _proved(descriptor, path)
                if mine and _still_named(descriptor, path):
                    if path != state_dir:
                        _write(descriptor, _Record(os.getpid(), _text(state_dir), _text(path)))
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

    `path` is a lock file, which may have been taken away under its holder, or a state folder.
    Never waits and never keeps the lock from anybody for longer than it takes to look.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return taken_under(path)
    except OSError as error:
        raise LockError(_unusable(path, error)) from error
    try:
        named = os.fstat(descriptor)
        if not _try(descriptor, fcntl.LOCK_SH, path):
            return _proved(descriptor, path)
    finally:
        os.close(descriptor)
    return taken_under(path, named)


def taken_under(path: Path, named: os.stat_result | None = None) -> Holder | None:
    """Who holds a lock that was taken under this path, on a file that has lost the name since.

    `named` is the file that has the name now; None where there is none.
    """
    for file, found in _records():
        if named is not None and os.path.samestat(file, named):
            continue
        if found.lock == _text(path):
            return Holder(found.pid, found.state_dir)
    return None


def holds_an_account(pid: int) -> bool:
    """Whether that process holds the lock of any account: it is an engine, or a kill at work."""
    return any(found.pid == pid for _, found in _records())


def not_lockable(folder: Path) -> str:
    """Why the system gives no lock on that folder; "" where it does, or the folder is missing."""
    try:
        descriptor = _open_folder(folder)
    except LockError:
        return ""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return ""
    except OSError as error:
        return error.strerror or str(error)
    finally:
        os.close(descriptor)
    return ""


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


def _open_folder(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise LockError(_unusable(path, error)) from error


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


def _write(descriptor: int, who: _Record) -> None:
    # On a full disk the lock holds all the same: a kill must be able to take it. Nobody is proved
    # to be its holder then.
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, msgspec.json.encode(who), 0)


def _records() -> Iterator[tuple[os.stat_result, _Record]]:
    """Each lock file that is held now, whatever its name is by now, and what its holder wrote."""
    for pid, file, content in lock_owners.locked_files():
        try:
            found = msgspec.json.decode(content, type=_Record)
        except msgspec.DecodeError:
            continue  # none of ours
        if found.pid == pid:
            yield file, found


def _proved(descriptor: int, path: Path) -> Holder | None:
    """Who holds the lock on this open file or folder, if that can be proved."""
    file = os.fstat(descriptor)
    if stat.S_ISDIR(file.st_mode):
        pid = lock_owners.owner(file)
        return None if pid is None else Holder(pid, _text(path))
    try:
        found = msgspec.json.decode(os.pread(descriptor, 8192, 0), type=Holder)
    except msgspec.DecodeError:
        return None  # between lock and record
    return found if _has_open(found.pid, file) else None


def _has_open(pid: int, file: os.stat_result) -> bool:
    if lock_owners.HAS_PROC:
        return lock_owners.holds(pid, file)
    # Without /proc only life can be asked; the flock that is held says the rest.
    with contextlib.suppress(PermissionError):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
    return True


def _text(path: Path) -> str:
    return str(path).encode("utf-8", "replace").decode()


def _unusable(path: Path, error: OSError) -> str:
    return f"{path} cannot be an account lock: {error.strerror or error}."
