"""The locks of accounts at real venues, by the ids that their venues answer (C-201, C-503).

A config need not state the id of a test account, so that two engines may be at one account under
two names. Which account it is, the venue says at each connect; before anything is sent there, its
lock is taken by kind, environment and id. The lock by name (`console.host.account_locks`) stays: it
keeps a second engine out without asking any venue.
"""

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from console.host.locks import AccountHeld, AccountLock, LockError, Work
from console.host.paths import answered_lock_file
from engine.config import Config, opened
from engine.config.venue import RealVenueConfig
from engine.ports import AuthFailed, BrokerError
from engine.runtime.engine import Engine

GATHER_SECONDS: Final = 2.0
"""So long after the first has answered the other accounts of a start are waited for, so that they
are locked in one order; a venue that answers later, or not, keeps nobody longer."""


class HeldElsewhere(Exception):  # noqa: N818 - what is the case
    """Another engine has the account by the id that its venue answers: who, in `held`."""

    def __init__(self, held: AccountHeld, names: Collection[str]) -> None:
        """`names` are those of the account here."""
        super().__init__(str(held))
        self.held = held
        self.names = names


class Claims:
    """The account locks of one engine, or of one kill, by the ids that venues answer.

    The accounts that answer first are taken together: in one order, and all or none. If one that
    answers before the start is over is another engine's, no more is had, and `conflict` says why:
    the start has failed. An account that answers later is refused by itself.
    """

    def __init__(
        self,
        locks: Path,
        config: Config,
        folder: Path,
        *,
        work: Work = Work.ENGINE,
        kept: Collection[Path] = (),
        left: Collection[Path] = (),
        gather_seconds: float = GATHER_SECONDS,
    ) -> None:
        """`locks` is the folder of locks, `folder` the state folder, `work` what they are for.

        `kept` are locks that the caller has, and lets go itself. `left` are those of accounts that
        are left to who holds them: they are refused, and keep back no other.
        """
        self._locks = locks
        self._config = config
        self._folder = folder
        self._work = work
        self._kept = kept
        self._taken: dict[Path, AccountLock] = {}
        self._left = left
        self._seconds = gather_seconds
        names = (name for name in opened(config) if name in config.brokers.names)
        self._awaited = {n for n in names if isinstance(config.brokers.of(n), RealVenueConfig)}
        self._asked: dict[str, Path] = {}
        """Of those that are waited for, the locks that they need."""
        self._all_asked = asyncio.Event()
        self._is_first = True
        self._is_over = False
        """Whether the start is over."""
        self._is_released = False
        """All were given free: what is under way keeps nothing."""
        self._round: asyncio.Task[None] | None = None
        self._owners: dict[Path, str] = {}
        """The account's name, by its lock, of those that are had."""
        self._why: dict[str, str] = {}
        self.refused: dict[str, Path] = {}
        """The locks, by the account's name, that were not had when they were asked for last."""
        self.conflict: AccountHeld | None = None
        """Who holds one of the accounts of this start; None where there is nobody."""

    async def claim(self, name: str, answered: str) -> None:
        """Take the account for this process; see `brokers.VenueSetup.claim`.

        Raises AuthFailed where it is another's, and where two names are one account.
        """
        kind = self._config.brokers.kind_of(name)
        path = answered_lock_file(
            self._locks, kind, self._config.brokers.environment_of(name), answered
        )
        if self._owners.get(path) != name:
            self._asked[name] = path
            if self._awaited <= self._asked.keys():
                self._all_asked.set()
            if self._round is None:
                self._round = asyncio.create_task(self._take(), name="account locks")
            await asyncio.shield(self._round)  # an attempt to connect may be given up meanwhile
        owner = self._owners.get(path)
        if owner is None:
            raise AuthFailed(f"[brokers.{name}], account {answered} at {kind}: {self._why[name]}")
        if owner != name:
            raise AuthFailed(
                f"[brokers.{name}] answers with account {answered} at {kind}, which "
                f"[brokers.{owner}] is already: two names would trade it without knowing of each "
                "other"
            )

    def start_is_over(self) -> None:
        """From now on an account that is another engine's keeps back no other."""
        self._is_over = True

    def release(self) -> None:
        """Give all of them free, and take no more; a second call does nothing."""
        self._is_released = True  # before the rest: a claim may be under way in a thread
        taken, self._taken = self._taken, {}
        self._owners.clear()
        for lock in taken.values():
            lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    async def _take(self) -> None:
        """Take what is asked for until nothing is; the first time, once all have asked."""
        if self._is_first:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._seconds):
                    await self._all_asked.wait()
        while self._asked:
            asked, self._asked = self._asked, {}
            self._is_first = False
            # A process between lock and record is waited for, and the loop must not wait.
            await asyncio.to_thread(self._lock, asked, together=not self._is_over)
        self._round = None

    def _lock(self, asked: Mapping[str, Path], *, together: bool) -> None:
        taken: list[Path] = []
        for path, name in sorted((path, name) for name, path in asked.items()):
            self.refused.pop(name, None)
            if path in self._owners:
                continue  # by another name of this process
            try:
                self._have(path)
            except (AccountHeld, LockError) as error:
                self.refused[name], self._why[name] = path, str(error)
                if together and isinstance(error, AccountHeld) and path not in self._left:
                    self._give_up(asked, taken, error)
                    return
            else:
                self._owners[path] = name
                taken.append(path)

    def _have(self, path: Path) -> None:
        """Raises AccountHeld, or LockError, where the lock cannot be had."""
        if self.conflict is not None:
            raise self.conflict
        if path not in self._kept and not self._is_released:
            self._taken[path] = AccountLock.acquire(path, state_dir=self._folder, work=self._work)
        if self._is_released:
            if (late := self._taken.pop(path, None)) is not None:
                late.release()
            raise LockError("all accounts of this process were given free meanwhile")

    def _give_up(self, asked: Mapping[str, Path], taken: list[Path], held: AccountHeld) -> None:
        """None of them is had, since one of them is held."""
        self.conflict = held
        for path in taken:
            del self._owners[path]
            if path in self._taken:
                self._taken.pop(path).release()
        for name, path in asked.items():
            self.refused[name], self._why[name] = path, str(held)


async def started(engine: Engine, claims: Claims) -> None:
    """Start the engine. Raises HeldElsewhere where one of its accounts is another engine's: it is
    stopped then, and has opened nothing; and what `Engine.start` raises."""
    failure: BrokerError | None = None
    try:
        await engine.start()
    except BrokerError as error:
        failure = error
    if claims.conflict is not None:
        await engine.stop("another engine has one of its accounts")
        held = claims.conflict
        raise HeldElsewhere(held, {n for n, path in claims.refused.items() if path == held.path})
    if failure is not None:
        raise failure
    claims.start_is_over()
