"""The last row: keys from the action table, as many as fit, the most important first."""

from rich.cells import cell_len
from rich.segment import Segment
from textual.strip import Strip

from console.commands.model import Action
from console.commands.table import ACTIONS
from console.ui.widgets.text_lines import TextLines


def fit_hints(actions: tuple[Action, ...], width: int) -> tuple[list[Action], list[Action]]:
    """The actions whose hints fit into `width` cells: left ones in table order, right ones."""
    chosen: list[Action] = []
    room = width
    for action in sorted((a for a in actions if a.shown), key=lambda a: -a.shown):
        cost = cell_len(_hint(action)) + 2
        if cost <= room:
            chosen.append(action)
            room -= cost
    ordered = [action for action in actions if action in chosen]
    return [a for a in ordered if not a.right], [a for a in ordered if a.right]


def _hint(action: Action) -> str:
    return f"{action.first_key} {action.label}"


class KeyFooter(TextLines):
    """One line of key hints."""

    DEFAULT_CSS = "KeyFooter { height: 1; width: 100%; background: $panel; }"

    def render_line(self, y: int) -> Strip:
        """The one line there is."""
        width = self.size.width
        if y:
            return Strip.blank(width, self._look(""))
        left, right = fit_hints(ACTIONS, width - 1)
        segments = [Segment(" ", self._look(""))]
        for action in left:
            segments += self._segments(action)
        tail = sum(cell_len(_hint(action)) + 2 for action in right)
        used = 1 + sum(cell_len(_hint(action)) + 2 for action in left)
        segments.append(Segment(" " * max(width - used - tail, 0), self._look("")))
        for action in right:
            segments += self._segments(action)
        return Strip(segments).adjust_cell_length(width, self._look(""))

    def _segments(self, action: Action) -> list[Segment]:
        return [
            Segment(action.first_key, self._look("strong") + self._look("paper")),
            Segment(f" {action.label}  ", self._look("")),
        ]
