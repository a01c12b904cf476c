"""`signals.file`: a JSONL file that is followed as it grows (INTERFACE, config).

The file stays open: one that is renamed, removed or replaced is read to its end, and then the file
that has its name from its beginning. How far it was read is kept in the state folder, so that a
restart goes on there. What was read and not noted before a crash comes twice, and the guard takes
an id once (X-66).
"""

import errno
import json
import logging
import os
import stat
from codecs import BOM_UTF8
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from engine.config import Config
from engine.intake.parse import MAX_LINE
from engine.ports import Clock
from engine.reference.textfile import BadFile
from engine.runtime.engine import Engine

POLL_SECONDS: Final = 0.2
NOTE: Final = "signals.position"
CHUNK: Final = 1_048_576
TAIL: Final = 64
UNFINISHED_LOOKS: Final = 25
"""What stands unchanged behind the last line feed at so many looks is taken as it is."""

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


def demand_followable(config: Config) -> None:
    """Raise BadFile where `signals.file` names what can never be followed, or nothing follows it.

    A file that is not there yet can be.
    """
    if not config.signals.file:
        return
    market, path = config.market, Path(config.signals.file)
    if market.source == "replay" and market.speed == 0:
        raise BadFile(
            f"[signals] file {path} is followed as it grows, and [market] speed = 0 waits for "
            "nothing: a speed above 0 follows it, and `replay BARS --signals FILE` reads it"
        )
    try:
        os.close(_open(path))
    except FileNotFoundError:
        return
    except OSError as error:
        raise BadFile(
            f"[signals] file {path} cannot be followed: {error.strerror or error}"
        ) from error


def _open(path: Path) -> int:
    """A handle to the plain file at `path`. Raises OSError."""
    # A pipe of that name must not keep the loop waiting for its writer.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is no plain file")
    return handle


class SignalFile:
    """Submits each line of a file to the engine, once.

    A line is complete with its line feed. One without is taken where it is a whole JSON object that
    stands there at two looks, where the file has another name by then, or after `UNFINISHED_LOOKS`.
    """

    def __init__(self, path: Path, state_dir: Path) -> None:
        self._path = path
        self._note = state_dir / NOTE
        self._at = self._noted = self._read_note()
        self._handle: int | None = None
        self._replaced = False
        """Whether another file had the name at the last look."""
        self._rest = b""
        """What stood behind the last line feed at the last look."""
        self._unchanged = 0
        """At how many looks in a row."""
        self._told = ""

    @property
    def waits(self) -> bool:
        """True while there is something that was not taken yet."""
        try:
            named = self._path.stat()
            size = named.st_size if self._handle is None else os.fstat(self._handle).st_size
        except OSError:
            return False
        return named.st_ino != self._at.inode or size > self._at.offset

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
            self._leave()

    def _lines(self) -> list[FollowedLine]:
        """The complete lines since the last look; an absent file has none."""
        try:
            if self._handle is None:
                self._handle = _open(self._path)
            content = self._content(self._handle)
            replaced = self._is_replaced(self._handle)
        except OSError as error:
            self._tell("" if isinstance(error, FileNotFoundError) else error.strerror or str(error))
            return []
        # Who writes may hold the old file a little longer: it has ended once it stands still.
        ended = replaced and self._replaced and content == self._rest
        self._replaced = replaced
        *whole, rest = content.split(b"\n")
        if not whole and len(content) > MAX_LINE:
            # No line may be so long: it is refused as it stands, and so is what follows of it.
            whole, rest = [content], b""
        elif ended or self._is_finished(rest):
            whole, rest = [*whole, rest], b""
        self._rest = rest
        found = self._numbered(whole, content)
        if ended:
            self._leave()
        return found

    def _numbered(self, whole: list[bytes], content: bytes) -> list[FollowedLine]:
        """Those of the lines that are not blank, and where each leaves the reader."""
        found: list[FollowedLine] = []
        at, end = self._at, self._at.offset + len(content)
        for line in whole:
            taken = (line + b"\n")[: end - at.offset]
            tail = (at.tail + taken)[-TAIL:]
            # The end of a line that was taken without it is no line of its own.
            of_the_last = bool(at.tail) and not at.tail.endswith(b"\n") and not line.strip()
            number = at.line + (0 if of_the_last or not taken else 1)
            first = at.offset == 0
            at = Cursor(at.inode, at.offset + len(taken), number, tail)
            text = line.removeprefix(BOM_UTF8) if first else line
            if text.strip():
                found.append(FollowedLine(text, at))
        if not found:
            self._at = at  # nothing but empty lines
        return found

    def _is_finished(self, rest: bytes) -> bool:
        """Whether what has no line feed yet is a line all the same."""
        self._unchanged = self._unchanged + 1 if rest and rest == self._rest else 0
        if self._unchanged >= UNFINISHED_LOOKS:
            return True
        if not self._unchanged:
            return False
        try:
            return isinstance(json.loads(rest), dict)
        except ValueError:
            return False

    def _content(self, handle: int) -> bytes:
        """What the open file holds beyond what was read of it."""
        found = os.fstat(handle)
        at = self._at
        if found.st_ino != at.inode:
            self._at = Cursor(inode=found.st_ino)
        elif (
            found.st_size < at.offset
            or os.pread(handle, len(at.tail), at.offset - len(at.tail)) != at.tail
        ):
            _log.warning("%s was cut short, or replaced: it is read from its beginning", self._path)
            self._at = Cursor(inode=found.st_ino)
        return os.pread(handle, CHUNK, self._at.offset)

    def _is_replaced(self, handle: int) -> bool:
        """Whether another plain file has the name by now."""
        opened = os.fstat(handle)
        try:
            named = self._path.stat()
        except FileNotFoundError:
            return False
        return stat.S_ISREG(named.st_mode) and not os.path.samestat(named, opened)

    def _leave(self) -> None:
        """Let go of the open file; the next look opens the one that has the name then."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
        self._replaced, self._rest, self._unchanged = False, b"", 0

    def _tell(self, trouble: str) -> None:
        if trouble and trouble != self._told:
            _log.warning("%s cannot be followed: %s", self._path, trouble)
        self._told = trouble

    def _read_note(self) -> Cursor:
        try:
            return msgspec.json.decode(self._note.read_bytes(), type=Cursor)
        except (OSError, msgspec.DecodeError):
            return Cursor()

    def _write_note(self) -> None:
        if self._at == self._noted:
            return
        fresh = self._note.with_name(f"{NOTE}.new")
        try:
            fresh.write_bytes(msgspec.json.encode(self._at))
            fresh.replace(self._note)
            self._noted = self._at
        except OSError as error:
            # The next start reads from further back; ids are taken once.
            _log.warning("how far %s was read cannot be kept: %s", self._path, error)
