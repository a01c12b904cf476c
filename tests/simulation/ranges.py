"""Ranges of seeds, resumable: what `make simulate` and `make venue-seeds` have in common.

One line is printed for each seed that breaks something, and one for each name at its end. The last
seed of each name without a gap before it is kept in a file, from which the next call goes on;
`--from` begins elsewhere. The exit code is 1 where anything broke.
"""

import argparse
import json
import logging
import multiprocessing
import os
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

CHUNK: Final = 20
"""Seeds between two writings of the file."""

Broken = Callable[[int, str], list[str]]
"""Runs (seed, name) and says what it breaks; of a module's top, so that a process can be told."""


def _chunk(first: int, *, run: Broken, name: str, to: int) -> tuple[int, list[tuple[int, str]]]:
    """The seeds of one chunk that broke something, and what; `first` begins it."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    outcomes = [(seed, run(seed, name)) for seed in range(first, min(first + CHUNK, to))]
    return first, [(seed, broken[0]) for seed, broken in outcomes if broken]


def _known(path: Path) -> dict[str, int]:
    """The next seed of each name."""
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


def _found(
    run: Broken, name: str, first: int, to: int, *, jobs: int
) -> Iterator[tuple[int, int, str]]:
    """The next seed after each chunk in order, and each failure of it before that."""
    work = partial(_chunk, run=run, name=name, to=to)
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for begun, failures in pool.imap(work, range(first, to, CHUNK)):
            for seed, what in failures:
                yield begun, seed, what
            yield min(begun + CHUNK, to), -1, ""


def run_ranges(
    run: Broken,
    names: Iterable[str],
    *,
    state: Path,
    to: int,
    what: str,
    arguments: list[str] | None = None,
) -> int:
    """Run what is asked for; 1 where anything broke, else 0.

    `names` is what there are seeds of, `state` the file and `to` the seed to end before where the
    arguments name none; `what` the names are called.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="first", type=int, help="first seed; else where it stopped")
    parser.add_argument("--to", type=int, default=to, help=f"the seed to end before ({to})")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--state", type=Path, default=state, help=f"the file ({state})")
    parser.add_argument(what, nargs="*", choices=[[], *names], help="else all")
    asked = parser.parse_args(arguments)
    known, broke = _known(asked.state), False
    for name in getattr(asked, what) or names:
        first = known.get(name, 0) if asked.first is None else asked.first
        begun, kinds = time.monotonic(), Counter[str]()
        for after, seed, said in _found(run, name, first, asked.to, jobs=asked.jobs):
            if seed >= 0:
                kinds[said.partition(":")[0]] += 1
                print(f"{name} {seed}: {said}", flush=True)
            elif asked.first is None or first <= known.get(name, 0) < after:
                known[name] = after
                _keep(asked.state, known)
        runs, seconds = max(asked.to - first, 0), time.monotonic() - begun
        words = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()) or "none broke"
        print(f"{name}: {runs} seeds in {seconds:.0f} s, {words}", flush=True)
        broke = broke or bool(kinds)
    return int(broke)
