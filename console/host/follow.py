"""`signals.file`: a JSONL file that is followed as it grows (INTERFACE, config).

How far it was read is kept in the state folder, so that a restart goes on there. What was read and
not noted before a crash comes twice, and the guard takes an id once (X-66).
"""

import logging
import os
import stat
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from engine.intake.parse import MAX_LINE
from engine.ports import Clock
from engine.runtime.engine import Engine

POLL_SECONDS: Final = 0.2
NOTE: Final = "signals.position"
CHUNK: Final = 1_048_576
TAIL: Final = 64

_log = logging.getLogger("console.host.follow")


class Cursor(msgspec.Struct):
    """How far which file was read."""

    inode: int = 0
    offset: int = 0
    line: int = 0
    tail: bytes = b""
    """The last bytes before `offset`: a new file may have the number of the old one."""


class FollowedLine(NamedTuple):
    """One line that is not empty, and where it leaves the reader."""

    content: bytes
    after: Cursor


class SignalFile:
    """Submits each complete line of a file to the engine, once."""

    def __init__(self, path: Path, state_dir: Path) -> None:
        self._path = path
        self._note = state_dir / NOTE
        self._at = self._noted = self._read_note()

    @property
    def waits(self) -> bool:
        """True while the file holds complete lines that were not read yet."""
        try:
            found = self._path.stat()
        except OSError:
            return False
        return found.st_ino != self._at.inode or found.st_size > self._at.offset

    async def follow(self, engine: Engine, clock: Clock) -> None:
        """Until cancelled. What was read is noted once it was taken, so that no crash loses it."""
        try:
            while True:
                seen = clock.monotonic()
                for line in self._lines():
                    engine.submit(
                        line.content,
                        source=self._path.name,
                        line=line.after.line,
                        waited=clock.monotonic() - seen,
                    )
                    self._at = line.after
                    await clock.sleep(0)  # a long file must not keep the loop from anything
                await clock.sleep(POLL_SECONDS)
                self._write_note()
        finally:
            self._write_note()

    def _lines(self) -> list[FollowedLine]:
        """The complete lines since the last look; an absent file has none."""
        try:
            content = self._content()
        except OSError:
            return []
        *whole, _ = content.split(b"\n")
        if not whole and len(content) > MAX_LINE:
            # No line may be so long: it is refused as it stands, and so is what follows of it.
            whole = [content]
        found: list[FollowedLine] = []
        at = self._at
        for line in whole:
            end = min(at.offset + len(line) + 1, self._at.offset + len(content))
            tail = (at.tail + line + b"\n")[-TAIL:] if end > at.offset + len(line) else b""
            at = Cursor(at.inode, end, at.line + 1, tail)
            if line.strip():
                found.append(FollowedLine(line, at))
        if not found:
            self._at = at  # nothing but empty lines
        return found

    def _content(self) -> bytes:
        """What the file holds beyond what was read of it; only of a regular file."""
        # A pipe of that name must not keep the loop waiting for its writer.
        handle = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                return b""
            if found.st_ino != self._at.inode or found.st_size < self._at.offset:
                self._at = Cursor(inode=found.st_ino)  # another file, or cut short
            if found.st_size == self._at.offset:
                return b""
            file.seek(self._at.offset - len(self._at.tail))
            if file.read(len(self._at.tail)) != self._at.tail:
                self._at = Cursor(inode=found.st_ino)  # another file under the old number
                file.seek(0)
            return file.read(CHUNK)

    def _read_note(self) -> Cursor:
        try:
            return msgspec.json.decode(self._note.read_bytes(), type=Cursor)
        except (OSError, msgspec.DecodeError):
            return Cursor()

    def _write_note(self) -> None:
        if self._at == self._noted:
            return
        fresh = self._note.with_suffix(".new")
        try:
            fresh.write_bytes(msgspec.json.encode(self._at))
            fresh.replace(self._note)
            self._noted = self._at
        except OSError as error:
            # The next start reads from further back; ids are taken once.
            _log.warning("how far %s was read cannot be kept: %s", self._path, error)
