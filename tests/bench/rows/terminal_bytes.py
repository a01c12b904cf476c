"""G10: bytes to the terminal: nothing moves, a calm market, a busy one at three sizes."""

import time

from tests.bench import rig, stage
from tests.bench.figures import Row
from tests.bench.load import FIRST_SECONDS, SYMBOLS, Plan, Window
from tests.bench.terminal import SIZES, Terminal

BUSY_KB = {(80, 24): 12.0, (120, 40): 45.0, (200, 50): 60.0}
CALM_QUOTES = 100.0


def rate(window: Window, size: tuple[int, int], symbols: int) -> tuple[float, str]:
    """Bytes a second once everything stands, and what ran."""
    with stage.around(Plan(windows=(window,), symbols=symbols), size) as around:
        terminal = around.child
        assert isinstance(terminal, Terminal)
        time.sleep(FIRST_SECONDS + 1 if window.signals else 2)
        before, began = terminal.bytes, time.perf_counter()
        time.sleep(window.seconds - 1)
        sent = (terminal.bytes - before) / (time.perf_counter() - began)
        (found,) = around.found(1, 60)
        return sent, f"{stage.inside(size)}; {found.processes()}"


def main() -> None:
    seconds = 3.0 if rig.is_quick() else 5.0
    size = (120, 40)
    still, ran = rate(Window(seconds=seconds, quotes=0, meter=False), size, 6)
    calm, ran_calm = rate(Window(seconds=seconds, quotes=CALM_QUOTES, meter=False), size, 6)
    rows = [
        Row(
            id="G10",
            name="bytes to the terminal, nothing moves",
            value=still,
            unit="B/s",
            budget=60,
            note=(
                f"120x40; the clock, and three ages that count seconds: of the feed, "
                f"the broker and the selected price; {ran}"
            ),
        ),
        Row(
            id="G10",
            name=f"bytes to the terminal, calm: {CALM_QUOTES:.0f} quotes/s",
            value=calm / 1000,
            unit="kB/s",
            budget=4,
            note=f"120x40, 6 symbols; {ran_calm}",
        ),
    ]
    for each in SIZES:
        busy, ran = rate(Window(seconds=seconds, signals=10, meter=False), each, SYMBOLS)
        rows.append(
            Row(
                id="G10",
                name=f"bytes to the terminal, busy, {each[0]}x{each[1]}",
                value=busy / 1000,
                unit="kB/s",
                budget=BUSY_KB[each],
                note=f"10,000 quotes/s, 10 signals/s, 10 Hz; {ran}",
            )
        )
    rig.report(rows)


if __name__ == "__main__":
    main()
