"""What the machine could do in the same minute: a CPU spin, fdatasync, and what was stolen.

A figure of a busy machine says little about the program; the probe beside it says how busy it was.
"""

import os
import platform
import sqlite3
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

from tests.bench.figures import p50, p99

SYNC_BYTES = b"x" * 4096
SPIN_STEPS = 100_000


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """The machine, measured: milliseconds, and shares of the processors' time."""

    spin_ms: float
    """A fixed piece of Python, the median."""
    sync_p50_ms: float
    sync_p99_ms: float
    """D: one bare append of 4 KB with fdatasync."""
    steal: float
    """Share of the time that the host took, while the probe ran."""
    others: float
    """Share of the time that other processes used."""

    def sentence(self) -> str:
        """For a note."""
        return (
            f"spin {self.spin_ms:.1f} ms, D {self.sync_p50_ms:.2f}/{self.sync_p99_ms:.2f} ms, "
            f"others {self.others:.0%}, steal {self.steal:.0%}"
        )


def probe(folder: Path | None = None, *, syncs: int = 300, spins: int = 15) -> Probe:
    """Measure now; `folder` is on the disk in question."""
    before, own = ticks(), time.process_time()
    began = time.perf_counter()
    spent = [_spin() for _ in range(spins)]
    synced = _syncs(folder, syncs)
    after = ticks()
    elapsed = time.perf_counter() - began
    total = max(sum(after) - sum(before), 1)
    busy = total - (after[3] - before[3]) - (after[4] - before[4])
    mine = (time.process_time() - own) / elapsed / (os.cpu_count() or 1)
    return Probe(
        spin_ms=p50(spent),
        sync_p50_ms=p50(synced),
        sync_p99_ms=p99(synced),
        steal=(after[7] - before[7]) / total,
        others=max(busy / total - mine, 0.0),
    )


def _spin() -> float:
    began = time.perf_counter()
    total = 0
    for n in range(SPIN_STEPS):
        total += n * n % 7
    return (time.perf_counter() - began) * 1000


def _syncs(folder: Path | None, count: int) -> list[float]:
    with tempfile.TemporaryDirectory(dir=folder, prefix="meridian-probe-") as name:
        handle = os.open(Path(name) / "probe", os.O_CREAT | os.O_WRONLY)
        taken = []
        try:
            for _ in range(count):
                began = time.perf_counter()
                os.write(handle, SYNC_BYTES)
                os.fdatasync(handle)
                taken.append((time.perf_counter() - began) * 1000)
        finally:
            os.close(handle)
    return taken


def ticks() -> list[int]:
    """The processors' time so far: user nice system idle iowait irq softirq steal."""
    try:
        words = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]
    except OSError:
        return [0] * 8
    return [int(word) for word in words]


def machine(found: Probe) -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "processors": os.cpu_count(),
        "python": sys.version.split()[0],
        "sqlite": sqlite3.sqlite_version,
        "probe": msgspec.to_builtins(found),
    }


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in text.split("\n") if "model name" in line)
    return next(names, platform.processor())
