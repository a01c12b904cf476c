"""Help, made from the action table and what the panes say of themselves."""

from collections.abc import Iterator

from console.commands.model import Danger, Group
from console.commands.table import ACTIONS
from console.ui.panes.base import Pane
from console.ui.screens.detail import DetailScreen
from console.ui.widgets.text_lines import TextLine, wrapped

INSIDE = (
    ("up down k j", "move the cursor; PgUp PgDn Home End too"),
    ("enter", "details of the row"),
    ("tab", "next field or pane"),
    ("left right", "other tab, symbol or choice"),
)


def help_lines(pane: Pane | None, width: int) -> Iterator[TextLine]:
    """The focused pane first, then every key, in lines of `width` cells."""
    if pane is not None and pane.HELP:
        yield ((pane.title, "paper"),)
        for line in wrapped(pane.HELP, width - 2):
            yield ((f"  {line}", ""),)
        yield ()
    for group in Group:
        yield ((str(group), "paper"),)
        for action in ACTIONS:
            if action.group is group and action.keys:
                danger = f" [{action.danger}]" if action.danger is not Danger.NONE else ""
                first, *more = wrapped(f"{action.tooltip}{danger}", width - 26)
                yield (
                    (f"  {action.key_words:<9} ", "strong"),
                    (f"{action.label:<14}", ""),
                    (first, "muted"),
                )
                for line in more:
                    yield ((" " * 26 + line, "muted"),)
        yield ()
    yield (("Inside a pane", "paper"),)
    for keys, words in INSIDE:
        yield ((f"  {keys:<24}", "strong"), (words, "muted"))


class HelpScreen(DetailScreen):
    """Keys, and what they do."""

    def __init__(self, pane: Pane | None, window: int) -> None:
        super().__init__("Help", help_lines(pane, min(window, 96) - 10))
