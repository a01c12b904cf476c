"""Text files of the user's: tables, recordings and the config are all read here.

A byte order mark, line feeds with carriage returns, blank lines and a last line without its line
feed are taken as they are meant. What is no text is refused in one sentence with file, line and,
where it is known, column; both count from 1.
"""

import os
import stat
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

LONGEST_LINE: Final = 65_536
"""Bytes of a line, its line feed included."""

LONGEST_FIELD: Final = 1_024
"""Characters of a field of a table."""

_NO_FILES: Final = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)

Line = tuple[int, str]
"""A line that is not blank, without its end, and its number."""


class BadFile(ValueError):  # noqa: N818 - the caller reads it as a sentence
    """A file of the user's does not hold what it should; one sentence with path and line."""


def read_text(path: Path, *, most: int) -> str:
    """The whole text of a file of at most so many bytes. Raises BadFile."""
    try:
        with opened(path) as file:
            content = file.read(most + 1)
    except OSError as error:
        raise _unreadable(path, error) from error
    if len(content) > most:
        raise BadFile(f"{path} is larger than {most} bytes, which is the most that is allowed")
    content = content.removeprefix(BOM_UTF8)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        raise _not_utf8(
            f"{path}", before.count(b"\n") + 1, before.split(b"\n")[-1], error
        ) from None


def read_lines(path: Path) -> Iterator[Line]:
    """The lines of a file, read as they are asked for.

    Raises BadFile for a file that cannot be read, a pipe, whose lines could be read only once, a
    line that is longer than `LONGEST_LINE`, and bytes that are not UTF-8.
    """
    number = 0
    try:
        with opened(path) as file:
            while raw := file.readline(LONGEST_LINE + 1):
                number += 1
                if len(raw) > LONGEST_LINE:
                    raise _too_long(f"{path}", number)
                if number == 1:
                    raw = raw.removeprefix(BOM_UTF8)
                try:
                    text = raw.decode("utf-8").rstrip("\r\n")
                except UnicodeDecodeError as error:
                    before = raw[: error.start]
                    raise _not_utf8(f"{path}", number, before, error) from None
                if text and not text.isspace():
                    yield number, text
    except OSError as error:
        raise _unreadable(path, error) from error


def lines_of(text: str, where: str) -> Iterator[Line]:
    """The lines of a text. Raises BadFile for one that is longer than `LONGEST_LINE`."""
    for number, line in enumerate(text.split("\n"), start=1):
        if len(line) > LONGEST_LINE:
            raise _too_long(where, number)
        if line and not line.isspace():
            yield number, line.rstrip("\r")


def rows(lines: Iterable[Line], where: str) -> Iterator[tuple[int, list[str]]]:
    """Lines of a CSV as fields, each with its number; a field ends on its line.

    `where` names the file in a sentence. Raises BadFile for a quote that is not closed on its line,
    text behind a closing quote, and a field that is longer than `LONGEST_FIELD`.
    """
    for number, line in lines:
        row = _quoted(line, where, number) if '"' in line else line.split(",")
        if len(line) > LONGEST_FIELD and (longest := max(map(len, row))) > LONGEST_FIELD:
            at = sum(len(field) + 1 for field in row[: [*map(len, row)].index(longest)]) + 1
            raise BadFile(
                f"{where} line {number} column {at}: a field has {longest} characters; "
                f"{LONGEST_FIELD} are allowed"
            )
        yield number, row


def _quoted(line: str, where: str, number: int) -> list[str]:
    """The fields of a line in which some stand in quotes. Raises BadFile."""
    row: list[str] = []
    at = 0
    while True:
        if line.startswith('"', at):
            opened, field = at, ""
            while True:
                closed = line.find('"', at + 1)
                if closed < 0:
                    raise BadFile(
                        f"{where} line {number} column {opened + 1}: a quote is opened here and "
                        "is not closed on this line"
                    )
                field += line[at + 1 : closed]
                at = closed + 1
                if not line.startswith('"', at):
                    break
                field += '"'
            if at < len(line) and line[at] != ",":
                raise BadFile(
                    f"{where} line {number} column {at + 1}: a comma is needed behind a closing "
                    "quote"
                )
        else:
            end = line.find(",", at)
            end = len(line) if end < 0 else end
            field, at = line[at:end], end
        row.append(field)
        if at >= len(line):
            return row
        at += 1


def opened(path: Path) -> BinaryIO:
    """The file, to be read.

    Raises OSError, and BadFile for what is no file and has no end; a pipe of that name is not
    waited for. The device that is always empty may stand for a file without a line.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    found = os.fstat(handle)
    empty = stat.S_ISCHR(found.st_mode) and found.st_rdev == Path(os.devnull).stat().st_rdev
    for is_kind, name in _NO_FILES:
        if is_kind(found.st_mode) and not empty:
            os.close(handle)
            raise BadFile(f"{path} cannot be read: it is {name}, and a plain file is needed")
    return os.fdopen(handle, "rb")


def _unreadable(path: Path, error: OSError) -> BadFile:
    return BadFile(f"{path} cannot be read: {error.strerror or error}")


def _too_long(where: str, line: int) -> BadFile:
    return BadFile(f"{where} line {line}: it has more than {LONGEST_LINE} bytes, the most allowed")


def _not_utf8(where: str, line: int, before: bytes, error: UnicodeDecodeError) -> BadFile:
    column = len(before.decode("utf-8", "replace")) + 1
    byte = error.object[error.start]
    return BadFile(f"{where} line {line} column {column}: the byte 0x{byte:02x} is not UTF-8")
