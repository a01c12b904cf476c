"""Logs that never block: a bounded queue and a writer thread for each place they go to.

Whoever logs only formats a line and puts it in a queue. A disk that stalls or a reader that is
gone holds up one writer thread and nothing else (measured: an engine that logged to a pipe nobody
read was dead after 0.8 s). A full queue drops its oldest line, and the next line that gets through
says how many were lost.
"""

import contextlib
import errno
import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final

from console.host.secrets import KNOWN, Redactor
from engine.domain.text import clean_text

CAPACITY: Final = 10_000
"""Lines that wait for one writer at most."""

LARGEST_FILE: Final = 10_000_000
"""Bytes of a log file before it becomes `.1`, and that one `.2`, up to `KEPT`."""

KEPT: Final = 3
LONGEST_LINE: Final = 2_000
LOST: Final = "(%d older lines were lost: the log was not written fast enough)\n"
LEVELS: Final = ("debug", "info", "warning", "error")

TALKATIVE: Final = (
    "httpx", "httpcore", "websockets", "urllib3", "asyncio", "ib_async", "ib_insync", "aiosqlite",
    "keyring",
)  # fmt: skip
"""Libraries that log requests, addresses or payloads below WARNING."""


class LogSettingError(Exception):
    """`MERIDIAN_LOG_LEVEL` is not a level: one sentence."""


def level_of(environ: Mapping[str, str]) -> int:
    """The level of `$MERIDIAN_LOG_LEVEL`, INFO without it. Raises LogSettingError."""
    text = environ.get("MERIDIAN_LOG_LEVEL", "") or "info"
    if text.lower() not in LEVELS:
        shown = clean_text(text, 40)
        raise LogSettingError(
            f'MERIDIAN_LOG_LEVEL = "{shown}" is refused: allowed is one of {", ".join(LEVELS)}.'
        )
    return logging.getLevelNamesMapping()[text.upper()]


class Lines(logging.Formatter):
    """One record as lines that are safe anywhere: UTC, redacted, without control characters.

    Text of a record stays on its line, so that nothing can be forged; a traceback follows on lines
    that start with two blanks, and shows no locals.
    """

    def __init__(self, redactor: Redactor) -> None:
        """Redacts what `redactor` knows at the time of the record."""
        super().__init__()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """The record's line, and those of its traceback."""
        whole, millis = divmod(int(record.created * 1_000), 1_000)
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
        text = self._safe(record.getMessage())
        lines = [f"{moment}.{millis:03d}Z {record.levelname} {clean_text(record.name)}: {text}"]
        if record.exc_info:
            lines += self._indented(self.formatException(record.exc_info))
        if record.stack_info:
            lines += self._indented(record.stack_info)
        return "\n".join(lines) + "\n"

    def _indented(self, trace: str) -> list[str]:
        # Redacted as a whole: a secret may have lines.
        lines = self._redactor.redact(trace).splitlines()
        return [f"  {clean_text(line, LONGEST_LINE)}" for line in lines]

    def _safe(self, text: str) -> str:
        # Redacted before it is cut: half a secret is not recognised.
        return clean_text(self._redactor.redact(text), LONGEST_LINE)


class LogFile:
    """A place that lines go to: its queue, and the thread that alone writes there."""

    def __init__(self, name: str, capacity: int) -> None:
        """Starts the writer."""
        # SimpleQueue.put is reentrant: a signal handler may log while the same thread logs.
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._capacity = capacity
        self.dropped = 0
        """Lines lost since the start, never written."""
        self._told = 0
        self._thread = threading.Thread(target=self._run, name=f"log-{name}", daemon=True)
        self._thread.start()

    def put(self, line: bytes) -> None:
        """Queues a line; drops the oldest where the queue is full. Never waits."""
        while self._lines.qsize() >= self._capacity:
            try:
                self._lines.get_nowait()
            except queue.Empty:
                break
            self.dropped += 1
        self._lines.put(line)

    def close(self, timeout_seconds: float) -> None:
        """Writes what waits, for at most so long; a writer that is stuck is left behind."""
        self._lines.put(None)
        self._thread.join(timeout_seconds)

    def _run(self) -> None:
        while True:
            batch = [self._lines.get()]
            with contextlib.suppress(queue.Empty):
                while batch[-1] is not None and len(batch) < 256:
                    batch.append(self._lines.get_nowait())
            ended = batch[-1] is None
            text = b"".join(line for line in batch if line is not None)
            if (lost := self.dropped - self._told) > 0:
                self._told += lost
                text = (LOST % lost).encode() + text
            try:
                if text:
                    self.write(text)
            except OSError:
                # There is nowhere to tell of it: what cannot be written counts as lost.
                self.dropped += text.count(b"\n")
                self._told = self.dropped
            if ended:
                return

    def write(self, text: bytes) -> None:
        """Writes whole lines; may block, may raise OSError."""
        raise NotImplementedError


class FileTarget(LogFile):
    """A file (mode 0600) that is turned over when it is large."""

    def __init__(self, path: Path, capacity: int = CAPACITY, largest: int = LARGEST_FILE) -> None:
        """Opens or makes the file; raises OSError if it cannot be."""
        self._path = path
        self._largest = largest
        self._descriptor = self._opened()
        super().__init__("file", capacity)

    def write(self, text: bytes) -> None:
        """Appends, and turns the file over first if it would grow too large."""
        size = os.fstat(self._descriptor).st_size
        if size and size + len(text) > self._largest:
            # A file that cannot be turned over goes on growing: lines matter more.
            with contextlib.suppress(OSError):
                self._turn_over()
        _write_all(self._descriptor, text)

    def _turn_over(self) -> None:
        for number in range(KEPT - 1, 0, -1):
            older = self._numbered(number)
            if older.exists():
                older.replace(self._numbered(number + 1))
        self._path.replace(self._numbered(1))
        full, self._descriptor = self._descriptor, self._opened()
        os.close(full)

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    def _opened(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        # A pipe of that name that nobody reads is refused, not waited for.
        return os.open(self._path, flags | os.O_NONBLOCK, 0o600)


class StderrTarget(LogFile):
    """Standard error; a reader that is gone ends it, one that does not read holds up only it."""

    def __init__(self, capacity: int = CAPACITY, descriptor: int = 2) -> None:
        """Writes to a copy of `descriptor`, past Python's own buffer and its lock."""
        self._descriptor = os.dup(descriptor)
        self._gone = False
        super().__init__("stderr", capacity)

    def write(self, text: bytes) -> None:
        """Writes until the reader is gone."""
        if self._gone:
            return
        try:
            _write_all(self._descriptor, text)
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.EIO, errno.EBADF):
                raise
            self._gone = True


def _write_all(descriptor: int, text: bytes) -> None:
    view = memoryview(text)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            # Somebody made the shared terminal non-blocking; this thread may wait.
            time.sleep(0.01)


class Logs(logging.Handler):
    """The one handler of the program: formats, and gives the line to every target."""

    def __init__(self, targets: tuple[LogFile, ...], redactor: Redactor, level: int) -> None:
        """Use `start` to put it in place."""
        super().__init__(level)
        self.setFormatter(Lines(redactor))
        self.redactor = redactor
        self._targets = targets
        self.faults = 0
        """Records that could not be formatted; they are counted, not raised."""

    @property
    def dropped(self) -> int:
        """Lines lost at the target that lost most."""
        return max((target.dropped for target in self._targets), default=0)

    def emit(self, record: logging.LogRecord) -> None:
        """Queues the record's lines. Never waits, never raises, never prints."""
        try:
            line = self.format(record).encode("utf-8", "replace")
        except Exception:  # a record's own arguments may raise anything; counted
            self.faults += 1
            line = f"A log record of {clean_text(record.name)} could not be formatted.\n".encode()
        for target in self._targets:
            target.put(line)

    def finish(self, timeout_seconds: float = 0.5) -> None:
        """Writes what waits, as far as that is quick, and takes the handler away."""
        logging.getLogger().removeHandler(self)
        for target in self._targets:
            target.close(timeout_seconds)
        self.close()


def start(
    *,
    file: Path | None,
    stderr: bool,
    level: int = logging.INFO,
    redactor: Redactor | None = None,
) -> Logs:
    """Puts the program's only log handler in place; warnings and uncaught errors go there too.

    `stderr` is for headless runs: with the console on the terminal nothing may print there.
    Raises OSError if the file cannot be opened.
    """
    targets: list[LogFile] = [] if file is None else [FileTarget(file)]
    if stderr:
        targets.append(StderrTarget())
    logs = Logs(tuple(targets), redactor or KNOWN, level)
    root = logging.getLogger()
    for other in tuple(root.handlers):
        root.removeHandler(other)
    root.addHandler(logs)
    root.setLevel(level)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    return logs


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    logging.getLogger("console").critical("uncaught error", exc_info=(kind, error, trace))


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    name = args.thread.name if args.thread else "a thread"
    trace = (args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback)
    logging.getLogger("console").critical("uncaught error in %s", name, exc_info=trace)
