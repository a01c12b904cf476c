"""The table of commands: one row a command, in the order in which footer and help name them."""

from typing import Final

from console.commands.arguments import (
    CancelArgs,
    CloseArgs,
    KillArgs,
    LetterArgs,
    ModifyArgs,
    NoArgs,
    OrderArgs,
    ProtectArgs,
    ReconcileArgs,
    ResolveArgs,
    ResumeArgs,
    SignalArgs,
    TargetArgs,
)
from console.commands.model import Action, CommandLine, CommandSpec, Confirm, Danger, Group

PANES: Final = ("Signals", "Positions", "Orders", "Order book", "Risk", "Journal")
"""Titles of the panes; the number that focuses one is its place here."""

FLATTEN: Final = Confirm("FLATTEN")
UNPROTECT: Final = Confirm("UNPROTECT", when="it takes a protective stop away")
RESOLVE: Final = Confirm("RESOLVE")
APPLY: Final = Confirm("APPLY", when="it takes over what the venue says")
RESUME: Final = Confirm("RESUME", when="with real money the last 4 of the account id follow")

COMMANDS: Final = (
    CommandSpec(
        "status",
        takes=NoArgs,
        question=True,
        lines=(
            CommandLine(("status",), "Run state, mode, brokers, positions, limits used, ages."),
        ),
    ),
    CommandSpec(
        "kill",
        Danger.STOPS,
        takes=KillArgs,
        lines=(
            CommandLine(
                ("kill",),
                "Halt, cancel and flatten; works with the engine healthy, hung or dead.",
            ),
        ),
        actions=(
            Action(
                "kill",
                ("ctrl+k", "f12"),
                "Halt/Kill",
                "First press halts: no entries, working entries cancelled. Again within 3 s "
                "kills: everything but protective stops cancelled, positions flattened as "
                "kill.flatten says",
                "kill",
                Group.STOP,
                Danger.STOPS,
                priority=True,
                shown=100,
                asks=True,
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
                confirm=FLATTEN,
                asks=True,
            ),
        ),
    ),
    CommandSpec(
        "stop",
        Danger.STOPS,
        takes=NoArgs,
        lines=(
            CommandLine(
                ("stop",), "End the engine in order: entries cancelled, protective stops stay."
            ),
        ),
    ),
    CommandSpec("kill-report", takes=NoArgs, question=True, seconds=45.0),
    CommandSpec("today", takes=NoArgs, question=True),
    CommandSpec(
        "resume",
        Danger.ADDS,
        takes=ResumeArgs,
        confirm=RESUME,
        seconds=30.0,
        lines=(CommandLine(("resume",), "Clear a halt; lands in PAUSED."),),
    ),
    CommandSpec(
        "pause",
        Danger.STOPS,
        takes=NoArgs,
        lines=(CommandLine(("pause",), "No new automatic entries; your own orders go on."),),
        actions=(
            Action(
                "pause",
                ("p",),
                "Pause",
                "Pause automatic entries, or allow them again; your orders and exits go on",
                "pause",
                Group.STOP,
                Danger.STOPS,
                shown=70,
                asks=True,
            ),
        ),
    ),
    CommandSpec(
        "halt",
        actions=(
            Action(
                "halt",
                ("h",),
                "Halt screen",
                "What a halt or kill has proved so far; resume from there, typed",
                "halt_screen",
                Group.STOP,
                shown=15,
            ),
        ),
    ),
    CommandSpec(
        "unpause",
        Danger.ADDS,
        takes=NoArgs,
        lines=(CommandLine(("unpause",), "Entries again."),),
    ),
    CommandSpec(
        "signal",
        Danger.ADDS,
        takes=SignalArgs,
        lines=(
            CommandLine(
                ("signal",),
                "Submit JSONL signals; one result line each, at the verdict.",
                lists=True,
            ),
        ),
    ),
    CommandSpec(
        "order",
        Danger.ADDS,
        takes=OrderArgs,
        lines=(CommandLine(("order",), "A manual order.", any_word=True),),
        actions=(
            Action(
                "buy",
                ("b",),
                "Buy",
                "Order ticket, buy side, with a preview of every check",
                "ticket('BUY')",
                Group.TRADE,
                Danger.ADDS,
                shown=90,
                asks=True,
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
                asks=True,
            ),
        ),
    ),
    CommandSpec(
        "close",
        Danger.REDUCES,
        takes=CloseArgs,
        either=("symbol", "all"),
        lines=(CommandLine(("close",), "Close reduce-only."),),
        actions=(
            Action(
                "close",
                ("x",),
                "Close",
                "In Positions: close the selected position, reduce-only",
                "close_position",
                Group.TRADE,
                Danger.REDUCES,
                shown=80,
                asks=True,
            ),
        ),
    ),
    CommandSpec(
        "modify",
        Danger.ADDS,
        takes=ModifyArgs,
        lines=(CommandLine(("modify",), "Change a working order.", any_word=True),),
        actions=(
            Action(
                "modify",
                ("m",),
                "Modify",
                "In Orders: change the selected order; in Positions: the stop and the target of "
                "the selected position",
                "modify",
                Group.TRADE,
                Danger.CHANGES,
                shown=55,
                asks=True,
            ),
        ),
    ),
    CommandSpec(
        "protect",
        Danger.ADDS,
        takes=ProtectArgs,
        confirm=UNPROTECT,
        lines=(
            CommandLine(("protect",), "Attach, move or remove a position's stop.", any_word=True),
        ),
    ),
    CommandSpec(
        "target",
        Danger.ADDS,
        takes=TargetArgs,
        lines=(
            CommandLine(("target",), "Attach, move or remove a position's target.", any_word=True),
        ),
    ),
    CommandSpec(
        "cancel",
        Danger.REDUCES,
        takes=CancelArgs,
        either=("id", "all"),
        confirm=UNPROTECT,
        lines=(CommandLine(("cancel",), "Cancel one order, or all that protect nothing."),),
        actions=(
            Action(
                "cancel",
                ("c",),
                "Cancel",
                "In Orders: cancel the selected order; a protective stop asks for UNPROTECT",
                "cancel_order",
                Group.TRADE,
                Danger.REDUCES,
                shown=79,
                confirm=UNPROTECT,
                asks=True,
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
                asks=True,
            ),
        ),
    ),
    CommandSpec(
        "resolve",
        Danger.TYPED,
        takes=ResolveArgs,
        confirm=RESOLVE,
        seconds=30.0,
        lines=(CommandLine(("resolve",), "Decide what became of an UNKNOWN order."),),
    ),
    CommandSpec(
        "reconcile",
        Danger.NONE,
        takes=ReconcileArgs,
        seconds=30.0,
        lines=(
            CommandLine(
                ("reconcile",),
                "Show the difference between us and the venue.",
                only_prints=True,
                acts_with="apply",
            ),
        ),
        actions=(
            Action(
                "reconcile",
                ("r",),
                "Reconcile",
                "Compare with the venue, see what differs, and take its side, typed",
                "reconcile",
                Group.TRADE,
                shown=50,
                confirm=APPLY,
                asks=True,
            ),
        ),
    ),
    CommandSpec(
        "dead-letters",
        Danger.ADDS,
        takes=LetterArgs,
        lines=(
            CommandLine(
                ("dead-letters", "list"),
                "List what could not be sent.",
                {"action": "list"},
                (),
                only_prints=True,
            ),
            CommandLine(
                ("dead-letters", "retry"),
                "Decide one anew, with a fresh price and the whole gate.",
                {"action": "retry"},
            ),
            CommandLine(("dead-letters", "drop"), "Forget one.", {"action": "drop"}),
        ),
    ),
    *(
        CommandSpec(
            f"pane-{number}",
            actions=(
                Action(
                    f"pane-{number}",
                    (str(number),),
                    title,
                    f"Focus {title}" + ("; again for its next tab" if title == "Orders" else ""),
                    f"pane({number})",
                    Group.LOOK,
                ),
            ),
        )
        for number, title in enumerate(PANES, 1)
    ),
    *(
        CommandSpec(action.id, actions=(action,))
        for action in (
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
                "alerts",
                ("exclamation_mark",),
                "Alerts",
                "Everything that is wrong now, in whole sentences",
                "alerts",
                Group.LOOK,
            ),
            Action(
                "zoom",
                ("z",),
                "Zoom",
                "One pane on the whole screen, and back",
                "zoom",
                Group.LOOK,
                shown=40,
            ),
            Action(
                "jump",
                ("o",),
                "Jump",
                "Labels on everything that can be focused",
                "jump",
                Group.LOOK,
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
                "help",
                ("question_mark", "f1"),
                "Help",
                "Keys, and what they do",
                "help",
                Group.CONSOLE,
                shown=59,
            ),
            Action(
                "redraw",
                ("ctrl+l",),
                "Redraw",
                "Send the whole picture again",
                "redraw",
                Group.CONSOLE,
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
        )
    ),
)

BY_NAME: Final = {command.name: command for command in COMMANDS}

SERVED: Final = {command.name: command for command in COMMANDS if command.takes is not None}
"""What the control socket takes."""

ACTIONS: Final = tuple(action for command in COMMANDS for action in command.actions)
"""What keys do, in the order of footer and help."""

BY_ID: Final = {action.id: action for action in ACTIONS}
