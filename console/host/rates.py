"""The user's file of exchange rates (`[data] rates`, X-86)."""

from pathlib import Path

from brokers.paper.instruments import BadFile
from engine.reference.rates import RatesError, ReferenceRate, read_rates


def rates(named: str, base: str) -> tuple[ReferenceRate, ...]:
    """What the file says of currencies against `base`; empty without a file.

    Raises BadFile for one that cannot be read or does not hold rates: one sentence a bad line.
    """
    if not named:
        return ()
    path = Path(named).expanduser()
    try:
        return read_rates(path.read_text(encoding="utf-8"), base, str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise BadFile(f"{path}: the rates cannot be read: {error}") from error
    except RatesError as error:
        raise BadFile(str(error)) from error
