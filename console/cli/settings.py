"""`config init|check|show`: the file, its judgement, and what is in force (U-72: masked)."""

import os
import time
from pathlib import Path
from typing import Final

from brokers import venue_kinds
from brokers.paper.bars import check_bars
from console.host import paths
from console.host.output import CommandFailed, ExitCode, document, say, text_block
from console.host.place import Host
from engine.config import init_text, show, show_text
from engine.reference.textfile import BadFile
from storage.connection import write_durably

ROUTED: Final = "binance"
"""The broker that the example of a route names in a new file."""


def init(host: Host, *, as_json: bool) -> None:
    """Writes a commented file with every key at its default, and never over a file.

    Raises CommandFailed: a file is there already (4), or it cannot be written (1); then none is
    left, as a part of one would be a config too.
    """
    path = target(host)
    text = init_text(venue_kinds(), example=ROUTED)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            write_durably(handle, text.encode())
        except BaseException:
            path.unlink()
            raise
        finally:
            os.close(handle)
    except FileExistsError:
        raise CommandFailed(
            ExitCode.REFUSED, f"{path} is there already: it is never written over.", "EXISTS"
        ) from None
    except OSError as error:
        raise CommandFailed(
            ExitCode.FAILED, f"{path} cannot be written: {error.strerror or error}.", "UNWRITABLE"
        ) from error
    if as_json:
        document({"ok": True, "path": str(path)})
    else:
        say(f"{path} is written: every key stands at its default.")


def check(host: Host, *, as_json: bool) -> None:
    """Says whether the config, with the files that it names, could start an engine."""
    from console.host import wiring
    from console.host.data_files import read_files
    from console.host.follow import demand_followable

    path = host.config_file()
    config = host.config()
    try:
        read_files(config)
        demand_followable(config)
        if config.market.source == "replay":
            check_bars(Path(config.market.file), not_after=time.time_ns())
    except (BadFile, wiring.SectorFileError) as error:
        words = str(error) if path is None else f"{path}: {error}"
        raise CommandFailed(ExitCode.USAGE, words, "BAD_DATA") from error
    if as_json:
        document({"ok": True, "path": None if path is None else str(path)})
    else:
        say(f"{path or 'The defaults'}: the config is good.")


def effective(host: Host, *, as_json: bool) -> None:
    """Prints what is in force: file, environment, profile; secrets masked."""
    config = host.config()
    if as_json:
        document(show(config))
    else:
        text_block(show_text(config))


def target(host: Host) -> Path:
    """The config file that is written, whether it is there or not. Raises CommandFailed (usage)."""
    if host.config_option is not None:
        return host.config_option
    named = host.environ.get("MERIDIAN_CONFIG")
    try:
        return Path(named) if named else paths.default_config_file()
    except paths.PathError as error:
        raise CommandFailed(ExitCode.USAGE, str(error), "CONFIG") from error
