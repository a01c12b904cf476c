"""Lines of styled text drawn by the Line API: no markup, no layout when they change."""

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Final

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from console.terminal.screen import redraw
from console.ui.widgets.banner import Banner
from console.ui.widgets.painted import Painted
from engine.domain.text import clean_text

RULE: Final = "──"
"""What a line across the window ends in: it is meant to be cut."""

Piece = tuple[str, str]
"""Text and the name of its style."""

TextLine = Sequence[Piece]


def plain_line(text: str, style: str = "") -> TextLine:
    """A line in one style."""
    return ((text, style),)


def wrapped(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width`."""
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


class TextLines(Widget):
    """As many lines as it was told; what does not fit its width is cut and ends in an ellipsis.

    The styles are those of the banner on its screen: one set for all, worked out once a theme.
    """

    DEFAULT_CSS = "TextLines { height: auto; width: 1fr; color: $foreground; }"
    can_focus = False

    def __init__(
        self,
        lines: Iterable[TextLine] = (),
        *,
        id: str | None = None,  # noqa: A002 - textual's name
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._given: tuple[tuple[Piece, ...], ...] = ()
        self._lines: tuple[tuple[Piece, ...], ...] = ()
        self._looks: dict[str, Style] = {}
        self.show_lines(lines)

    @property
    def texts(self) -> list[str]:
        """The lines as plain text."""
        return ["".join(text for text, _ in line) for line in self._lines]

    def show_lines(self, lines: Iterable[TextLine]) -> None:
        """Replace the lines; only changed ones are drawn, and only another count is a layout."""
        given = tuple(map(tuple, lines))
        if given == self._given:
            return
        before, old = self._given, self._lines
        self._given = given
        self._lines = tuple(
            kept if line == was else tuple((clean_text(text), style) for text, style in line or ())
            for line, was, kept in zip_longest(given, before[: len(given)], old[: len(given)])
        )
        if not self.is_attached:
            return
        if len(given) != len(before) and self._is_auto:
            self.refresh(layout=True)
            return
        width = self.size.width
        changed = [y for y, (a, b) in enumerate(zip_longest(given, before)) if a != b]
        redraw(self, *(Region(0, y, width, 1) for y in changed))

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
            return Strip.blank(width, self._look(""))
        segments: list[Segment] = []
        room = width
        for place, (text, name) in enumerate(self._lines[y]):
            length, rest = cell_len(text), self._lines[y][place + 1 :]
            if length > room or (length == room and any(more.strip() for more, _ in rest)):
                mark = "" if text.endswith(RULE) else self._banner.feed.glyphs.ellipsis
                shown = set_cell_size(text, max(room - len(mark), 0)) + mark[:room]
                segments.append(Segment(shown, self._look(name)))
                break
            segments.append(Segment(text, self._look(name)))
            room -= length
        return Strip(segments).adjust_cell_length(width, self._look(""))

    def notify_style_update(self) -> None:
        """Another theme."""
        super().notify_style_update()
        self._looks = {}

    def _look(self, name: str) -> Style:
        look = self._looks.get(name)
        if look is None:
            look = self.rich_style
            if name:
                look += self._banner.get_component_rich_style(f"banner--{name}", partial=True)
            self._looks[name] = look
        return look

    @property
    def _banner(self) -> Banner:
        return self.screen.query_exactly_one(Banner)


class PaintedLines(TextLines, Painted):
    """Lines the pump brings up to date; a subclass writes `paint`."""

    def paint(self) -> None:
        """Bring the lines up to date."""
        raise NotImplementedError
