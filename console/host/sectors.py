"""Which sector a ticker belongs to: a built-in table, or `[data] sectors` (A-085)."""

import csv
from pathlib import Path
from typing import Final

from engine.domain.text import clean_text

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
        return _table("the built-in sectors", BUILT_IN.read_text(encoding="utf-8"))
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SectorFileError(f"{path}: the sectors cannot be read: {error}") from error
    return _table(path, text)


def _table(name: str, text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, row in enumerate(csv.reader(text.splitlines()), start=1):
        if number == 1:
            if tuple(row) != COLUMNS:
                raise SectorFileError(f"{name} line 1: the header must be {','.join(COLUMNS)}")
            continue
        if len(row) != 2 or not all(row) or any(clean_text(cell, 64) != cell for cell in row):
            raise SectorFileError(f"{name} line {number}: a ticker and its sector are needed")
        if row[0] in found:
            raise SectorFileError(f"{name} line {number}: {row[0]} stands in the table twice")
        found[row[0]] = row[1]
    return found
