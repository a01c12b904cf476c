"""The keys of the console as textual takes them, from the table of commands."""

from textual.binding import Binding

from console.commands.table import ACTIONS


def bindings() -> list[Binding]:
    """A binding for each action that has keys."""
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
