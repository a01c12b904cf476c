"""The command line: `main` runs one command. None of its modules imports textual."""

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; `argv` is the process's own arguments where it is None.

    Returns the exit code of INTERFACE.
    """
    from console.cli.program import main as run

    return run(argv)
