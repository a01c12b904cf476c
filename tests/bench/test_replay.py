"""The recording of G17, and that the program plays it."""

from pathlib import Path

from tests.bench.rows import replay


def test_a_recording_is_the_same_each_time_and_the_program_plays_it(tmp_path: Path) -> None:
    bars = tmp_path / "bars.csv"
    replay.record(bars, 200)
    again = tmp_path / "again.csv"
    replay.record(again, 200)
    assert bars.read_bytes() == again.read_bytes()
    found = replay.played(tmp_path, bars)
    assert found.report["bars"] == 200
    assert found.seconds > 0
    assert found.memory
