"""The latch of a kill from outside, on a disk without room (U-71, X-52)."""

import errno
import os
from pathlib import Path
from typing import Final

import pytest

from console.host.kill_latch import KillLatch, latched
from engine.domain.run import Flatten, Level, Trigger
from storage.ballast import Ballast
from storage.latch import FileLatch

ARGS: Final = {"by": "cli", "reason": "the feed lies", "flatten": "all"}
RESERVED: Final = 5_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "state"
    made.mkdir(mode=0o700)
    return made


@pytest.fixture
def reserve(folder: Path) -> Path:
    """The space that an engine, gone by now, kept in reserve."""
    path = folder / "journal.db.ballast"
    Ballast(path, RESERVED).reserve()
    return path


class Disk:
    """A disk that takes no byte for the reason `number`, until the reserve is given back."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, reserve: Path, number: int) -> None:
        self.stood = False
        """The latch stood before the first byte of it was taken."""
        real = os.write

        def write(handle: int, data: bytes) -> int:
            if reserve.exists():
                raise OSError(number, os.strerror(number))
            self.stood = self.stood or (reserve.parent / "HALT").exists()
            return real(handle, data)

        monkeypatch.setattr(os, "write", write)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_kill_on_a_full_disk_gives_the_reserve_back_and_says_why_U71(
    folder: Path, reserve: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    disk = Disk(monkeypatch, reserve, number)
    latch = latched(folder, ARGS)
    assert latch.written
    assert not reserve.exists()
    assert disk.stood, "that it halts comes before why"
    found = FileLatch(folder).read()
    assert found is not None
    assert (found.reason, found.by, found.level) == ("the feed lies", "cli", Level.KILL)
    assert (found.trigger, found.flatten) == (Trigger.MANUAL, Flatten.ALL)
    assert found.at == latch.halt.at


def test_what_the_config_adds_to_the_kill_is_written_too_U71(
    folder: Path, reserve: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Disk(monkeypatch, reserve, errno.ENOSPC)
    latch: KillLatch = latched(folder, {"by": "cli", "reason": "the feed lies"})
    latch.raise_to(latch.halt)
    found = FileLatch(folder).read()
    assert found == latch.halt


def test_another_failure_of_the_disk_keeps_the_reserve(
    folder: Path, reserve: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Disk(monkeypatch, reserve, errno.EIO)
    assert latched(folder, ARGS).written
    assert reserve.stat().st_size == RESERVED
    assert (folder / "HALT").read_bytes() == b""


def test_a_kill_with_room_keeps_the_reserve(folder: Path, reserve: Path) -> None:
    assert latched(folder, ARGS).written
    assert reserve.stat().st_size == RESERVED


def test_without_a_reserve_the_latch_is_empty_and_the_next_start_says_what_that_may_be(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    assert latched(folder, ARGS).written
    found = FileLatch(folder).read()
    assert found is not None
    assert found.reason == "the file HALT is empty: made by hand, or by a kill on a full disk"
