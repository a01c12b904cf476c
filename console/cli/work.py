"""One command's work on the host of the global options."""

from collections.abc import Callable

import typer

from console.cli.outcome import outcome
from console.host.place import Host


def do(
    ctx: typer.Context, as_json: bool, work: Callable[[Host], int | None], *, acts: bool = False
) -> None:
    """Run `work` on the host of the global options. Raises typer.Exit unless it was done.

    `as_json` and `acts` are those of `console.cli.outcome.outcome`.
    """
    code = outcome(ctx.obj, as_json, work, acts=acts)
    if code:
        raise typer.Exit(code)
