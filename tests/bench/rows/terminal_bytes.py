"""G10: bytes to the terminal: nothing moves, a calm market, a busy one at three sizes."""

import time

from tests.bench import rig
from tests.bench.figures import Row
from tests.bench.load import Plan
from tests.bench.terminal import SIZES, Terminal

BUSY_KB = {(80, 24): 12.0, (120, 40): 45.0, (200, 50): 60.0}
CALM_QUOTES = 100.0


def rate(plan: Plan, size: tuple[int, int], seconds: float) -> float:
    """Bytes a second once everything stands."""
    terminal = Terminal(plan, size)
    try:
        terminal.wait_for("ready", 30)
        time.sleep(3)
        before, began = terminal.bytes, time.perf_counter()
        time.sleep(seconds)
        return (terminal.bytes - before) / (time.perf_counter() - began)
    finally:
        terminal.close()


def main() -> None:
    seconds = 3.0 if rig.is_quick() else 15.0
    length = seconds + 10
    still = rate(Plan(seconds=length, quotes=0), (120, 40), seconds)
    calm = rate(Plan(seconds=length, quotes=CALM_QUOTES, symbols=6), (120, 40), seconds)
    rows = [
        Row(
            id="G10",
            name="bytes to the terminal, nothing moves",
            value=still,
            unit="B/s",
            budget=60,
            note="120x40; the clock of the banner runs",
        ),
        Row(
            id="G10",
            name=f"bytes to the terminal, calm: {CALM_QUOTES:.0f} quotes/s",
            value=calm / 1000,
            unit="kB/s",
            budget=4,
            note="120x40, 6 symbols",
        ),
    ]
    for size in SIZES:
        busy = rate(Plan(seconds=length, signals=10), size, seconds)
        rows.append(
            Row(
                id="G10",
                name=f"bytes to the terminal, busy, {size[0]}x{size[1]}",
                value=busy / 1000,
                unit="kB/s",
                budget=BUSY_KB[size],
                note="10,000 quotes/s, 10 signals/s, 10 Hz",
            )
        )
    rig.report(rows)


if __name__ == "__main__":
    main()
