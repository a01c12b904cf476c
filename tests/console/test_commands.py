"""One table of commands: socket, command line, keys and words all come from it."""

import subprocess
import sys
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import typer

from console.cli import lines
from console.commands.arguments import CancelArgs, KillArgs, OrderArgs
from console.commands.model import (
    Args,
    CommandLine,
    CommandSpec,
    Confirm,
    Danger,
    choices_of,
    given,
)
from console.commands.table import ACTIONS, BY_NAME, COMMANDS, RESOLVE, RESUME, SERVED, UNPROTECT
from console.host.conversion import convert
from console.host.operations import _RULES
from console.host.place import Host
from console.host.requests import CommandError
from engine.domain import commands as ask
from engine.domain.run import Flatten
from engine.intake import operator
from tests.engine.worlds import Built

ON_THE_LINE = {
    "status", "kill", "stop", "resume", "pause", "unpause", "signal", "order", "cancel", "close",
    "protect", "target", "modify", "resolve",
    "reconcile", "dead-letters list", "dead-letters retry", "dead-letters drop",
}  # fmt: skip
"""The commands of INTERFACE that ask an engine."""


def test_every_name_is_declared_once() -> None:
    assert len(BY_NAME) == len(COMMANDS)
    paths = [line.path for command in COMMANDS for line in command.lines]
    assert len(paths) == len(set(paths))
    assert len({action.id for action in ACTIONS}) == len(ACTIONS)
    assert len({action.name for action in ACTIONS}) == len(ACTIONS)


def test_the_command_line_has_what_the_contract_names() -> None:
    assert {" ".join(line.path) for c in COMMANDS for line in c.lines} == ON_THE_LINE


def test_the_socket_does_every_command_that_it_takes_and_no_other() -> None:
    assert set(_RULES) | {"kill"} == set(SERVED)


def test_only_what_stops_or_reduces_counts_as_reducing() -> None:
    assert {c.name for c in COMMANDS if c.reduces} == {"kill", "stop", "pause", "cancel", "close"}


def test_what_is_typed_is_what_the_engine_wants() -> None:
    assert UNPROTECT.phrase == ask.UNPROTECT_WORD
    assert RESOLVE.phrase == ask.RESOLVE_WORD
    assert operator.confirmation(Built().world) == RESUME.phrase
    assert BY_NAME["cancel"].confirm == UNPROTECT
    assert BY_NAME["resume"].confirm == RESUME


def test_a_kill_takes_every_scope_that_the_engine_knows() -> None:
    assert choices_of(KillArgs, "flatten") == tuple(flatten.value for flatten in Flatten)


def test_what_asks_the_engine_is_marked_and_what_only_looks_is_not() -> None:
    asking = {action.id for action in ACTIONS if action.asks}
    assert asking == {
        "kill", "flatten", "pause", "buy", "sell", "close", "modify", "cancel", "cancel-all",
        "reconcile",
    }  # fmt: skip
    assert {a.id for a in ACTIONS if a.danger is not Danger.NONE} <= asking


@pytest.mark.parametrize("name", list(SERVED))
def test_an_argument_that_is_unknown_is_refused_and_the_known_ones_are_named(name: str) -> None:
    takes = SERVED[name].takes
    assert takes is not None
    with pytest.raises(CommandError) as told:
        convert({"colour": "red"}, takes)
    assert told.value.code == "INVALID_INPUT"
    for known in SERVED[name].arguments:
        assert known.name in str(told.value)


def test_values_get_their_types() -> None:
    order = convert({"side": "buy", "symbol": "A", "quantity": "1.5", "limit": 2}, OrderArgs)
    assert (order.quantity, order.limit, order.stop) == (Decimal("1.5"), Decimal(2), None)
    cancel = convert({"all": True}, CancelArgs)
    assert (cancel.id, cancel.all, cancel.by) == (None, True, "control")


# --- a new command is a row ----------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class MoveArgs(Args):
    """What the new command takes."""

    symbol: str = field(metadata=given(positional=True))
    price: Decimal | None = field(default=None, metadata=given("To where."))
    away: bool = field(default=False, metadata=given("Take it away."))
    secret: int = 0


MOVE = CommandSpec(
    "move",
    Danger.REDUCES,
    takes=MoveArgs,
    either=("price", "away"),
    confirm=Confirm("MOVE"),
    lines=(CommandLine(("move",), "Move a stop."),),
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """What the command line would have asked the engine."""
    found: list[tuple[str, dict[str, Any]]] = []

    def note(host: Host, name: str, values: dict[str, Any], as_json: bool) -> None:
        found.append((name, values))

    monkeypatch.setattr(lines, "SERVED", {"move": MOVE, "status": SERVED["status"]})
    monkeypatch.setattr(lines, "_ask", note)
    return found


def run(*arguments: str) -> int:
    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    lines.add_lines({(): app})
    try:
        app(args=list(arguments), prog_name="test", standalone_mode=True)
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        (["A", "--price", "9"], {"symbol": "A", "price": "9"}),
        (["A", "--away"], {"symbol": "A", "away": True}),
        (["A", "--price", "x"], {"symbol": "A", "price": "x"}),
    ],
)
def test_a_row_is_a_command_of_the_command_line(
    asked: list[tuple[str, dict[str, Any]]], arguments: list[str], sent: dict[str, Any]
) -> None:
    assert run("move", *arguments) == 0
    assert asked == [("move", sent)]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["A"], "give either PRICE or --away"),
        (["A", "--price", "9", "--away"], "give either PRICE or --away"),
        ([], "Missing argument"),
        (["A", "--secret", "1"], "No such option"),
    ],
)
def test_what_the_row_does_not_allow_is_a_usage_error(
    asked: list[tuple[str, dict[str, Any]]],
    arguments: list[str],
    told: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("move", *arguments) == 2
    assert told in capsys.readouterr().err
    assert asked == []


def test_the_words_of_the_row_are_its_help(
    asked: list[tuple[str, dict[str, Any]]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("move", "--help") == 0
    text = capsys.readouterr().out
    for words in ("Move a stop.", "symbol", "To where.", "Take it away.", "--json"):
        assert words in text
    assert "secret" not in text


def test_the_table_loads_the_standard_library_alone(root: Path) -> None:
    code = (
        "import sys, console.commands.table; own = set(sys.stdlib_module_names) | {'console'}; "
        "print(sorted({m.split('.')[0] for m in sys.modules} - own))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, '.'); {code}"],
        cwd=root,
        capture_output=True,
        text=True,
    )
    assert (done.stdout.strip(), done.stderr) == ("['__main__']", "")
