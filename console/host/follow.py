"""`signals.file`: a JSONL file that is followed as it grows (INTERFACE, config).

The file stays open: one that is renamed, removed or replaced is read to its end and a little
longer, beside the file that has its name by then, which is read from its beginning. How far that
was read is kept in the state folder, so that a restart goes on there. What was read and not noted
before a crash comes twice, and the guard takes an id once (X-66).
"""

import errno
import json
import logging
import os
import stat
from codecs import BOM_UTF8
from pathlib import Path
from typing import Final

import msgspec

from engine.config import Config
from engine.intake.parse import MAX_LINE
from engine.ports import Clock
from engine.reference.textfile import BadFile
from engine.runtime.engine import Engine

POLL_SECONDS: Final = 0.2
NOTE: Final = "signals.position"
CHUNK: Final = 1_048_576
TAIL: Final = 4_096
"""Signals of one source end alike, in their metadata and often in their time: what tells one line
from another stands at its beginning."""
UNFINISHED_LOOKS: Final = 25
"""What stands unchanged behind the last line feed at so many looks is taken as it is."""
FORMER_LOOKS: Final = 25
"""A file that lost its name has ended once it stands still at so many looks: who writes may hold it
a little longer."""
FORMER_FIRST: Final = 5
"""For so many looks the lines that still come to it go before those of the next file."""

_log = logging.getLogger("console.host.follow")


class Cursor(msgspec.Struct):
    """How far which file was read."""

    inode: int = 0
    offset: int = 0
    line: int = 0
    tail: bytes = b""
    """The last bytes before `offset`: a new file may have the number of the old one."""


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


class _OpenFile:
    """One file that is read, whatever its name is by now."""

    def __init__(self, path: Path, handle: int, at: Cursor) -> None:
        """`at`: how far it was read before, if that is known of this file; it is named `path`."""
        self._path = path
        self._handle = handle
        self.at = at
        self._rest = b""
        """What stood behind the last line feed at the last look."""
        self._unchanged = 0
        """At how many looks in a row."""
        self._former = 0
        """At how many looks another file had its name."""
        self._still = 0
        """At how many of those in a row it stood still."""
        self.ended = False
        """Nothing more is expected of it."""

    @property
    def waits(self) -> bool:
        """True while it holds something that was not taken yet."""
        return os.fstat(self._handle).st_size > self.at.offset

    @property
    def goes_first(self) -> bool:
        """Whether it has just lost its name and is written to: the next file waits for that."""
        return 0 < self._former <= FORMER_FIRST and not self._still

    def is_at(self, path: Path) -> bool:
        """Whether no other plain file has the name."""
        try:
            named = path.stat()
        except FileNotFoundError:
            return True
        return not stat.S_ISREG(named.st_mode) or os.path.samestat(named, os.fstat(self._handle))

    def close(self) -> None:
        os.close(self._handle)

    def lines(self, *, former: bool) -> list[tuple[bytes, Cursor]]:
        """The complete lines since the last look that are not blank, and where each leaves the
        reader; `former`: another file has the name."""
        content = self._content()
        self._still = self._still + 1 if self._former and content == self._rest else 0
        self._former += former
        self.ended = self._still >= FORMER_LOOKS
        *whole, rest = content.split(b"\n")
        if not whole and len(content) > MAX_LINE:
            # No line may be so long: it is refused as it stands, and so is what follows of it.
            whole, rest = [content], b""
        elif self._still or self._is_finished(rest):
            whole, rest = [*whole, rest], b""
        self._rest = rest
        return self._numbered(whole, content)

    def _numbered(self, whole: list[bytes], content: bytes) -> list[tuple[bytes, Cursor]]:
        found: list[tuple[bytes, Cursor]] = []
        at, end = self.at, self.at.offset + len(content)
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
                found.append((text, at))
        if not found:
            self.at = at  # nothing but empty lines
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

    def _content(self) -> bytes:
        """What it holds beyond what was read of it."""
        found = os.fstat(self._handle)
        at = self.at
        if found.st_ino != at.inode:
            self.at = Cursor(inode=found.st_ino)
        elif (
            found.st_size < at.offset
            or os.pread(self._handle, len(at.tail), at.offset - len(at.tail)) != at.tail
        ):
            _log.warning("%s was cut short, or replaced: it is read from its beginning", self._path)
            self.at = Cursor(inode=found.st_ino)
        return os.pread(self._handle, CHUNK, self.at.offset)


class SignalFile:
    """Submits each line of a file to the engine, once.

    A line is complete with its line feed. One without is taken where it is a whole JSON object that
    stands there at two looks, where the file has ended, or after `UNFINISHED_LOOKS`.
    """

    def __init__(self, path: Path, state_dir: Path) -> None:
        self._path = path
        self._note = state_dir / NOTE
        self._noted = self._read_note()
        self._open: list[_OpenFile] = []
        """The file that has the name is the last; those that had it before end one by one."""
        self._told = ""

    @property
    def waits(self) -> bool:
        """True while there is something that was not taken yet."""
        if any(file.waits for file in self._open):
            return True
        try:
            named = self._path.stat()
        except OSError:
            return False
        at = self._at
        return named.st_ino != at.inode or named.st_size > at.offset

    @property
    def _at(self) -> Cursor:
        """How far the newest file was read."""
        return self._open[-1].at if self._open else self._noted

    async def follow(self, engine: Engine, clock: Clock) -> None:
        """Until cancelled. What was read is noted once it was taken, so that no crash loses it."""
        try:
            while True:
                seen = clock.monotonic()
                self._find()
                for file in tuple(self._open):
                    for content, after in file.lines(former=file is not self._open[-1]):
                        engine.submit(
                            content,
                            source=str(self._path),
                            line=after.line,
                            waited=clock.monotonic() - seen,
                        )
                        file.at = after
                        await clock.sleep(0)  # a long file must not keep the loop from anything
                    if file.ended:
                        self._open.remove(file)
                        file.close()
                    if file.goes_first:
                        break
                await clock.sleep(POLL_SECONDS)
                self._write_note()
        finally:
            self._write_note()
            for file in self._open:
                file.close()
            self._open.clear()

    def _find(self) -> None:
        """Open the file that has the name, unless it is open; an absent one is waited for."""
        try:
            if self._open and self._open[-1].is_at(self._path):
                return
            handle = _open(self._path)
        except OSError as error:
            self._tell("" if isinstance(error, FileNotFoundError) else error.strerror or str(error))
            return
        self._tell("")
        self._open.append(_OpenFile(self._path, handle, Cursor() if self._open else self._noted))

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
        at = self._at
        if at == self._noted:
            return
        fresh = self._note.with_name(f"{NOTE}.new")
        try:
            fresh.write_bytes(msgspec.json.encode(at))
            fresh.replace(self._note)
            self._noted = at
        except OSError as error:
            # The next start reads from further back; ids are taken once.
            _log.warning("how far %s was read cannot be kept: %s", self._path, error)
