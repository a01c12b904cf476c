"""G17: a recording of bars played through the whole program with its built-in signals.

The recording is made beforehand. The command is measured from outside: how long it takes, and what
its process holds in memory while it runs.
"""

import datetime
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import msgspec

from tests.bench import rig
from tests.bench.child import ROOT
from tests.bench.figures import Row

SYMBOLS = ("BTC-USD", "ETH-USD", "SOL-USD", "ADA-USD", "XRP-USD")
"""They trade at any hour, so that every minute has its bar."""

BARS = {"quick": 2_000, "short": 10_000, "long": 1_000_000}
START = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
LOOK_SECONDS = 0.2
HEADER = "time,symbol,open,high,low,close,volume,bid,bid_size,ask,ask_size"
PROGRAM = [sys.executable, "-c", "import sys; from console.cli import main; sys.exit(main())"]


class Played(msgspec.Struct, kw_only=True):
    """One run of the command."""

    seconds: float
    """From the command to its end."""
    report: dict[str, object]
    cpu: float
    """Seconds of processor time."""
    memory: list[float]
    """MB, in even steps of time."""


def record(path: Path, bars: int, seed: int = 11) -> None:
    """A random walk with slow swings, a bar a minute of each symbol: the clouds cross now and then.

    Cents throughout, written as text: a recording that is the same wherever it is made.
    """
    random = Random(seed)
    prices = dict.fromkeys(SYMBOLS, 10_000)
    drifts = dict.fromkeys(SYMBOLS, 0)
    with path.open("w", encoding="ascii") as file:
        file.write(HEADER + "\n")
        for n in range(bars):
            symbol = SYMBOLS[n % len(SYMBOLS)]
            minute = START + datetime.timedelta(minutes=n // len(SYMBOLS) + 1)
            if random.random() < 0.02:
                drifts[symbol] = random.choice((-6, -3, 3, 6))
            opened = prices[symbol]
            closed = min(max(opened + random.randint(-10, 10) + drifts[symbol], 5_000), 20_000)
            high, low = max(opened, closed) + 2, min(opened, closed) - 2
            cents = [f"{value / 100:.2f}" for value in (opened, high, low, closed)]
            spread = f"{(closed - 1) / 100:.2f},500,{(closed + 1) / 100:.2f},500"
            file.write(f"{minute:%Y-%m-%dT%H:%M:%SZ},{symbol},{','.join(cents)},10000,{spread}\n")
            prices[symbol] = closed


def played(folder: Path, bars: Path) -> Played:
    """Play it. Raises RuntimeError with what the command said when it fails."""
    report = folder / "report.json"
    command = [*PROGRAM, "--state-dir", str(folder / "state"), "replay", str(bars)]
    environment = {"HOME": str(folder), "PATH": "/usr/bin:/bin"}
    memory: list[float] = []
    with (folder / "said").open("w+", encoding="utf-8") as said:
        began, before = time.perf_counter(), _used()
        process = subprocess.Popen(
            [*command, "--report", str(report)], cwd=ROOT, stdout=said, stderr=said, env=environment
        )
        while process.poll() is None:
            time.sleep(LOOK_SECONDS)
            held = rig.rss_mb(process.pid)
            if held:
                memory.append(held)
        seconds = time.perf_counter() - began
        if process.returncode:
            said.seek(0)
            raise RuntimeError(f"the replay ended with {process.returncode}: {said.read()[-500:]}")
    told = json.loads(report.read_text())
    return Played(seconds=seconds, report=told, cpu=_used() - before, memory=memory)


def _used() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    length = "quick" if rig.is_quick() else "long" if rig.is_long() else "short"
    count = BARS[length]
    with rig.scratch() as folder:
        bars = folder / "bars.csv"
        record(bars, count)
        found = played(folder, bars)
    half = found.memory[len(found.memory) // 2]
    trips = found.report["round_trips"]
    assert isinstance(trips, list)
    rig.report(
        [
            Row(
                id="G17",
                name=f"replay of {count:,} bars with built-in signals",
                value=count / found.seconds,
                unit="bars/s",
                budget=20_000,
                direction="at least",
                note=(
                    f"the whole command in {found.seconds:.1f} s, of it "
                    f"{found.report['wall_seconds']} s after the file was read; {len(trips):,} "
                    f"round trips, {found.report['events']:,} events; inside: engine, journal in "
                    f"memory, paper venue; CPU s: {found.cpu:.1f}"
                ),
            ),
            Row(
                id="G17",
                name=f"memory of the second half of {count:,} bars",
                value=max(found.memory[-3:]) - half,
                unit="MB",
                budget=2 if length == "long" else None,
                note=f"{half:.0f} MB at half of the time, {max(found.memory):.0f} MB at the most",
            ),
        ]
    )


if __name__ == "__main__":
    main()
