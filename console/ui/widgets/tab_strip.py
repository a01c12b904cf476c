"""Where only one pane fits: the names of all six, the shown one marked."""

from rich.cells import cell_len
from textual import events
from textual.message import Message

from console.commands.table import PANES
from console.ui.widgets.text_lines import Piece, TextLines

SHORT: dict[str, str] = {"Order book": "Depth"}


class TabStrip(TextLines):
    """One line; a click shows that pane."""

    DEFAULT_CSS = "TabStrip { height: 1; width: 100%; }"

    class Chosen(Message):
        """A tab was clicked."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    def __init__(self, cursor: str) -> None:
        super().__init__(id="tabs")
        self._cursor = cursor
        self._ends: list[int] = []

    def show(self, active: int, badges: dict[int, str], note: str) -> None:
        """Mark `active`; `badges` follow a name, `note` stands at the end."""
        pieces: list[Piece] = []
        self._ends = []
        used = 0
        for number, title in enumerate(PANES, 1):
            lead = self._cursor if number == active else " "
            badge = badges.get(number, "")
            text = f" {number}{lead}{SHORT.get(title, title)}{badge}"
            pieces.append((text, "paper" if number == active else ""))
            used += cell_len(text)
            self._ends.append(used)
        pieces.append((f"   {note}", "warn"))
        self.show_lines([pieces])

    def spans(self) -> list[tuple[int, int]]:
        """First cell and width of each tab."""
        return [(a, b - a) for a, b in zip([0, *self._ends], self._ends, strict=False)]

    def on_click(self, event: events.Click) -> None:
        """A click only looks."""
        for number, end in enumerate(self._ends, 1):
            if event.x < end:
                self.post_message(self.Chosen(number))
                return
