"""A signal file that is rotated, cut short, replaced or never finished loses no line."""

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from console.host.follow import UNFINISHED_LOOKS, SignalFile

if TYPE_CHECKING:
    from engine.ports import Clock
    from engine.runtime.engine import Engine

Act = Callable[[], object]


class Taker:
    """Takes signals as an engine does."""

    def __init__(self) -> None:
        self.taken: list[tuple[int, bytes]] = []
        self.sources: set[str] = set()

    def submit(self, content: bytes, *, source: str, line: int, waited: int) -> None:
        self.taken.append((line, content))
        self.sources.add(source)


class Looks:
    """A clock between whose looks at the file something is done; it ends after the last."""

    def __init__(self, *acts: Act) -> None:
        self._acts = list(acts)

    def monotonic(self) -> int:
        return 0

    async def sleep(self, seconds: float) -> None:
        if not seconds:
            return
        if not self._acts:
            raise asyncio.CancelledError
        self._acts.pop(0)()


def nothing() -> None:
    """A look at which nothing has happened since the last."""


def run(path: Path, *acts: Act) -> tuple[Taker, SignalFile]:
    """Follow the file, with each of the acts after a look at it."""
    taker, file = Taker(), SignalFile(path, path.parent)

    async def follow() -> None:
        await file.follow(cast("Engine", taker), cast("Clock", Looks(*acts)))

    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(follow())
    return taker, file


def followed(path: Path, *acts: Act) -> list[tuple[int, bytes]]:
    return run(path, *acts)[0].taken


def lines(*numbers: int) -> bytes:
    return b"".join(b'{"n": %d}\n' % number for number in numbers)


def add(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


def contents(found: list[tuple[int, bytes]]) -> bytes:
    return b"".join(content + b"\n" for _, content in found)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "signals.jsonl"


@pytest.mark.parametrize("how", ["renamed", "replaced", "removed"])
def test_lines_written_just_before_a_rotation_are_taken(path: Path, how: str) -> None:
    path.write_bytes(lines(1, 2))

    def rotate() -> None:
        add(path, lines(3, 4, 5))
        if how == "renamed":
            path.rename(path.with_name("signals.1"))
            path.write_bytes(lines(6, 7))
        elif how == "replaced":
            fresh = path.with_name("fresh")
            fresh.write_bytes(lines(6, 7))
            fresh.replace(path)
        else:
            path.unlink()
            path.write_bytes(lines(6, 7))

    found = followed(path, rotate, *[nothing] * 4)
    assert contents(found) == lines(1, 2, 3, 4, 5, 6, 7)
    assert [number for number, _ in found] == [1, 2, 3, 4, 5, 1, 2]


def test_a_link_that_leads_elsewhere_is_followed_after_the_old_file(path: Path) -> None:
    first, second = path.with_name("first"), path.with_name("second")
    first.write_bytes(lines(1))
    second.write_bytes(lines(4))
    path.symlink_to(first)

    def swap() -> None:
        add(first, lines(2, 3))
        fresh = path.with_name("link")
        fresh.symlink_to(second)
        fresh.replace(path)

    assert contents(followed(path, swap, *[nothing] * 4)) == lines(1, 2, 3, 4)


def test_who_still_writes_to_the_renamed_file_is_heard(path: Path) -> None:
    path.write_bytes(lines(1))
    old = path.with_name("signals.1")

    def rotate() -> None:
        path.rename(old)
        path.write_bytes(lines(4))

    acts = (rotate, lambda: add(old, lines(2)), lambda: add(old, lines(3)), *[nothing] * 4)
    assert contents(followed(path, *acts)) == lines(1, 2, 3, 4)


def test_the_unfinished_last_line_of_a_rotated_file_is_a_line(path: Path) -> None:
    path.write_bytes(lines(1))

    def rotate() -> None:
        add(path, b'{"n": 2, "cut')
        path.rename(path.with_name("signals.1"))
        path.write_bytes(lines(3))

    found = followed(path, rotate, *[nothing] * 4)
    assert contents(found) == lines(1) + b'{"n": 2, "cut\n' + lines(3)


def test_a_file_that_is_cut_to_nothing_in_place_is_read_from_its_beginning(
    path: Path,
) -> None:
    path.write_bytes(lines(1, 2))

    def cut() -> None:
        os.truncate(path, 0)
        add(path, lines(3))

    assert contents(followed(path, cut, nothing)) == lines(1, 2, 3)


def test_one_that_is_cut_and_grows_beyond_what_was_read_is_read_from_its_beginning(
    path: Path,
) -> None:
    path.write_bytes(lines(1, 2))

    def cut() -> None:
        os.truncate(path, 0)
        add(path, lines(3, 4, 5))

    assert contents(followed(path, cut, nothing)) == lines(1, 2, 3, 4, 5)


def test_a_last_line_without_line_feed_is_taken_once_it_stands_still(path: Path) -> None:
    path.write_bytes(lines(1) + b'{"n": 2}')
    assert contents(followed(path)) == lines(1)
    found = followed(path, nothing, lambda: add(path, b"\n" + lines(3)), nothing)
    assert found == [(2, b'{"n": 2}'), (3, b'{"n": 3}')]


def test_a_line_that_is_still_written_is_not_taken_in_halves(path: Path) -> None:
    path.write_bytes(b'{"n"')
    acts = (nothing, lambda: add(path, b": 1"), nothing, lambda: add(path, b"}\n"), nothing)
    assert followed(path, *acts) == [(1, b'{"n": 1}')]


@pytest.mark.parametrize(("looks", "taken"), [(UNFINISHED_LOOKS - 1, 0), (UNFINISHED_LOOKS, 1)])
def test_what_is_no_object_and_never_ends_is_taken_as_it_stands(
    path: Path, looks: int, taken: int
) -> None:
    path.write_bytes(b'{"n": ')
    taker, file = run(path, *[nothing] * looks)
    assert len(taker.taken) == taken
    assert file.waits is not bool(taken)


def test_a_byte_order_mark_and_carriage_returns_cost_no_line(path: Path) -> None:
    path.write_bytes(b'\xef\xbb\xbf{"n": 1}\r\n\r\n{"n": 2}\r\n')
    found = followed(path, nothing)
    assert [(number, content.strip()) for number, content in found] == [
        (1, b'{"n": 1}'),
        (3, b'{"n": 2}'),
    ]


def signals(*numbers: int) -> bytes:
    """Lines of one length that differ at their beginning alone, as those of one source do."""
    end = b', "signal_type": "cloud_cross_bullish", "source": "ema_cloud", "metadata": {}}\n'
    return b"".join(b'{"signal_id": "s-%03d"' % number + end for number in numbers)


def test_a_copy_and_truncate_that_has_grown_again_beyond_what_was_read_is_noticed(
    tmp_path: Path,
) -> None:
    path = tmp_path / "s.jsonl"
    path.write_bytes(signals(1, 2, 3))

    def cut_and_grow() -> None:
        path.write_bytes(signals(4, 5, 6, 7))

    taken = followed(path, cut_and_grow, nothing)
    assert contents(taken) == signals(1, 2, 3, 4, 5, 6, 7)


@pytest.mark.parametrize("looks", [0, 1, 3])
def test_who_still_writes_to_the_file_that_lost_its_name_is_heard(
    tmp_path: Path, looks: int
) -> None:
    path = tmp_path / "s.jsonl"
    path.write_bytes(lines(1))
    with path.open("ab", buffering=0) as old:

        def rotate() -> None:
            path.rename(tmp_path / "s.jsonl.1")
            path.write_bytes(lines(4))

        def late() -> None:
            old.write(lines(2))

        acts = [rotate, *[nothing] * looks, late, *[nothing] * 8]
        found = sorted(content for _, content in followed(path, *acts))
        assert contents([(0, content) for content in found]) == lines(1, 2, 4)


def test_a_line_is_told_apart_by_the_path_of_its_file(tmp_path: Path) -> None:
    """A line that is refused is said with its file, whichever of several that is (fault 33)."""
    path = tmp_path / "signals.jsonl"
    path.write_bytes(lines(1))
    assert run(path, nothing)[0].sources == {str(path)}
