"""The commands of the engine on the command line, made from the table of commands.

An argument is taken as text and sent as it was written: the engine judges it, and its sentence is
printed.
"""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

import typer

from console.cli.work import do
from console.commands.model import CLI, CommandLine, CommandSpec, OnCommandLine
from console.commands.table import SERVED
from console.host.place import Host

JSON: Final = "One JSON document on stdout."
JSON_LINES: Final = "One JSON document a line on stdout, one for each row."

Field = dataclasses.Field[Any]
Run = Callable[[Host, dict[str, Any], bool], int | None]
"""What does a line: the host, the arguments that were given, and whether JSON is wanted."""


def add_lines(parents: Mapping[tuple[str, ...], typer.Typer]) -> None:
    """Add every line of the table to the app of the words before its last one."""
    for command in SERVED.values():
        for line in command.lines:
            settings = {"ignore_unknown_options": True} if line.any_word else None
            parents[line.path[:-1]].command(
                line.path[-1], help=line.words, context_settings=settings
            )(_function(command, line))


def _function(command: CommandSpec, line: CommandLine) -> Callable[..., None]:
    """The function behind a line, with the signature that typer reads its arguments from."""
    taken = [field for field in command.arguments if _is_taken(field, line)]
    only_prints = command.question or line.only_prints

    def function(ctx: typer.Context, as_json: bool, **values: Any) -> None:
        _demand_either(command, values)
        given = dict(line.stands_for)
        for field in taken:
            if values[field.name] != field.default:
                given[field.name] = values[field.name]
        acts = not only_prints or line.acts_with in given
        run = _RUNS.get(line.path)
        if run is None:
            do(ctx, as_json, lambda host: _ask(host, command.name, given, as_json), acts=acts)
        else:
            do(ctx, as_json, lambda host: run(host, given, as_json), acts=acts)

    parameters = [
        _parameter("ctx", typer.Context),
        *map(_argument, taken),
        _parameter(
            "as_json",
            Annotated[bool, typer.Option("--json", help=JSON_LINES if line.lists else JSON)],
            default=False,
        ),
    ]
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    function.__annotations__ = {made.name: made.annotation for made in parameters}
    return function


def _is_taken(field: Field, line: CommandLine) -> bool:
    return CLI in field.metadata and (line.takes is None or field.name in line.takes)


def _argument(field: Field) -> inspect.Parameter:
    """The parameter of an argument: a flag, or a text that may be missing if it has a default."""
    shown: OnCommandLine = field.metadata[CLI]
    words, metavar = shown.words or None, shown.metavar or None
    needed = shown.needed or field.default is dataclasses.MISSING
    kind: Any = bool if field.type is bool else str
    if kind is str and not needed and field.default is None:
        kind = str | None
    if shown.positional:
        info: Any = typer.Argument(help=words, metavar=metavar)
    elif kind is bool:
        info = typer.Option(f"--{field.name}", help=words)
    else:
        info = typer.Option(help=words, metavar=metavar)
    default = inspect.Parameter.empty if needed else field.default
    return _parameter(field.name, Annotated[kind, info], default=default)


def _parameter(
    name: str, annotation: Any, *, default: Any = inspect.Parameter.empty
) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


def _demand_either(command: CommandSpec, values: Mapping[str, Any]) -> None:
    if command.either is None:
        return
    one, everything = command.either
    if (values[one] is None) is not values[everything]:
        raise typer.BadParameter(f"give either {one.upper()} or --{everything}.")


# --- how each is done; a module loads only when it is needed --------------------------------------


def _ask(host: Host, name: str, given: dict[str, Any], as_json: bool) -> None:
    from console.cli import operate

    operate.ask(host, name, given, as_json=as_json)


def _status(host: Host, given: dict[str, Any], as_json: bool) -> int:
    from console.cli import operate

    return operate.status(host, as_json=as_json)


def _kill(host: Host, given: dict[str, Any], as_json: bool) -> int:
    from console.cli import killing

    return killing.kill(host, given, as_json=as_json)


def _stop(host: Host, given: dict[str, Any], as_json: bool) -> None:
    from console.cli import stopping

    stopping.stop(host, as_json=as_json)


def _resume(host: Host, given: dict[str, Any], as_json: bool) -> None:
    from console.cli import operate

    operate.resume(host, given, as_json=as_json)


def _signal(host: Host, given: dict[str, Any], as_json: bool) -> None:
    from console.cli import operate

    operate.signals(host, given["signal"])


def _order(host: Host, given: dict[str, Any], as_json: bool) -> None:
    from console.cli import operate

    operate.order(host, given, as_json=as_json)


def _letters(host: Host, given: dict[str, Any], as_json: bool) -> None:
    from console.cli import history

    history.letters(host, as_json=as_json)


_RUNS: Final[Mapping[tuple[str, ...], Run]] = {
    ("status",): _status,
    ("kill",): _kill,
    ("stop",): _stop,
    ("resume",): _resume,
    ("signal",): _signal,
    ("order",): _order,
    ("dead-letters", "list"): _letters,
}
"""Lines that do more than ask the engine and print its answer."""
