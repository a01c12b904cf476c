"""A kill that could not be read: who types it in panic gets the latch all the same (X-52)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from console.cli.killing import kill
from console.cli.outcome import outcome
from console.host.place import Host

_KILL: Final = "kill"
_VALUES: Final = ("--config", "--state-dir")
_HELP: Final = frozenset({"help", "man", "-h", "--help", "-help"})
"""Words of who wants to read about a command, and not to give it."""


def asks_to_kill(
    arguments: Sequence[str], commands: frozenset[str], with_value: frozenset[str]
) -> bool:
    """Whether a line that is no command of ours has `kill` for its command, in letters of any size.

    That is so where no other one of `commands` stands before it, nor a word that asks for help, and
    no option that does behind it; the word after an option of `with_value` is its value.
    """
    words = iter(arguments)
    for word in words:
        if word in with_value and word != arguments[-1]:
            next(words, None)
        elif word.lower().lstrip("-") == _KILL:
            return not any(rest.startswith("-") and rest in _HELP for rest in words)
        elif word in commands or word.lower() in _HELP:
            return False
    return False


def halted(arguments: Sequence[str], why: str) -> int:
    """Halt, close nothing, and say what could not be read; returns the exit code (usage).

    `arguments` have the global options in front (`console.cli.program.hoisted`); `why` is the
    sentence of the usage error.
    """
    given = _given(arguments)
    host = Host(given.get("--config"), given.get("--state-dir"))
    as_json = "--json" in arguments
    return outcome(host, as_json, lambda host: kill(host, {}, as_json=as_json, why=why), acts=True)


def _given(arguments: Sequence[str]) -> dict[str, Path]:
    """The config file and the state folder that the line names."""
    found = {}
    for place, word in enumerate(arguments):
        name, equals, value = word.partition("=")
        if name in _VALUES:
            value = value if equals else next(iter(arguments[place + 1 :]), "")
            if value:
                found[name] = Path(value)
    return found
