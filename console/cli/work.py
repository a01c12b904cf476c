"""One command's work on the host of the global options."""

from collections.abc import Callable

import typer

from console.cli.outcome import outcome
from console.host.place import Host


def do(ctx: typer.Context, as_json: bool, work: Callable[[Host], int | None]) -> None:
    """Run `work` on the host of the global options. Raises typer.Exit unless it was done.

    With `as_json` a failure is a document on stdout besides the sentence on stderr.
    """
    code = outcome(ctx.obj, as_json, work)
    if code:
        raise typer.Exit(code)
