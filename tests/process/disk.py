"""A disk that is full for one process: no file takes another byte, but names can be made."""

import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def full(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Full for that process meanwhile (Linux)."""
    _, most = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, most))
    try:
        yield
    finally:
        if process.poll() is None:
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (most, most))


def full_here() -> None:
    """Full for this process and its children."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))
