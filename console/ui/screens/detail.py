"""Everything about one row, to read."""

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from console.ui.external import literal
from console.ui.screens.base import MeridianModal
from console.ui.widgets.text_lines import TextLine, TextLines


class DetailScreen(MeridianModal[None]):
    """Lines in a frame that scrolls."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter", "close", "Close")]
    DEFAULT_CSS = """
    DetailScreen {
        & > .modal--frame { width: 96; }
        & VerticalScroll { height: auto; max-height: 100%; scrollbar-size-vertical: 1; }
    }
    """

    def __init__(self, title: str, lines: Iterable[TextLine]) -> None:
        super().__init__()
        self._title = title
        self._lines = list(lines)

    def body(self) -> ComposeResult:
        """The lines."""
        with VerticalScroll():
            yield TextLines(self._lines)

    def on_mount(self) -> None:
        """Title of the frame."""
        self.frame.border_title = literal(self._title)
        self.frame.border_subtitle = literal("esc closes")
