"""G1: how late the loop is at 10,000 quotes a second, headless, with a few signals a second."""

from tests.bench import rig
from tests.bench.figures import Row, p50, p99, quantile
from tests.bench.load import Plan, play_headless


def main() -> None:
    seconds = 4.0 if rig.is_quick() else 20.0
    found = rig.run(play_headless(Plan(seconds=seconds, signals=10)))
    rig.report(
        [
            Row(
                id="G1",
                name="loop lag p99 at 10,000 quotes/s, headless",
                value=p99(found.lag),
                unit="ms",
                budget=1.5,
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
