"""G15: processor time under the console at 10,000 quotes a second, and with nothing to do."""

from tests.bench import rig
from tests.bench.figures import Row
from tests.bench.load import Plan
from tests.bench.terminal import play_under_console


def main() -> None:
    seconds = 4.0 if rig.is_quick() else 20.0
    busy, _ = play_under_console(Plan(seconds=seconds, signals=1, meter=False))
    still, _ = play_under_console(Plan(seconds=seconds, quotes=0, meter=False))
    rig.report(
        [
            Row(
                id="G15",
                name="processor at 10,000 quotes/s, console at 120x40",
                value=busy.cpu / busy.elapsed * 100,
                unit="% of a core",
                budget=20,
                note=(
                    f"{busy.quotes / busy.elapsed:,.0f} quotes/s, the making of the simulated "
                    "quotes included"
                ),
            ),
            Row(
                id="G15",
                name="processor with nothing to do, console at 120x40",
                value=still.cpu / still.elapsed * 100,
                unit="% of a core",
                budget=1,
            ),
        ]
    )


if __name__ == "__main__":
    main()
