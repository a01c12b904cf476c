"""The life of the process: signals, one engine an account, and a console that may fail (DESIGN)."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from console.host.farewell import farewell
from console.host.locks import holder
from storage.verify import verify
from tests.console.program import MAIN, ROOT, Program

pytestmark = pytest.mark.slow

QUIET = '[signals]\nbuiltin = ""\n'
BARS = (
    "time,symbol,open,high,low,close,volume,bid,bid_size,ask,ask_size\n"
    "2013-10-07T14:00:00Z,SPY,100,101,99,100,1000,,,,\n"
    "2013-10-07T14:01:00Z,SPY,100,101,99,100,1000,,,,\n"
    "2013-10-07T14:02:00Z,SPY,100,101,99,100,1000,,,,\n"
)


def turning() -> str:
    """Bars that fall and then rise: an entry, and the recording ends while it is held."""
    header, *_ = BARS.splitlines(keepends=True)
    rows = [header]
    for minute in range(60):
        opened = 100 - 0.02 * min(minute, 40) + 0.05 * max(minute - 40, 0)
        closed = opened + (0.05 if minute >= 40 else -0.02)
        low, high = min(opened, closed) - 0.01, max(opened, closed) + 0.01
        prices = ",".join(f"{price:.2f}" for price in (opened, high, low, closed))
        rows.append(f"2013-10-07T14:{minute:02d}:00Z,SPY,{prices},20000,,,,\n")
    return "".join(rows)


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    made = Program(tmp_path)
    made.configure(QUIET)
    yield made
    made.stop()


def protected_position(program: Program) -> None:
    program.ask("order", side="buy", symbol="AAPL", quantity="10", protect="1")
    program.wait_for(
        lambda: any(
            o["purpose"] == "PROTECT" and o["status"] == "NEW"
            for o in program.ask("status")["orders"]
        )
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_in_order_and_leaves_protective_stops(program: Program, number: int) -> None:
    program.start()
    protected_position(program)
    last = float(program.ask("status")["positions"][0]["last"])
    far = program.ask(
        "order",
        side="buy",
        symbol="AAPL",
        quantity="1",
        limit=f"{last * 0.97:.2f}",
        protect=f"{last * 0.9:.2f}",
    )
    (resting,) = far["client_order_ids"]
    program.send(number)
    assert program.ended() == 0
    orders = {o["client_order_id"]: o for o in program.rows("orders")}
    assert orders[resting]["status"] == "CANCELED"
    stops = [o for o in program.rows("orders") if o["purpose"] == "PROTECT"]
    assert [o["status"] for o in stops] == ["NEW"]
    status = program.document("status")
    assert status["run_state"] == "STOPPED"
    assert [p["symbol"] for p in status["positions"]] == ["AAPL"]
    assert verify(program.folder / "journal.db", tables=True).ok
    assert not (program.folder / "control.sock").exists()


def test_it_goes_on_where_it_ended(program: Program) -> None:
    program.start()
    protected_position(program)
    program.send(signal.SIGKILL)
    program.ended()
    program.start()
    status = program.ask("status")
    assert [p["symbol"] for p in status["positions"]] == ["AAPL"]
    assert [o["purpose"] for o in status["orders"]] == ["PROTECT"]
    assert program.ask("reconcile")["clean"] is True


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU])
def test_signals_that_end_or_stop_others_do_nothing_to_it(program: Program, number: int) -> None:
    program.start()
    program.send(number)
    assert program.ask("status")["running"] is True


def test_a_second_engine_on_the_account_is_refused(program: Program) -> None:
    program.start()
    done = program.run("--headless", "--for", "1")
    assert done.returncode == 5
    assert program.engine is not None
    assert str(program.engine.pid) in done.stderr
    assert program.ask("status")["running"] is True


def test_it_stops_by_itself_after_its_time(program: Program) -> None:
    done = program.run("--headless", "--for", "0.2")
    assert done.returncode == 0, done.stderr
    assert [r["type"] for r in program.rows("events")][-1] == "PhaseChanged"
    locks = list((program.folder.parent / "locks").iterdir())
    assert [holder(path) for path in locks] == [None]


@pytest.mark.parametrize("speed", ["0", "1000"])
def test_until_idle_ends_once_the_recording_did(
    program: Program, tmp_path: Path, speed: str
) -> None:
    bars = tmp_path / "bars.csv"
    bars.write_text(BARS, encoding="utf-8")
    program.configure(f'{QUIET}[market]\nsource = "replay"\nfile = "{bars}"\nspeed = {speed}\n')
    done = program.run("--headless", "--until-idle")
    assert done.returncode == 0, done.stderr
    times = [r["time"] for r in program.rows("events")]
    assert times[0] >= "2013-10-07T13:59:00Z"
    assert times[-1] < "2013-10-08"


def stops_at_rest(program: Program) -> list[str]:
    orders = program.rows("orders")
    return [o["symbol"] for o in orders if o["purpose"] == "PROTECT" and o["status"] == "NEW"]


def test_a_recording_at_full_speed_ends_while_a_stop_rests(
    program: Program, tmp_path: Path
) -> None:
    """No price comes any more that could trade it (X-68)."""
    bars = tmp_path / "bars.csv"
    bars.write_text(turning(), encoding="utf-8")
    program.configure(f'[market]\nsource = "replay"\nfile = "{bars}"\nspeed = 0\n')
    done = program.run("--headless")
    assert done.returncode == 0, done.stderr
    assert stops_at_rest(program) == ["SPY"]
    times = [r["time"] for r in program.rows("events")]
    assert times[-1] < "2013-10-07T15:01:00Z"


def test_until_idle_ends_while_a_stop_rests(program: Program, tmp_path: Path) -> None:
    """At a speed that leaves a machine with other work the time to answer: a venue that takes six
    seconds of the recording has not answered in time, and at 500 that are 12 ms of the machine."""
    bars, signals = tmp_path / "bars.csv", tmp_path / "signals.jsonl"
    header, *_ = BARS.splitlines(keepends=True)
    rows = [f"2013-10-07T14:00:{second}0Z,SPY,100,101,99,100,1000,,,,\n" for second in range(6)]
    bars.write_text("".join([header, *rows]), encoding="utf-8")
    signal_row = {
        "signal_id": "s-1", "signal_type": "mine", "direction": "long", "ticker": "SPY",
        "timeframe": "10s", "conviction": 80, "entry_price": "100", "stop_loss": "90",
        "timestamp": "2013-10-07T13:59:56Z",
    }  # fmt: skip
    signals.write_text("", encoding="utf-8")
    program.configure(
        f'[signals]\nbuiltin = ""\nfile = "{signals}"\n'
        f'[market]\nsource = "replay"\nfile = "{bars}"\nspeed = 6\n'
    )
    program.start("--until-idle")
    program.wait_for(lambda: any(r["type"] == "EquityMarked" for r in program.rows("events")))
    signals.write_text(json.dumps(signal_row) + "\n", encoding="utf-8")
    assert program.ended() == 0, program.told
    assert stops_at_rest(program) == ["SPY"]


@pytest.mark.parametrize("kind", ["pipe", "folder", "speed"])
def test_a_signal_file_that_nobody_can_follow_is_refused_in_words(
    program: Program, tmp_path: Path, kind: str
) -> None:
    path, bars = tmp_path / "signals.jsonl", tmp_path / "bars.csv"
    bars.write_text(BARS, encoding="utf-8")
    market = ""
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "speed":
            path.touch()
            market = f'[market]\nsource = "replay"\nfile = "{bars}"\nspeed = 0\n'
    program.configure(f'[signals]\nbuiltin = ""\nfile = "{path}"\n{market}')
    for command in (["--headless", "--for", "0.1"], ["config", "check"]):
        done = program.run(*command)
        assert done.returncode == 2, done.stderr
        assert f"[signals] file {path}" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_followed_file_of_signals_is_read_once(program: Program, tmp_path: Path) -> None:
    path = tmp_path / "signals.jsonl"
    path.write_text('garbage\n{"signal_id": "unfinis', encoding="utf-8")
    program.configure(f'[signals]\nbuiltin = ""\nfile = "{path}"\n')
    program.start()
    program.wait_for(lambda: len(program.rows("signals")) == 1)
    with path.open("a", encoding="utf-8") as file:
        file.write('hed"}\n')
    program.wait_for(lambda: len(program.rows("signals")) == 2)
    program.send(signal.SIGTERM)
    assert program.ended() == 0
    program.start()
    with path.open("a", encoding="utf-8") as file:
        file.write("more garbage\n")
    program.wait_for(lambda: len(program.rows("signals")) == 3)
    reasons = {row["signal_id"]: row["code"] for row in program.rows("signals")}
    assert set(reasons.values()) == {"INVALID_INPUT"}


def test_without_a_terminal_it_runs_headless(program: Program) -> None:
    engine = subprocess.Popen(
        [sys.executable, "-c", MAIN, "--state-dir", str(program.folder)],
        cwd=ROOT,
        env=program.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        program.wait_for(lambda: program.ask("status")["running"])
        engine.terminate()
        assert engine.wait(30) == 0
    finally:
        engine.kill()
        engine.wait()


def test_the_headless_engine_never_imports_textual(program: Program) -> None:
    code = (
        "import sys; from console.cli.program import main; "
        "done = main(['--state-dir', sys.argv[1], '--headless', '--for', '0.2']); "
        "sys.exit(done or ('textual' in sys.modules and 'textual is here') or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(program.folder)],
        cwd=ROOT,
        env=program.environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


FAILING = """
import sys
from console.cli.program import main
from console.host.console_task import ConsoleTask
opened = ConsoleTask._opened

def failing(self):
    app = opened(self)
    def fail():
        secret_local = "hunter2"
        raise RuntimeError("a pane failed")
    type(app).on_ready = lambda app: app.set_timer(0.3, fail)
    return app

ConsoleTask._opened = failing
sys.exit(main())
"""


def spawned(program: Program, *command: str) -> "pexpect.spawn[bytes]":
    environment = {**program.environment, "TERM": "xterm-256color"}
    return pexpect.spawn(
        sys.executable,
        [*command, "--state-dir", str(program.folder)],
        cwd=str(ROOT),
        env=environment,
        dimensions=(24, 80),
        timeout=30,
    )


def test_an_error_in_the_console_ends_the_console_and_not_the_engine(program: Program) -> None:
    child = spawned(program, "-c", FAILING)
    try:
        program.wait_for(lambda: program.ask("status")["running"])
        child.expect(b"PAPER")
        child.expect(b"RuntimeError")
        painted = child.before
        child.expect(b"the engine goes on without it")
        child.expect(b"protective stops stay")
        assert b" kill" in child.before
        assert b"hunter2" not in painted + child.before
        assert program.ask("status")["run_state"] == "ACTIVE"
        assert "hunter2" not in (program.folder / "meridian.log").read_text(encoding="utf-8")
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 0
        assert program.run("stop").returncode == 0, "the engine went on"
    finally:
        child.close(force=True)


LEAKING = """
import asyncio, sys
from console.cli.program import main
from console.host.follow import SignalFile
from console.host.console_task import ConsoleTask
opened = ConsoleTask._opened

async def leaking(*_):
    reader = asyncio.create_task(asyncio.sleep(60))
    asyncio.get_running_loop().call_later(0.3, reader.cancel)
    await reader

def leaks(self):
    app = opened(self)
    app.run_async = leaking
    return app

ConsoleTask._opened = leaks
SignalFile.follow = leaking
sys.exit(main())
"""
"""A program in which the console, and what follows the file of signals, end as cancelled."""


def test_a_console_that_ends_as_cancelled_has_failed_and_it_is_said(program: Program) -> None:
    child = spawned(program, "-c", LEAKING)
    try:
        child.expect(b"the console failed")
        child.expect(b"the engine goes on without it")
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 0
        assert program.ask("status")["run_state"] == "ACTIVE"
        assert program.run("stop").returncode == 0
    finally:
        child.close(force=True)


def test_signals_that_are_followed_no_more_are_told_of(program: Program, tmp_path: Path) -> None:
    program.configure(f'[signals]\nbuiltin = ""\nfile = "{tmp_path / "signals.jsonl"}"\n')
    program.start(module=("-c", LEAKING))
    program.wait_for(lambda: "signals ended" in program.told)
    assert program.run("stop").returncode == 0
    alarms = [event["data"] for event in program.rows("events") if event["type"] == "Alarmed"]
    assert ("TASK_FAILED", "signals") in [(alarm["code"], alarm["subject"]) for alarm in alarms]


DYING = """
import asyncio, sys
from console.cli.program import main
from console.host.console_task import ConsoleTask
opened = ConsoleTask._opened

def dying(self):
    loop = asyncio.get_running_loop()
    loop.call_later(1.5, self._engine._failed, RuntimeError("an effect failed"))
    return opened(self)

ConsoleTask._opened = dying
sys.exit(main())
"""


def test_an_engine_that_fails_under_its_console_is_not_said_to_go_on(program: Program) -> None:
    child = spawned(program, "-c", DYING)
    try:
        child.expect(b"PAPER")
        child.expect(pexpect.EOF)
        assert b"the engine goes on" not in child.before
        child.close()
        assert child.exitstatus == 1
        assert "the engine failed" in (program.folder / "meridian.log").read_text(encoding="utf-8")
    finally:
        child.close(force=True)


def test_a_lost_terminal_ends_the_console_and_not_the_engine(program: Program) -> None:
    child = spawned(program, "-c", MAIN)
    program.wait_for(lambda: program.ask("status")["running"])
    child.expect(b"PAPER")
    pid = child.pid
    os.close(child.child_fd)
    child.closed = True
    try:
        for _ in range(3):
            assert program.ask("status")["run_state"] == "ACTIVE"
        os.kill(pid, signal.SIGTERM)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise


def test_the_log_is_json_free_text_and_stdout_stays_empty(program: Program) -> None:
    done = program.run("--headless", "--for", "0.2")
    assert done.stdout == ""
    assert "trading on" in done.stderr
    assert "trading on" in (program.folder / "meridian.log").read_text(encoding="utf-8")
    with pytest.raises(json.JSONDecodeError):
        json.loads(done.stderr)


def test_a_line_of_the_farewell_can_be_copied_into_a_shell(tmp_path: Path) -> None:
    for line in farewell(tmp_path, "the console has ended").splitlines():
        if "--state-dir" in line:
            command = line[line.index("--state-dir") :].split()
            assert len(command) <= 3, line
            assert "(" not in line
