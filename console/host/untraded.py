"""An account that an engine trades is left alone by what only looks at it."""

from console.host import paths
from console.host.locks import LockError, Work, holder
from console.host.output import CommandFailed, ExitCode
from console.host.place import Host
from engine.config import Config, account_id


def demand_untraded(host: Host, config: Config, name: str) -> None:
    """Raises CommandFailed (held) where an engine trades the real account of that name now: venues
    let one program listen, and a second one would push it out."""
    kind = config.brokers.kind_of(name)
    try:
        locks = paths.lock_dir(host.environ)
        file = paths.account_lock_file(locks, kind, account_id(config, name), host.state_dir)
        held = holder(file)
    except (LockError, paths.PathError) as error:
        raise CommandFailed(ExitCode.FAILED, str(error), "LOCK") from error
    if held is not None and held.work is Work.ENGINE:
        raise CommandFailed(
            ExitCode.HELD,
            f"{held.named} trades the account {name} now, and a second connection could push it "
            "out: stop it first.",
            "HELD",
        )
