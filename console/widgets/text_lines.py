"""Lines of styled text drawn by the Line API: no markup, no layout when they change."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget

from console.widgets.painted import Painted
from console.widgets.styles import STYLES, style_rules
from engine.domain.text import clean_text

Piece = tuple[str, str]
"""Text and the name of its style."""

TextLine = Sequence[Piece]


def plain_line(text: str, style: str = "") -> TextLine:
    """A line in one style."""
    return ((text, style),)


class TextLines(Widget):
    """As many lines as it was told; what does not fit its width is cut."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"text-lines--{name}" for name in STYLES}
    DEFAULT_CSS = f"""
    TextLines {{ height: auto; width: 1fr; color: $foreground; }}
    {style_rules("TextLines", "text-lines")}
    """
    can_focus = False

    def __init__(
        self,
        lines: Iterable[TextLine] = (),
        *,
        id: str | None = None,  # noqa: A002 - textual's name
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._lines: tuple[tuple[Piece, ...], ...] = ()
        self._looks: dict[str, Style] = {}
        self.show_lines(lines)

    @property
    def texts(self) -> list[str]:
        """The lines as plain text."""
        return ["".join(text for text, _ in line) for line in self._lines]

    def show_lines(self, lines: Iterable[TextLine]) -> None:
        """Replace the lines; the same ones cost nothing, and only another count is a layout."""
        new = tuple(tuple((clean_text(t), s) for t, s in line) for line in lines)
        if new == self._lines:
            return
        grown = len(new) != len(self._lines)
        self._lines = new
        if self.is_attached:
            self.refresh(layout=grown and self.styles.height is not None and self._is_auto)

    @property
    def _is_auto(self) -> bool:
        height = self.styles.height
        return height is not None and height.is_auto

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """One row a line."""
        return len(self._lines)

    def render_line(self, y: int) -> Strip:
        """Line `y`, in this widget's width."""
        width = self.size.width
        if not 0 <= y < len(self._lines):
            return Strip.blank(width, self.rich_style)
        segments: list[Segment] = []
        room = width
        for text, name in self._lines[y]:
            if room <= 0:
                break
            length = cell_len(text)
            shown = text if length <= room else set_cell_size(text, room)
            segments.append(Segment(shown, self._look(name)))
            room -= min(length, room)
        return Strip(segments).adjust_cell_length(width, self.rich_style)

    def notify_style_update(self) -> None:
        """Another theme."""
        super().notify_style_update()
        self._looks = {}

    def _look(self, name: str) -> Style:
        look = self._looks.get(name)
        if look is None:
            look = self.rich_style
            if name:
                look += self.get_component_rich_style(f"text-lines--{name}", partial=True)
            self._looks[name] = look
        return look


class PaintedLines(TextLines, Painted):
    """Lines the pump brings up to date; a subclass writes `paint`."""

    def paint(self) -> None:
        """Bring the lines up to date."""
        raise NotImplementedError
