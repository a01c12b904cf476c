"""Who holds a flock, as the system tells it; what stands in a lock file is believed only with it.

Only Linux tells, in /proc. Elsewhere nobody is ever proved to hold a lock, and nothing is found
that has lost its name.
"""

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

HAS_PROC: Final = sys.platform == "linux"

_LOCKS: Final = Path("/proc/locks")
_LONGEST: Final = 8_192
"""Bytes of a lock file; a larger one is none."""


def holds(pid: int, file: os.stat_result) -> bool:
    """True if the process has a descriptor of that file or folder with an exclusive flock on it."""
    return any(
        os.path.samestat(found, file) and _is_locked(pid, name) for name, found in _descriptors(pid)
    )


def owner(file: os.stat_result) -> int | None:
    """The process that holds an exclusive flock on that file or folder; None if nobody can tell."""
    return next((pid for pid in _lockers() if holds(pid, file)), None)


def all_with_lock(file: os.stat_result) -> tuple[int, ...]:
    """Every process that has a flock of any kind on that folder, taken or inherited.

    Those of other users cannot be seen.
    """
    if not HAS_PROC:
        return ()
    pids = (int(name) for name in os.listdir("/proc") if name.isdecimal())  # noqa: PTH208
    return tuple(pid for pid in pids if _shares(pid, file))


def locked_files() -> Iterator[tuple[int, os.stat_result, bytes]]:
    """Each process with an exclusive flock on a plain file, that file, and what it holds.

    Files that were deleted or renamed are among them: the lock holds as long as its process.
    """
    for pid in _lockers():
        for name, found in _descriptors(pid):
            small = stat.S_ISREG(found.st_mode) and 0 < found.st_size <= _LONGEST
            if small and _is_locked(pid, name):
                try:
                    content = Path(f"/proc/{pid}/fd/{name}").read_bytes()
                except OSError:
                    continue  # closed while we looked
                yield pid, found, content


def _lockers() -> tuple[int, ...]:
    """The processes that took an exclusive flock."""
    if not HAS_PROC:
        return ()
    try:
        lines = _LOCKS.read_text().splitlines()
    except OSError:
        return ()
    # "1: FLOCK  ADVISORY  WRITE 7628 fe:00:2148785 0 EOF"; one that waits for it has "->" there.
    fields = (line.split() for line in lines)
    taken = {f[4] for f in fields if len(f) > 4 and f[1] == "FLOCK" and f[3] == "WRITE"}
    return tuple(sorted(int(pid) for pid in taken if pid.isdecimal() and pid != "0"))


def _descriptors(pid: int) -> Iterator[tuple[str, os.stat_result]]:
    try:
        names = os.listdir(f"/proc/{pid}/fd")  # noqa: PTH208
    except OSError:
        return  # it has ended, or is another user's
    for name in names:
        try:
            yield name, os.stat(f"/proc/{pid}/fd/{name}")  # noqa: PTH116
        except OSError:
            continue  # closed while we looked


def _shares(pid: int, file: os.stat_result) -> bool:
    return any(
        os.path.samestat(found, file) and "FLOCK" in _info(pid, name)
        for name, found in _descriptors(pid)
    )


def _is_locked(pid: int, descriptor: str) -> bool:
    """True if the kernel lists a flock on that descriptor (a process that only looks has none)."""
    info = _info(pid, descriptor)
    return "FLOCK" in info and "WRITE" in info


def _info(pid: int, descriptor: str) -> str:
    try:
        return Path(f"/proc/{pid}/fdinfo/{descriptor}").read_text()
    except OSError:
        return ""  # closed while we looked
