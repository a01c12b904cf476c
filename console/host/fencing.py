"""The fence: who holds an account is ended, and its lock is ours (C-503, X-52).

An engine that does not answer is ended. Another command that holds the account, a kill or a reset,
ends by itself: ended in its midst, a kill leaves an order of which nobody knows whether it filled.
It is waited for, and ended only where it gives no sign of life any more or goes on without end.
"""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from console.host.locks import AccountHeld, AccountLock, Holder, Work, holder, last_sign
from console.host.output import warn

SILENT_SECONDS: Final = 10.0
"""A command that has given no sign of life for so long hangs."""

LONGEST_SECONDS: Final = 120.0
"""No command that holds an account takes so long, at a venue that cannot be reached either."""

_PAUSE: Final = 0.005
_LOOK: Final = 0.1


class FenceFailed(Exception):  # noqa: N818 - what is the case
    """The holder could not be ended, or the lock is still held: there may be a second writer."""


class Patience:
    """How long a kill waits for who holds an account before it ends that process."""

    def __init__(
        self,
        seconds: float,
        *,
        silent_seconds: float = SILENT_SECONDS,
        longest_seconds: float = LONGEST_SECONDS,
    ) -> None:
        """`seconds` from now is what an engine has. Another command has `longest_seconds` from when
        it is first seen, and at most `silent_seconds` after its last sign of life."""
        self._grace = seconds
        self._ends = time.monotonic() + seconds
        self._silent = silent_seconds
        self._longest = longest_seconds
        self._seen: dict[int, float] = {}
        self._signs: dict[int, tuple[int, float]] = {}

    def renewed(self, seconds: float) -> "Patience":
        """The same from now, with so many seconds for an engine."""
        return Patience(seconds, silent_seconds=self._silent, longest_seconds=self._longest)

    @property
    def left(self) -> float:
        """Seconds that an engine still has; 0 where it has had them."""
        return max(self._ends - time.monotonic(), 0.0)

    def waits(self, held: Holder, path: Path) -> bool:
        """Whether the holder of the lock at `path` is still to be waited for.

        That another command is waited for is told to a person once. An engine that takes the
        account after it has all of its time.
        """
        if held.work is Work.ENGINE:
            return self.left > 0
        now = time.monotonic()
        if held.pid not in self._seen:
            warn(f"{held.named} is at work on these accounts: it is waited for")
            self._seen[held.pid] = now
        sign = last_sign(held, path)
        before, since = self._signs.get(held.pid, (None, now))
        if sign != before:
            since = now
            self._signs[held.pid] = sign, since
        self._ends = now + self._grace
        return now - since < self._silent and now - self._seen[held.pid] < self._longest


def fence(
    path: Path, *, state_dir: Path, patience: Patience, timeout_seconds: float = 5.0
) -> tuple[AccountLock, Holder | None]:
    """Ends the process that holds the lock and takes it for a kill; returns it and who was ended.

    None was ended where the lock was free. Another command at work is waited for as long as
    `patience` says; an engine is ended at once. The process is killed only while it is proved to be
    the holder, and the lock is ours before this returns: never two writers. A holder that a
    supervisor starts again at once is ended too. Raises FenceFailed when the lock is not ours after
    `timeout_seconds`, the wait not counted: then nothing may be written in its name.
    """
    deadline = time.monotonic() + timeout_seconds
    ended: Holder | None = None
    while True:
        try:
            return AccountLock.acquire(path, state_dir=state_dir, work=Work.KILL), ended
        except AccountHeld as held:
            if held.pid == os.getpid():
                raise FenceFailed(f"{path} is held by this process itself.") from held
            found = held.holder
            if found is not None and found.work is not Work.ENGINE and patience.waits(found, path):
                deadline = time.monotonic() + timeout_seconds
                time.sleep(_LOOK)
            elif found is not None and _kill(found.pid, path):
                ended = found
            if time.monotonic() >= deadline:
                raise FenceFailed(
                    f"{held} It was not free after {timeout_seconds:g} s of trying to end its "
                    "holder."
                ) from held
        time.sleep(_PAUSE)


def _kill(pid: int, path: Path) -> bool:
    """SIGKILL to `pid` if it is proved to hold the lock; a descriptor pins it against reuse."""
    if not hasattr(os, "pidfd_open"):
        found = holder(path)
        if found is None or found.pid != pid:
            return False
        return _signalled(path, pid, lambda: os.kill(pid, signal.SIGKILL))
    try:
        pinned = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        found = holder(path)
        if found is None or found.pid != pid:
            return False
        return _signalled(path, pid, lambda: signal.pidfd_send_signal(pinned, signal.SIGKILL))
    finally:
        os.close(pinned)


def _signalled(path: Path, pid: int, send: Callable[[], None]) -> bool:
    try:
        send()
    except ProcessLookupError:
        return False
    except PermissionError as error:
        raise FenceFailed(
            f"Process {pid} holds {path} and may not be ended by this user."
        ) from error
    return True
