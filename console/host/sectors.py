"""Which sector a ticker belongs to: a built-in table, or `[data] sectors` (A-085)."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from engine.domain.text import clean_text
from engine.reference.textfile import BadFile, Line, read_lines, rows

BUILT_IN: Final = Path(__file__).with_name("sectors.csv")
"""Read as a file: `importlib.resources` loads archives and temporary files for the same."""

COLUMNS: Final = ("ticker", "sector")


class SectorFileError(Exception):
    """A table of sectors that cannot be read: one sentence with the file and the line."""


def sectors(path: str) -> dict[str, str]:
    """Ticker to sector from the CSV at `path`, or the built-in table where it is empty.

    Raises SectorFileError.
    """
    if not path:
        return _table("the built-in sectors", read_lines(BUILT_IN))
    try:
        return _table(path, read_lines(Path(path)))
    except BadFile as error:
        raise SectorFileError(str(error)) from error


def _table(name: str, lines: Iterable[Line]) -> dict[str, str]:
    found: dict[str, str] = {}
    header: tuple[str, ...] = ()
    for number, row in rows(lines, name):
        if not header:
            header = tuple(row)
            if header != COLUMNS:
                raise SectorFileError(
                    f"{name} line {number}: the header must be {','.join(COLUMNS)}"
                )
            continue
        if len(row) != 2 or not all(row) or any(clean_text(cell, 64) != cell for cell in row):
            raise SectorFileError(f"{name} line {number}: a ticker and its sector are needed")
        if row[0] in found:
            raise SectorFileError(f"{name} line {number}: {row[0]} stands in the table twice")
        found[row[0]] = row[1]
    if not header:
        raise SectorFileError(f"{name} is empty: the header {','.join(COLUMNS)} is needed")
    return found
