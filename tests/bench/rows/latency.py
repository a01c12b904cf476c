"""G3: a signal, its intent on disk, its order handed to the venue; and how soon it is filled."""

from tests.bench import rig
from tests.bench.figures import Row, p50, p99, spread
from tests.bench.load import Plan, play_headless
from tests.bench.probe import probe

RATE = 100.0
SIMULATED_MS = 20
"""Latency of the second run: what lies beyond it is ours."""


def main() -> None:
    seconds = 5.0 if rig.is_quick() else 30.0
    disk = probe()
    found = rig.run(play_headless(Plan(seconds=seconds, signals=RATE)))
    slow = rig.run(play_headless(Plan(seconds=seconds / 2, signals=RATE, latency_ms=SIMULATED_MS)))
    beyond = [taken - SIMULATED_MS for taken in slow.filled]
    note = (
        f"{RATE:.0f} signals/s at random, {found.quotes / found.elapsed:,.0f} quotes/s, "
        f"{spread(found.handed)}; {found.refused} refused; D {disk.sync_p99_ms:.2f} ms"
    )
    rig.report(
        [
            Row(
                id="G3",
                name="signal to venue, intent durable, p50, headless",
                value=p50(found.handed),
                unit="ms",
                budget=0.7,
                note=note,
            ),
            Row(
                id="G3",
                name="signal to venue, intent durable, p99, headless",
                value=p99(found.handed),
                unit="ms",
                budget=round(2 * disk.sync_p99_ms + 1, 3),
                note=f"budget is 2 D + 1 ms, D = {disk.sync_p99_ms:.2f} ms",
            ),
            Row(
                id="G3",
                name="paper fill p99 beyond its simulated latency",
                value=p99(beyond),
                unit="ms",
                budget=2.0,
                note=(
                    f"at {SIMULATED_MS} ms latency: {spread(beyond)}; without any: "
                    f"{spread(found.filled)}"
                ),
            ),
            Row(
                id="P-07",
                name=f"paper fill at {SIMULATED_MS} ms latency, p50 (floor)",
                value=p50(slow.filled),
                unit="ms",
                budget=50,
            ),
            Row(
                id="P-06",
                name="a signal's whole way to the venue, p99 (floor: one cycle)",
                value=p99(found.handed),
                unit="ms",
                budget=100,
            ),
        ]
    )


if __name__ == "__main__":
    main()
