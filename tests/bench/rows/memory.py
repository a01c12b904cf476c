"""G13: memory after a day's work, played as fast as it goes: 432,000 orders, 10,000,000 quotes."""

from tests.bench import rig, stage
from tests.bench.figures import Row
from tests.bench.load import Found, Plan

ORDERS, QUOTES = 432_000, 10_000_000
SYMBOLS = 12
LIMIT_SECONDS = 1_500


def rows(found: Found, name: str, budget: float) -> list[Row]:
    """What is held at the end, and how much the second half added."""
    before, half, after = found.memory
    return [
        Row(
            id="G13",
            name=f"memory, {name}",
            value=after,
            unit="MB",
            budget=budget,
            note=(
                f"{found.lives:,} orders, {found.quotes:,} quotes in {found.elapsed:.0f} s; "
                f"{before:.1f} before, {half:.1f} at half; inside: engine, journal, paper venue "
                f"with its book, and what places the orders; {found.processes()}"
            ),
        ),
        Row(
            id="G13",
            name=f"memory of the second half, {name}",
            value=after - half,
            unit="MB",
            budget=2,
        ),
    ]


def main() -> None:
    part = 40 if rig.is_quick() else 1
    plan = Plan(orders=ORDERS // part, flood=QUOTES // part, symbols=SYMBOLS)
    result = rows(stage.alone(plan, None, LIMIT_SECONDS), "headless", 50)
    result += rows(stage.alone(plan, (120, 40), LIMIT_SECONDS), "with console", 75)
    rig.report(result)


if __name__ == "__main__":
    main()
