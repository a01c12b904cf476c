"""One engine an account: a lock that dies with its process, and says what its holder is.

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
import stat
import threading
import time
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from console.host import lock_owners

PROBE_SECONDS: Final = 0.5
"""A lock without a provable holder is asked for again this long: another process only looks."""

SIGN_SECONDS: Final = 0.5
"""A command that holds a lock for a while gives a sign of life so often."""

_PAUSE: Final = 0.005
LARGEST_RECORD: Final = 65_536
"""Bytes of a lock file that are read of it."""


class Work(StrEnum):
    """What a process does with the accounts that it has locked."""

    ENGINE = "engine"
    KILL = "kill"
    """A kill works on them without an engine; it ends by itself."""
    RESET = "reset"
    """A reset sets their records aside; it ends by itself."""
    SIGN_OFF = "sign-off"
    """A sign-off is recorded in their journal; it ends by itself."""
    DOCTOR = "doctor"
    """A doctor asks their venues and sends no order; it ends by itself."""


class Holder(msgspec.Struct, frozen=True):
    """Who holds an account lock."""

    pid: int
    state_dir: str
    work: Work = Work.ENGINE

    @property
    def named(self) -> str:
        """Who it is, for a sentence: a process with its number."""
        if self.work is Work.ENGINE:
            return f"process {self.pid}"
        return f"a {self.work} (process {self.pid})"


class _Record(Holder, frozen=True):
    """What a lock file says."""

    lock: str = ""
    """The path under which it was locked."""


class AccountHeld(Exception):  # noqa: N818 - what is the case
    """Another engine, or a command at work, holds the account (exit code 5)."""

    def __init__(self, path: Path, holder: Holder | None) -> None:
        who = "another process"
        if holder is not None:
            who = f"{holder.named} with state folder {holder.state_dir}"
        advice = (
            "only one engine may trade it. "
            "`status` shows what it does, `stop` ends it, `kill` halts and flattens."
        )
        if holder is not None and holder.work is not Work.ENGINE:
            advice = f"try again when that {holder.work} has ended."
        super().__init__(f"This account is held by {who} (lock {path}): {advice}")
        self.path = path
        self.holder = holder

    @property
    def pid(self) -> int | None:
        """The process that holds the account, if that is provable."""
        return None if self.holder is None else self.holder.pid


class LockError(Exception):
    """The lock file cannot be used: one sentence that names it and why."""


class AccountLock:
    """The lock of one account, held by this process until `release` or its end."""

    def __init__(
        self,
        path: Path,
        descriptor: int,
        signs: "_Signs | None" = None,
        before: bytes | None = None,
    ) -> None:
        """For `acquire`; takes over a descriptor that holds the flock, and its signs of life.

        `before` is what the file is to say again once the lock is released; None: what it says."""
        self.path = path
        self._descriptor: int | None = descriptor
        self._signs = signs
        self._before = before

    @classmethod
    def acquire(cls, path: Path, *, state_dir: Path, work: Work = Work.ENGINE) -> Self:
        """Takes the lock at once or raises AccountHeld; LockError if the file cannot be used.

        `path` is the lock file of an account, or `state_dir` itself. `work` is what the lock is
        for: what is no engine gives signs of life while it holds it (`last_sign`).
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
                    signs, before = None, None
                    if path != state_dir:
                        if work is Work.DOCTOR:  # it leaves no trace: no engine has been there
                            before = os.pread(descriptor, LARGEST_RECORD, 0)
                        who = _Record(os.getpid(), _text(state_dir), work, _text(path))
                        _write(descriptor, who)
                        signs = None if work is Work.ENGINE else _Signs(descriptor)
                    kept, descriptor = descriptor, -1
                    return cls(path, kept, signs, before)
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
        if self._signs is not None:
            self._signs.end()
            self._signs = None
        if self._descriptor is not None:
            if self._before is not None:
                with contextlib.suppress(OSError):
                    os.ftruncate(self._descriptor, 0)
                    os.pwrite(self._descriptor, self._before, 0)
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


class _Signs:
    """Signs of life of a command that holds a lock: the time of its file, set by a thread.

    A process that is stopped gives none.
    """

    def __init__(self, descriptor: int) -> None:
        """Begins; the descriptor is that of the lock file, open until `end`."""
        self._over = threading.Event()
        self._thread = threading.Thread(
            target=self._give, args=(descriptor,), name="signs of life", daemon=True
        )
        self._thread.start()

    def end(self) -> None:
        """Ends the signs; the descriptor may be closed then."""
        self._over.set()
        self._thread.join()

    def _give(self, descriptor: int) -> None:
        while not self._over.wait(SIGN_SECONDS):
            with contextlib.suppress(OSError):
                os.utime(descriptor)


def last_sign(held: Holder, path: Path) -> int:
    """When the holder of the lock gave its last sign of life: a time of the file system, in ns.

    It is only good for a comparison with an earlier answer. 0 where nothing is seen of it.
    """
    signs = [file.st_mtime_ns for file, found in _records() if found.pid == held.pid]
    if not lock_owners.HAS_PROC:
        with contextlib.suppress(OSError):
            signs.append(path.stat().st_mtime_ns)
    return max(signs, default=0)


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
            return Holder(found.pid, found.state_dir, found.work)
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
        return None if pid is None else Holder(pid, _text(path), _work_of(pid))
    try:
        found = msgspec.json.decode(os.pread(descriptor, 8192, 0), type=Holder)
    except msgspec.DecodeError:
        return None  # between lock and record
    return found if _has_open(found.pid, file) else None


def _work_of(pid: int) -> Work:
    """What that process does, as the account locks that it holds say; a folder keeps no record."""
    return next((found.work for _, found in _records() if found.pid == pid), Work.ENGINE)


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
