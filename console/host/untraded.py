"""An account at a real venue is kept from engines while it is only looked at."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from console.host import paths
from console.host.account_locks import claims_of
from console.host.locks import AccountHeld, AccountLock, LockError, Work
from console.host.output import CommandFailed, ExitCode
from console.host.place import Host
from engine.config import Config, account_id
from engine.ports import AuthFailed


def untraded(host: Host, config: Config, name: str) -> AccountLock:
    """The lock of the real account of that name, for as long as its venue is asked.

    Venues let one program listen, and a second one would push it out. Raises CommandFailed: held
    where an engine trades the account now or a command is at work on it, else failed.
    """
    kind = config.brokers.kind_of(name)
    try:
        locks = paths.lock_dir(host.environ)
        file = paths.account_lock_file(locks, kind, account_id(config, name), host.state_dir)
        return AccountLock.acquire(file, state_dir=host.state_dir, work=Work.DOCTOR)
    except (LockError, paths.PathError) as error:
        raise CommandFailed(ExitCode.FAILED, str(error), "LOCK") from error
    except AccountHeld as held:
        raise _held(held, name) from held


@contextmanager
def untraded_there(
    host: Host, config: Config, name: str
) -> Iterator[Callable[[str, str], Awaitable[None]]]:
    """The same, and what takes the lock by the id that the venue answers at the connect
    (`brokers.VenueSetup.claim`): an engine may have the account under another name (C-201)."""
    claims = claims_of(host, config, host.state_dir, Work.DOCTOR, gather_seconds=0)
    with untraded(host, config, name), claims:
        try:
            yield claims.claim
        except AuthFailed as error:
            if claims.conflict is None:
                raise
            raise _held(claims.conflict, name) from error


def _held(held: AccountHeld, name: str) -> CommandFailed:
    """What is said where somebody has the account of that name."""
    if held.holder is None or held.holder.work is not Work.ENGINE:
        return CommandFailed(ExitCode.HELD, str(held), "HELD")
    return CommandFailed(
        ExitCode.HELD,
        f"{held.holder.named} trades the account {name} now, and a second connection could "
        "push it out: stop it first.",
        "HELD",
    )


def demand_untraded(host: Host, config: Config, name: str) -> None:
    """Raises CommandFailed where `untraded` would now: before a person is asked for anything."""
    untraded(host, config, name).release()
