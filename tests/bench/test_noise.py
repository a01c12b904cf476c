"""When a row is noisy, and how often it is then measured anew."""

import itertools

import pytest

from tests.bench import noise
from tests.bench.__main__ import ROWS, Bench, Measured
from tests.bench.figures import Row
from tests.bench.noise import Shares
from tests.bench.probe import Probe

QUIET = Shares(busy=0.5, others=0.05)
LOUD = Shares(busy=0.95, others=0.4)


def probed(spin: float = 5.0, sync: float = 0.2) -> Probe:
    return Probe(spin_ms=spin, sync_p50_ms=sync, sync_p99_ms=0.4, steal=0, others=0)


@pytest.mark.parametrize(
    ("busy", "others", "noisy"),
    [
        (0.90, 0.11, False),
        (0.9001, 0.10, False),
        (0.9001, 0.1001, True),
        (0.50, 0.45, False),
        (1.0, 0.0, False),
    ],
)
def test_a_row_is_noisy_when_the_processors_are_taken_and_others_take_a_part(
    busy: float, others: float, noisy: bool
) -> None:
    beside = [probed(), probed()]
    assert bool(noise.judged(Shares(busy=busy, others=others), beside, beside)) is noisy


@pytest.mark.parametrize(
    ("spin", "sync", "word"),
    [
        (6.25, 0.25, ""),
        (6.26, 0.25, "spin 6.26 ms where 5.00 ms is usual"),
        (6.25, 0.26, "fdatasync 0.26 ms where 0.20 ms is usual"),
        (3.00, 0.10, ""),
    ],
)
def test_a_probe_is_off_when_it_takes_over_a_quarter_more_than_usual(
    spin: float, sync: float, word: str
) -> None:
    usual = [probed()] * 5
    beside = [probed(), probed(spin, sync)]
    why = noise.judged(QUIET, beside, usual + beside)
    assert (word in why) if word else not why


def test_the_shares_of_a_watch_are_shares() -> None:
    watch = noise.Watch()
    sum(n * n for n in range(200_000))
    shares = watch.shares()
    assert 0 <= shares.others <= shares.busy <= 1


class Machine:
    """Measures nothing; says what the machine was like, turn by turn."""

    def __init__(self, *turns: Shares) -> None:
        self.turns = itertools.chain(turns, itertools.repeat(turns[-1]))
        self.count = 0

    def measure(self, name: str) -> Measured:
        self.count += 1
        row = Row(id=name, name="n", value=float(self.count), unit="ms", budget=10)
        free = Row(id=name, name="without a budget", value=1.0, unit="ms")
        rows = [row.as_json(), free.as_json()]
        return Measured(rows, (probed(), probed()), next(self.turns))


def test_a_quiet_row_is_measured_once() -> None:
    machine = Machine(QUIET)
    rows, _, why = Bench(["lag"], machine.measure, seconds=3_600).run("lag")
    assert machine.count == 1
    assert [row["within"] for row in rows] == [True, True]
    assert why == ""


def test_a_noisy_row_is_measured_anew_until_the_machine_is_quiet() -> None:
    machine = Machine(LOUD, QUIET)
    rows, _, _ = Bench(["lag"], machine.measure, seconds=3_600).run("lag")
    assert machine.count == 2
    assert rows[0]["value"] == 2.0
    assert rows[0]["within"] is True


def test_a_row_that_stays_noisy_is_repeated_twice_and_then_not_within() -> None:
    machine = Machine(LOUD)
    rows, around, why = Bench(["lag"], machine.measure, seconds=3_600).run("lag")
    assert machine.count == 3
    assert [row["within"] for row in rows] == [False, True]
    assert [row["note"] for row in rows] == ["noisy", "noisy"]
    assert "95% busy, others 40%" in around
    assert "95% busy, 40% with others" in why


def test_a_noisy_row_is_not_repeated_where_the_rows_after_it_need_the_time() -> None:
    machine = Machine(LOUD)
    bench = Bench(["lag", "kill"], machine.measure, seconds=ROWS["kill"].seconds)
    rows, _, _ = bench.run("lag")
    assert machine.count == 1
    assert rows[0]["within"] is False
