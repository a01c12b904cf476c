"""The locks of the accounts that a config opens: what an engine, or a command at work, holds.

An account at a real venue is locked by the name that the config gives it before anything is asked
there, and by the id that its venue answers at the connect (`console.host.claims`). Paper accounts
of this process share the lock of their state folder.
"""

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from console.host import paths
from console.host.claims import GATHER_SECONDS, Claims
from console.host.locks import (
    AccountHeld,
    AccountLock,
    Holder,
    LockError,
    Work,
    holder,
    not_lockable,
)
from console.host.output import CommandFailed, ExitCode, warn
from console.host.place import Host
from console.host.shadow import as_traded
from console.host.whereabouts import under_another_name
from engine.config import Config, account_id, opened


def account_locks(host: Host, config: Config, folder: Path, work: Work = Work.ENGINE) -> ExitStack:
    """The locks of every account, or none; `work` is what they are for.

    Raises CommandFailed: one is held (5), or failed.
    """
    with ExitStack() as locks:
        try:
            if why := not_lockable(folder):
                warn(
                    f"{folder} cannot be locked itself: {why}; only the files in "
                    f"{paths.lock_dir(host.environ)} keep a second engine away, so leave them there"
                )
            for path in lock_files(host, config, folder):
                locks.enter_context(AccountLock.acquire(path, state_dir=folder, work=work))
            # A folder that was moved under its engine is still the one that it works on.
            for path, one in under_another_name(paths.lock_dir(host.environ), folder).items():
                raise AccountHeld(path, one)
        except AccountHeld as held:
            raise CommandFailed(ExitCode.HELD, str(held), "HELD") from held
        except LockError as error:
            raise CommandFailed(ExitCode.FAILED, str(error), "LOCK") from error
        return locks.pop_all()


def claims_of(
    host: Host,
    config: Config,
    folder: Path,
    work: Work = Work.ENGINE,
    *,
    gather_seconds: float = GATHER_SECONDS,
) -> Claims:
    """The locks of the real accounts by the ids that their venues will answer; none is had yet, and
    in mode shadow none ever is.

    `work` and `gather_seconds` are as in `Claims`. Raises CommandFailed where there is no folder
    for them.
    """
    try:
        locks = paths.lock_dir(host.environ)
        return Claims(locks, as_traded(config), folder, work=work, gather_seconds=gather_seconds)
    except paths.PathError as error:
        raise CommandFailed(ExitCode.FAILED, str(error), "LOCK") from error


def lock_files(host: Host, config: Config, folder: Path) -> tuple[Path, ...]:
    """What an engine on this state folder locks, in the one order in which it is taken.

    It is a file for each account and then the folder itself, where it is there and the system
    can lock folders.

    A paper account in another process is one account for every state folder that names it; those
    of this process share the lock of their folder. In mode shadow no other account is touched, and
    none is locked. Raises CommandFailed.
    """
    config = as_traded(config)
    try:
        locks = paths.lock_dir(host.environ)
        found = set()
        for name in opened(config):
            address = config.brokers.address_of(name)
            kind, where = config.brokers.kind_of(name), Path(address) if address else folder
            found.add(paths.account_lock_file(locks, kind, account_id(config, name), where))
    except paths.PathError as error:
        raise CommandFailed(ExitCode.FAILED, str(error), "LOCK") from error
    itself = (folder,) if folder.is_dir() and not not_lockable(folder) else ()
    return (*sorted(found), *itself)


def trader(locks: Iterable[Path]) -> Holder | None:
    """Who holds one of the locks now. Raises LockError."""
    found = (holder(path) for path in locks)
    return next((one for one in found if one is not None), None)
