"""The bench writes what INTERFACE.md says; it measures, and asserts no time."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from engine.domain.order import OrderStatus, Side
from tests.bench import figures
from tests.bench.figures import Row
from tests.bench.rows.growth import SYMBOLS, Desk, one_life
from tests.bench.rows.suite import files


def test_a_row_is_measured_in_a_process_and_written_as_json(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "disk", "--quick", "--json", out],
        cwd=root,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "fdatasync" in done.stdout
    document = json.loads(out.read_text())
    assert set(document) == {"machine", "rows"}
    assert document["machine"]["probe"]["sync_p99_ms"] > 0
    assert [row["id"] for row in document["rows"]] == ["D", "D"]
    for row in document["rows"]:
        assert set(row) == {"id", "name", "value", "unit", "budget", "within", "note"}
        assert isinstance(row["within"], bool)


def test_an_unknown_row_is_refused_with_those_that_exist(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "G99"], cwd=root, capture_output=True, text=True
    )
    assert done.returncode != 0
    assert "g99" in done.stderr
    assert "terminal_bytes" in done.stderr


@pytest.mark.parametrize(
    ("value", "direction", "within"),
    [
        (1.4999, "at most", True),
        (1.5, "at most", True),
        (1.5001, "at most", False),
        (1.4999, "at least", False),
        (1.5, "at least", True),
        (math.nan, "at most", False),
        (math.nan, "at least", False),
    ],
)
def test_a_budget_may_be_reached_and_not_crossed(
    value: float, direction: str, within: bool
) -> None:
    row = Row(id="G1", name="n", value=value, unit="ms", budget=1.5, direction=direction)  # type: ignore[arg-type]
    assert row.within is within


def test_a_figure_without_a_budget_is_within() -> None:
    assert Row(id="D", name="n", value=3.0, unit="ms").within


def test_p99_is_what_all_but_the_worst_hundredth_keep() -> None:
    assert figures.p99([float(n) for n in range(1, 101)]) == 100
    assert figures.p99([float(n) for n in range(1, 1001)]) == 991
    assert figures.p50([3.0, 1.0, 2.0]) == 2.0
    assert math.isnan(figures.p50([]))


def test_a_row_that_fails_says_why() -> None:
    row = figures.failed("G2", "it ended with 1").as_json()
    assert row["value"] is None
    assert row["within"] is False
    assert row["note"] == "it ended with 1"


def test_the_growth_row_takes_whole_lives_through_the_core() -> None:
    desk = Desk(1_700_000_000_000_000_000)
    desk.rest(3)
    assert len(desk.world.book.account("paper").orders) == 3
    costs: dict[str, list[float]] = {}
    desk.turn(costs)
    assert {len(taken) for taken in costs.values()} == {50}
    assert desk.world.book.data.metrics.filled == 50
    assert [type(event).__name__ for event in one_life()(1)] == [
        "OrderIntended",
        "OrderSent",
        "OrderAccepted",
        "OrderFilled",
    ]


def test_the_suite_row_counts_no_file_whose_tests_leave_their_process(root: Path) -> None:
    chosen = {Path(name).relative_to(root / "tests").as_posix() for name in files(root / "tests")}
    assert "storage/test_chain.py" in chosen
    assert "process/test_console_pty.py" not in chosen
    assert "simulation/test_simulation.py" not in chosen
    assert "bench/test_bench.py" not in chosen


def test_a_desk_goes_on_when_its_symbols_come_round() -> None:
    """The same order again within a minute is refused (X-96), and a history has many of each."""
    desk = Desk(1_800_000_000_000_000_000)
    for _ in range(2 * SYMBOLS + 1):
        for side in (Side.BUY, Side.SELL):
            key, symbol = desk.place(rests=False, side=side, advance=side is Side.BUY)
            desk.send(key)
            desk.report(key, symbol, OrderStatus.FILLED, filled=True, side=side)
    assert desk.world.book.holding("paper", symbol) is None
