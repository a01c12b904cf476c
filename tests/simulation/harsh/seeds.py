"""Ranges of seeds of the harsh profiles, resumable: `python -m tests.simulation.harsh --to 25000`.

One line is printed for each seed that breaks an invariant, and one for each profile at its end. The
last seed of each profile without a gap before it is kept in a file, from which the next call goes
on; `--from` begins elsewhere. The exit code is 1 where anything broke.
"""

import argparse
import json
import logging
import multiprocessing
import os
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

from tests.simulation.harsh.run import run_harsh
from tests.simulation.harsh.switches import HARSH

STATE: Final = Path(".simulated") / "harsh.json"
CHUNK: Final = 20
"""Seeds between two writings of the file."""


def _chunk(first: int, *, profile: str, to: int) -> tuple[int, list[tuple[int, str]]]:
    """The seeds of one chunk that broke something, and what; `first` begins it."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    outcomes = [(seed, run_harsh(seed, profile)) for seed in range(first, min(first + CHUNK, to))]
    return first, [(seed, found.broken[0]) for seed, found in outcomes if found.broken]


def _known(path: Path) -> dict[str, int]:
    """The next seed of each profile."""
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return {str(name): int(seed) for name, seed in read.items()}


def _keep(path: Path, known: dict[str, int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(json.dumps(known, indent=1), encoding="utf-8")
    new.replace(path)


def _found(profile: str, first: int, to: int, jobs: int) -> Iterator[tuple[int, int, str]]:
    """The next seed after each chunk in order, and each failure of it before that."""
    work = partial(_chunk, profile=profile, to=to)
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for begun, failures in pool.imap(work, range(first, to, CHUNK)):
            for seed, what in failures:
                yield begun, seed, what
            yield min(begun + CHUNK, to), -1, ""


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for; 1 where anything broke, else 0."""
    parser = argparse.ArgumentParser(prog="simulate", description=__doc__)
    parser.add_argument("--from", dest="first", type=int, help="first seed; else where it stopped")
    parser.add_argument("--to", type=int, default=2000, help="the seed to end before (2000)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--state", type=Path, default=STATE, help=f"the file ({STATE})")
    parser.add_argument("profiles", nargs="*", choices=[[], *HARSH], help="else all")
    asked = parser.parse_args(arguments)
    known, broke = _known(asked.state), False
    for profile in asked.profiles or HARSH:
        first = known.get(profile, 0) if asked.first is None else asked.first
        begun, kinds = time.monotonic(), Counter[str]()
        for after, seed, what in _found(profile, first, asked.to, asked.jobs):
            if seed >= 0:
                kinds[what.partition(":")[0]] += 1
                print(f"{profile} {seed}: {what}", flush=True)
            elif asked.first is None or first <= known.get(profile, 0) < after:
                known[profile] = after
                _keep(asked.state, known)
        runs, seconds = max(asked.to - first, 0), time.monotonic() - begun
        said = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()) or "none broke"
        print(f"{profile}: {runs} seeds in {seconds:.0f} s, {said}", flush=True)
        broke = broke or bool(kinds)
    return int(broke)
