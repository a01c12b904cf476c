"""The one way text from outside reaches a widget: literal, without control characters.

Measured with stock widgets: a broker's `[/]` crashes most of them, `[@click=…]` becomes a button,
and a raw escape reaches the terminal from every one. Symbols, reasons and messages therefore pass
`literal` (or are drawn by a Line API widget, which knows no markup), and `ExternalTextFilter`
stands behind all widgets as the second line.
"""

from typing import Final

from rich.cells import get_character_cell_size
from rich.segment import Segment
from textual.color import Color
from textual.content import Content
from textual.filter import LineFilter

from engine.domain.text import REPLACEMENT, TEXT_LIMIT, UNSAFE, clean_text

CLIPBOARD_LIMIT: Final = 100_000
"""The longest text given to the terminal's clipboard, in characters."""


def literal(text: str, limit: int = TEXT_LIMIT) -> Content:
    """`text` as content for a widget: no markup, no control characters, at most `limit` long."""
    return Content(clean_text(text, limit))


class ExternalTextFilter(LineFilter):
    """Takes control characters out of every line of every widget, whoever let them in.

    The width of a line does not change: a character that takes no cell vanishes, any other becomes
    U+FFFD.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """`segments` without unsafe characters; the same list where there are none."""
        if not any(UNSAFE.search(segment.text) for segment in segments):
            return segments
        return [
            Segment(UNSAFE.sub(lambda m: _same_width(m[0]), text), style, control)
            for text, style, control in segments
        ]


def _same_width(character: str) -> str:
    return REPLACEMENT if get_character_cell_size(character) == 1 else ""
