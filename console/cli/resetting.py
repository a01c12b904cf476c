"""`reset`: a paper account begins afresh; what was is set aside and nothing of it is lost."""

import datetime
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from console.host.output import CommandFailed, ExitCode, document, say
from console.host.place import Host
from engine.config import Config, kept_elsewhere
from engine.domain.run import Mode

CONFIRM: Final = "RESET"

_OURS: Final = (
    *("journal.db*", "paper.db*", "paper-*.db*", "HALT*", ".HALT*", "control.sock*"),
    *("meridian.log*", "meridian-error-*.txt", "signals.position*"),
)
"""What the engine and its commands leave in a state folder, by name."""
_LATCH: Final = "HALT"


def reset(host: Host, confirm: str, *, as_json: bool) -> None:
    """Set aside what the state folder holds, beside it and under a dated name.

    Files of somebody else that lie there stay. Raises CommandFailed: not confirmed, not of a paper
    account alone, or of an engine with real money (4); an engine works there (5); or failed.
    """
    from console.host.account_locks import account_locks, lock_files
    from console.host.locks import Work, forget

    folder = host.state_dir
    if confirm != CONFIRM:
        raise _refused(
            f"reset sets everything in {folder} aside: positions, orders, history and halt of the "
            f"paper account; it needs --confirm {CONFIRM}",
            "NOT_CONFIRMED",
        )
    host.demand_folder()
    config = host.config()
    demand_paper(config)
    if not folder.exists():
        _tell(folder, None, [], as_json=as_json)
        return
    with account_locks(host, config, folder, Work.RESET):
        _demand_paper_journal(folder)
        aside, kept = _set_aside(folder)
        # A kill need not ask any more what the account of this name held.
        for path in lock_files(host, config, folder):
            forget(path)
    _tell(folder, aside, kept, as_json=as_json)


def _refused(text: str, code: str) -> CommandFailed:
    return CommandFailed(ExitCode.REFUSED, text, code)


def demand_paper(config: Config) -> None:
    """Raise where more than paper accounts of this machine's own state folder trade."""
    if config.mode is not Mode.PAPER:
        raise _refused(f'mode = "{config.mode}": reset is for paper alone', "MODE")
    for name in kept_elsewhere(config):
        kind, address = config.brokers.kind_of(name), config.brokers.address_of(name)
        where = f"at {kind}" if kind != "paper" else f"in the paper venue at {address}"
        raise _refused(
            f"the account {name} is kept {where}, and would hold afterwards what it holds now: "
            "reset is for paper accounts of the state folder alone",
            "NOT_PAPER",
        )


def _demand_paper_journal(folder: Path) -> None:
    """Raise where the journal tells of another mode than paper, or does not tell."""
    from console.host.wiring import JOURNAL
    from storage.errors import JournalError
    from storage.history import modes

    journal = folder / JOURNAL
    if not journal.exists():
        return
    try:
        others = sorted(modes(journal) - {Mode.PAPER.value})
    except JournalError as error:
        text = f"{error}; so nobody knows whose money it was about: move {folder} away by hand"
        raise _refused(text, "JOURNAL") from error
    if others:
        text = f"{journal} tells of mode {', '.join(others)}: reset is for paper alone"
        raise _refused(text, "MODE")


def _set_aside(folder: Path) -> tuple[Path | None, list[str]]:
    """Move what is ours; returns where to, None if there was nothing, and the names that stayed.

    The latch goes last: what is cut short before that is halted still. Raises CommandFailed.
    """
    try:
        names = sorted(entry.name for entry in folder.iterdir())
        ours = [name for name in names if any(fnmatchcase(name, known) for known in _OURS)]
        kept = [name for name in names if name not in ours]
        if not ours:
            return None, kept
        aside = _made_beside(folder)
        for name in sorted(ours, key=lambda name: (name == _LATCH, name)):
            (folder / name).rename(aside / name)
    except OSError as error:
        text = f"{folder} was not wholly set aside: {error.strerror or error} ({error.filename})"
        raise CommandFailed(ExitCode.FAILED, text, "STATE_DIR") from error
    return aside, kept


def _made_beside(folder: Path) -> Path:
    """A new folder beside this one, named after it and the time (UTC). Raises OSError."""
    now = datetime.datetime.now(datetime.UTC)  # a name for people, not a time of the engine's
    for name in _dated(f"{folder.name}.{now:%Y%m%dT%H%M%SZ}"):
        beside = folder.with_name(name)
        try:
            beside.mkdir(mode=0o700)
        except FileExistsError:
            continue
        return beside
    raise AssertionError("names do not run out")


def _dated(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}-{number}"
        number += 1


def _tell(folder: Path, aside: Path | None, kept: list[str], *, as_json: bool) -> None:
    if as_json:
        shown = None if aside is None else str(aside)
        document({"reset": True, "state_dir": str(folder), "set_aside": shown, "kept": kept})
        return
    if aside is None:
        say(f"There is nothing to set aside in {folder}.")
    else:
        say(f"Set aside: {aside}")
    if kept:
        say(f"Left where they were, being none of ours: {', '.join(kept)}")
    say(f"The next start begins afresh in {folder}.")
