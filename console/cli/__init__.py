"""The command line: `main` runs one command. None of its modules imports textual."""

import gc
import sys
from collections.abc import Sequence

from console.host import speech

LOADING = 200_000
"""New objects between two looks for garbage while the program loads, which makes none: at the
usual 700 an eighth of a start is spent looking. An engine sets its own (`settle_collector`)."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; `argv` is the process's own arguments where it is None.

    Returns the exit code of INTERFACE.
    """
    speech.open_missing()
    usual = gc.get_threshold()
    gc.set_threshold(LOADING, *usual[1:])
    from console.cli.plain import plain_start, run

    arguments = sys.argv[1:] if argv is None else argv
    start = plain_start(arguments)
    if start is not None:
        return run(start)
    from console.cli.program import main as any_command

    gc.set_threshold(*usual)
    return any_command(arguments)
