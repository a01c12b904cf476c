"""A command that takes long says on a terminal how far it is (INTERFACE, replay)."""

import os
import sys
from pathlib import Path

import pexpect
import pytest

from console.host.progress import line
from tests.console.program import MAIN, ROOT


@pytest.mark.parametrize(
    ("done", "elapsed", "says"),
    [
        (0.0, 2.0, "  0 %  no estimate yet"),
        (0.25, 10.0, " 25 %  about 30 s left"),
        (0.5, 119.0, " 50 %  about 119 s left"),
        (0.5, 120.0, " 50 %  about 2 min left"),
        (0.999, 10.0, " 99 %  about 1 s left"),
        (1.0, 10.0, "100 %  about 1 s left"),
        (1.1, 10.0, "100 %  about 1 s left"),
    ],
)
def test_the_part_and_what_is_left_at_the_pace_so_far(
    done: float, elapsed: float, says: str
) -> None:
    assert line(done, elapsed).endswith(f"] {says}")


def test_the_bar_fills() -> None:
    assert line(0.5, 1.0).count("#") == line(0.5, 1.0).count(".")


def replayed(tmp_path: Path, *options: str) -> str:
    """What a replay of some seconds shows on a terminal."""
    rows = ["time,symbol,open,high,low,close,volume,bid,bid_size,ask,ask_size"]
    for minute in range(390):
        at = f"2013-10-07T{13 + (minute + 30) // 60:02d}:{(minute + 30) % 60:02d}:00Z"
        rows += [f"{at},S{number},{1 + minute % 7},9,1,5,100,,,," for number in range(150)]
    bars = tmp_path / "bars.csv"
    bars.write_text("\n".join(rows) + "\n", encoding="utf-8")
    arguments = ["-c", MAIN, "replay", str(bars), *options]
    environment = {**os.environ, "MERIDIAN_CONFIG": os.devnull, "TERM": "xterm-256color"}
    shown = pexpect.spawn(sys.executable, arguments, cwd=str(ROOT), env=environment, timeout=120)
    try:
        shown.expect(pexpect.EOF)
    finally:
        shown.close()
    assert shown.exitstatus == 0, shown.before
    return str(shown.before.decode())


@pytest.mark.slow
def test_a_terminal_shows_it_and_it_is_gone_at_the_end(tmp_path: Path) -> None:
    shown = replayed(tmp_path)
    assert "left" in shown
    assert "%" not in shown.rsplit("\x1b[K", 1)[-1]


@pytest.mark.slow
def test_a_document_comes_alone(tmp_path: Path) -> None:
    assert "left" not in replayed(tmp_path, "--json")
