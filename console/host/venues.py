"""The user's file of what his venues cost and how they fill (`[data] venues`, A-462, A-472)."""

from pathlib import Path
from typing import Final

from engine.config import Config
from engine.reference.textfile import BadFile, read_text
from engine.reference.venues import Venue, VenuesError, read_venues

LARGEST: Final = 2**20
"""Bytes of the file."""


def venues(config: Config) -> dict[str, Venue]:
    """What the file says of each account, by the account's name; empty without a file.

    Raises BadFile for one that cannot be read, does not hold venues, or has no row with fill rate
    and latency of an account that a route chooses between.
    """
    if not config.data.venues:
        return {}
    path = Path(config.data.venues).expanduser()
    try:
        found = {one.name: one for one in read_venues(read_text(path, most=LARGEST), str(path))}
    except VenuesError as error:
        raise BadFile(str(error)) from error
    among = [n for route in config.routes if route.also for n in (route.broker, *route.also)]
    for name in dict.fromkeys(among):
        known = found.get(name)
        if known is None or known.fill_rate is None or known.latency_ms is None:
            raise BadFile(
                f"{path} has no row with fill_rate and latency_ms for {name}, which a route names "
                "among several accounts"
            )
    return found
