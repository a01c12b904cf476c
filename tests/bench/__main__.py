"""`make bench`: every figure of the speed budget that exists, beside its budget.

`python -m tests.bench [ROW ...] [--quick] [--json FILE]`. A row is named by its module (lag) or by
an id of the budget (G1). Each runs in a process of its own, so that none disturbs another; the
probe of the same minute stands beside it. Exit code 1 when a row could not be measured.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from tests.bench import figures, probe

ROOT = Path(__file__).resolve().parents[2]

ROWS: dict[str, tuple[str, ...]] = {
    "disk": ("D",),
    "lag": ("G1",),
    "orders": ("G2", "P-09"),
    "latency": ("G3", "P-07", "P-06"),
    "kill": ("G5", "P-10"),
    "console_lag": ("G1",),
    "console_orders": ("G2",),
    "console_latency": ("G3",),
    "console_kill": ("G5",),
    "suite": ("G8",),
    "keys": ("G9",),
    "terminal_bytes": ("G10",),
    "frozen": ("G11",),
    "start": ("G12",),
    "memory": ("G13",),
    "growth": ("G14",),
    "processor": ("G15",),
    "simulator": ("SIM",),
}
"""The module of each row, and the ids it measures."""

LIMIT_SECONDS = 1_800


def main(argv: Sequence[str] | None = None) -> int:
    """Run the rows that were asked for, print the table, write the JSON."""
    given = _arguments().parse_args(argv)
    chosen = _chosen(given.rows)
    machine = probe.machine(probe.probe())
    print(f"{machine['processor']}, {machine['processors']} processors, {machine['system']}")
    print(f"Python {machine['python']}, SQLite {machine['sqlite']}\n\n{figures.heading()}")
    rows: list[dict[str, Any]] = []
    machine["probes"] = {}
    for name in chosen:
        beside = probe.probe()
        machine["probes"][name] = msgspec.to_builtins(beside)
        found = _measured(name, beside, quick=given.quick)
        for row in found:
            print(figures.line(row), flush=True)
        rows += found
        figures.write(given.json, machine, rows)
    over = [row for row in rows if not row["within"]]
    print(f"\n{len(rows)} figures, {len(over)} outside their budget; {given.json}")
    return 1 if any(row["value"] is None for row in rows) else 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help="lag, G1, ...; all without")
    parser.add_argument("--quick", action="store_true", help="shorter, less certain")
    parser.add_argument("--json", type=Path, default=ROOT / "bench.json", help="where it goes")
    return parser


def _chosen(asked: Sequence[str]) -> list[str]:
    wanted = {word.lower() for word in asked}
    known = {word.lower() for name, ids in ROWS.items() for word in (name, *ids)}
    if wanted - known:
        unknown = ", ".join(sorted(wanted - known))
        raise SystemExit(f"there is no row {unknown}; there are {', '.join(ROWS)} and their ids")
    if not wanted:
        return list(ROWS)
    return [
        name for name, ids in ROWS.items() if wanted & {name.lower(), *(i.lower() for i in ids)}
    ]


def _measured(name: str, beside: probe.Probe, *, quick: bool) -> list[dict[str, Any]]:
    """What a row's own process found; one line that says why, where it could not."""
    command = [sys.executable, "-m", f"tests.bench.rows.{name}", *(["--quick"] if quick else [])]
    ids = ROWS[name]
    try:
        done = subprocess.run(
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=LIMIT_SECONDS
        )
        found = json.loads(done.stdout.strip().rsplit("\n", 1)[-1] or "null")
    except (subprocess.TimeoutExpired, json.JSONDecodeError) as error:
        return [figures.failed(ids[0], f"{name}: {error}").as_json()]
    if done.returncode or not isinstance(found, list):
        return [figures.failed(ids[0], f"{name} ended with {done.returncode}").as_json()]
    return [row | {"note": _with(row["note"], beside)} for row in found]


def _with(note: str, beside: probe.Probe) -> str:
    return f"{note}; before it: {beside.sentence()}" if note else beside.sentence()


if __name__ == "__main__":
    sys.exit(main())
