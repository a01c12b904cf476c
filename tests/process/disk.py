"""A disk that is full for one process: no file takes another byte, but names can be made."""

import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def full(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Full for that process meanwhile (Linux)."""
    most = make_full(process.pid)
    try:
        yield
    finally:
        if process.poll() is None:
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (most, most))


def full_for(command: list[str]) -> list[str]:
    """The command, begun on a full disk."""
    return ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", *command]


def make_full(pid: int) -> int:
    """Full for that process from now on (Linux); the limit that it had."""
    _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, most))
    return most
