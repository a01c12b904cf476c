"""G3: a signal, its intent on disk, its order handed to the venue; and how soon it is filled.

Headless, and under the console at 120x40; with nothing else to do and at three paces of quotes.
"""

from tests.bench import rig, stage
from tests.bench.figures import Row, p50, p99, spread
from tests.bench.load import Found, Plan, Window
from tests.bench.probe import probe

RATE = 100.0
SIMULATED_MS = 20
"""Latency of the run for fills: what lies beyond it is ours and the venue's process."""

BEYOND_D_MS = {None: 1.0, (120, 40): 2.5}
"""What the p99 may take beyond 2 D, by the size of the console; up to 10,000 quotes/s."""

P50_MS = 0.7


def rows(found: Found, rate: float, size: tuple[int, int] | None, disk_ms: float) -> list[Row]:
    """Both figures of one window; `disk_ms` is D."""
    where = "headless" if size is None else f"console at {size[0]}x{size[1]}"
    asked = rate <= rig.QUOTES
    beyond = BEYOND_D_MS[size]
    return [
        Row(
            id="G3",
            name=f"signal to venue p50 at {rate:,.0f} quotes/s, {where}",
            value=p50(found.handed),
            unit="ms",
            budget=P50_MS if asked and size is None else None,
            note=(
                f"{RATE:.0f} signals/s at random, intent durable; {spread(found.handed)}; "
                f"{found.quotes / found.elapsed:,.0f} quotes/s came, {found.refused} refused; "
                f"{stage.inside(size)}; {found.processes()}"
            ),
        ),
        Row(
            id="G3",
            name=f"signal to venue p99 at {rate:,.0f} quotes/s, {where}",
            value=p99(found.handed),
            unit="ms",
            budget=round(2 * disk_ms + beyond, 3) if asked else None,
            note=f"budget is 2 D + {beyond:g} ms, D = {disk_ms:.2f} ms",
        ),
    ]


def fills(seconds: float) -> list[Row]:
    """How soon an order that was handed over is known to be filled."""
    window = Window(seconds=seconds, signals=RATE)
    (found,) = stage.play(Plan(windows=(window,), latency_ms=SIMULATED_MS))
    beyond = [taken - SIMULATED_MS for taken in found.filled]
    return [
        Row(
            id="G3",
            name="paper fill p99 beyond its simulated latency",
            value=p99(beyond),
            unit="ms",
            budget=2.0,
            note=(
                f"at {SIMULATED_MS} ms latency: {spread(beyond)}; the venue's process and both "
                f"ways over the socket included; {stage.inside(None)}; {found.processes()}"
            ),
        ),
        Row(
            id="P-07",
            name=f"paper fill at {SIMULATED_MS} ms latency, p50 (floor)",
            value=p50(found.filled),
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


def main() -> None:
    windows = stage.at_rates(1.5 if rig.is_quick() else 3.0, signals=RATE, meter=False)
    result: list[Row] = []
    for size in BEYOND_D_MS:
        disk = probe()
        found = stage.play(Plan(windows=windows), size)
        for f, w in zip(found, windows, strict=True):
            result += rows(f, w.quotes, size, disk.sync_p99_ms)
    rig.report(result + fills(3.0 if rig.is_quick() else 5.0))


if __name__ == "__main__":
    main()
