"""`replay`: a recorded market through the paper broker in virtual time, twice the same way (X-68).

The journal is kept in memory while it runs and written to the state folder at the end: what is
replayed can be replayed again, and a commit to disk would cost more than all the rest.
"""

import asyncio
import contextlib
import json
import os
import sqlite3
import tempfile
import time
from codecs import BOM_UTF8
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from brokers.paper.bars import BarFile, check_bars
from console.host import wiring
from console.host.memory_latch import MemoryLatch
from console.host.output import CommandFailed, ExitCode, document, say, table, warn
from console.host.place import Host, version
from console.host.progress import Progress
from console.host.recording import AFTERWARDS, is_over
from console.host.report import Tally, report_of
from engine.config import Config, amended
from engine.domain.instant import NS_PER_SECOND, NS_PER_US, Nanos
from engine.domain.signal import Signal
from engine.intake.parse import parse_line
from engine.ports import Clock
from engine.reference.textfile import BadFile, opened
from engine.runtime.engine import Engine
from engine.runtime.virtual_time import run_virtual
from storage.connection import memory_database

LOOK_SECONDS: Final = 10
LIMIT_SECONDS: Final = 100 * 366 * 86_400.0
JUST_AFTER: Final[Nanos] = NS_PER_US
"""A signal enters this long after its instant: the prices of that instant have been seen."""

_SOURCE: Final = "replay"


def command(
    host: Host,
    bars: Path,
    *,
    signals: Path | None,
    report: Path | None,
    seed: int | None,
    as_json: bool,
) -> int:
    """Replays, writes the journal and the report, and says where; returns the exit code.

    Raises CommandFailed.
    """
    config = host.config()
    if seed is not None:
        config = amended(config, {"market.seed": seed})
    try:
        file = check_bars(bars, not_after=time.time_ns())
    except BadFile as error:
        raise CommandFailed(ExitCode.USAGE, str(error), "BAD_BARS") from error
    lines = _read_lines(signals)
    folder = _asked_folder(host)
    _demand_writable(report)
    database = memory_database()
    try:
        found = run(config, file, lines, database=database, progress=not as_json)
    except (wiring.SectorFileError, BadFile) as error:
        raise CommandFailed(ExitCode.USAGE, str(error), "BAD_DATA") from error
    # What a full disk does not take costs only itself: the answer is given all the same.
    troubles: list[str] = []
    try:
        warn(f"state folder: {_kept(database, folder)}")
    except CommandFailed as error:
        troubles.append(str(error))
    try:
        if report is not None:
            _write_report(report, found)
    except CommandFailed as error:
        troubles.append(str(error))
    if as_json:
        document(found)
    else:
        _print(found)
    for trouble in troubles:
        warn(trouble)
    return ExitCode.FAILED if troubles else ExitCode.DONE


def run(
    config: Config,
    file: BarFile,
    lines: Sequence[str | bytes],
    *,
    database: sqlite3.Connection | None = None,
    progress: bool = False,
) -> dict[str, Any]:
    """The report of one replay; the journal goes to `database`. Raises what a rule raised.

    `progress` shows on a terminal how far it is.
    """
    began = time.perf_counter()
    tally = Tally()
    feed = _Feed(lines, file)

    reached: list[Clock] = []

    def done() -> float:
        return (reached[0].now() - file.start) / (file.last - file.start) if reached else 0.0

    async def main(clock: Clock) -> dict[str, Any]:
        house = wiring.build(
            config,
            clock=clock,
            state_dir=None,
            version=version(),
            latch=MemoryLatch(),
            bars=file,
            database=database or memory_database(),
            gathers=True,
            threads=False,
        )
        engine = house.engine
        engine.subscribe(tally.observe)
        reached.append(clock)
        running = asyncio.get_running_loop().create_task(engine.run())
        feeding = asyncio.get_running_loop().create_task(feed.play(engine, clock))
        # Nothing is over before the last bar: the looks before it are left out.
        looks = (file.last - clock.now()) // (LOOK_SECONDS * NS_PER_SECOND) - 1
        if looks > 0:
            await asyncio.wait({running}, timeout=looks * LOOK_SECONDS)
        while not running.done() and not (
            feeding.done() and is_over(engine, clock.now(), file.last)
        ):
            await clock.sleep(LOOK_SECONDS)
        if not running.done():
            await engine.stop("the recording has ended")
        await running
        feeding.result()
        house.close()
        found = report_of(engine, tally, bars=file.bars, symbols=file.symbols)
        seconds = (clock.now() - file.start) / NS_PER_SECOND
        return found | {
            "events": house.journal.last_seq,
            "digest": house.journal.digest,
            "virtual_seconds": seconds,
        }

    with Progress(done, shown=progress):
        found = run_virtual(main, file.start, LIMIT_SECONDS)
    return found | {"wall_seconds": round(time.perf_counter() - began, 3)}


class _Feed:
    """The signals of a file, each at its timestamp; what has none enters at the start."""

    def __init__(self, lines: Sequence[str | bytes], file: BarFile) -> None:
        latest = file.last + AFTERWARDS - 60 * NS_PER_SECOND
        due: list[tuple[Nanos, int, str | bytes]] = []
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            read = parse_line(line, source=_SOURCE, number=number)
            at = read.timestamp if isinstance(read, Signal) else file.start
            due.append((min(max(at, file.start), latest) + JUST_AFTER, number, line))
        self._due = sorted(due, key=lambda entry: entry[:2])

    async def play(self, engine: Engine, clock: Clock) -> None:
        """Submits every line when it is due."""
        for at, number, line in self._due:
            while (ahead := at - clock.now()) > 0:
                await clock.sleep(ahead / NS_PER_SECOND)
            engine.submit(line, source=_SOURCE, line=number)


def _read_lines(path: Path | None) -> Sequence[bytes]:
    """The lines as they stand: the engine refuses what is no signal, and the rest goes on."""
    if path is None:
        return []
    try:
        with opened(path) as file:
            return file.read().removeprefix(BOM_UTF8).split(b"\n")
    except BadFile as error:
        raise CommandFailed(ExitCode.USAGE, str(error), "BAD_SIGNALS") from error
    except OSError as error:
        raise CommandFailed(
            ExitCode.USAGE, f"{path} cannot be read: {error.strerror or error}.", "BAD_SIGNALS"
        ) from error


def _kept(database: sqlite3.Connection, folder: Path | None) -> Path:
    """The folder that holds the journal now: `folder`, or a fresh one.

    A fresh one is made here and not before, so that a replay which ends early, in whatever way,
    leaves none behind. Raises CommandFailed.
    """
    if folder is not None:
        _write_journal(database, folder / wiring.JOURNAL)
        return folder
    try:
        fresh = Path(tempfile.mkdtemp(prefix="meridian-replay-"))
    except OSError as error:
        text = f"no state folder can be made for the journal: {error.strerror or error}."
        raise CommandFailed(ExitCode.FAILED, text, "STATE_DIR") from error
    try:
        _write_journal(database, fresh / wiring.JOURNAL)
    except CommandFailed:
        with contextlib.suppress(OSError):
            fresh.rmdir()
        raise
    return fresh


def _asked_folder(host: Host) -> Path | None:
    """The state folder that was asked for, if it holds no journal; None where none was."""
    if host.state_option is None:
        return None
    folder = host.state_dir
    if _holds_journal(folder / wiring.JOURNAL):
        raise CommandFailed(
            ExitCode.USAGE,
            f"{folder} holds a journal already: a replay needs a fresh state folder.",
            "JOURNAL_EXISTS",
        )
    return host.make_state_dir()


def _holds_journal(path: Path) -> bool:
    """False for a file without a byte: it was made, and the disk had no room for more."""
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False
    except OSError as error:
        raise CommandFailed(
            ExitCode.FAILED, f"{path} cannot be read: {error.strerror or error}.", "JOURNAL"
        ) from error


def _demand_writable(report: Path | None) -> None:
    """A report that cannot be written is known before the replay, not after it."""
    if report is None:
        return
    try:
        # A pipe that nobody reads is not waited for.
        how = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC
        os.close(os.open(report, how, 0o666))
    except OSError as error:
        raise _unwritten(report, error) from error


def _write_report(report: Path, found: dict[str, Any]) -> None:
    """Raises CommandFailed; what could not be written as a whole is not left in part."""
    try:
        report.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        if report.is_file():
            with contextlib.suppress(OSError):
                report.unlink()
        raise _unwritten(report, error) from error


def _unwritten(report: Path, error: OSError) -> CommandFailed:
    why = error.strerror or error
    return CommandFailed(ExitCode.FAILED, f"{report} cannot be written: {why}.", "BAD_REPORT")


def _write_journal(database: sqlite3.Connection, path: Path) -> None:
    """Write the journal beside its name first: under it there is a whole one, or none.

    Raises CommandFailed.
    """
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        unfinished.unlink(missing_ok=True)
        os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
        with contextlib.closing(sqlite3.connect(unfinished)) as target:
            database.backup(target)
        unfinished.replace(path)
    except (OSError, sqlite3.Error) as error:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise CommandFailed(
            ExitCode.FAILED, f"the journal {path} cannot be written: {why}.", "JOURNAL"
        ) from error


def _print(found: dict[str, Any]) -> None:
    shown = {k: v for k, v in found.items() if not isinstance(v, list | dict)}
    width = max(map(len, shown))
    say(f"{'symbols':<{width}}  {' '.join(found['symbols'])}")
    for name, value in shown.items():
        say(f"{name:<{width}}  {'-' if value is None else value}")
    say(f"{'round_trips':<{width}}  {len(found['round_trips'])}")
    say()
    say("outcomes")
    table(
        [{"code": code, "count": count} for code, count in found["outcomes"].items()],
        ("code", "count"),
    )
