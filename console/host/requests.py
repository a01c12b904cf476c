"""The lines that clients send to the control socket, and what a kill in a bad line asks for."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from engine.domain.run import Flatten, Halt
from engine.domain.text import clean_text

KILL: Final = "kill"

_NAMES_KILL: Final = re.compile(rb'(?<!\\)"command"\s*:\s*"\s*kill\s*"', re.IGNORECASE)
"""A kill in a line that no reader gets to the end of."""


class CommandError(Exception):
    """A command that was not done: a stable code and one sentence."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Request(msgspec.Struct):
    """A line a client sent."""

    command: str
    id: int | str | None = None
    args: dict[str, Any] = {}
    notice: bool = False
    """Whether a line `{"id", "begun": true}` is wanted before the answer, once the loop has begun
    it: what was not begun by then need not be waited for."""


class ReadRequest(msgspec.Struct, frozen=True):
    """A request, and `fault`: what of its line could not be read, where it is a kill all the same
    (X-52); else ""."""

    request: Request
    fault: str = ""


class _Named(msgspec.Struct):
    """What a line must have to be a kill, whatever else is in it."""

    command: str
    id: msgspec.Raw = msgspec.Raw(b"null")
    args: msgspec.Raw = msgspec.Raw(b"{}")


def read(line: bytes) -> ReadRequest:
    """The request of a line. Raises CommandError for one that is none, and is no kill either."""
    try:
        request = msgspec.json.decode(line, type=Request)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        why = clean_text(str(error), 200)
        kill = _kill_of(line)
        if kill is None:
            text = f'{why}: one object a line is allowed, {{"id", "command", "args"}}'
            raise CommandError("INVALID_INPUT", text) from error
        return ReadRequest(kill, why)
    if request.command != KILL and request.command.strip().lower() == KILL:
        fault = f'"{clean_text(request.command, 32)}" is no command: kill is'
        return ReadRequest(msgspec.structs.replace(request, command=KILL), fault)
    return ReadRequest(request)


def halt_of(found: ReadRequest, ask: Callable[[Mapping[str, Any]], Halt]) -> tuple[Halt, str]:
    """The latch that a kill asks for, and what of the line could not be read, "" where all could.

    Whoever asks for a kill wants it to halt, however the rest is spelled: then it closes nothing
    (X-52). `ask` makes the latch of the arguments, and raises CommandError where they are wrong.
    """
    args, fault = found.request.args, found.fault
    if not fault:
        try:
            return ask(args), ""
        except CommandError as error:
            fault = str(error)
        except Exception as error:  # nothing in the arguments of a kill keeps it from halting
            fault = f"the arguments cannot be read: {clean_text(str(error), 200)}"
    said = {name: args[name] for name in ("reason", "by") if isinstance(args.get(name), str)}
    return ask({**said, "flatten": Flatten.NONE.value}), fault


def _kill_of(line: bytes) -> Request | None:
    """The kill that a line names which is no request; None where it names none."""
    try:
        named = msgspec.json.decode(line, type=_Named)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Request(KILL) if _NAMES_KILL.search(line) else None
    if named.command.strip().lower() != KILL:
        return None
    return Request(KILL, _part(named.id, int | str | None), _part(named.args, dict[str, Any]) or {})


def _part(raw: msgspec.Raw, kind: Any) -> Any:
    """A part of the line as its kind; None where it is of another."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
