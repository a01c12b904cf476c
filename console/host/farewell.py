"""What is said when the console ends and the engine goes on: where it is and how to reach it."""

import logging
import os
import shlex
from pathlib import Path

from console.host import logs
from console.host.place import program

_log = logging.getLogger("console.host.farewell")


def farewell(folder: Path, why: str) -> str:
    """The lines that say that the engine goes on, and how to reach it."""
    where = f"{program()} --state-dir {shlex.quote(str(folder))}"
    lines = (
        f"{why}: the engine goes on without it, as process {os.getpid()}.",
        f"  what it does:     {where} status",
        f"  halt and flatten: {where} kill",
        "  end it in order, protective stops stay at the broker:",
        f"                    {where} stop",
        f"  a new console:    end it in order, then {where}",
    )
    _log.warning("%s", lines[0])
    return "\n".join(lines) + "\n"


def tell(text: str) -> None:
    """Writes to stderr, and never waits for a reader."""
    try:
        target = logs.StderrTarget()
    except OSError:
        return  # there is no stderr any more
    target.put(text.encode("utf-8", "backslashreplace"))
    target.close(0.5)
