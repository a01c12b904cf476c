"""The exit code of one command's work (INTERFACE)."""

import sys
from collections.abc import Callable

from console.host.output import CommandFailed, ExitCode, failure, warn
from console.host.place import Host


def outcome(host: Host, as_json: bool, work: Callable[[Host], int | None]) -> int:
    """Run `work` on a host; returns how it ended.

    With `as_json` a failure is a document on stdout besides the sentence on stderr.
    """
    try:
        code = work(host) or ExitCode.DONE
        sys.stdout.flush()
    except CommandFailed as failed:
        failure(failed, as_json=as_json)
        code = failed.exit_code
    except KeyboardInterrupt:
        warn("Interrupted.")
        code = ExitCode.FAILED
    return int(code)
