"""The user's file of exchange rates (`[data] rates`, X-86)."""

from pathlib import Path
from typing import Final

from engine.reference.rates import RatesError, ReferenceRate, read_rates
from engine.reference.textfile import BadFile, read_text

LARGEST: Final = 16 * 2**20
"""Bytes of the file."""


def rates(named: str, base: str) -> tuple[ReferenceRate, ...]:
    """What the file says of currencies against `base`; empty without a file.

    Raises BadFile for one that cannot be read or does not hold rates: one sentence a bad line.
    """
    if not named:
        return ()
    path = Path(named).expanduser()
    try:
        return read_rates(read_text(path, most=LARGEST), base, str(path))
    except RatesError as error:
        raise BadFile(str(error)) from error
