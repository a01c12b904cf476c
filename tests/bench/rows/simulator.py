"""Seeds of the fault simulator a second: the real engine in virtual time, both processors."""

import multiprocessing
import os
import time

from tests.bench import rig
from tests.bench.figures import Row
from tests.simulation.simulate import simulate


def _run(seed: int) -> tuple[int, int]:
    outcome = simulate(seed)
    return len(outcome.broken), outcome.events


def main() -> None:
    seeds = 40 if rig.is_quick() else 400
    workers = os.cpu_count() or 1
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        pool.map(_run, range(workers))
        began = time.perf_counter()
        outcomes = pool.map(_run, range(1_000, 1_000 + seeds), chunksize=4)
        seconds = time.perf_counter() - began
    broken = sum(1 for found, _ in outcomes if found)
    events = sum(count for _, count in outcomes)
    rig.report(
        [
            Row(
                id="SIM",
                name="seeds of the simulator",
                value=seeds / seconds,
                unit="/s",
                budget=35,
                direction="at least",
                note=f"{seeds} seeds, {broken} broken, {events / seeds:.0f} events each, "
                f"{workers} processes",
            )
        ]
    )


if __name__ == "__main__":
    main()
