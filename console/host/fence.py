"""A kill without the engine: latch on disk, its process ended, the accounts worked from here.

There is never a second writer: an engine that holds an account lock is ended, another kill is
waited for (`console.host.fencing`), and the locks are ours, before anything is opened. Then the
accounts are worked in this process (`console.host.flattening`).

The latch is set before this is even loaded (`console.host.kill_latch`), and no step waits for a
reader of what is told to a person on the way (`console.host.speech`).
"""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from brokers import venue_kinds
from console.commands.arguments import KillArgs
from console.host import paths, wiring
from console.host.conversion import convert
from console.host.fencing import FenceFailed, Patience, fence
from console.host.flattening import work_accounts
from console.host.kill_latch import KillLatch, latched
from console.host.locks import Holder, LockError, Work, holder
from console.host.operations import halt_of
from console.host.output import CommandFailed, warn
from console.host.place import Host
from console.host.supervisor import lock_files
from console.host.whereabouts import (
    locked_by_others,
    place_of,
    under_another_name,
    was_used,
)
from engine.config import Config, from_mapping

RETRY_SECONDS: Final = 0.2


def kill_directly(
    host: Host,
    latch: KillLatch,
    args: Mapping[str, Any],
    ask_again: Callable[[Path, float], dict[str, Any] | None],
    patience: Patience,
) -> dict[str, Any]:
    """The document of a kill that the engine's loop did not acknowledge, and `ended`: what was
    ended where a process was.

    `latch` is set already, in the state folder. `args` are those of KillArgs. `ask_again` puts the
    kill to the engine that listens on a socket, within so many seconds. After `patience` whoever
    holds the accounts is ended.
    """
    folder = host.state_dir
    config, trouble = _config(host)
    latch.raise_to(halt_of(convert(args, KillArgs), config))
    latches = [latch]
    found: dict[str, Any] = {"latched": latch.written, "flatten": latch.halt.flatten.value}
    found |= {"fenced": None, "ended": None, "brokers": {}}
    if trouble is not None:
        warn(f"The config cannot be used, so no broker can be worked from here:\n{trouble}")
        return found
    try:
        files = lock_files(host, config, folder)
        used = was_used(files, folder)
        moved = under_another_name(paths.lock_dir(host.environ), folder)
        files = tuple(dict.fromkeys((*files, *moved)))
        files = _of_engines(files)
        held = _held(files)
        place = folder if held is None else _place(held[1], folder)
        if place is not None and place != folder:
            latch = latched(place, args)
            latch.raise_to(halt_of(convert(args, KillArgs), config))
            latches.append(latch)
            found["latched"] = found["latched"] and latch.written
            files = tuple(dict.fromkeys((*files, *lock_files(host, config, place))))
        while held is not None and patience.waits(held[1], held[0]):
            if held[1].work is Work.ENGINE and place is not None:
                again = ask_again(place / wiring.SOCKET, patience.left)
                if again is not None:
                    return again
            time.sleep(RETRY_SECONDS)
            held = _held(files)
        if held is not None:
            warn(f"{held[1].named} does not answer: it is ended now")
        with ExitStack() as locks:
            for path in _of_engines(files):
                own = path if path == place else folder
                lock, ended = fence(path, state_dir=own, patience=patience)
                locks.enter_context(lock)
                if ended is not None:
                    found |= {"fenced": ended.pid, "ended": ended.work.value}
            for one in latches:
                # A reset that was waited for has set it aside with the rest of the folder.
                one.raise_to(one.halt)
            found["latched"] = all(one.written for one in latches)
            return found | {"brokers": work_accounts(config, place or folder, latch, used=used)}
    except (CommandFailed, FenceFailed, LockError) as error:
        warn(str(error))
    return found


def _of_engines(locks: tuple[Path, ...]) -> tuple[Path, ...]:
    """The locks without the state folders that others than engines have locked: no kill waits for
    them, nor ends them. The locks of the accounts keep every engine away without it."""
    return tuple(path for path in locks if not (path.is_dir() and locked_by_others(path)))


def _held(locks: tuple[Path, ...]) -> tuple[Path, Holder] | None:
    """The first of the locks that is held, and who holds it. Raises LockError."""
    found = ((path, holder(path)) for path in locks)
    return next(((path, one) for path, one in found if one is not None), None)


def _place(held: Holder, folder: Path) -> Path | None:
    """The state folder of who holds the accounts, wherever it is by now; None if it is gone."""
    place, told = place_of(held, folder)
    if told:
        warn(told)
    return place


def _config(host: Host) -> tuple[Config, Exception | None]:
    """The config, or the defaults and why: a kill sets the latch whatever the config says."""
    try:
        return host.config(), None
    except Exception as error:  # whatever is wrong with it, a kill goes on
        return from_mapping({}, None, venue_kinds()), error
