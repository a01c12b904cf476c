"""`--at TIME`: the console of a moment that is over, read from the journal alone.

The journal is opened read-only and no lock is taken, so that an engine on the same state folder
runs on undisturbed. Nothing is written, not even a log.
"""

import asyncio
import re
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

from console.desk.past import PastDesk
from console.host import logs, wiring
from console.host.detach import has_terminal
from console.host.output import CommandFailed, ExitCode
from console.host.place import Host
from console.terminal.bootstrap import prepare_environment, settle_threads
from console.terminal.signals import install_signals
from engine.config import Config
from engine.domain.events import EngineStarted
from engine.domain.instant import Nanos, nearest_rfc3339, rfc3339
from engine.reference.textfile import BadFile
from engine.state.book import Book
from storage.errors import JournalError
from storage.history import load_until

if TYPE_CHECKING:
    from console.ui.app import MeridianApp

_PLAIN: Final = re.compile(r"(\d{4}-\d\d-\d\d)(?: (\d\d:\d\d)(:\d\d)?)?", re.ASCII)


def show(host: Host, text: str) -> int:
    """Show the moment `text` names until the person leaves. Raises CommandFailed.

    Exit code 2: `text` is no time, the journal begins later, or there is no terminal.
    """
    at = moment(text)
    if not has_terminal():
        raise _usage("--at shows the console: it needs a terminal.")
    desk = open_past(host.state_dir / wiring.JOURNAL, host.config(), at)
    logging_ = logs.start(file=None, stderr=False)
    try:
        failure = asyncio.run(_show(host.config(), desk))
    finally:
        logging_.finish()
    if failure is not None:
        text = f"the console failed: {type(failure).__name__}: {failure}"
        raise CommandFailed(ExitCode.FAILED, text, "CONSOLE")
    return ExitCode.DONE


def moment(text: str) -> Nanos:
    """The instant that `--at` names.

    `text` is RFC 3339 with a zone, or `YYYY-MM-DD[ HH:MM[:SS]]` in UTC. Raises CommandFailed
    (usage) with one sentence for anything else. A year that no event can be of is the nearest that
    one can.
    """
    plain = _PLAIN.fullmatch(text)
    if plain is not None:
        date, minute, second = plain.groups()
        text = f"{date}T{minute or '00:00'}{second or ':00'}Z"
    try:
        return nearest_rfc3339(text)
    except ValueError as error:
        raise _usage(f"--at: {error}; or YYYY-MM-DD[ HH:MM[:SS]] in UTC.") from error


def open_past(journal: Path, config: Config, at: Nanos) -> PastDesk:
    """The desk of the moment `at` (UTC nanoseconds). Raises CommandFailed.

    After the journal's last event it is the moment of that event. Limits are those of `config`:
    the journal does not keep the ones that were in force. The base currency is the journal's.
    """
    try:
        found = load_until(journal, at)
        if found.first is None:
            raise _usage(f"--at: there is no journal in {journal.parent}, or it is empty.")
        if found.last is None:
            moment, began = (rfc3339(time).replace("T", " ") for time in (at, found.first))
            raise _usage(f"--at {moment} is before the journal begins, at {began}.")
        beginning = next(found.records)
        if isinstance(beginning.event, EngineStarted):
            currency = beginning.event.base_currency
            config = wiring.as_counted(config, currency=currency, calendar="")
        return PastDesk(
            wiring.world_at_rest(config, Book()),
            chain((beginning,), found.records),
            at=found.last if found.newest else at,
            is_last=found.newest,
        )
    except (BadFile, wiring.SectorFileError) as error:
        raise CommandFailed(ExitCode.USAGE, str(error), "BAD_DATA") from error
    except JournalError as error:
        raise CommandFailed(ExitCode.FAILED, str(error), "JOURNAL") from error


def _usage(text: str) -> CommandFailed:
    return CommandFailed(ExitCode.USAGE, text, "INVALID_INPUT")


async def _show(config: Config, desk: PastDesk) -> Exception | None:
    """Show it; the error that ended the console, if one did."""
    app = _app(config, desk)
    restore = install_signals(
        asyncio.get_running_loop(), on_hangup=app.terminal_lost, on_terminate=app.exit
    )
    try:
        await app.run_async()
    finally:
        restore()
    return app.failure


def _app(config: Config, desk: PastDesk) -> "MeridianApp":
    prepare_environment()
    settle_threads()
    from console.ui.app import MeridianApp

    look = config.console
    return MeridianApp(
        desk,
        theme=look.theme,
        glyphs=look.glyphs,
        profit_colours=look.profit_colours,
        refresh_hz=look.refresh_hz,
    )
