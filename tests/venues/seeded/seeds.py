"""Ranges of seeds at the local venues: `python -m tests.venues.seeded --to 1000 okx`.

See `tests.simulation.ranges`.
"""

from pathlib import Path
from typing import Final

from tests.simulation.ranges import run_ranges
from tests.venues.seeded.places import PLACES
from tests.venues.seeded.run import run

STATE: Final = Path(".simulated") / "venues.json"


def broken(seed: int, venue: str) -> list[str]:
    """What a seed at a venue breaks."""
    return run(venue, seed).broken


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for; 1 where anything broke, else 0."""
    return run_ranges(broken, PLACES, state=STATE, to=1000, what="venues", arguments=arguments)
