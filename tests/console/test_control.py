"""The control socket: its own thread, a kill first, nobody waits for anybody (C-503, U-71)."""

import asyncio
import contextlib
import json
import os
import socket
import stat
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest

from console.host import wiring
from console.host.client import ACCEPT_SECONDS, Client, NoAnswer, NoEngine, Refused
from console.host.control import ControlServer
from console.host.control_clients import LONGEST_LINE
from console.host.kill_report import KillReport
from console.host.operations import Operations
from console.host.tickets import BEGIN_SECONDS
from engine.domain import commands as ask
from engine.domain.run import Flatten, Halt, Level, RunState, Trigger
from engine.runtime.clock import SystemClock
from storage.connection import memory_database
from storage.latch import FileLatch
from tests.configs import from_mapping

T = TypeVar("T")

HALT = Halt(
    reason="test", at=1, by="test", level=Level.KILL, trigger=Trigger.MANUAL,
    flatten=Flatten.DAY, epoch=1,
)  # fmt: skip


class Room:
    """A real engine without a market, and its control server."""

    def __init__(self, folder: Path) -> None:
        config = from_mapping(
            {"signals": {"builtin": ""}, "brokers": {"paper": {"latency_ms": [0, 0]}}}
        )
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

    async def ask(self, command: str, timeout: float = 20.0, **args: Any) -> Any:
        return await asyncio.to_thread(self._ask, command, args, timeout)

    def _ask(self, command: str, args: dict[str, Any], timeout: float) -> Any:
        with Client(self.path) as client:
            return client.request(command, args, timeout)


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    made = Room(tmp_path)
    made.server.start()
    await made.engine.start()
    made.operations.started()
    running = asyncio.create_task(made.engine.run())
    yield made
    await made.engine.stop("the test has ended")
    await running
    made.server.stop()
    made.house.close()


def speak(path: Path, *parts: bytes, half_close: bool = False) -> list[Any]:
    """What a raw client that sends `parts` is answered, until hung up or quiet."""
    with socket.socket(socket.AF_UNIX) as raw:
        raw.settimeout(5.0)
        raw.connect(str(path))
        received = b""
        # The server may hang up while we still send.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for part in parts:
                raw.sendall(part)
            if half_close:
                raw.shutdown(socket.SHUT_WR)
            wanted = sum(part.count(b"\n") for part in parts) or 1
            while received.count(b"\n") < wanted:
                chunk = raw.recv(65_536)
                if not chunk:
                    break
                received += chunk
        return [json.loads(line) for line in received.splitlines()]


async def off_loop(work: Callable[[], T]) -> T:
    return await asyncio.to_thread(work)


async def test_the_socket_is_for_this_user_only(room: Room) -> None:
    assert stat.S_IMODE(room.path.stat().st_mode) == 0o600


async def test_a_command_is_answered_with_its_id(room: Room) -> None:
    (answer,) = await off_loop(
        lambda: speak(room.path, b'{"id": "mine", "command": "status", "args": {}}\n')
    )
    assert answer["id"] == "mine"
    assert answer["ok"] is True
    assert answer["result"]["run_state"] == "ACTIVE"


@pytest.mark.parametrize(
    "line",
    [
        b"garbage",
        b"[]",
        b'{"id": 1}',
        b'{"command": 7}',
        b'{"command": "status", "args": []}',
        b"[" * 5_000,
        b"\xff\xfe",
    ],
)
async def test_a_line_that_is_no_request_is_refused_in_words(room: Room, line: bytes) -> None:
    (answer,) = await off_loop(lambda: speak(room.path, line + b"\n"))
    assert answer["ok"] is False
    assert answer["code"] == "INVALID_INPUT"
    assert answer["error"]


@pytest.mark.parametrize(
    ("command", "args", "code"),
    [
        ("nonsense", {}, "UNKNOWN_COMMAND"),
        ("pause", {"why": "x"}, "INVALID_INPUT"),
        ("order", {"side": "hold", "symbol": "AAPL", "quantity": "1"}, "INVALID_INPUT"),
        ("order", {"side": "buy", "symbol": "AAPL", "quantity": "0"}, "INVALID_INPUT"),
        ("order", {"side": "buy", "symbol": "AAPL", "quantity": "-1"}, "INVALID_INPUT"),
        ("order", {"side": "buy", "symbol": "AAPL", "quantity": "NaN"}, "INVALID_INPUT"),
        ("order", {"side": "buy", "symbol": "", "quantity": "1"}, "INVALID_INPUT"),
        ("order", {"side": "buy", "symbol": "A\x1b", "quantity": "1"}, "INVALID_INPUT"),
        ("cancel", {}, "INVALID_INPUT"),
        ("cancel", {"id": "x", "all": True}, "INVALID_INPUT"),
        ("cancel", {"id": "x"}, "REFUSED"),
        ("close", {"symbol": "AAPL"}, "REFUSED"),
        ("close", {"symbol": "AAPL", "quantity": "1"}, "REFUSED"),
        ("close", {"symbol": "AAPL", "quantity": "many"}, "INVALID_INPUT"),
        ("close", {"all": True, "quantity": "1"}, "INVALID_INPUT"),
        ("resume", {"confirm": "RESUME"}, "REFUSED"),
    ],
)
async def test_what_is_not_done_has_a_code_and_a_sentence(
    room: Room, command: str, args: dict[str, Any], code: str
) -> None:
    with pytest.raises(Refused) as refused:
        await room.ask(command, **args)
    assert refused.value.code == code
    assert str(refused.value)
    assert room.latch.read() is None


@pytest.mark.parametrize(
    ("line", "reason", "named"),
    [
        (b'{"id": 1, "command": "kill", "args": {"flatten": "bogus"}}', "operator", "bogus"),
        (b'{"id": 1, "command": "kill", "args": {"flatten": "ALL"}}', "operator", "ALL"),
        (
            b'{"id": 1, "command": "kill", "args": {"flatten": 7, "reason": "why"}}',
            "why",
            "flatten",
        ),
        (b'{"id": 1, "command": "kill", "args": {"all": true}}', "operator", "all is no argument"),
        (b'{"id": 1, "command": "kill", "args": {"reason": ["x"]}}', "operator", "reason"),
        (b'{"id": 1, "command": "kill", "args": {"by": 3}}', "operator", "by"),
        (b'{"id": 1, "command": "kill", "args": {"wait": "no"}}', "operator", "wait"),
        (b'{"id": 1, "command": "kill", "args": ["all"]}', "operator", "args"),
        (b'{"id": 1, "command": "kill", "args": "now"}', "operator", "args"),
        (b'{"id": 1, "command": "kill", "args": null}', "operator", "args"),
        (b'{"id": [1], "command": "kill"}', "operator", "id"),
        (b'{"id": 1, "command": "kill", "notice": "x"}', "operator", "notice"),
        (b'{"id": 1, "command": "KILL", "args": {"flatten": "all"}}', "operator", "KILL"),
    ],
)
async def test_X52_a_kill_that_cannot_be_read_halts_closes_nothing_and_says_both(
    room: Room, line: bytes, reason: str, named: str
) -> None:
    (answer,) = await off_loop(lambda: speak(room.path, line + b"\n"))
    assert (answer["ok"], answer["code"]) == (False, "INVALID_INPUT")
    assert answer["id"] == (None if b"[1]" in line else 1)
    assert named in answer["error"]
    assert "halted all the same" in answer["error"]
    assert "closed nothing" in answer["error"]
    halt = room.latch.read()
    assert halt is not None
    assert (halt.level, halt.flatten, halt.reason) == (Level.KILL, Flatten.NONE, reason)
    assert room.engine.gate.closed
    assert (await room.ask("status"))["run_state"] == "HALTED"


@pytest.mark.parametrize(
    "line",
    [
        b'{"id": 1, "command": "kill", "args": {"wait": ' + b"9" * 5_000 + b"}}",
        b'{"args": {"x": ' + b"[" * 5_000 + b"]" * 5_000 + b'}, "command": "kill"}',
        b'{"command": "kill", "args": {"flatten": "all"}',
        b'{"command" : "Kill", "args": {"reason": "\xff"}}',
    ],
    ids=["number", "depth", "unclosed", "bytes"],
)
async def test_X52_a_kill_in_a_line_that_no_reader_ends_halts_too(room: Room, line: bytes) -> None:
    (answer,) = await off_loop(lambda: speak(room.path, line + b"\n"))
    assert (answer["ok"], answer["code"]) == (False, "INVALID_INPUT")
    assert "halted all the same" in answer["error"]
    halt = room.latch.read()
    assert halt is not None
    assert halt.flatten is Flatten.NONE


async def test_X52_a_kill_within_the_text_of_another_command_halts_nothing(room: Room) -> None:
    line = b'{"command": "note", "args": {"text": "{\\"command\\": \\"kill\\"}"}'
    (answer,) = await off_loop(lambda: speak(room.path, line + b"\n"))
    assert answer["code"] == "INVALID_INPUT"
    assert room.latch.read() is None


async def test_X52_a_kill_that_cannot_be_read_lowers_none_that_stands(room: Room) -> None:
    await room.ask("kill", flatten="all")
    with pytest.raises(Refused, match="halted all the same"):
        await room.ask("kill", flatten="half")
    halt = room.latch.read()
    assert halt is not None
    assert halt.flatten is Flatten.ALL


async def test_pause_and_unpause(room: Room) -> None:
    assert (await room.ask("pause"))["run_state"] == "PAUSED"
    assert (await room.ask("unpause"))["run_state"] == "ACTIVE"


async def test_a_signal_is_answered_with_its_verdict(room: Room) -> None:
    verdict = await room.ask("signal", signal="garbage", line=4)
    assert verdict["outcome"] == "REJECTED"
    assert verdict["code"] == "INVALID_INPUT"
    assert set(verdict) == {
        "signal_id", "outcome", "stage", "code", "measured", "limit", "reason", "client_order_ids"
    }  # fmt: skip


async def test_reconcile_has_its_document(room: Room) -> None:
    assert await room.ask("reconcile") == {"clean": True, "differences": [], "events": []}


async def test_reconcile_names_the_cash_that_nothing_explains(room: Room) -> None:
    room.house.venues["paper"]._account.balances["USD"].cash -= 3_000
    told = await room.ask("reconcile")
    assert (told["clean"], told["differences"]) == (False, [])
    (row,) = told["unexplained"]
    assert (row["broker"], row["currency"], row["quantity"]) == ("paper", "USD", "-3000")


async def test_a_line_without_an_end_is_cut_off_and_others_go_on(room: Room) -> None:
    answers = await off_loop(lambda: speak(room.path, b"x" * (LONGEST_LINE + 70_000)))
    assert [a["code"] for a in answers] in ([], ["TOO_LONG"])
    assert (await room.ask("status"))["running"] is True


async def test_a_client_that_closes_its_half_still_gets_its_answer(room: Room) -> None:
    line = b'{"id": 1, "command": "status"}\n'
    (answer,) = await off_loop(lambda: speak(room.path, line, half_close=True))
    assert answer["ok"] is True


async def test_clients_that_never_read_and_never_end_a_line_hold_up_nobody(room: Room) -> None:
    def crowd() -> list[socket.socket]:
        made = []
        for number in range(80):
            raw = socket.socket(socket.AF_UNIX)
            raw.connect(str(room.path))
            # A server that is full hangs up on the oldest.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                raw.sendall(b'{"id": 1, "command": "status"}\n' * 20 if number % 2 else b'{"id')
            made.append(raw)
        return made

    sockets = await off_loop(crowd)
    try:
        assert (await room.ask("status"))["running"] is True
        assert (await room.ask("kill", wait=False))["acknowledged"] is True
    finally:
        for raw in sockets:
            raw.close()


@pytest.fixture
def full(tmp_path: Path) -> Iterator[tuple[Path, socket.socket]]:
    """A socket on which as many wait as may, and whose owner takes nobody yet."""
    path = tmp_path / "full.sock"
    with socket.socket(socket.AF_UNIX) as listener, contextlib.ExitStack() as waiting:
        listener.bind(str(path))
        listener.listen(1)
        listener.settimeout(20.0)
        with contextlib.suppress(BlockingIOError):
            while True:
                caller = waiting.enter_context(socket.socket(socket.AF_UNIX))
                caller.setblocking(False)
                caller.connect(str(path))
        yield path, listener


def test_a_client_waits_its_turn_while_others_wait_to_be_taken(
    full: tuple[Path, socket.socket],
) -> None:
    """The system says "full" at once to a call with a time-out: that is no answer."""
    path, listener = full
    calling = threading.Thread(target=lambda: Client(path, 20.0).close())
    calling.start()
    taken = [listener.accept()[0] for _ in range(3)]
    calling.join(20.0)
    assert not calling.is_alive()
    for one in taken:
        one.close()


def test_a_client_that_is_never_taken_gives_up_after_its_time(
    full: tuple[Path, socket.socket],
) -> None:
    path, _ = full
    with pytest.raises(NoAnswer, match="does not take calls"):
        Client(path, 0.05)


async def test_a_kill_latches_acknowledges_and_proves(room: Room) -> None:
    found = await room.ask("kill", reason="because")
    assert found["latched"] is True
    assert found["acknowledged"] is True
    assert found["brokers"]["paper"]["state"] == "VERIFIED"
    assert room.engine.gate.closed
    halt = room.latch.read()
    assert halt is not None
    assert halt.reason == "because"
    assert room.engine.book.run_state is RunState.HALTED


async def test_a_kill_of_a_pipelining_client_is_served_first(room: Room) -> None:
    requests = [b'{"id": %d, "command": "status"}' % n for n in range(50)]
    lines = b"\n".join([*requests, b'{"id": 99, "command": "kill", "args": {"wait": false}}', b""])
    closed_when_asked: list[bool] = []
    plain = room.operations.serve

    async def watching(command: str, args: Any) -> Any:
        closed_when_asked.append(room.engine.gate.closed)
        return await plain(command, args)

    room.operations.serve = watching  # type: ignore[method-assign]  # only looks on
    answers = await off_loop(lambda: speak(room.path, lines))
    assert len(answers) == 51
    assert closed_when_asked == [True] * 50


async def test_while_the_loop_is_stuck_a_kill_shuts_the_gate_and_sets_the_latch(
    room: Room,
) -> None:
    """The test itself is what blocks the loop: it waits in it for the client's thread."""
    answers: list[Any] = []

    def kill() -> None:
        answers.append(room._ask("kill", {"wait": False}, 10.0))

    thread = threading.Thread(target=kill)
    thread.start()
    thread.join(10.0)
    assert answers == [
        {"latched": True, "flatten": "day", "fenced": None, "acknowledged": False, "brokers": {}}
    ]
    assert room.engine.gate.closed
    assert room.latch.read() is not None
    assert room.engine.book.run_state is RunState.ACTIVE, "the loop has not seen it yet"


async def test_while_the_loop_is_stuck_a_command_says_so_and_is_never_done(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.host.tickets.BEGIN_SECONDS", 0.1)
    refusals: list[Refused] = []

    def pause() -> None:
        try:
            room._ask("pause", {}, 10.0)
        except Refused as refused:
            refusals.append(refused)

    thread = threading.Thread(target=pause)
    thread.start()
    thread.join(10.0)
    assert [r.code for r in refusals] == ["NO_ANSWER"]
    assert "never will be" in str(refusals[0])
    assert (await room.ask("status"))["run_state"] == "ACTIVE"


async def test_what_the_loop_does_not_begin_is_refused_long_before_its_own_time_is_over(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks knows within seconds that nothing was done, and nothing is done later."""
    assert BEGIN_SECONDS < ACCEPT_SECONDS <= 10
    monkeypatch.setattr("console.host.tickets.BEGIN_SECONDS", 0.1)
    refusals: list[str] = []

    def reconcile() -> None:
        try:
            room._ask("reconcile", {"apply": True}, 30.0)
        except Refused as refused:
            refusals.append(f"{refused.code} {refused}")

    thread = threading.Thread(target=reconcile)
    thread.start()
    thread.join(10.0)
    (told,) = refusals
    assert told == (
        "NO_ANSWER the engine did not begin reconcile within 0.1 s: it never will be done"
    )
    await room.ask("status")
    assert room.engine.book.data.seq == room.house.journal.last_seq


async def test_what_was_begun_is_waited_for_longer_than_what_was_not(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.host.client.ACCEPT_SECONDS", 0.2)
    served = room.operations.serve

    async def slow(command: str, args: Mapping[str, Any]) -> Any:
        await asyncio.sleep(0.5)
        return await served(command, args)

    monkeypatch.setattr(room.operations, "serve", slow)
    assert (await room.ask("pause"))["run_state"] == "PAUSED"


async def test_only_a_client_that_asks_for_it_is_told_that_its_command_was_begun(
    room: Room,
) -> None:
    """One line answers each request of a script."""
    line = b'{"id": 1, "command": "status"}\n'
    assert ["result" in a for a in await off_loop(lambda: speak(room.path, line, line))] == [
        True,
        True,
    ]
    noticed = b'{"id": 1, "command": "status", "notice": true}\n\n'
    begun, answer = await off_loop(lambda: speak(room.path, noticed))
    assert (begun, answer["ok"]) == ({"id": 1, "begun": True}, True)


async def test_a_halt_file_found_while_the_loop_is_stuck_shuts_the_gate(room: Room) -> None:
    room.latch.path.touch()
    shut = threading.Event()

    def look() -> None:
        while not room.engine.gate.closed:
            shut.wait(0.005)
        shut.set()

    threading.Thread(target=look, daemon=True).start()
    assert shut.wait(10.0), "nothing but the control thread could do it"


async def test_a_halt_file_halts_and_a_resume_removes_it(room: Room) -> None:
    room.latch.path.touch()
    while room.engine.book.run_state is not RunState.HALTED:
        await asyncio.sleep(0)
    with pytest.raises(Refused):
        await room.ask("resume", confirm="resume")
    assert (await room.ask("resume", confirm="RESUME"))["run_state"] == "PAUSED"
    while room.engine.gate.closed:
        await asyncio.sleep(0)
    assert not room.latch.path.exists()
    assert (await room.ask("unpause"))["run_state"] == "ACTIVE"


async def test_a_resume_names_the_halt_that_was_looked_at(room: Room) -> None:
    await room.engine.command(ask.Kill(by="test", level=Level.HALT, flatten=Flatten.NONE))
    assert (await room.ask("status"))["halt"]["epoch"] == 1
    await room.engine.command(ask.Kill(by="script", flatten=Flatten.NONE))
    with pytest.raises(Refused, match=r"epoch 1.*epoch 2, by script"):
        await room.ask("resume", confirm="RESUME", epoch=1)
    with pytest.raises(Refused, match=r'epoch "one" is refused: allowed is a whole number'):
        await room.ask("resume", confirm="RESUME", epoch="one")
    while not await cleared(room):
        await asyncio.sleep(0.05)


async def cleared(room: Room) -> bool:
    """A resume of the second halt passes once its kill is at an end."""
    with contextlib.suppress(Refused):
        return bool((await room.ask("resume", confirm="RESUME", epoch=2))["run_state"] == "PAUSED")
    return False


async def test_X73_a_resume_may_accept_a_drawdown(room: Room) -> None:
    room.latch.path.touch()
    while room.engine.book.run_state is not RunState.HALTED:
        await asyncio.sleep(0)
    for confirm, rebase in (("RESUME", True), ("RESUME REBASE", False), ("REBASE", True)):
        with pytest.raises(Refused):
            await room.ask("resume", confirm=confirm, rebase=rebase)
    answer = await room.ask("resume", confirm="RESUME REBASE", rebase=True)
    assert answer["run_state"] == "PAUSED"


async def test_a_resume_under_way_does_not_open_the_gate_that_a_kill_has_shut(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kill is held up before its latch is written, so that no file stands in the way."""
    await room.ask("kill", flatten="none")
    shut, go, looked = threading.Event(), threading.Event(), threading.Event()
    clears = threading.Event()
    real, plain, clear = room.latch.set, room.latch.read, room.latch.clear

    def noted() -> Halt | None:
        found = plain()
        if found is None and threading.current_thread().name.startswith("latch"):
            looked.set()
        return found

    def held_up(halt: Halt) -> None:
        if threading.current_thread().name == "control":
            shut.set()
            go.wait(10.0)
        real(halt)

    def clear_late(epoch: int) -> None:
        clears.wait(10.0)
        clear(epoch)

    monkeypatch.setattr(room.latch, "set", held_up)
    monkeypatch.setattr(room.latch, "read", noted)
    monkeypatch.setattr(room.latch, "clear", clear_late)
    resume = ask.Resume(by="test", confirm="RESUME")
    resuming = asyncio.create_task(room.engine.command(resume))
    while room.engine.book.data.halt is not None:
        await asyncio.sleep(0.001)
    second = asyncio.create_task(room.ask("kill", reason="second", flatten="none"))
    try:
        assert await asyncio.to_thread(shut.wait, 10.0)
        clears.set()
        assert await asyncio.to_thread(looked.wait, 10.0), "the latch is cleared"
        for _ in range(100):  # the engine hears of it within a few turns
            await asyncio.sleep(0)
        assert room.engine.book.data.halt is None
        assert room.engine.gate.closed
        told = await resuming
        assert (told.ok, "halted again" in told.error) == (False, True)
    finally:
        clears.set()
        go.set()
    assert (await second)["acknowledged"]
    assert room.engine.book.run_state is RunState.HALTED
    assert room.engine.gate.closed


async def test_another_user_is_hung_up_on(room: Room) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can try it as another user")
    for folder in (room.path.parent, *room.path.parent.parents):
        if folder.stat().st_uid == 0 and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o111)
    room.path.chmod(0o666)

    def as_nobody() -> int:
        child = os.fork()
        if child == 0:
            code = 3
            try:
                os.setuid(65_534)
                with socket.socket(socket.AF_UNIX) as raw:
                    raw.settimeout(5.0)
                    raw.connect(str(room.path))
                    raw.sendall(b'{"id": 1, "command": "status"}\n')
                    code = 1 if raw.recv(100) else 0
            except (BrokenPipeError, ConnectionResetError):
                code = 0
            finally:
                os._exit(code)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    assert await off_loop(as_nobody) == 0


async def test_after_the_end_nobody_listens(tmp_path: Path) -> None:
    made = Room(tmp_path)
    made.server.start()
    assert made.path.exists()
    await off_loop(made.server.stop)
    assert not made.path.exists()
    with pytest.raises(NoEngine):
        Client(made.path)
    made.house.close()


async def test_a_socket_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(tmp_path / "control.sock"))
    made = Room(tmp_path)
    made.server.start()
    await off_loop(made.server.stop)
    made.house.close()


async def test_a_halt_that_is_a_folder_refuses_the_resume_until_it_is_gone(room: Room) -> None:
    room.latch.path.mkdir()
    while room.engine.book.run_state is not RunState.HALTED:
        await asyncio.sleep(0)
    with pytest.raises(Refused, match="not a regular file") as told:
        await room.ask("resume", confirm="RESUME")
    assert str(room.latch.path) in str(told.value)
    assert "remove it by hand, then resume again" in str(told.value)
    assert room.engine.book.run_state is RunState.HALTED
    room.latch.path.rmdir()
    assert (await room.ask("resume", confirm="RESUME"))["run_state"] == "PAUSED"
    for _ in range(100):
        await asyncio.sleep(0)
    assert room.engine.book.run_state is RunState.PAUSED


async def test_rule1_resolve_is_served_and_says_why_it_is_refused(room: Room) -> None:
    with pytest.raises(Refused, match="no order has the id x"):
        await room.ask("resolve", id="x", decision="venue", confirm="RESOLVE")
    with pytest.raises(Refused, match="filled, canceled or venue"):
        await room.ask("resolve", id="x", decision="rejected", confirm="RESOLVE")
