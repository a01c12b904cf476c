"""G9: from a key to the picture it makes at 10,000 quotes a second: a pane takes the focus."""

import time
from functools import partial
from random import Random

import pyte

from tests.bench import rig
from tests.bench.figures import Row, p50, p99, spread
from tests.bench.load import Plan
from tests.bench.terminal import SIZES, Terminal

KEYS = (b"2", b"3")
TITLES = ("2 Positions", "3 Orders")


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


def measure(size: tuple[int, int], count: int) -> list[float]:
    """Milliseconds of so many keys, at random moments."""
    random = Random(3)
    terminal = Terminal(Plan(seconds=count * 0.4 + 60, signals=10), size, emulate=True)
    try:
        terminal.wait_for("ready", 30)
        time.sleep(7)
        if not any(TITLES[1] in line for line in terminal.text()):
            return []
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
            time.sleep(0.1 + random.random() * 0.2)
            wanted = expected[n % 2]
            terminal.watch(partial(shows, places, wanted))
            pressed = terminal.type(KEYS[n % 2])
            taken.append((terminal.wait(5) - pressed) * 1000)
        return taken
    finally:
        terminal.close()


def main() -> None:
    count = 40 if rig.is_quick() else 200
    rows = []
    for size in SIZES:
        taken = measure(size, count)
        if not taken:
            continue
        name = f"{size[0]}x{size[1]}"
        rows.append(
            Row(
                id="G9",
                name=f"key to painted p50, {name}",
                value=p50(taken),
                unit="ms",
                budget=3,
                note=spread(taken),
            )
        )
        rows.append(
            Row(id="G9", name=f"key to painted p99, {name}", value=p99(taken), unit="ms", budget=16)
        )
    rig.report(rows)


if __name__ == "__main__":
    main()
