"""Hostile and unlucky handling of a process: files, sockets, texts (C-503, U-71, rule 6)."""

import asyncio
import contextlib
import json
import os
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from brokers.paper.book import PaperBook
from console.host import wiring
from console.host.client import Client, Refused
from console.host.control import WATCH_SECONDS, ControlServer
from console.host.follow import SignalFile
from console.host.kill_report import KillReport
from console.host.operations import Operations
from engine.domain.run import RunState
from engine.domain.text import UNSAFE
from engine.intake.parse import MAX_LINE
from engine.ports import Clock
from engine.runtime.clock import SystemClock
from engine.runtime.engine import Engine
from storage.connection import memory_database
from storage.latch import FileLatch
from tests.configs import from_mapping

ESCAPES = "\x1b[2J\x1b]0;LIVE\x07"


class Room:
    """A real engine without a market, and its control server."""

    def __init__(self, folder: Path) -> None:
        paper = {"latency_ms": [0, 0]}
        config = from_mapping({"signals": {"builtin": ""}, "brokers": {"paper": paper}})
        self.latch = FileLatch(folder)
        self.path = folder / "control.sock"
        self.house = wiring.build(
            config,
            clock=SystemClock(),
            state_dir=None,
            version="test",
            latch=self.latch,
            database=memory_database(),
            threads=False,
            by_hand=True,
        )
        self.engine = self.house.engine
        report = KillReport(self.engine.world)
        self.operations = Operations(self.engine, config, report)
        self.server = ControlServer(
            self.path,
            loop=asyncio.get_running_loop(),
            handler=self.operations,
            gate=self.engine.gate,
            latch=self.latch,
            halt_file=self.latch.path,
        )

    async def ask(self, command: str, **args: Any) -> Any:
        return await asyncio.to_thread(self._ask, command, args)

    def _ask(self, command: str, args: dict[str, Any]) -> Any:
        with Client(self.path) as client:
            return client.request(command, args, 20.0)

    async def until(self, state: RunState) -> None:
        async with asyncio.timeout(10):
            while self.engine.book.run_state is not state:
                await asyncio.sleep(0.01)


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    made = Room(tmp_path)
    made.server.start()
    await made.engine.start()
    made.operations.started()
    yield made
    made.server.stop()
    await made.engine.stop("the test is over")
    made.house.close()


# --- text from outside ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "args"),
    [
        ("pause", {}),
        ("unpause", {}),
        ("close", {"symbol": ESCAPES}),
        ("cancel", {"id": ESCAPES, "confirm": ESCAPES}),
        ("dead-letters", {"action": "retry", "id": ESCAPES}),
        ("resume", {"confirm": ESCAPES}),
        ("order", {"side": "buy", "symbol": "NVDA", "quantity": "1", "broker": ESCAPES}),
        ("signal", {"signal": ESCAPES, "source": ESCAPES}),
    ],
)
async def test_no_control_character_and_no_flood_enters_the_journal_by_the_socket(
    room: Room, command: str, args: dict[str, Any]
) -> None:
    seen: list[Any] = []
    room.engine.subscribe(lambda record: seen.append(record.event))
    by = {} if command == "signal" else {"by": ESCAPES + "x" * 100_000}
    answer = await answered(room, command, **args, **by)
    assert not UNSAFE.search(answer)
    assert seen
    for event in seen:
        written = msgspec.to_builtins(event)
        assert not any(UNSAFE.search(text) for text in texts(written)), written
        assert len(json.dumps(written)) < 10_000


async def answered(room: Room, command: str, **args: Any) -> str:
    """The answer in words, whether it was done or refused."""
    try:
        return str(await room.ask(command, **args))
    except Refused as refused:
        return str(refused)


def texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [t for k, v in value.items() for t in (str(k), *texts(v))]
    if isinstance(value, list | tuple):
        return [t for v in value for t in texts(v)]
    return []


async def test_a_kill_whose_reason_is_not_in_our_encoding_is_a_kill(room: Room) -> None:
    """An argument that is no UTF-8 reaches Python as lone surrogates; it must not be refused."""
    reason = os.fsdecode(b"\xfcberhitzt")
    if sys.getfilesystemencoding().lower() != "utf-8":  # the reason then arrives whole
        reason = "\udcfcberhitzt"
    found = await room.ask("kill", reason=reason, wait=False)
    assert found["latched"]
    await room.until(RunState.HALTED)
    assert room.engine.book.data.halt is not None
    assert "berhitzt" in room.engine.book.data.halt.reason


async def test_the_longest_line_of_any_bytes_is_answered_and_the_next_one_too(room: Room) -> None:
    """A line of control characters grows sixfold on the way; what follows it must not be lost."""
    for text in ("\x00" * (MAX_LINE + 1), "\ufffd" * (MAX_LINE + 1)):
        assert "INVALID_INPUT" in await answered(room, "signal", signal=text)


async def test_a_line_number_beyond_the_journal_is_refused_and_the_engine_goes_on(
    room: Room,
) -> None:
    for line in (2**64 - 1, 2**63, -(2**63)):
        assert "INVALID_INPUT" in await answered(room, "signal", signal="garbage", line=line)
    assert (await room.ask("status"))["running"]


# --- files ----------------------------------------------------------------------------------------


def test_the_paper_book_is_for_its_owner_only(tmp_path: Path) -> None:
    with contextlib.closing(PaperBook(tmp_path / "paper.db")):
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes
    assert set(modes.values()) == {0o600}, modes


# --- the HALT file --------------------------------------------------------------------------------


async def test_a_link_to_nothing_halts_and_says_so(room: Room) -> None:
    """`ln -s nowhere HALT`: the name is there, so it halts (U-71); never a gate shut in silence."""
    room.latch.path.symlink_to(room.latch.path.parent / "nowhere")
    await room.until(RunState.HALTED)
    assert room.engine.gate.closed


async def test_a_halt_file_that_goes_at_once_leaves_no_gate_shut_behind_an_active_state(
    room: Room,
) -> None:
    """Made and removed while the loop is busy: either halted and said, or not halted at all."""
    room.latch.path.touch()
    deadline = asyncio.get_running_loop().time() + 5
    while not room.engine.gate.closed and asyncio.get_running_loop().time() < deadline:
        pass  # the loop is blocked on purpose: only the control thread sees the file
    room.latch.path.unlink()
    await asyncio.sleep(4 * WATCH_SECONDS)
    halted = room.engine.book.run_state is RunState.HALTED
    assert room.engine.gate.closed is halted


async def test_a_folder_named_halt_halts_and_can_be_cleared_once_it_is_gone(room: Room) -> None:
    room.latch.path.mkdir()
    await room.until(RunState.HALTED)
    with pytest.raises(Refused):
        await room.ask("resume", confirm="no")
    with pytest.raises(Refused, match="is not ours to clear"):
        await room.ask("resume", confirm="RESUME")
    assert room.engine.book.run_state is RunState.HALTED
    assert room.engine.gate.closed
    room.latch.path.rmdir()
    async with asyncio.timeout(10):
        while room.engine.gate.closed or room.engine.book.run_state is not RunState.PAUSED:
            # What the engine still wrote of the halt before may halt once more.
            await answered(room, "resume", confirm="RESUME")
            await asyncio.sleep(4 * WATCH_SECONDS)


# --- the followed signal file ---------------------------------------------------------------------


class Taker:
    """Takes signals as an engine does, and fails after so many, as a process that is killed."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken: list[bytes] = []

    def submit(self, content: bytes, *, source: str, line: int, waited: int) -> None:
        if len(self.taken) >= self.most:
            raise LookupError("the process ends here")
        self.taken.append(content)


async def followed(path: Path, folder: Path, most: int = 100) -> list[bytes]:
    """What is taken of the file by a process of its own."""
    taker, file, clock = Taker(most), SignalFile(path, folder), OneLook()
    with contextlib.suppress(LookupError, asyncio.CancelledError):
        await file.follow(cast("Engine", taker), cast("Clock", clock))
    return taker.taken


class OneLook:
    """A clock that ends the second look at the file."""

    def __init__(self) -> None:
        self.looks = 0

    def monotonic(self) -> int:
        return 0

    async def sleep(self, seconds: float) -> None:
        self.looks += bool(seconds)
        if self.looks > 1:
            raise asyncio.CancelledError


async def test_a_process_that_ends_among_the_lines_of_a_file_loses_none_of_them(
    tmp_path: Path,
) -> None:
    """What was read and not taken before a crash comes again at the next start (rule 6)."""
    path = tmp_path / "signals.jsonl"
    path.write_bytes(b"".join(b'{"n": %d}\n' % n for n in range(10)))
    first = await followed(path, tmp_path, most=4)
    second = await followed(path, tmp_path, most=100)
    assert {*first, *second} == {b'{"n": %d}' % n for n in range(10)}


async def test_another_file_under_the_number_of_the_old_one_is_read_from_its_beginning(
    tmp_path: Path,
) -> None:
    """File systems give the number of a removed file to the next one."""
    path = tmp_path / "signals.jsonl"
    path.write_bytes(b'{"n": 1}\n')
    assert await followed(path, tmp_path) == [b'{"n": 1}']
    path.write_bytes(b'{"n": 2}\n{"n": 3}\n')  # the same number, and longer
    assert await followed(path, tmp_path) == [b'{"n": 2}', b'{"n": 3}']


async def test_lines_that_are_appended_are_taken_once_and_blank_ones_skipped(
    tmp_path: Path,
) -> None:
    path = tmp_path / "signals.jsonl"
    path.write_bytes(b'\n\n{"n": 1}\n\n')
    assert await followed(path, tmp_path) == [b'{"n": 1}']
    with path.open("ab") as file:
        file.write(b'{"n": 2}\n{"half": ')
    assert await followed(path, tmp_path) == [b'{"n": 2}']
    with path.open("ab") as file:
        file.write(b"3}\n")
    assert await followed(path, tmp_path) == [b'{"half": 3}']
    assert await followed(path, tmp_path) == []


async def test_a_line_without_end_is_passed_over_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "signals.jsonl"
    path.write_bytes(b"x" * 100_000)
    assert [len(piece) for piece in await followed(path, tmp_path)] == [100_000]
    with path.open("ab") as file:
        file.write(b'x\n{"n": 2}\n')
    assert await followed(path, tmp_path) == [b"x", b'{"n": 2}']


async def test_a_pipe_instead_of_a_signal_file_does_not_stop_the_loop(tmp_path: Path) -> None:
    path = tmp_path / "signals.jsonl"
    os.mkfifo(path)
    assert await followed(path, tmp_path) == []
