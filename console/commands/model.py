"""What a command is: its arguments, its keys, its words, and what it may do."""

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Literal

CLI: Final = "cli"
"""The key under which a field of `Args` holds its `OnCommandLine`."""


class Danger(StrEnum):
    """What a command may do, and so how it is asked for."""

    NONE = "looks"
    REDUCES = "reduces risk: at once"
    STOPS = "stops trading: at once"
    ADDS = "adds risk: with a review"
    CHANGES = "may add risk: sent with Enter, after the gate"
    TYPED = "typed"


class Group(StrEnum):
    """How help sorts actions."""

    STOP = "Stop"
    TRADE = "Trade"
    LOOK = "Look"
    CONSOLE = "Console"


@dataclass(frozen=True, slots=True)
class Confirm:
    """The word that a person types before something is done."""

    phrase: str
    when: str = ""
    """In which case it is asked for; empty is always."""


@dataclass(frozen=True, slots=True)
class OnCommandLine:
    """How an argument is given on the command line."""

    words: str = ""
    """Its help."""
    metavar: str = ""
    """Its name in the usage line; empty is its own."""
    positional: bool = False
    needed: bool = False
    """True where it must be given there, though it has a default elsewhere."""


def given(
    words: str = "", *, metavar: str = "", positional: bool = False, needed: bool = False
) -> Mapping[str, Any]:
    """The metadata of a field of `Args` that may be given on the command line."""
    return {CLI: OnCommandLine(words, metavar, positional, needed)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Args:
    """What a command takes: a subclass has a field for each argument, typed and with its default.

    A field without `given` is for the control socket alone.
    """

    by: str = "control"
    """Who asks, as the journal names it."""


def choices_of(takes: type[Args], name: str) -> tuple[str, ...]:
    """The words that an argument may be, in the order in which they are told."""
    hint = typing.get_type_hints(takes)[name]
    literals = [one for one in (hint, *typing.get_args(hint)) if typing.get_origin(one) is Literal]
    return tuple(word for literal in literals for word in typing.get_args(literal))


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A command of the command line."""

    path: tuple[str, ...]
    """Its words, such as `dead-letters retry`."""
    words: str
    """Its help."""
    stands_for: Mapping[str, Any] = field(default_factory=dict)
    """Arguments that its words say already."""
    takes: tuple[str, ...] | None = None
    """The arguments that may be given; None is all that have a place on the command line."""
    any_word: bool = False
    """True where a value may begin with a dash: a quantity of -5 is refused, not an option."""
    lists: bool = False
    """True where it prints rows: with `--json` one document a line, not one in all."""
    only_prints: bool = False
    """True where what it prints is all that it is for, as always with a `CommandSpec.question`."""
    acts_with: str = ""
    """The flag with which one that only prints acts all the same."""


@dataclass(frozen=True, slots=True)
class Action:
    """What keys of the console do for a command. `name` is textual's action, with parameters."""

    id: str
    keys: tuple[str, ...]
    label: str
    """As the footer prints it."""
    tooltip: str
    """As help and the palette print it."""
    name: str
    group: Group
    danger: Danger = Danger.NONE
    confirm: Confirm | None = None
    """What is typed in the console before it is done."""
    asks: bool = False
    """True where it leads to a command of the engine: refused where none is taken."""
    priority: bool = False
    """Works inside inputs, modals and the palette."""
    shown: int = 0
    """Its rank in the footer; 0 is not there, the highest leaves last."""
    right: bool = False
    """At the right edge of the footer."""
    palette: bool = True

    @property
    def at_once(self) -> bool:
        """True where one letter acts with no question after it: text must never run it."""
        return self.danger in (Danger.REDUCES, Danger.STOPS) and not self.priority

    @property
    def key_words(self) -> str:
        """Its keys as a person reads them."""
        return " ".join(_KEY_WORDS.get(key, key) for key in self.keys)

    @property
    def first_key(self) -> str:
        """The key the footer names."""
        return _KEY_WORDS.get(self.keys[0], self.keys[0]) if self.keys else ""


_KEY_WORDS: Final = {
    "ctrl+k": "^k",
    "ctrl+p": "^p",
    "ctrl+q": "^q",
    "ctrl+l": "^l",
    "question_mark": "?",
    "exclamation_mark": "!",
    "slash": "/",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "escape": "esc",
    "f1": "F1",
    "f12": "F12",
}


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """One thing that may be asked for, from wherever it is asked."""

    name: str
    danger: Danger = Danger.NONE
    takes: type[Args] | None = None
    """Its arguments on the control socket; None where it is not served there."""
    question: bool = False
    """True where it changes nothing, whether it was answered or not."""
    either: tuple[str, str] | None = None
    """Two arguments of which exactly one is given."""
    confirm: Confirm | None = None
    """What its argument `confirm` must hold."""
    seconds: float | None = None
    """How long the engine may take to answer; None is the usual time."""
    lines: tuple[CommandLine, ...] = ()
    actions: tuple[Action, ...] = ()

    @property
    def reduces(self) -> bool:
        """True where exposure can only shrink by it."""
        return self.danger in (Danger.REDUCES, Danger.STOPS)

    @property
    def arguments(self) -> tuple[dataclasses.Field[Any], ...]:
        """The fields of `takes`."""
        return () if self.takes is None else dataclasses.fields(self.takes)
