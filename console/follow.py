"""`signals.file`: a JSONL file that is followed as it grows (INTERFACE, config).

How far it was read is kept in the state folder, so that a restart goes on there. What was read and
not noted before a crash comes twice, and the guard takes an id once (X-66).
"""

import logging
import os
from pathlib import Path
from typing import Final

import msgspec

from engine.engine import Engine
from engine.intake.parse import MAX_LINE
from engine.ports import Clock

POLL_SECONDS: Final = 0.2
NOTE: Final = "signals.position"
CHUNK: Final = 1_048_576

_log = logging.getLogger("console.follow")


class Position(msgspec.Struct):
    """How far which file was read."""

    inode: int = 0
    offset: int = 0
    line: int = 0


class SignalFile:
    """Submits each complete line of a file to the engine, once."""

    def __init__(self, path: Path, state_dir: Path) -> None:
        self._path = path
        self._note = state_dir / NOTE
        self._at = self._read_note()

    @property
    def waits(self) -> bool:
        """True while the file holds complete lines that were not read yet."""
        try:
            found = self._path.stat()
        except OSError:
            return False
        return found.st_ino != self._at.inode or found.st_size > self._at.offset

    async def follow(self, engine: Engine, clock: Clock) -> None:
        """Until cancelled."""
        while True:
            for number, line in self._lines():
                engine.submit(line, source=self._path.name, line=number)
            await clock.sleep(POLL_SECONDS)

    def _lines(self) -> list[tuple[int, bytes]]:
        """The complete lines since the last look; an absent file has none."""
        try:
            with self._path.open("rb") as file:
                found = os.fstat(file.fileno())
                if found.st_ino != self._at.inode or found.st_size < self._at.offset:
                    self._at = Position(inode=found.st_ino)  # another file, or cut short
                if found.st_size == self._at.offset:
                    return []
                file.seek(self._at.offset)
                content = file.read(CHUNK)
        except OSError:
            return []
        *whole, rest = content.split(b"\n")
        if not whole and len(content) > MAX_LINE:
            # No line may be so long: it is refused as it stands, and so is what follows of it.
            whole, rest = [content], b""
        taken: list[tuple[int, bytes]] = []
        for line in whole:
            self._at.line += 1
            if line.strip():
                taken.append((self._at.line, line))
        self._at.offset += len(content) - len(rest)
        self._write_note()
        return taken

    def _read_note(self) -> Position:
        try:
            return msgspec.json.decode(self._note.read_bytes(), type=Position)
        except (OSError, msgspec.DecodeError):
            return Position()

    def _write_note(self) -> None:
        fresh = self._note.with_suffix(".new")
        try:
            fresh.write_bytes(msgspec.json.encode(self._at))
            fresh.replace(self._note)
        except OSError as error:
            # The next start reads from further back; ids are taken once.
            _log.warning("how far %s was read cannot be kept: %s", self._path, error)
