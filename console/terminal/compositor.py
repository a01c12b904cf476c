"""Draws only what changed, and never much in one turn of the loop.

Textual's compositor renders every widget of the screen at each update and cuts each of its lines
where any widget begins. Measured with six panes: 15 widgets and 430 lines for one changed pane, and
up to 35 ms where several had changed. Here a turn asks the widgets in front for the lines that
changed, `LINES_A_TURN` of them, and hands these on as they are; the rest follows in the next turn.
Leans on textual's internals; pinned exactly, and compared with a full update by a test.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from rich.console import Console
from rich.control import Control
from textual._compositor import Compositor, CompositorMap, CompositorUpdate, ReflowResult
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

LINES_A_TURN: Final = 8
"""Lines of panes, from edge to edge of each."""

Lines = dict[int, list[tuple[int, Strip]]]
"""Strips with their column, by line."""


class LinesUpdate(CompositorUpdate):
    """Some lines, or parts of them, of the widgets in front."""

    def __init__(self, lines: Lines) -> None:
        self.lines = lines

    def render_segments(self, console: Console) -> str:
        """The lines with the moves to them, for a terminal that is not compared cell by cell."""
        return "".join(
            f"{Control.move_to(x, y).segment.text}{strip.render(console)}"
            for y, placed in self.lines.items()
            for x, strip in placed
        )


class PartCompositor(Compositor):
    """A compositor whose partial updates cost what they show.

    `more` is called when a part was left for the next turn.
    """

    def __init__(self, more: Callable[[], object]) -> None:
        super().__init__()
        self._more = more
        self.lines_a_turn = LINES_A_TURN
        self._laid_out: CompositorMap = {}
        """Where everything was at the last layout."""

    def reflow(self, parent: Widget, size: Size) -> ReflowResult:
        """As textual's, but that what moved is what moved since the last layout.

        Textual compares with the places that it last told somebody. Between a change of style and
        its layout these are the new ones already, and nothing of the change would be drawn.
        """
        self._full_map = self._laid_out
        found = super().reflow(parent, size)
        self._laid_out = self._full_map
        return found

    def render_partial_update(self) -> LinesUpdate | None:  # type: ignore[override]
        """The update of the regions that are dirty, as far as a turn goes; None if none is."""
        now, later = shares(self._dirty_regions, self.lines_a_turn)
        self._dirty_regions = set(later)
        try:
            lines = self._lines(now)
        finally:
            if later:
                self._more()
        return LinesUpdate(lines) if lines else None

    def _lines(self, regions: Iterable[Region]) -> Lines:
        """What the widgets in front show in `regions`."""
        screen = self.size.region
        left = [part for region in regions if (part := region.intersection(screen))]
        lines: Lines = {}
        front: list[Region] = []
        # front to back: what a widget shows needs nothing of what lies behind it
        for widget, (region, clip) in self.visible_widgets.items():
            if not left:
                break
            shown = region.intersection(clip)
            parts: list[Region] = []
            for part in tuple(left):
                area = shown.intersection(part)
                if not area:
                    continue
                left.remove(part)
                left.extend(_around(part, area))
                whole = Region(shown.x, area.y, shown.width, area.height)
                # lines from edge to edge are the same objects as before where nothing changed
                parts.append(area if any(map(whole.overlaps, front)) else whole)
            for area in _joined(parts):
                drawn = widget.render_lines(area.translate(-region.offset))
                for y, strip in zip(area.line_range, drawn, strict=False):
                    lines.setdefault(y, []).append((area.x, strip))
            front.append(shown)
        return lines


def _around(part: Region, hole: Region) -> Iterator[Region]:
    """What is left of `part` without `hole`, which lies in it."""
    left, top, right, bottom = part.x, part.y, part.right, part.bottom
    if hole.y > top:
        yield Region(left, top, part.width, hole.y - top)
    if hole.bottom < bottom:
        yield Region(left, hole.bottom, part.width, bottom - hole.bottom)
    if hole.x > left:
        yield Region(left, hole.y, hole.x - left, hole.height)
    if hole.right < right:
        yield Region(hole.right, hole.y, right - hole.right, hole.height)


def _joined(areas: list[Region]) -> list[Region]:
    """`areas` with those put together that lie one below the other or over each other."""
    joined: list[Region] = []
    for area in sorted(areas, key=lambda area: (area.x, area.width, area.y)):
        last = joined[-1] if joined else None
        if last and (last.x, last.width) == (area.x, area.width) and area.y <= last.bottom:
            joined[-1] = last.union(area)
        else:
            joined.append(area)
    return joined


def shares(
    regions: Iterable[Region], lines: int = LINES_A_TURN
) -> tuple[list[Region], list[Region]]:
    """What is drawn in this turn, and what in the next: from top to bottom, whole lines each."""
    now: list[Region] = []
    later: list[Region] = []
    for region in sorted(regions, key=lambda region: (region.y, region.x)):
        if region.height <= lines:
            now.append(region)
        elif lines > 0:
            first, rest = region.split_horizontal(lines)
            now.append(first)
            later.append(rest)
        else:
            later.append(region)
        lines -= region.height
    return now, later
