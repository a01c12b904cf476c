"""Row 0 of every screen: PAPER or LIVE by word, shape and colour, then states and ages.

The mark never gives way. Items have priorities and leave, least important first, as the window
narrows; nothing ever wraps or scrolls.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final, Literal, cast
from weakref import WeakSet

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from console.terminal.screen import redraw
from console.ui.format import UNICODE, Glyphs
from console.ui.widgets.styles import STYLES, style_rules
from engine.domain.text import clean_text

Mode = Literal["paper", "shadow", "live"]
"""The mode of the process, fixed for its life."""

_WORDS: Final[dict[Mode, str]] = {
    "paper": "PAPER",
    "shadow": "PAPER SHADOW",
    "live": "LIVE · REAL MONEY",
}


@dataclass(frozen=True, slots=True)
class BannerItem:
    """One piece of the banner.

    `priority`: the lowest leaves first when the window narrows. `short` replaces `text` before the
    item leaves. `right` puts it at the right edge. `style` is one of `STYLES` or "".
    """

    text: str
    style: str = ""
    priority: int = 50
    short: str = ""
    right: bool = False


class BannerFeed:
    """What all banners of the process show; one for the app, a `Banner` on each screen."""

    def __init__(self, mode: Mode, glyphs: Glyphs = UNICODE) -> None:
        self.mode: Mode = mode
        self.glyphs = glyphs
        self.items: tuple[BannerItem, ...] = ()
        self._banners: WeakSet[Banner] = WeakSet()

    @property
    def mark(self) -> str:
        """The mode as word and shape: `▐ PAPER ▌`, or `█ LIVE · REAL MONEY █` (reverse, red)."""
        left, right = self.glyphs.live if self.mode == "live" else self.glyphs.paper
        word = _WORDS[self.mode]
        return f"{left} {word if self.glyphs is UNICODE else word.replace('·', '-')} {right}"

    def show(self, items: Iterable[BannerItem]) -> None:
        """Replace the items; banners repaint only if something differs."""
        new = tuple(items)
        if new != self.items:
            self.items = new
            for banner in self._banners:
                redraw(banner)

    def join(self, banner: "Banner") -> None:
        """Tell `banner` of changes as long as it lives."""
        self._banners.add(banner)


class Banner(Widget):
    """One line, drawn from the feed of the app."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"banner--{name}" for name in STYLES}
    DEFAULT_CSS = f"""
    Banner {{
        dock: top;
        height: 1;
        width: 100%;
        background: $panel;
        color: $foreground;
    }}
    {style_rules("Banner", "banner")}
    """
    can_focus = False

    def __init__(self, feed: BannerFeed | None = None) -> None:
        super().__init__(id="banner")
        self._feed = feed

    @property
    def feed(self) -> BannerFeed:
        """The feed given, or the app's."""
        if self._feed is None:
            self._feed = cast(BannerFeed, getattr(self.app, "banner_feed"))  # noqa: B009
        return self._feed

    def on_mount(self) -> None:
        """Listen to the feed."""
        self.feed.join(self)

    def render_line(self, y: int) -> Strip:
        """The one line there is."""
        width = self.size.width
        if y > 0 or width <= 0:
            return Strip.blank(width, self.rich_style)
        mark_style = "live" if self.feed.mode == "live" else "paper"
        mark = set_cell_size(self.feed.mark, min(cell_len(self.feed.mark), width))
        left, right = fit_items(self.feed.items, width - cell_len(mark))
        segments = [Segment(mark, self._style(mark_style))]
        used = cell_len(mark)
        for text, style in left:
            segments += [Segment(" ", self.rich_style), Segment(text, self._style(style))]
            used += 1 + cell_len(text)
        tail = sum(1 + cell_len(text) for text, _ in right)
        segments.append(Segment(" " * max(width - used - tail, 0), self.rich_style))
        for text, style in right:
            segments += [Segment(" ", self.rich_style), Segment(text, self._style(style))]
        return Strip(segments).adjust_cell_length(width, self.rich_style)

    def _style(self, name: str) -> Style:
        if name not in STYLES:
            return self.rich_style
        return self.rich_style + self.get_component_rich_style(f"banner--{name}", partial=True)


STATES: Final = 95
"""The priority of what says whether the engine trades."""

LAST: Final = 100
"""The priority of what waits for an answer."""

Placed = tuple[str, str]
"""Text and style name of an item that has its place."""


def fit_items(items: Iterable[BannerItem], width: int) -> tuple[list[Placed], list[Placed]]:
    """The items that fit into `width` cells, left and right, each with one cell before it.

    Where they do not all fit, short forms come first, then the least important item leaves, until
    the rest does; of equals the last one goes first. What must not be missed (`LAST`) is shortened
    only once nothing but states is left beside it.
    """
    kept = [item for item in items if item.text]
    texts = {n: clean_text(item.text) for n, item in enumerate(kept)}

    def too_wide() -> bool:
        return sum(1 + cell_len(text) for text in texts.values()) > width

    ranked = sorted(texts, key=lambda n: (kept[n].priority, -n))
    for n in ranked:
        if too_wide() and kept[n].short and kept[n].priority < LAST:
            texts[n] = clean_text(kept[n].short)
    for n in ranked:
        if too_wide() and kept[n].priority >= STATES:
            texts |= {n: clean_text(kept[n].short) for n in texts if kept[n].short}
        if too_wide():
            del texts[n]
    return (
        [(text, kept[n].style) for n, text in texts.items() if not kept[n].right],
        [(text, kept[n].style) for n, text in texts.items() if kept[n].right],
    )
