"""The file half of the halt latch (U-71): `HALT` in the state folder.

Its presence halts, whatever it holds: a file made by hand, cut short or unreadable is a halt
(A-283, D-23). It is written atomically and durably, with a checksum and the generation before it,
and any thread or process may read, set or clear it (A-282).
"""

import contextlib
import errno
import os
import stat
import threading
from hashlib import sha256
from itertools import count
from pathlib import Path

import msgspec

from engine.domain.instant import parse_rfc3339, rfc3339
from engine.domain.run import Flatten, Halt, Level, Trigger
from engine.domain.text import clean_text
from engine.ports import LatchError
from storage.connection import sync_folder, write_durably

NAME = "HALT"
PREVIOUS = "HALT.previous"
FORMAT = 1
MAX_BYTES = 65_536
NOTE_CHARACTERS = 200
_EMPTY = f"the file {NAME} is empty: made by hand, or by a kill on a full disk"
OURS = "engine"
"""Who left a file without room for who it was."""

_TEMPORARY = count(1)
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


class _File(msgspec.Struct, kw_only=True):
    """What a person reads in the file, and a program checks."""

    format: int
    reason: str
    at: str
    by: str
    level: Level
    trigger: Trigger
    flatten: Flatten
    epoch: int
    checksum: str = ""

    def sum(self) -> str:
        """SHA-256 of everything but the checksum."""
        bare = msgspec.structs.replace(self, checksum="")
        return sha256(msgspec.json.encode(bare, order="deterministic")).hexdigest()


class FileLatch:
    """`engine.ports.Latch` as a file in `folder`, which is made when it is first needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / NAME
        self._previous = folder / PREVIOUS
        self._taken: tuple[tuple[int, int, int], int] | None = None
        """A file that stands for our halt though it does not hold it: its sign, and our epoch."""
        self._lacks_room = False

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self._path

    @property
    def lacks_room(self) -> bool:
        """True where the halt that was set last stands without its details, as a full disk did not
        take them: with more room, to set it once more writes them."""
        return self._lacks_room

    def set(self, halt: Halt) -> None:
        """Write it atomically and durably.

        A kill that stands is not lowered to a halt of the same or an earlier epoch. Where the disk
        has no room for the details an empty file is left, which halts as well. Raises `LatchError`
        when not even that can be made.
        """
        standing = self._halt_of(self._path)
        if (
            standing is not None
            and standing.level is Level.KILL
            and halt.level is Level.HALT
            and standing.epoch >= halt.epoch
        ):
            return
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if standing is not None:
                self._replace(self._previous, _bytes_of(standing))
            self._replace(self._path, _bytes_of(halt))
            self._taken = None
            self._lacks_room = False
        except OSError as error:
            self._lacks_room = error.errno in _NO_ROOM
            self._set_empty(error, halt.epoch)

    def read(self) -> Halt | None:
        """What stands there; None only where there is certainly no file. Never raises OSError.

        An empty file that `set` left is told as ours, of the epoch that it stands for.
        """
        try:
            data, when = self._content(self._path)
        except FileNotFoundError:
            if not self._path.is_symlink():
                return None
            return self._fallback(0, f"the file {NAME} is a link to nothing")
        except OSError as error:
            return self._fallback(0, f"the file {NAME} cannot be read ({error.strerror})")
        halt = _parsed(data)
        if halt is not None:
            return halt
        text = clean_text(data.decode(errors="replace").strip(), NOTE_CHARACTERS)
        if not text and (epoch := self._taken_epoch()):
            found = self._fallback(when, f"the file {NAME} had no room for why (it is empty)")
            return msgspec.structs.replace(found, by=OURS, epoch=epoch)
        if not text:
            return self._fallback(when, _EMPTY)
        return self._fallback(when, f"the file {NAME} was made or changed by hand: {text}")

    def clear(self, epoch: int) -> None:
        """Remove the halt of this epoch or an earlier one, durably.

        A later halt stands, one of epoch 0 does (an engine has not taken it up yet), and so does a
        file that is not one of ours: someone made it by hand. One that `set` found no room in is
        ours as long as nobody touched it. Raises `LatchError` when what should go cannot be
        removed.
        """
        standing = self._halt_of(self._path)
        found = self._taken_epoch() if standing is None else standing.epoch
        if not 0 < found <= epoch:
            return
        try:
            # The older generation first: should this be cut short, the latch still stands.
            for path in (self._previous, self._path):
                with contextlib.suppress(FileNotFoundError):
                    path.unlink()
            if self._folder.is_dir():
                sync_folder(self._folder)
        except OSError as error:
            raise LatchError(
                f"the halt latch {self._path} cannot be removed ({error.strerror}): "
                "remove it by hand"
            ) from error

    def _fallback(self, when: int, reason: str) -> Halt:
        """A halt that knows only that it is one; details from the generation before, if any."""
        before = self._halt_of(self._previous)
        return Halt(
            reason=reason if before is None else f"{reason}; before that: {before.reason}",
            at=when,
            by="file",
            level=before.level if before else Level.HALT,
            trigger=Trigger.LATCH,
            flatten=before.flatten if before else Flatten.NONE,
            epoch=before.epoch if before else 0,
        )

    def _halt_of(self, path: Path) -> Halt | None:
        try:
            return _parsed(self._content(path)[0])
        except OSError:  # absent or unreadable: there are no details to be had
            return None

    def _content(self, path: Path) -> tuple[bytes, int]:
        """Content and time of change; never waits, not even for a pipe with that name."""
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                what = f"(not a regular file) {path}"
                return what.encode("utf-8", "replace"), status.st_mtime_ns
            return os.read(handle, MAX_BYTES), status.st_mtime_ns
        finally:
            os.close(handle)

    def _replace(self, path: Path, data: bytes) -> None:
        name = f".{path.name}.{os.getpid()}.{threading.get_ident()}.{next(_TEMPORARY)}"
        temporary = self._folder / name
        handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            try:
                write_durably(handle, data)
            finally:
                os.close(handle)
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(self._folder)

    def _taken_epoch(self) -> int:
        """The epoch of our halt that the file stands for without holding it; 0 is none."""
        try:
            if self._taken is not None and self._taken[0] == _sign(self._path.lstat()):
                return self._taken[1]
        except OSError:  # it is gone, or nobody can tell: it is not known for ours
            pass
        return 0

    def _set_empty(self, cause: OSError, epoch: int) -> None:
        """A name takes no room where content does: an empty file halts too."""
        try:
            handle = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            try:
                self._taken = (_sign(os.fstat(handle)), epoch)
            finally:
                os.close(handle)
            sync_folder(self._folder)
        except OSError as error:
            why = cause.strerror
            if self._folder.exists() and not self._folder.is_dir():
                why = f"{self._folder} is a file, no folder"
            raise LatchError(
                f"the halt latch {self._path} cannot be written ({why}): the halt is not kept there"
            ) from error


def _sign(found: os.stat_result) -> tuple[int, int, int]:
    """What changes when a file is replaced, written to or touched."""
    return found.st_ino, found.st_mtime_ns, found.st_size


def _bytes_of(halt: Halt) -> bytes:
    file = _File(
        format=FORMAT,
        reason=halt.reason,
        at=rfc3339(halt.at),
        by=halt.by,
        level=halt.level,
        trigger=halt.trigger,
        flatten=halt.flatten,
        epoch=halt.epoch,
    )
    file.checksum = file.sum()
    return msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n"


def _parsed(data: bytes) -> Halt | None:
    """The halt a file holds; None when it is not exactly what was written."""
    try:
        file = msgspec.json.decode(data, type=_File)
        if file.format != FORMAT or file.checksum != file.sum():
            return None
        at = parse_rfc3339(file.at)
    except (msgspec.DecodeError, ValueError):
        return None
    return Halt(
        reason=file.reason,
        at=at,
        by=file.by,
        level=file.level,
        trigger=file.trigger,
        flatten=file.flatten,
        epoch=file.epoch,
    )
