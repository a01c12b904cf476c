"""Logs never block, never forge, never leak."""

import logging
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.host.logs import (
    FileTarget,
    LogFile,
    Logs,
    LogSettingError,
    StderrTarget,
    level_of,
    start,
)
from console.host.secrets import Redactor, Secret

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Logs]:
    """The program's log handler on a file, and the process as it was afterwards."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level, sys.excepthook, threading.excepthook)
    logs = start(file=tmp_path / "log", stderr=False, redactor=Redactor([Secret("hunter22")]))
    yield logs
    logs.finish(5)
    for handler in before[0]:
        root.addHandler(handler)
    root.setLevel(before[1])
    sys.excepthook, threading.excepthook = before[2], before[3]
    logging.captureWarnings(False)


def lines(tmp_path: Path, log: Logs) -> list[str]:
    log.finish(5)
    return (tmp_path / "log").read_text().splitlines()


def test_a_record_is_one_line_with_its_utc_time(tmp_path: Path, log: Logs) -> None:
    record = logging.LogRecord("engine", logging.INFO, "f", 1, "filled %s", ("SPY",), None)
    record.created = 1_381_154_400.25
    log.handle(record)
    assert lines(tmp_path, log) == ["2013-10-07T14:00:00.250Z INFO engine: filled SPY"]


def test_text_from_outside_cannot_forge_a_line_or_reach_the_terminal(
    tmp_path: Path, log: Logs
) -> None:
    logging.getLogger("x\ny").warning("a\nb \x1b[2J \u202e %s", "\x9b31m")
    (line,) = lines(tmp_path, log)
    assert line.isprintable()


def test_secrets_are_taken_out_of_messages_arguments_and_tracebacks(
    tmp_path: Path, log: Logs
) -> None:
    password = "hunter22"
    try:
        raise ValueError(f"bad {password} at url?secret=canary")
    except ValueError:
        logging.getLogger("a").exception("failed with %s", password)
    text = "\n".join(lines(tmp_path, log))
    assert "hunter22" not in text
    assert "canary" not in text
    assert "ValueError: bad *** at url?secret=***" in text


def test_a_traceback_shows_no_locals_and_stays_indented(tmp_path: Path, log: Logs) -> None:
    def fails() -> None:
        planted = "local-" + "canary"
        raise RuntimeError(f"line one\nINFO forged {len(planted)}")

    try:
        fails()
    except RuntimeError:
        logging.getLogger("a").exception("failed", stack_info=True)
    written = lines(tmp_path, log)
    assert "local-canary" not in "\n".join(written)
    assert all(line.startswith("  ") for line in written[1:])
    assert any("raise RuntimeError" in line for line in written)


def test_a_record_that_cannot_be_formatted_is_counted_and_told(tmp_path: Path, log: Logs) -> None:
    log.handle(logging.LogRecord("a", logging.INFO, "f", 1, "%d", ("no number",), None))
    assert log.faults == 1
    assert lines(tmp_path, log) == ["A log record of a could not be formatted."]


def test_warnings_and_uncaught_errors_go_to_the_log(
    tmp_path: Path, log: Logs, capfd: pytest.CaptureFixture[str]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("old call", UserWarning, stacklevel=1)

    def fails() -> None:
        raise RuntimeError("in a thread")

    thread = threading.Thread(target=fails, name="worker")
    thread.start()
    thread.join()
    error = ValueError("at the top")
    sys.excepthook(ValueError, error, None)
    text = "\n".join(lines(tmp_path, log))
    for expected in ("old call", "uncaught error in worker", "in a thread", "at the top"):
        assert expected in text
    assert capfd.readouterr() == ("", "")


def test_talkative_libraries_are_heard_from_warning_on(tmp_path: Path, log: Logs) -> None:
    logging.getLogger("httpx").info("GET https://venue/?symbol=X")
    logging.getLogger("httpx").warning("slow")
    assert [line.rpartition(" ")[2] for line in lines(tmp_path, log)] == ["slow"]


def test_the_file_is_private(tmp_path: Path, log: Logs) -> None:
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("text", "level"),
    [("", logging.INFO), ("debug", logging.DEBUG), ("ERROR", logging.ERROR)],
)
def test_the_level_comes_from_the_environment(text: str, level: int) -> None:
    assert level_of({"MERIDIAN_LOG_LEVEL": text}) == level
    assert level_of({}) == logging.INFO


def test_a_level_that_is_none_is_one_sentence() -> None:
    with pytest.raises(LogSettingError) as caught:
        level_of({"MERIDIAN_LOG_LEVEL": "loud\x1b"})
    assert str(caught.value) == (
        'MERIDIAN_LOG_LEVEL = "loud\ufffd" is refused: allowed is one of '
        "debug, info, warning, error."
    )


class Stuck(LogFile):
    """A place that takes nothing until it is let go."""

    def __init__(self, capacity: int) -> None:
        self.entered = threading.Event()
        self.free = threading.Event()
        self.written = b""
        super().__init__("stuck", capacity)

    def write(self, text: bytes) -> None:
        self.entered.set()
        self.free.wait(30)
        self.written += text


def test_a_full_queue_drops_its_oldest_lines_and_says_how_many() -> None:
    target = Stuck(capacity=3)
    target.put(b"0\n")
    assert target.entered.wait(30)  # the writer is stuck with line 0
    for number in range(1, 8):
        target.put(b"%d\n" % number)  # never waits
    assert target.dropped == 4
    target.free.set()
    target.close(30)
    assert target.written.decode() == (
        "0\n(4 older lines were lost: the log was not written fast enough)\n5\n6\n7\n"
    )


def test_a_writer_that_is_stuck_does_not_hold_up_the_end() -> None:
    target = Stuck(capacity=3)
    target.put(b"0\n")
    assert target.entered.wait(30)
    target.close(0)
    target.free.set()


def test_a_stuck_target_holds_up_no_other(tmp_path: Path) -> None:
    stuck, file = Stuck(capacity=2), FileTarget(tmp_path / "log")
    logs = Logs((stuck, file), Redactor(), logging.INFO)
    for number in range(5):
        logs.handle(logging.LogRecord("a", logging.INFO, "f", 1, "%d", (number,), None))
    file.close(30)
    assert len((tmp_path / "log").read_text().splitlines()) == 5
    assert logs.dropped > 0
    stuck.free.set()
    stuck.close(30)


def test_a_large_file_is_turned_over_and_the_oldest_goes(tmp_path: Path) -> None:
    target = FileTarget(tmp_path / "log", largest=10)
    for number in range(6):
        target.write(b"line %d...\n" % number)
    target.close(30)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["log", "log.1", "log.2", "log.3"]
    assert (tmp_path / "log").read_bytes() == b"line 5...\n"
    assert (tmp_path / "log.3").read_bytes() == b"line 2...\n"


def test_a_file_that_cannot_be_turned_over_goes_on(tmp_path: Path) -> None:
    (tmp_path / "log.3" / "x").mkdir(parents=True)
    (tmp_path / "log.2").touch()
    target = FileTarget(tmp_path / "log", largest=10)
    for _ in range(3):
        target.write(b"line line\n")
    target.close(30)
    assert (tmp_path / "log").read_bytes() == b"line line\n" * 3


def test_a_disk_that_is_full_loses_lines_and_counts_them() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    descriptor = os.open("/dev/full", os.O_WRONLY)
    target = StderrTarget(descriptor=descriptor)
    os.close(descriptor)
    target.put(b"a\n")
    target.put(b"b\n")
    target.close(30)
    assert target.dropped == 2


def test_a_reader_that_is_gone_ends_only_its_target() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    target = StderrTarget(descriptor=writing)
    os.close(writing)
    for _ in range(100):
        target.put(b"x\n")
    target.close(30)
    assert target.dropped == 0


HEADLESS = """
import logging, sys
from console.host.logs import start
logs = start(file=None, stderr=True)
for number in range(50_000):
    logging.getLogger("engine").info("line %d %s", number, "x" * 100)
print("engine went on", logs.dropped > 0, flush=True)
logs.finish(0.1)
"""


def test_headless_goes_on_where_nobody_reads_standard_error() -> None:
    """5 MB into a pipe of 64 kB that is never read: no line of the engine waits for it."""
    child = subprocess.Popen(
        [sys.executable, "-c", HEADLESS],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stderr is not None
    try:
        assert child.stdout.readline() == "engine went on True\n"
        assert child.wait(60) == 0
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
        child.stderr.close()


def test_headless_writes_its_lines_to_standard_error() -> None:
    code = (
        "import logging; from console.host.logs import start; "
        "logs = start(file=None, stderr=True); logging.getLogger('a').info('hello'); "
        "logs.finish(30)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == ""
    assert done.stderr.endswith("Z INFO a: hello\n")
