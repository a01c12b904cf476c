"""G2: 1,000 full order lives a second under the console and 10,000 quotes a second, open loop."""

from tests.bench import rig
from tests.bench.figures import Row, p99, spread
from tests.bench.load import Plan
from tests.bench.terminal import play_under_console

OFFERED = 1_050.0
"""A little more than the budget, so that what is done can reach it."""


def main() -> None:
    seconds = 4.0 if rig.is_quick() else 20.0
    found, _ = play_under_console(Plan(seconds=seconds, lives=OFFERED))
    rig.report(
        [
            Row(
                id="G2",
                name="durable order lives, console and 10,000 quotes/s",
                value=found.lives / found.elapsed,
                unit="/s",
                budget=1000,
                direction="at least",
                note=(
                    f"{OFFERED:,.0f}/s offered at random, {found.quotes / found.elapsed:,.0f} "
                    f"quotes/s; order to venue {spread(found.handed)}"
                ),
            ),
            Row(
                id="G2",
                name="order to venue p99 at that rate",
                value=p99(found.handed),
                unit="ms",
                budget=5,
            ),
        ]
    )


if __name__ == "__main__":
    main()
