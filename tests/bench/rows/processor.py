"""G15: processor time under the console, with nothing to do and at three paces of quotes."""

from tests.bench import rig, stage
from tests.bench.figures import Row
from tests.bench.load import Plan, Window

SIZE = (120, 40)
BUDGETS = {0.0: 1.0, 1_000.0: None, rig.QUOTES: 20.0, 50_000.0: None}
"""Percent of a core, by quotes a second."""


def main() -> None:
    seconds = 1.5 if rig.is_quick() else 4.0
    windows = tuple(
        Window(seconds=seconds, quotes=rate, signals=1 if rate else 0, meter=False)
        for rate in BUDGETS
    )
    found = stage.play(Plan(windows=windows), SIZE)
    rig.report(
        [
            Row(
                id="G15",
                name=f"processor at {window.quotes:,.0f} quotes/s, console at 120x40",
                value=f.share * 100,
                unit="% of a core",
                budget=BUDGETS[window.quotes],
                note=(
                    f"{f.quotes / f.elapsed:,.0f} quotes/s came, {window.signals:g} signals/s; "
                    f"{stage.inside(SIZE)}; {f.processes()}"
                ),
            )
            for f, window in zip(found, windows, strict=True)
        ]
    )


if __name__ == "__main__":
    main()
