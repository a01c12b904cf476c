"""Whether the machine was quiet enough, while a row was measured, for its figures to mean much.

A row is noisy when the processors were busy and others took a part of that, or when the probe
beside it is off: a fixed piece of work, or one append to the disk, takes far longer then than it
takes otherwise.
"""

import os
import resource
import time
from collections.abc import Sequence
from statistics import median
from typing import Final

import msgspec

from tests.bench.probe import Probe, ticks

BUSY: Final = 0.90
"""Share of the processors' time, over which all of them were taken."""

OTHERS: Final = 0.10
"""Share of the processors' time that others may take of a machine that busy."""

OFF: Final = 0.25
"""How much more a probe may take than the median of those of this run, as a share of that."""


class Shares(msgspec.Struct, frozen=True, kw_only=True):
    """Who used the processors while a row was measured, as shares of all their time."""

    busy: float
    others: float
    """What neither this process nor those it started used."""


class Watch:
    """Who uses the processors, from its making on."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._ticks = ticks()
        self._ours = _used()

    def shares(self) -> Shares:
        """Since then; to be asked once the processes that were started have been waited for."""
        now = ticks()
        passed = [after - before for before, after in zip(self._ticks, now, strict=True)]
        total = sum(passed)
        if not total:
            return Shares(busy=0.0, others=0.0)
        busy = 1 - (passed[3] + passed[4]) / total
        elapsed = time.perf_counter() - self._began
        ours = (_used() - self._ours) / (elapsed * _processors(total, elapsed))
        return Shares(busy=busy, others=max(busy - ours, 0.0))


def _used() -> float:
    """Seconds of processor time, of this process and of those it has waited for."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in spent)


def _processors(total: int, elapsed: float) -> float:
    """How many processors count, by the time that passed on all of them together."""
    return total / os.sysconf("SC_CLK_TCK") / elapsed


def judged(shares: Shares, beside: Sequence[Probe], run: Sequence[Probe]) -> str:
    """Why a row is noisy, in words; "" for a quiet one.

    `beside` are the probes before and after it, `run` all of this run, those included.
    """
    why = []
    if shares.busy > BUSY and shares.others > OTHERS:
        why.append(f"the processors were {shares.busy:.0%} busy, {shares.others:.0%} with others")
    for name, values, usual in (
        ("spin", [p.spin_ms for p in beside], median(p.spin_ms for p in run)),
        ("fdatasync", [p.sync_p50_ms for p in beside], median(p.sync_p50_ms for p in run)),
    ):
        worst = max(values)
        if worst > (1 + OFF) * usual:
            why.append(f"a probe was off: {name} {worst:.2f} ms where {usual:.2f} ms is usual")
    return "; ".join(why)
