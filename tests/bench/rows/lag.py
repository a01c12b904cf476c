"""G1: how late the loop is with nothing to do and at three paces of quotes, a few signals a second.

Headless, and under the console at 120x40.
"""

from tests.bench import rig, stage
from tests.bench.figures import Row, p50, p99, quantile
from tests.bench.load import Found, Plan

BUDGETS = {None: 1.5, (120, 40): 2.5}
"""Milliseconds, by the size of the console; up to 10,000 quotes/s."""

SIGNALS = 10.0


def row(found: Found, rate: float, size: tuple[int, int] | None) -> Row:
    """The lag in one window."""
    where = "headless" if size is None else f"console at {size[0]}x{size[1]}"
    return Row(
        id="G1",
        name=f"loop lag p99 at {rate:,.0f} quotes/s, {where}",
        value=p99(found.lag),
        unit="ms",
        budget=BUDGETS[size] if rate <= rig.QUOTES else None,
        note=(
            f"p50 {p50(found.lag):.2f}, p99.9 {quantile(found.lag, 0.999):.2f} ms of "
            f"{len(found.lag)} beats; {found.quotes / found.elapsed:,.0f} quotes/s came, "
            f"{found.share:.0%} of a core; {stage.inside(size)}; {found.processes()}"
        ),
    )


def main() -> None:
    windows = stage.at_rates(1.5 if rig.is_quick() else 3.0, signals=SIGNALS)
    rows: list[Row] = []
    for size in BUDGETS:
        found = stage.play(Plan(windows=windows), size)
        rows += [row(f, w.quotes, size) for f, w in zip(found, windows, strict=True)]
    rig.report(rows)


if __name__ == "__main__":
    main()
