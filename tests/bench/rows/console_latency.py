"""G3: a signal, its intent on disk, its order handed to the venue, under the console."""

from tests.bench import rig
from tests.bench.figures import Row, p99, spread
from tests.bench.load import Plan
from tests.bench.probe import probe
from tests.bench.terminal import play_under_console

RATE = 100.0


def main() -> None:
    seconds = 5.0 if rig.is_quick() else 30.0
    disk = probe()
    found, _ = play_under_console(Plan(seconds=seconds, signals=RATE))
    rig.report(
        [
            Row(
                id="G3",
                name="signal to venue, intent durable, p99, console at 120x40",
                value=p99(found.handed),
                unit="ms",
                budget=round(2 * disk.sync_p99_ms + 2.5, 3),
                note=(
                    f"{RATE:.0f} signals/s at random, {found.quotes / found.elapsed:,.0f} "
                    f"quotes/s, {spread(found.handed)}; {found.refused} refused; budget is "
                    f"2 D + 2.5 ms, D = {disk.sync_p99_ms:.2f} ms"
                ),
            )
        ]
    )


if __name__ == "__main__":
    main()
