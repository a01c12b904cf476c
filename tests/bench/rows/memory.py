"""G13: memory after a day's work, played as fast as it goes: 432,000 orders, 10,000,000 quotes."""

from tests.bench import rig
from tests.bench.figures import Row
from tests.bench.load import Found, Plan, play_headless
from tests.bench.terminal import Terminal

ORDERS, QUOTES = 432_000, 10_000_000
SYMBOLS = 12


def rows(found: Found, plan: Plan, name: str, budget: float) -> list[Row]:
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
                f"{before:.1f} before, {half:.1f} at half"
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
    plan = Plan(seconds=0, quotes=100, orders=ORDERS // part, flood=QUOTES // part, symbols=SYMBOLS)
    found = rig.run(play_headless(plan))
    result = rows(found, plan, "headless", 50)
    terminal = Terminal(plan)
    try:
        terminal.wait_for("ready", 30)
        result += rows(terminal.found(1_500), plan, "with console", 75)
    finally:
        terminal.close()
    rig.report(result)


if __name__ == "__main__":
    main()
