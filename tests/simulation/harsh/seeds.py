"""Ranges of seeds of the harsh profiles: `python -m tests.simulation.harsh --to 25000 liar`.

See `tests.simulation.ranges`.
"""

from pathlib import Path
from typing import Final

from tests.simulation.harsh.run import run_harsh
from tests.simulation.harsh.switches import HARSH
from tests.simulation.ranges import run_ranges

STATE: Final = Path(".simulated") / "harsh.json"


def broken(seed: int, profile: str) -> list[str]:
    """What a seed of a profile breaks."""
    return run_harsh(seed, profile).broken


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for; 1 where anything broke, else 0."""
    return run_ranges(broken, HARSH, state=STATE, to=2000, what="profiles", arguments=arguments)
