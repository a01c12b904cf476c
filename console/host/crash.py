"""What a command says of an error that nobody foresaw: one sentence, and a file for the rest."""

import contextlib
import os
import tempfile
import time
import traceback
from pathlib import Path
from typing import Final

from console.host.output import CommandFailed, ExitCode
from console.host.place import Host
from engine.domain.text import clean_text

CODE: Final = "INTERNAL"


def crashed(error: BaseException, host: Host | None = None) -> CommandFailed:
    """The failure that `error` is, its details written to a file as far as there is room for one.

    The file lies in the state folder of `host` where that is there, else in the folder for
    temporary files; it is this user's alone, and shows no locals and no known secret.
    """
    what = clean_text(f"{type(error).__name__}: {error}", 300)
    where = _written(error, host)
    rest = f"the details are in {where}" if where else "its details could not be written anywhere"
    text = f"This command met an error that nobody foresaw ({CODE}: {what}); {rest}."
    return CommandFailed(ExitCode.FAILED, text, CODE)


def _written(error: BaseException, host: Host | None) -> Path | None:
    folders = []
    with contextlib.suppress(Exception):  # whatever is wrong with it, there is another one
        if host is not None and host.state_dir.is_dir():
            folders.append(host.state_dir)
    with contextlib.suppress(OSError):
        folders.append(Path(tempfile.gettempdir()))
    for folder in folders:
        try:
            content = _details(error)
            name = f"meridian-error-{time.time_ns()}-{os.getpid()}.txt"
            path = folder / name
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            handle = os.open(path, flags, 0o600)
        except OSError:
            continue
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
        except OSError:
            with contextlib.suppress(OSError):
                path.unlink()  # a part of it tells nobody anything
            continue
        return path
    return None


def _details(error: BaseException) -> bytes:
    """The traceback as the log would show it."""
    from console.host.secrets import KNOWN

    trace = KNOWN.redact("".join(traceback.format_exception(error)))
    lines = [clean_text(line, 2_000) for line in trace.splitlines()]
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")
