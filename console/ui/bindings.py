"""Every action of the console in one table: keys, footer, help and palette are made from it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from textual.binding import Binding


class Danger(StrEnum):
    """What an action may do, and so how it is asked for."""

    NONE = "looks"
    REDUCES = "reduces risk: at once"
    STOPS = "stops trading: at once"
    ADDS = "adds risk: with a review"
    TYPED = "typed"


class Group(StrEnum):
    """How help sorts actions."""

    STOP = "Stop"
    TRADE = "Trade"
    LOOK = "Look"
    CONSOLE = "Console"


@dataclass(frozen=True, slots=True)
class Action:
    """One thing the console does. `name` is textual's action, with its parameters."""

    id: str
    keys: tuple[str, ...]
    label: str
    """As the footer prints it."""
    tooltip: str
    """As help and the palette print it."""
    name: str
    group: Group
    danger: Danger = Danger.NONE
    priority: bool = False
    """Works inside inputs, modals and the palette."""
    shown: int = 0
    """Its rank in the footer; 0 is not there, the highest leaves last."""
    right: bool = False
    """At the right edge of the footer."""
    palette: bool = True

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
    "slash": "/",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "escape": "esc",
    "f1": "F1",
    "f12": "F12",
}

PANES: Final = ("Signals", "Positions", "Orders", "Order book", "Risk", "Journal")
"""Titles of the panes; the number that focuses one is its place here."""

ACTIONS: Final = (
    Action(
        "kill",
        ("ctrl+k", "f12"),
        "Halt/Kill",
        "First press halts: no entries, working entries cancelled. Again within 3 s kills: "
        "everything but protective stops cancelled, positions flattened as kill.flatten says",
        "kill",
        Group.STOP,
        Danger.STOPS,
        priority=True,
        shown=100,
    ),
    Action(
        "flatten",
        ("F",),
        "Flatten",
        "Halt, cancel everything and close every position; typed",
        "flatten",
        Group.STOP,
        Danger.TYPED,
        shown=20,
    ),
    Action(
        "pause",
        ("p",),
        "Pause",
        "Pause entries, or allow them again; exits go on either way",
        "pause",
        Group.STOP,
        Danger.STOPS,
        shown=70,
    ),
    Action(
        "halt",
        ("h",),
        "Halt screen",
        "What a halt or kill has proved so far; resume from there, typed",
        "halt_screen",
        Group.STOP,
        shown=15,
    ),
    Action(
        "buy",
        ("b",),
        "Buy",
        "Order ticket, buy side, with a preview of every check",
        "ticket('BUY')",
        Group.TRADE,
        Danger.ADDS,
        shown=90,
    ),
    Action(
        "sell",
        ("s",),
        "Sell",
        "Order ticket, sell side, with a preview of every check",
        "ticket('SELL')",
        Group.TRADE,
        Danger.ADDS,
        shown=89,
    ),
    Action(
        "close",
        ("x",),
        "Close",
        "Close the position selected in Positions, reduce-only",
        "close_position",
        Group.TRADE,
        Danger.REDUCES,
        shown=80,
    ),
    Action(
        "cancel",
        ("c",),
        "Cancel",
        "Cancel the order selected in Orders; a protective stop asks for UNPROTECT",
        "cancel_order",
        Group.TRADE,
        Danger.REDUCES,
        shown=79,
    ),
    Action(
        "cancel-all",
        ("C",),
        "Cancel all",
        "Cancel every working order but protective stops",
        "cancel_all",
        Group.TRADE,
        Danger.REDUCES,
        shown=30,
    ),
    Action(
        "reconcile",
        ("r",),
        "Reconcile",
        "Compare with the venue, see what differs, and take its side, typed",
        "reconcile",
        Group.TRADE,
        shown=50,
    ),
    *(
        Action(
            f"pane-{number}",
            (str(number),),
            title,
            f"Focus {title}" + ("; again for its next tab" if title == "Orders" else ""),
            f"pane({number})",
            Group.LOOK,
        )
        for number, title in enumerate(PANES, 1)
    ),
    Action(
        "filter",
        ("slash",),
        "Filter",
        "Show only rows with a text; escape shows all again",
        "filter",
        Group.LOOK,
        shown=45,
    ),
    Action(
        "zoom", ("z",), "Zoom", "One pane on the whole screen, and back", "zoom", Group.LOOK,
        shown=40,
    ),
    Action(
        "jump", ("o",), "Jump", "Labels on everything that can be focused", "jump", Group.LOOK,
        shown=44,
    ),
    Action(
        "palette",
        ("ctrl+p",),
        "Commands",
        "Every action by name",
        "command_palette",
        Group.CONSOLE,
        priority=True,
        shown=60,
        palette=False,
    ),
    Action(
        "help", ("question_mark", "f1"), "Help", "Keys, and what they do", "help", Group.CONSOLE,
        shown=59,
    ),
    Action(
        "redraw", ("ctrl+l",), "Redraw", "Send the whole picture again", "redraw", Group.CONSOLE
    ),
    Action(
        "quit",
        ("ctrl+q",),
        "Quit",
        "Leave; asks what to do with the running engine",
        "quit",
        Group.CONSOLE,
        priority=True,
        shown=95,
        right=True,
    ),
    Action(
        "escape",
        ("escape",),
        "Back",
        "Close the top screen, leave zoom, clear the filter",
        "leave",
        Group.CONSOLE,
        palette=False,
    ),
)  # fmt: skip

BY_ID: Final = {action.id: action for action in ACTIONS}


def bindings() -> list[Binding]:
    """The table as textual takes it."""
    return [
        Binding(
            ",".join(action.keys),
            action.name,
            action.label,
            show=False,
            priority=action.priority,
            tooltip=action.tooltip,
            id=action.id,
        )
        for action in ACTIONS
        if action.keys
    ]
