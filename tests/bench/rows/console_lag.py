"""G1: how late the loop is at 10,000 quotes a second under the console at 120x40."""

from tests.bench import rig
from tests.bench.figures import Row, p50, p99, quantile
from tests.bench.load import Plan
from tests.bench.terminal import play_under_console


def main() -> None:
    seconds = 4.0 if rig.is_quick() else 20.0
    found, _ = play_under_console(Plan(seconds=seconds, signals=10))
    rig.report(
        [
            Row(
                id="G1",
                name="loop lag p99 at 10,000 quotes/s, console at 120x40",
                value=p99(found.lag),
                unit="ms",
                budget=2.5,
                note=(
                    f"p50 {p50(found.lag):.2f}, p99.9 {quantile(found.lag, 0.999):.2f} ms of "
                    f"{len(found.lag)} beats; {found.quotes / found.elapsed:,.0f} quotes/s, "
                    f"{found.cpu / found.elapsed:.0%} of a core"
                ),
            )
        ]
    )


if __name__ == "__main__":
    main()
