"""Which account a kill from outside has before it (C-502): VERIFIED speaks of no other one.

A state folder can be moved or removed under a running engine, or named wrongly. What lies at its
name then is another, empty account.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from brokers.paper.setup import book_name
from console.host.lock_owners import all_with_lock
from console.host.locks import Holder, LockError, holder, holds_an_account, last_holder
from console.host.shadow import as_traded
from console.host.wiring import JOURNAL
from engine.config import Config, opened
from engine.state.book import Book


def folder_of(pid: int) -> Path | None:
    """The folder in which a process has its journal open; None if it is gone or nobody can tell."""
    try:
        names = os.listdir(f"/proc/{pid}/fd")  # noqa: PTH208
    except OSError:
        return None
    for name in names:
        try:
            opened_file = Path(os.readlink(f"/proc/{pid}/fd/{name}"))  # noqa: PTH115
        except OSError:
            continue  # closed while we looked
        if opened_file.name == JOURNAL and opened_file.exists():
            return opened_file.parent
    return None


def place_of(held: Holder, folder: Path) -> tuple[Path | None, str]:
    """The state folder of who holds the accounts of `folder`, wherever it is by now, and a sentence
    where that is not `folder`; None where it is gone."""
    place = folder_of(held.pid)
    if place is None and not (folder / JOURNAL).exists():
        return None, f"process {held.pid} holds the accounts, and its journal is not in {folder}"
    if place is None or place == folder:
        return folder, ""
    return place, f"process {held.pid} holds the accounts; its state folder is {place} by now"


def locked_by_others(folder: Path) -> bool:
    """Whether all who have a lock on that state folder are known, and none of them is an engine.

    Anybody may lock a folder, as `flock FOLDER backup` does: that is no account lock, and whoever
    has it trades nothing.
    """
    try:
        found = all_with_lock(folder.stat())
    except OSError:
        return False
    return bool(found) and not any(holds_an_account(p) or folder_of(p) == folder for p in found)


def was_used(locks: Iterable[Path], folder: Path) -> bool:
    """Whether an engine has held one of the locks for that state folder, whether it does or not."""
    return any(
        found is not None and found.state_dir == str(folder)
        for found in (last_holder(path) for path in locks)
    )


def under_another_name(locks: Path, folder: Path) -> dict[Path, Holder]:
    """Held locks of processes that keep their journal in `folder`, by whatever name they know it.

    `locks` is the folder of account locks. One whose state folder was moved here holds the lock of
    the old name; this process's own locks are not among them.
    """
    found = {}
    for path in sorted(locks.glob("*.lock")):
        try:
            one = holder(path)
        except LockError:
            continue  # it shuts nobody out
        if one is not None and one.pid != os.getpid() and folder_of(one.pid) == folder:
            found[path] = one
    return found


def books(config: Config, folder: Path) -> Mapping[str, Path]:
    """The book of each account that is kept in the state folder alone, by the account's name."""
    config = as_traded(config)
    return {
        name: folder / book_name(name)
        for name in opened(config)
        if config.brokers.kind_of(name) == "paper" and not config.brokers.address_of(name)
    }


def unidentified(
    config: Config, folder: Path, *, used: bool, known: Book | None
) -> Mapping[str, str]:
    """The accounts of which nothing can be proved, since their book is not there: why, by name.

    `used` says that an engine has worked on this folder; `known` is what the journal tells. Where
    neither knows of the account it is a new one, and holds nothing.
    """
    told = {} if known is None else known.data.accounts
    return {
        name: f"{book} is not there: what the account held is not known"
        for name, book in books(config, folder).items()
        if not book.exists() and (used or name in told)
    }
