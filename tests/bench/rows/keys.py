"""G9: from a key to the picture it makes at 10,000 quotes a second: a pane takes the focus."""

import time
from functools import partial
from random import Random

import pyte

from tests.bench import rig, stage
from tests.bench.figures import Row, p50, p99, spread
from tests.bench.load import Found, Plan, Window
from tests.bench.terminal import SIZES, Terminal

KEYS = (b"2", b"3")
TITLES = ("2 Positions", "3 Orders")

SIGNALS = 10.0
GAP_SECONDS = (0.08, 0.22)
"""Between two keys, at random: no step with the paint."""

FIRST_SECONDS = 5.0
"""From the first picture to the first key: signals come by then."""

SETTLE_SECONDS = 4.0
"""What the first two keys, and a slow picture here and there, take beside the gaps."""


def corners(terminal: Terminal) -> list[tuple[int, int]]:
    """Where the frames of the two panes begin."""
    found = []
    for title in TITLES:
        row = next(y for y, line in enumerate(terminal.text()) if title in line)
        found.append((row, terminal.text()[row].index(title) - 3))
    return found


def looks(screen: pyte.Screen, places: list[tuple[int, int]]) -> list[tuple[str, str, bool]]:
    """Colour and weight of the frames there."""
    cells = [screen.buffer[row][max(column, 0)] for row, column in places]
    return [(cell.fg, cell.bg, cell.bold) for cell in cells]


def shows(
    places: list[tuple[int, int]], wanted: list[tuple[str, str, bool]], screen: pyte.Screen
) -> bool:
    """Whether the frames look as wanted."""
    return looks(screen, places) == wanted


def measure(size: tuple[int, int], count: int) -> tuple[list[float], Found | None]:
    """Milliseconds of so many keys, at random moments, and what the processes used meanwhile."""
    random = Random(3)
    seconds = count * (GAP_SECONDS[0] + GAP_SECONDS[1]) / 2 + SETTLE_SECONDS
    window = Window(seconds=seconds, signals=SIGNALS, meter=False)
    with stage.around(Plan(windows=(window,)), size, emulate=True) as around:
        terminal = around.child
        assert isinstance(terminal, Terminal)
        time.sleep(FIRST_SECONDS)
        if not any(TITLES[1] in line for line in terminal.text()):
            return [], None
        places = corners(terminal)
        expected = []
        for key in KEYS:
            terminal.type(key)
            time.sleep(0.6)
            expected.append(looks(terminal.screen, places))
        if expected[0] == expected[1]:
            raise RuntimeError("the focus cannot be seen")
        taken = []
        for n in range(count):
            time.sleep(random.uniform(*GAP_SECONDS))
            wanted = expected[n % 2]
            terminal.watch(partial(shows, places, wanted))
            pressed = terminal.type(KEYS[n % 2])
            taken.append((terminal.wait(5) - pressed) * 1000)
        return taken, around.found(1, 120)[0]


def main() -> None:
    count = 20 if rig.is_quick() else 500 if rig.is_long() else 60
    rows = []
    for size in SIZES:
        taken, found = measure(size, count)
        if found is None:
            continue
        name = f"{size[0]}x{size[1]}"
        rows += [
            Row(
                id="G9",
                name=f"key to painted p50, {name}",
                value=p50(taken),
                unit="ms",
                budget=3,
                note=(
                    f"{spread(taken)}; {found.quotes / found.elapsed:,.0f} quotes/s came, "
                    f"{SIGNALS:g} signals/s; {stage.inside(size)}; {found.processes()}"
                ),
            ),
            Row(
                id="G9",
                name=f"key to painted p99, {name}",
                value=p99(taken),
                unit="ms",
                budget=16,
            ),
        ]
    rig.report(rows)


if __name__ == "__main__":
    main()
