"""The latch as a file: only its certain absence means not halted (U-71, A-282, D-23)."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.instant import parse_rfc3339
from engine.domain.run import Flatten, Halt, Level, Trigger
from engine.ports import Latch, LatchError
from storage.latch import FileLatch

HALT = Halt(
    reason="daily loss of 2.1 %",
    at=parse_rfc3339("2013-10-07T14:00:00.000000001Z"),
    by="engine",
    level=Level.HALT,
    trigger=Trigger.DAILY_LOSS,
    flatten=Flatten.NONE,
    epoch=3,
)
EPOCH = 3
KILL = msgspec.structs.replace(HALT, level=Level.KILL, flatten=Flatten.DAY, by="operator")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def latch(folder: Path) -> FileLatch:
    return FileLatch(folder)


def test_what_is_set_is_read_back_and_cleared(latch: Latch) -> None:
    assert latch.read() is None
    latch.set(KILL)
    assert latch.read() == KILL
    latch.clear(EPOCH)
    assert latch.read() is None
    latch.clear(EPOCH)


def test_a_person_can_read_it(latch: FileLatch) -> None:
    latch.set(KILL)
    text = latch.path.read_text()
    assert '"reason": "daily loss of 2.1 %"' in text
    assert '"at": "2013-10-07T14:00:00.000000001Z"' in text


def test_it_is_its_owner_s_alone_and_leaves_nothing_behind(latch: FileLatch, folder: Path) -> None:
    latch.set(HALT)
    assert stat.S_IMODE(latch.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    latch.set(KILL)
    assert {file.name for file in folder.iterdir()} == {"HALT", "HALT.previous"}
    latch.clear(EPOCH)
    assert list(folder.iterdir()) == []


def test_a_missing_folder_is_not_halted_and_can_be_cleared(latch: FileLatch, folder: Path) -> None:
    assert latch.read() is None
    latch.clear(EPOCH)
    assert not folder.exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty: made by hand, or by a kill on a full disk"),
        (b"\n", "empty: made by hand, or by a kill on a full disk"),
        (b"stop, please", "made or changed by hand: stop, please"),
        (b"{}", "changed by hand"),
        (b"\xff\xfe\x00", "changed by hand"),
        (b"\x1b[2Jgone", "changed by hand: \N{REPLACEMENT CHARACTER}[2Jgone"),
    ],
)
def test_a_file_made_by_hand_halts_and_says_so(
    latch: FileLatch, folder: Path, content: bytes, words: str
) -> None:
    """INTERFACE, State folder: creating it by hand halts."""
    folder.mkdir()
    latch.path.write_bytes(content)
    halt = latch.read()
    assert halt is not None
    assert (halt.level, halt.trigger, halt.by) == (Level.HALT, Trigger.LATCH, "file")
    assert words in halt.reason
    assert halt.at == latch.path.stat().st_mtime_ns
    latch.clear(EPOCH)
    assert latch.read() is not None, "what a person made is not the halt that was cleared"


def test_only_the_halt_that_was_cleared_goes(latch: FileLatch) -> None:
    """A halt set while another is being cleared is not forgotten (U-71)."""
    for epoch, goes in ((EPOCH - 1, True), (EPOCH, True), (EPOCH + 1, False), (0, False)):
        latch.set(msgspec.structs.replace(KILL, epoch=epoch))
        latch.clear(EPOCH)
        assert (latch.read() is None) is goes
        if not goes:
            latch.path.unlink()


@given(st.data())
def test_d_23_no_corruption_clears_the_latch(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """A-283: cut short or changed anywhere, the file still halts."""
    latch = FileLatch(tmp_path_factory.mktemp("latch"))
    latch.set(KILL)
    whole = latch.path.read_bytes()
    if data.draw(st.booleans(), label="cut"):
        damaged = whole[: data.draw(st.integers(0, len(whole) - 1))]
    else:
        place = data.draw(st.integers(0, len(whole) - 1))
        damaged = whole[:place] + data.draw(st.binary(min_size=1, max_size=3)) + whole[place + 1 :]
    latch.path.write_bytes(damaged)
    assert latch.read() is not None


def test_a_changed_word_is_not_believed_although_it_parses(latch: FileLatch) -> None:
    latch.set(KILL)
    latch.path.write_text(latch.path.read_text().replace('"kill"', '"halt"'))
    halt = latch.read()
    assert halt is not None
    assert halt.trigger is Trigger.LATCH


def test_the_generation_before_gives_the_details_of_a_damaged_one(latch: FileLatch) -> None:
    """A-282, A-283."""
    latch.set(KILL)
    latch.set(msgspec.structs.replace(KILL, epoch=4))
    latch.path.write_bytes(b"")
    halt = latch.read()
    assert halt is not None
    assert (halt.level, halt.flatten, halt.epoch) == (Level.KILL, Flatten.DAY, 3)
    assert halt.trigger is Trigger.LATCH


def test_the_generation_before_alone_is_no_halt(latch: FileLatch) -> None:
    """A file removed by hand is a clear: the journal's half still stands."""
    latch.set(HALT)
    latch.set(KILL)
    latch.path.unlink()
    assert latch.read() is None


def test_a_kill_is_not_lowered_to_a_halt_of_its_epoch(latch: FileLatch) -> None:
    latch.set(KILL)
    latch.set(HALT)
    assert latch.read() == KILL
    later = msgspec.structs.replace(HALT, epoch=4)
    latch.set(later)
    assert latch.read() == later


@pytest.mark.parametrize("kind", ["folder", "pipe", "dangling link to nowhere"])
def test_anything_with_that_name_halts_and_nothing_waits(
    latch: FileLatch, folder: Path, kind: str
) -> None:
    folder.mkdir()
    match kind:
        case "folder":
            latch.path.mkdir()
        case "pipe":
            os.mkfifo(latch.path)
        case _:
            latch.path.symlink_to(latch.path)
    halt = latch.read()
    assert halt is not None
    assert halt.trigger is Trigger.LATCH


def test_a_latch_that_cannot_be_written_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    with pytest.raises(LatchError, match=r"state/HALT cannot be written"):
        FileLatch(tmp_path / "state").set(HALT)


def test_a_latch_that_cannot_be_removed_is_an_error_in_words(
    latch: FileLatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    latch.set(KILL)

    def busy(path: Path, missing_ok: bool = False) -> None:
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr("storage.latch.Path.unlink", busy)
    with pytest.raises(LatchError, match="remove it by hand"):
        latch.clear(EPOCH)


def test_without_room_for_the_details_an_empty_file_halts(
    latch: FileLatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk has no room for content, but for a name."""

    def full(handle: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("storage.latch.os.write", full)
    latch.set(KILL)
    assert latch.path.read_bytes() == b""
    halt = latch.read()
    assert halt is not None
    assert halt.level is Level.HALT


def test_many_threads_may_set_and_read_at_once(latch: FileLatch, folder: Path) -> None:
    seen: list[Halt | None] = []

    def work(number: int) -> None:
        latch.set(msgspec.structs.replace(KILL, by=f"thread {number}"))
        seen.append(latch.read())

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 16
    assert all(halt is not None and halt.trigger is Trigger.DAILY_LOSS for halt in seen)
    assert {file.name for file in folder.iterdir()} <= {"HALT", "HALT.previous"}


def in_another_process(root: Path, folder: Path, code: str) -> str:
    program = (
        "import sys; from pathlib import Path; from storage.latch import FileLatch; "
        f"latch = FileLatch(Path(sys.argv[1])); {code}"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)], cwd=root, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_another_process_sees_sets_and_clears_it(
    root: Path, latch: FileLatch, folder: Path
) -> None:
    latch.set(KILL)
    assert in_another_process(root, folder, "print(latch.read().reason)") == KILL.reason
    in_another_process(root, folder, f"latch.clear({EPOCH})")
    assert latch.read() is None
    latch.path.touch()
    assert in_another_process(root, folder, "print(latch.read().trigger)") == "latch"


@pytest.mark.parametrize("taken", [0, 1, 100])
def test_a_disk_that_takes_a_part_of_the_details_has_no_room_for_them(
    latch: FileLatch, monkeypatch: pytest.MonkeyPatch, taken: int
) -> None:
    """A write may take less than it is given, and say so by its count alone."""
    room = [taken]
    real = os.write

    def nearly_full(handle: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(28, "No space left on device")
        count = real(handle, bytes(data[: room[0]]))
        room[0] -= count
        return count

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", nearly_full)
        latch.set(KILL)
    assert latch.path.read_bytes() == b""
    assert [path.name for path in latch.path.parent.iterdir()] == [latch.path.name]


def no_room(patch: pytest.MonkeyPatch) -> None:
    def full(handle: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    patch.setattr("storage.latch.os.write", full)


@pytest.mark.parametrize("before", [None, b"", b"stop, please"])
def test_a_file_without_room_for_our_halt_is_ours_to_clear_U71(
    latch: FileLatch, monkeypatch: pytest.MonkeyPatch, before: bytes | None
) -> None:
    if before is not None:
        latch.path.parent.mkdir()
        latch.path.write_bytes(before)
    with monkeypatch.context() as patch:
        no_room(patch)
        latch.set(KILL)
    latch.clear(EPOCH - 1)
    assert latch.read() is not None, "a clear of an earlier halt leaves it"
    latch.clear(EPOCH)
    assert latch.read() is None


def test_a_file_that_somebody_touched_since_is_theirs_U71(
    latch: FileLatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        no_room(patch)
        latch.set(KILL)
    os.utime(latch.path, ns=(1, 1))
    latch.clear(EPOCH)
    assert latch.read() is not None


def test_a_file_for_a_halt_that_no_engine_took_up_stands_U71(
    latch: FileLatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        no_room(patch)
        latch.set(msgspec.structs.replace(KILL, epoch=0))
    latch.clear(EPOCH)
    assert latch.read() is not None
