"""`make bench`: the figures of the speed budget, beside their budgets, in eight minutes.

`python -m tests.bench [ROW ...] [--long] [--quick] [--json FILE]`. A row is named by its module
(lag) or by an id of the budget (G1); without one the rows run that fit the time, with --long the
others. Each runs in a process of its own, so that none disturbs another; the probes of the same
minute stand beside it. A row that the machine was too busy for is measured anew, twice at most and
while there is time, and is then marked noisy and not within. Exit code 1 when a row could not be
measured.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from tests.bench import figures, noise, probe

ROOT = Path(__file__).resolve().parents[2]


class Entry(NamedTuple):
    """A module under `rows`."""

    ids: tuple[str, ...]
    """What it measures."""
    seconds: int
    """About how long it takes, on a machine with two processors."""
    long: bool = False
    """It belongs to `make bench-long` alone."""
    longer: bool = False
    """It has a longer form, which `make bench-long` runs."""


ROWS: Final[Mapping[str, Entry]] = {
    "disk": Entry(("D",), 2),
    "lag": Entry(("G1",), 55),
    "orders": Entry(("G2", "P-09"), 42),
    "latency": Entry(("G3", "P-07", "P-06"), 70),
    "kill": Entry(("G5", "P-10"), 90, longer=True),
    "suite": Entry(("G8",), 45, long=True),
    "keys": Entry(("G9",), 58, longer=True),
    "terminal_bytes": Entry(("G10",), 60),
    "frozen": Entry(("G11",), 100, long=True),
    "start": Entry(("G12",), 30, longer=True),
    "memory": Entry(("G13",), 1_500, long=True),
    "growth": Entry(("G14",), 400, long=True),
    "processor": Entry(("G15",), 28),
    "replay": Entry(("G17",), 10, longer=True),
    "flood": Entry(("G18",), 180, long=True),
    "simulator": Entry(("SIM",), 60, long=True),
    "venues": Entry(("G4", "G6"), 330, long=True),
}

LIMIT_SECONDS: Final = 3_000
"""A row that takes longer has failed."""

BUDGET_SECONDS: Final = 480
"""`make bench` ends within it: beyond it nothing is measured anew."""

AGAIN: Final = 2
"""How often a noisy row is measured anew at most."""

PROBE_SECONDS: Final = 1


class Measured(NamedTuple):
    """What came of one row."""

    rows: list[dict[str, Any]]
    beside: tuple[probe.Probe, probe.Probe]
    """The probes before and after it."""
    shares: noise.Shares

    def around(self) -> str:
        """The machine of its minute, for a note."""
        before, after = self.beside
        return (
            f"before it: {before.sentence()}; after it: {after.sentence()}; during it: "
            f"{self.shares.busy:.0%} busy, others {self.shares.others:.0%}"
        )


Measure = Callable[[str], Measured]


class Bench:
    """One run: its probes, and the time that is left of it."""

    def __init__(
        self, chosen: Sequence[str], measure: Measure, *, seconds: float, again: int = AGAIN
    ) -> None:
        """`seconds` is the time there is for all; `again` how often a noisy row is repeated."""
        self.probes: list[probe.Probe] = []
        self.by_row: dict[str, list[probe.Probe]] = {}
        self._left = list(chosen)
        self._measure = measure
        self._again = again
        self._end = time.perf_counter() + seconds

    def run(self, name: str) -> tuple[list[dict[str, Any]], str, str]:
        """The figures of a row, what the machine did meanwhile, and why that is noisy if it is.

        The row is measured until the machine was quiet, as often as is allowed, and while there is
        time for what is left; figures of a noisy machine are marked.
        """
        self._left.remove(name)
        began = time.perf_counter()
        found = self._once(name)
        length = time.perf_counter() - began
        for _ in range(self._again):
            if not self._noise(found) or not self._has_time(length):
                break
            found = self._once(name)
        why = self._noise(found)
        self.by_row[name] = list(found.beside)
        return [_marked(row, noisy=bool(why)) for row in found.rows], found.around(), why

    def _once(self, name: str) -> Measured:
        found = self._measure(name)
        self.probes += found.beside
        return found

    def _noise(self, found: Measured) -> str:
        return noise.judged(found.shares, found.beside, self.probes)

    def _has_time(self, length: float) -> bool:
        """Whether a row of that length can be measured anew and all that is left once."""
        left = sum(ROWS[name].seconds + PROBE_SECONDS for name in self._left)
        return time.perf_counter() + length + left < self._end


def main(argv: Sequence[str] | None = None) -> int:
    """Run the rows that were asked for, print the table, write the JSON."""
    given = _arguments().parse_args(argv)
    chosen = _chosen(given.rows, long=given.long)
    options = [word for word, on in (("--quick", given.quick), ("--long", given.long)) if on]
    whole = not (given.rows or given.long)
    seconds = sum(ROWS[name].seconds for name in chosen) * (1 + AGAIN)
    bench = Bench(
        chosen,
        lambda name: measured(name, options),
        seconds=BUDGET_SECONDS if whole else seconds,
        again=0 if given.quick else AGAIN,
    )
    machine = probe.machine(probe.probe())
    print(f"{machine['processor']}, {machine['processors']} processors, {machine['system']}")
    print(f"Python {machine['python']}, SQLite {machine['sqlite']}\n\n{figures.heading()}")
    rows: list[dict[str, Any]] = []
    for name in chosen:
        found, around, why = bench.run(name)
        for row in found:
            print(figures.line(row, noisy=bool(why)), flush=True)
        print(f"      [{name}] {around}{'; noisy: ' if why else ''}{why}\n", flush=True)
        rows += [row | {"note": _joined(_joined(row["note"], around), why)} for row in found]
        machine["probes"] = msgspec.to_builtins(bench.by_row)
        figures.write(given.json, machine, rows)
    over = [row for row in rows if not row["within"]]
    print(f"{len(rows)} figures, {len(over)} outside their budget; {given.json}")
    return 1 if any(row["value"] is None for row in rows) else 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help="lag, G1, ...; what fits without")
    parser.add_argument("--long", action="store_true", help="the rows that take longer")
    parser.add_argument("--quick", action="store_true", help="shorter, less certain")
    parser.add_argument("--json", type=Path, default=ROOT / "bench.json", help="where it goes")
    return parser


def _chosen(asked: Sequence[str], *, long: bool) -> list[str]:
    """The modules of the rows that are named; where none is, those of `make bench` or of the long
    form."""
    wanted = {word.lower() for word in asked}
    known = {word.lower() for name, entry in ROWS.items() for word in (name, *entry.ids)}
    if wanted - known:
        unknown = ", ".join(sorted(wanted - known))
        raise SystemExit(f"there is no row {unknown}; there are {', '.join(ROWS)} and their ids")
    if not wanted:
        if long:
            return [name for name, entry in ROWS.items() if entry.long or entry.longer]
        return [name for name, entry in ROWS.items() if not entry.long]
    return [
        name
        for name, entry in ROWS.items()
        if wanted & {name.lower(), *(each.lower() for each in entry.ids)}
    ]


def measured(name: str, options: Sequence[str]) -> Measured:
    """A row, measured in a process of its own, and the machine meanwhile."""
    before = probe.probe()
    watch = noise.Watch()
    rows = _figures(name, options)
    shares = watch.shares()
    return Measured(rows, (before, probe.probe()), shares)


def _figures(name: str, options: Sequence[str]) -> list[dict[str, Any]]:
    """What a row's own process found; one line that says why, where it could not."""
    command = [sys.executable, "-m", f"tests.bench.rows.{name}", *options]
    first = ROWS[name].ids[0]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            said, _ = process.communicate(timeout=LIMIT_SECONDS)
            found = json.loads(said.strip().rsplit("\n", 1)[-1] or "null")
        except (subprocess.TimeoutExpired, json.JSONDecodeError) as error:
            return [figures.failed(first, f"{name}: {error}").as_json()]
        finally:
            # It ends the processes it started; one that is killed leaves them behind.
            process.terminate()
    if process.returncode or not isinstance(found, list):
        return [figures.failed(first, f"{name} ended with {process.returncode}").as_json()]
    return found


def _marked(row: dict[str, Any], *, noisy: bool) -> dict[str, Any]:
    """A figure that the machine was too busy for is outside its budget, whatever it shows."""
    if not noisy:
        return row
    within = row["within"] and not row["budget"]
    return row | {"within": within, "note": _joined("noisy", row["note"])}


def _joined(first: str, second: str) -> str:
    return "; ".join(text for text in (first, second) if text)


if __name__ == "__main__":
    sys.exit(main())
