"""`stop`: the orderly end of a running engine (C-504)."""

import os
import select
import signal
import time
from typing import Final

from console.cli.operate import connected, request
from console.host.locks import LockError, Work
from console.host.output import CommandFailed, ExitCode, document, say
from console.host.place import Host

END_SECONDS: Final = 30.0
"""How long an engine may take to end in order."""

LOOK_SECONDS: Final = 0.05


def stop(host: Host, *, as_json: bool) -> None:
    """Ask the engine to end, and wait until its process is gone; says what no stop covers then.

    Raises CommandFailed.
    """
    bare: list[str] = []
    try:
        with connected(host, "stop") as client:
            told = request(client, "stop", {})
            pid, bare = int(told["pid"]), list(told.get("unprotected", ()))
    except CommandFailed as error:
        if error.exit_code is not ExitCode.NOT_RUNNING:
            raise
        pid = _terminated(host, error)
    if not _is_gone(pid, END_SECONDS):
        text = f"Process {pid} did not end within {END_SECONDS:g} s; `kill` works."
        raise CommandFailed(ExitCode.FAILED, text, "NO_ANSWER")
    if as_json:
        document({"stopped": True, "pid": pid, "unprotected": bare})
    else:
        say(f"The engine (process {pid}) has ended: no entry works, protective stops stay.")
        for text in bare:
            say(f"UNPROTECTED: {text}.")


def _terminated(host: Host, error: CommandFailed) -> int:
    """The process of an engine without a control socket (a recording at full speed), told to end.

    Raises `error` where there is none.
    """
    from console.host.account_locks import lock_files, trader

    try:
        # Anybody may lock a folder; the file of an account says who trades it.
        files = lock_files(host, host.config(), host.state_dir)
        held = trader(path for path in files if path != host.state_dir)
    except LockError as fault:
        raise CommandFailed(ExitCode.FAILED, str(fault), "LOCK") from fault
    if held is None or held.work is not Work.ENGINE or held.state_dir != str(host.state_dir):
        raise error
    try:
        os.kill(held.pid, signal.SIGTERM)
    except ProcessLookupError:
        raise error from None
    return held.pid


def _is_gone(pid: int, seconds: float) -> bool:
    """True once the process has ended, False after so many seconds."""
    deadline = time.monotonic() + seconds
    try:
        pinned = os.pidfd_open(pid)
    except AttributeError:
        return _is_gone_elsewhere(pid, deadline)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([pinned], [], [], seconds)[0])
    finally:
        os.close(pinned)


def _is_gone_elsewhere(pid: int, deadline: float) -> bool:
    """As `_is_gone`, on a system that cannot wait for another's child."""
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(LOOK_SECONDS)
    return False
