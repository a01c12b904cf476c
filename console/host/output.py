"""What commands print: documents on stdout, sentences on stderr, and the exit codes (INTERFACE).

Nothing but the document reaches stdout, so that a script can read it whole. Text from outside
loses its control characters on the way to a terminal. How it is written is `console.host.speech`.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any, Final

from console.host import speech
from engine.domain.money import plain
from engine.domain.text import clean_text

Row = Mapping[str, Any]

_FORMULA: Final = "=+-@＝＋－＠"
_WHITE: Final = ("\t", "\r", "\n")
_SIGNED: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)


class ExitCode(IntEnum):
    """How a command ended."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOT_RUNNING = 3
    REFUSED = 4
    HELD = 5


class Format(StrEnum):
    """How a list is printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


class CommandFailed(Exception):  # noqa: N818 - how a command ended
    """A command that could not be done: the exit code, a stable code and one sentence."""

    def __init__(self, exit_code: ExitCode, text: str, code: str = "") -> None:
        super().__init__(text)
        self.exit_code = exit_code
        self.code = code or exit_code.name


def warn(text: str, hang: int = 0) -> None:
    """One or more lines on stderr, each without control characters.

    Where a terminal is narrower, what does not fit goes on `hang` columns from the left.
    """
    for line in text.splitlines() or [""]:
        speech.ERRORS.write_folded(clean_text(line, 2_000) + "\n", hang)


def say(text: str = "", hang: int = 0) -> None:
    """A line for a person on stdout; `hang` as in `warn`."""
    speech.ANSWERS.write_folded(clean_text(text, 2_000) + "\n", hang)


def counted(number: int, noun: str) -> str:
    """A number of things: 1 order, 2 orders."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def text_block(text: str) -> None:
    """Text of our own that has lines, as it stands."""
    speech.ANSWERS.write(text)


def document(value: Any) -> None:
    """One JSON document."""
    text = json.dumps(value, default=_plain, ensure_ascii=True, allow_nan=False)
    speech.ANSWERS.write(text + "\n")


def failure(error: CommandFailed, *, as_json: bool) -> None:
    """A command's failure: the sentence on stderr, and with `--json` a document too."""
    warn(str(error))
    if as_json:
        refused(str(error), error.code)


def refused(sentence: str, code: str) -> None:
    """The document of what was not done: a sentence and its stable code."""
    document({"ok": False, "code": code, "error": clean_text(sentence, 2_000)})


def listing(rows: Iterable[Row], columns: Sequence[str], form: Format) -> None:
    """A list as a table, as CSV with a header, or as JSONL. An empty list prints nothing."""
    match form:
        case Format.JSON:
            for row in rows:
                document(dict(row))
        case Format.CSV:
            _csv(rows, columns)
        case Format.TABLE:
            table(rows, columns)


def table(rows: Iterable[Row], columns: Sequence[str]) -> None:
    """Columns as wide as they need be; numbers to the right."""
    cells = [[cell(row.get(name)) for name in columns] for row in rows]
    if not cells:
        return
    widths = [max(len(name), *(len(row[n]) for row in cells)) for n, name in enumerate(columns)]
    right = [all(_is_number(row[n]) for row in cells) for n in range(len(columns))]
    for line in ([*columns], *cells):
        parts = [
            text.rjust(width) if to_right else text.ljust(width)
            for text, width, to_right in zip(line, widths, right, strict=True)
        ]
        speech.ANSWERS.write("  ".join(parts).rstrip() + "\n")


def cell(value: Any) -> str:
    """A value as one piece of text; nothing for what is absent."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case Decimal():
            return plain(value)
        case Mapping() | list() | tuple():
            return clean_text(json.dumps(value, default=_plain, ensure_ascii=False))
        case _:
            return clean_text(str(value))


def _csv(rows: Iterable[Row], columns: Sequence[str]) -> None:
    first = True
    for row in rows:
        if first:
            _csv_line(columns)
            first = False
        _csv_line([_inert(cell(row.get(name))) for name in columns])


def _csv_line(cells: Sequence[str]) -> None:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    speech.ANSWERS.write(line.getvalue())


def _inert(text: str) -> str:
    """A cell as a spreadsheet shows it and never runs it: a formula becomes text by a quote.

    A number with its sign stays a number.
    """
    begins = text.lstrip()[:1]
    runs = text[:1] in _WHITE or (begins != "" and begins in _FORMULA)
    return f"'{text}" if runs and not _SIGNED.fullmatch(text) else text


def _is_number(text: str) -> bool:
    return not text or text.lstrip("+-").replace(".", "", 1).isdigit()


def _plain(value: Any) -> Any:
    """What JSON has no word for: decimals are strings, other values what msgspec makes of them."""
    if isinstance(value, Decimal):
        return plain(value)
    import msgspec

    return msgspec.to_builtins(value)
