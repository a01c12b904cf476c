"""SIGKILL at any moment: what was acknowledged is there, whole, and the chain holds (T-16)."""

import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from storage.tail import open_caught_up
from storage.verify import verify

KILLS = 12


def write_and_kill(root: Path, path: Path, after: int) -> int:
    """The newest event that was acknowledged before the process was killed."""
    writer = subprocess.Popen(
        [sys.executable, "-m", "tests.storage.crash_writer", str(path)],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout is not None
    assert writer.stderr is not None
    acknowledged = 0
    for _ in range(after):
        line = writer.stdout.readline()
        assert line, writer.stderr.read()
        acknowledged = int(line)
    writer.send_signal(signal.SIGKILL)
    rest, _ = writer.communicate()
    numbers = [int(line) for line in rest.split("\n")[:-1]]
    return max([acknowledged, *numbers])


@pytest.mark.slow
def test_what_was_acknowledged_survives_every_kill(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    for number in range(KILLS):
        acknowledged = write_and_kill(root, path, 1 + 37 * number)
        found = verify(path, tables=True)
        assert found.ok, found.problem
        assert found.events >= acknowledged
        assert found.events % 4 == 0, "an append is there whole or not at all"
        with closing(open_caught_up(path).connection) as connection:
            fills = connection.execute("SELECT count(*) FROM fills").fetchone()[0]
        assert fills == found.events // 4, "a reader sees the rows of every event (X-90)"
