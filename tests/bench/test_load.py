"""Windows and halts of the bench are played, counted and judged by what the venue saw."""

import tempfile
from pathlib import Path

import pytest

from brokers.paper import wire
from tests.bench import stage
from tests.bench.load import Plan, Window
from tests.bench.rows import kill
from tests.bench.stop import Trial
from tests.console.program import PATIENCE


def test_a_window_counts_what_came_in_and_the_processor_time_of_every_process() -> None:
    windows = (
        Window(seconds=0.5, warm=0.3, quotes=500, lives=40),
        Window(seconds=0.5, warm=0.1, quotes=0, meter=False),
    )
    busy, still = stage.play(Plan(windows=windows, symbols=4))
    assert busy.quotes > 0
    assert busy.lives > 0
    assert len(busy.handed) > 0
    assert len(busy.lag) > 0
    assert busy.refused == 0
    assert set(busy.cpu) == {"engine", "venue", "player", "terminal"}
    assert busy.cpu["engine"] > 0
    assert "venue" in busy.processes()
    assert still.quotes == 0
    assert still.lag == []


def test_nothing_of_a_row_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with stage.around(Plan(windows=(Window(seconds=60),), symbols=4)) as around:
        process = around.child.process
        assert list(tmp_path.iterdir())
    assert process.returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_orders_under_way_are_kept_so_many_and_none_reaches_the_venue_twice() -> None:
    plan = Plan(windows=(Window(seconds=0.5, quotes=100),), symbols=4, under_way=5)
    with stage.around(plan) as around:
        (found,) = around.found(1, PATIENCE)
        submits = around.venue.submits()
    assert found.lives > 0
    assert len(submits) >= found.lives
    assert set(submits.values()) == {1}


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["none", "disk"])
def test_a_halt_is_seen_at_the_venue_and_resumed_from(fault: kill.Fault) -> None:
    trials, used = kill.measure(fault, 2)
    assert "venue" in used
    assert [trial.cancels for trial in trials] == [kill.ORDERS] * 2
    assert [trial.sent_after for trial in trials] == [0, 0]
    for trial in trials:
        assert 0 < trial.gate <= trial.canceled <= trial.durable
        assert trial.handed <= trial.canceled


def request(op: str, key: str, at: int) -> wire.Request:
    return wire.Request(op, key, at)


def test_what_adds_exposure_behind_the_first_cancel_was_sent_behind_the_gate() -> None:
    trial = Trial(gate=1.001, handed=1.002, canceled=1.01, durable=1.02)
    trial.keys, trial.adding = ["w1", "w2"], ["w1", "w2", "e1", "e2"]
    before = [request("submit", "e1", 1)]
    cancels = [request("cancel", "w1", 2), request("cancel", "w2", 3)]
    stop = [request("submit", "protective", 4)]
    leak = [request("submit", "e2", 5)]
    clean = kill.outcome(1.0, trial, tuple(before + cancels + stop))
    assert (clean.sent_after, clean.cancels) == (0, 2)
    assert clean.gate == pytest.approx(1.0)
    leaked = kill.outcome(1.0, trial, tuple(before + cancels + stop + leak))
    assert leaked.sent_after == 1
    assert kill.outcome(1.0, trial, ()).cancels == 0
