"""G2: full durable order lives a second: intent on disk, sent, acknowledged, filled, all on disk.

Headless in a closed loop: so many orders are under way at any time, and each that ends starts the
next. Under the console in an open one: they come at random, a little faster than the budget. Every
order is an entry, so each waits for its intent to be durable. What the venue saw is counted too.
"""

from tests.bench import rig, stage
from tests.bench.figures import Row, p50, p99, spread
from tests.bench.load import Found, Plan, Window

UNDER_WAY = 200
SYMBOLS = 200
CLOSED_QUOTES = 500.0
"""A second, in the closed loop: no price grows old."""

OFFERED = 1_050.0
"""A second, in the open loop: a little more than the budget, so that what is done can reach it."""

SIZE = (120, 40)


def closed(seconds: float) -> tuple[Found, str]:
    """One run of the closed loop, and what to say of it. Raises RuntimeError for one sent twice."""
    window = Window(seconds=seconds, quotes=CLOSED_QUOTES, meter=False)
    plan = Plan(windows=(window,), symbols=SYMBOLS, under_way=UNDER_WAY)
    with stage.around(plan) as around:
        (found,) = around.found(1, seconds + 60)
        submits = around.venue.submits()
    twice = [key for key, count in submits.items() if count > 1]
    if twice:
        raise RuntimeError(f"{len(twice)} orders were sent more than once: {twice[:3]}")
    lives = max(found.lives, 1)
    return found, (
        f"{UNDER_WAY} under way, life p50 {p50(found.taken):.1f}, p99 {p99(found.taken):.1f} ms; "
        f"{found.events / lives:.1f} events each; the venue saw {len(submits):,} orders, none "
        f"twice; {stage.inside(None)}; {found.processes()}"
    )


def headless(seconds: float, repeats: int) -> list[Row]:
    """The middle one of so many runs."""
    runs = sorted(
        (
            (found.lives / found.elapsed, text)
            for found, text in (closed(seconds) for _ in range(repeats))
        )
    )
    middle, note = runs[len(runs) // 2]
    return [
        Row(
            id="G2",
            name="durable order lives, headless",
            value=middle,
            unit="/s",
            budget=3000,
            direction="at least",
            note=f"{note}; runs {', '.join(f'{rate:,.0f}' for rate, _ in runs)}",
        ),
        Row(
            id="P-09",
            name="orders (floor)",
            value=middle,
            unit="/s",
            budget=10,
            direction="at least",
        ),
    ]


def under_console(seconds: float) -> list[Row]:
    """The open loop."""
    window = Window(seconds=seconds, lives=OFFERED, meter=False)
    (found,) = stage.play(Plan(windows=(window,)), SIZE)
    return [
        Row(
            id="G2",
            name="durable order lives, console and 10,000 quotes/s",
            value=found.lives / found.elapsed,
            unit="/s",
            budget=1000,
            direction="at least",
            note=(
                f"{OFFERED:,.0f}/s offered at random, {found.quotes / found.elapsed:,.0f} "
                f"quotes/s came; {stage.inside(SIZE)}; {found.processes()}"
            ),
        ),
        Row(
            id="G2",
            name="order to venue p99 at that rate",
            value=p99(found.handed),
            unit="ms",
            budget=5,
            note=spread(found.handed),
        ),
    ]


def main() -> None:
    short = rig.is_quick()
    rig.report(
        headless(1.5 if short else 4.0, 1 if short else 3) + under_console(2.0 if short else 10.0)
    )


if __name__ == "__main__":
    main()
