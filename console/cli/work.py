"""One command's work, and the exit code of how it ended (INTERFACE)."""

import sys
from collections.abc import Callable

import typer

from console.host.output import CommandFailed, ExitCode, failure, warn
from console.host.place import Host


def do(ctx: typer.Context, as_json: bool, work: Callable[[Host], int | None]) -> None:
    """Run `work` on the host of the global options. Raises typer.Exit unless it was done.

    With `as_json` a failure is a document on stdout besides the sentence on stderr.
    """
    try:
        code = work(ctx.obj) or ExitCode.DONE
        sys.stdout.flush()
    except CommandFailed as failed:
        failure(failed, as_json=as_json)
        code = failed.exit_code
    except KeyboardInterrupt:
        warn("Interrupted.")
        code = ExitCode.FAILED
    if code:
        raise typer.Exit(int(code))
