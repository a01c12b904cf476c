"""G11: the terminal does not read for a minute: nothing is late, and then the picture is right."""

import datetime
import re
import time
from typing import Any

from tests.bench import rig, stage
from tests.bench.figures import Row, p99
from tests.bench.load import FIRST_SECONDS, Plan, Window
from tests.bench.terminal import Terminal

CLOCK = re.compile(r"(\d\d):(\d\d):(\d\d)Z")
SIZE = (120, 40)
SIGNALS = 100.0
TITLES = ("Positions", "Signals", "Orders", "Order book", "Risk", "Journal")


def shows_now(terminal: Terminal) -> bool:
    """Whether the clock of the banner is right and every pane is there."""
    text = "\n".join(terminal.text())
    match = CLOCK.search(text)
    if match is None:
        return False
    hour, minute, second = (int(part) for part in match.groups())
    now = datetime.datetime.now(datetime.UTC)
    shown = now.replace(hour=hour, minute=minute, second=second)
    return abs((now - shown).total_seconds()) < 2 and all(title in text for title in TITLES)


def beats(reports: list[dict[str, Any]], first: float, last: float) -> list[float]:
    """Lateness of every beat between two moments."""
    found: list[float] = []
    for report in reports:
        if "beat" in report and first <= report["at"] - report["beat"]["elapsed"] <= last - 0.25:
            found += report["beat"]["lag"]
    return found


def main() -> None:
    calm, frozen = (4.0, 6.0) if rig.is_quick() else (20.0, 60.0)
    window = Window(seconds=calm + frozen + 4, signals=SIGNALS, meter=False)
    with stage.around(Plan(windows=(window,), beats=True), SIZE, emulate=True) as around:
        terminal = around.child
        assert isinstance(terminal, Terminal)
        time.sleep(FIRST_SECONDS + 2)
        began = time.perf_counter()
        time.sleep(calm)
        terminal.frozen.set()
        stuck = time.perf_counter()
        time.sleep(frozen)
        thawed = time.perf_counter()
        terminal.frozen.clear()
        while not shows_now(terminal) and time.perf_counter() - thawed < 10:
            time.sleep(0.002)
        repainted = (time.perf_counter() - thawed) * 1000
        (found,) = around.found(1, 60)
    before = beats(terminal.reports, began, stuck)
    during = beats(terminal.reports, stuck + 1, thawed)
    handed = list(zip(found.handed_at, found.handed, strict=True))
    usual = [taken for at, taken in handed if began <= at < stuck]
    late = [taken for at, taken in handed if stuck <= at < thawed]
    bound = max(usual, default=0.0) * 1.2 + 10
    rig.report(
        [
            Row(
                id="G11",
                name="loop lag p99 with a frozen terminal, of its value before",
                value=p99(during) / p99(before),
                unit="x",
                budget=1.2,
                note=(
                    f"{p99(before):.2f} ms before, {p99(during):.2f} ms over {frozen:.0f} s; "
                    f"{stage.inside(SIZE)}; {found.processes()}"
                ),
            ),
            Row(
                id="G11",
                name="orders late while frozen",
                value=float(sum(1 for taken in late if taken > bound)),
                unit="orders",
                budget=0,
                note=(
                    f"of {len(late)}: p99 {p99(late):.1f} ms, before {p99(usual):.1f} ms; late is "
                    f"more than {bound:.0f} ms, the slowest before x 1.2 + 10 ms"
                ),
            ),
            Row(
                id="G11",
                name="thaw to a right picture",
                value=repainted,
                unit="ms",
                budget=300,
                note="every pane and the clock of now, as a terminal emulator shows them",
            ),
        ]
    )


if __name__ == "__main__":
    main()
