"""A kill without the engine: latch on disk, its process ended, the accounts worked from here.

There is never a second writer: an engine that holds an account lock is ended, another kill is
waited for (`console.host.fencing`), and the locks are ours, before anything is opened. Then the
accounts are worked in this process (`console.host.flattening`).

The latch is set before this is even loaded (`console.host.kill_latch`), and no step waits for a
reader of what is told to a person on the way (`console.host.speech`).
"""

import time
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from brokers import venue_kinds
from console.commands.arguments import KillArgs
from console.host import paths, wiring
from console.host.account_locks import lock_files
from console.host.claims import Claims, HeldElsewhere
from console.host.conversion import convert
from console.host.fencing import FenceFailed, Patience, fence
from console.host.flattening import work_accounts
from console.host.kill_latch import KillLatch, latched
from console.host.locks import AccountHeld, AccountLock, Holder, LockError, Work, holder
from console.host.operations import halt_of
from console.host.output import CommandFailed, warn
from console.host.place import Host
from console.host.shadow import as_traded
from console.host.whereabouts import (
    locked_by_others,
    place_of,
    under_another_name,
    was_used,
)
from engine.config import Config, from_mapping, opened

RETRY_SECONDS: Final = 0.2

ELSEWHERE_SECONDS: Final = 5.0
"""How long an engine has to answer that has an account under another name: nobody asked it yet."""


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
    config = as_traded(config)
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
            latch = _halted(place, args, config)
            latches.append(latch)
            found["latched"] = found["latched"] and latch.written
            files = tuple(dict.fromkeys((*files, *lock_files(host, config, place))))
        again = _asked(files, held, place, ask_again, patience)
        if again is not None:
            return again
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
            elsewhere = _Elsewhere(lambda named: _halted(named, args, config), ask_again, patience)
            locks.enter_context(elsewhere)
            work = partial(work_accounts, config, place or folder, latch, used=used)
            rows = _worked(work, config, paths.lock_dir(host.environ), folder, elsewhere)
            if elsewhere.ended is not None:
                found |= {"fenced": elsewhere.ended.pid, "ended": elsewhere.ended.work.value}
            found["latched"] = all(one.written for one in (*latches, *elsewhere.latches))
            return found | {"brokers": rows}
    except (CommandFailed, FenceFailed, LockError) as error:
        warn(str(error))
    return found


class _Elsewhere:
    """The accounts that another engine has under another name, as only their venues tell (C-201).

    That engine is halted where it runs and the kill put to it; where it does not answer it is
    ended, and the lock of the account is ours until this is left.
    """

    def __init__(
        self,
        halted: Callable[[Path], KillLatch],
        ask_again: Callable[[Path, float], dict[str, Any] | None],
        patience: Patience,
    ) -> None:
        """`halted` sets the latch of a state folder; see `kill_directly` for the others."""
        self._halted = halted
        self._ask_again = ask_again
        self._patience = patience
        self.latches: list[KillLatch] = []
        self.kept: dict[Path, AccountLock] = {}
        self.left: set[Path] = set()
        """The locks of those that are left to who holds them."""
        self.covered: set[str] = set()
        """The accounts, by their names here, that an engine has worked which was asked."""
        self.rows: dict[str, Any] = {}
        """What such an engine has told of its accounts, by their names there."""
        self.ended: Holder | None = None

    def clear(self, held: AccountHeld, names: Collection[str], folder: Path) -> None:
        """Have the account at the lock of `held` worked, or its lock for us; `names` are those of
        the account here, `folder` is the state folder of this kill."""
        path, one = held.path, held.holder
        patience = self._patience.renewed(ELSEWHERE_SECONDS)
        if one is not None:
            place = _place(one, Path(one.state_dir))
            if place is not None:
                self.latches.append(self._halted(place))
            found = _asked((path,), (path, one), place, self._ask_again, patience)
            if found is not None:
                self.covered |= set(names)
                self.left.add(path)
                self.rows |= {
                    name if name not in self.rows else f"{name} of {one.state_dir}": row
                    for name, row in found["brokers"].items()
                }
                return
        try:
            self.kept[path], self.ended = fence(path, state_dir=folder, patience=patience)
        except FenceFailed as error:
            warn(str(error))
            self.left.add(path)
            return
        if self.ended is not None:
            warn(
                f"{', '.join(names)}: what is a day trade there only the journal in "
                f"{self.ended.state_dir} knows"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for lock in self.kept.values():
            lock.release()


def _worked(
    work: Callable[[Callable[[], Claims]], dict[str, Any]],
    config: Config,
    locks: Path,
    folder: Path,
    elsewhere: _Elsewhere,
) -> dict[str, Any]:
    """What the accounts show, by name: each worked here, or by the engine that has it.

    Nothing is sent to one before it is ours, and what was begun is stopped in order and begun anew
    where one is found to be another engine's.
    """
    rows: dict[str, Any] = {}
    while set(opened(config)) - elsewhere.covered:
        claims = partial(
            Claims,
            locks,
            config,
            folder,
            work=Work.KILL,
            kept=elsewhere.kept,
            left=elsewhere.left,
        )
        try:
            rows = work(claims)
            break
        except HeldElsewhere as found:
            elsewhere.clear(found.held, found.names, folder)
    told = {name: row for name, row in rows.items() if name not in elsewhere.covered}
    return told | {
        name if name not in told else f"{name} elsewhere": row
        for name, row in elsewhere.rows.items()
    }


def _asked(
    files: tuple[Path, ...],
    held: tuple[Path, Holder] | None,
    place: Path | None,
    ask_again: Callable[[Path, float], dict[str, Any] | None],
    patience: Patience,
) -> dict[str, Any] | None:
    """Wait for who holds one of the locks, and put the kill to the engine in `place`: its answer.

    None where the locks are free or it gave none, which is told: it is to be ended then.
    """
    while held is not None and patience.waits(held[1], held[0]):
        if held[1].work is Work.ENGINE and place is not None:
            again = ask_again(place / wiring.SOCKET, patience.left)
            if again is not None:
                return again
        time.sleep(RETRY_SECONDS)
        held = _held(files)
    if held is not None:
        warn(f"{held[1].named} does not answer: it is ended now")
    return None


def _halted(folder: Path, args: Mapping[str, Any], config: Config) -> KillLatch:
    """The latch of another state folder, set as far as this kill goes."""
    latch = latched(folder, args)
    latch.raise_to(halt_of(convert(args, KillArgs), config))
    return latch


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
