"""An account at a real venue is kept from engines while it is only looked at."""

from console.host import paths
from console.host.locks import AccountHeld, AccountLock, LockError, Work
from console.host.output import CommandFailed, ExitCode
from console.host.place import Host
from engine.config import Config, account_id


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
        if held.holder is None or held.holder.work is not Work.ENGINE:
            raise CommandFailed(ExitCode.HELD, str(held), "HELD") from held
        raise CommandFailed(
            ExitCode.HELD,
            f"{held.holder.named} trades the account {name} now, and a second connection could "
            "push it out: stop it first.",
            "HELD",
        ) from held


def demand_untraded(host: Host, config: Config, name: str) -> None:
    """Raises CommandFailed where `untraded` would now: before a person is asked for anything."""
    untraded(host, config, name).release()
