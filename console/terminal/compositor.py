"""Draws only what changed, and never much in one turn of the loop.

Textual's compositor renders every widget of the screen at each update. Measured with six panes: 15
widgets and 430 lines for one changed pane, and up to 35 ms where several had changed. Here a turn
renders the widgets that show what changed, `LINES_A_TURN` of their lines; the rest follows in the
next turn. Leans on textual's internals; pinned exactly, and compared with a full update by a test.
"""

from collections.abc import Callable, Iterable
from typing import Final

from textual._compositor import ChopsUpdate, Compositor
from textual.geometry import Region
from textual.strip import Strip

LINES_A_TURN: Final = 16
"""Lines of panes, from edge to edge of each."""


class PartCompositor(Compositor):
    """A compositor whose partial updates cost what they show.

    `more` is called when a part was left for the next turn.
    """

    def __init__(self, more: Callable[[], object]) -> None:
        super().__init__()
        self._more = more
        self._now: tuple[Region, ...] = ()

    def render_partial_update(self) -> ChopsUpdate | None:
        """The update of the regions that are dirty, as far as a turn goes; None if none is."""
        now, later = shares(self._dirty_regions)
        self._dirty_regions = set(now)
        self._now = tuple(now)
        try:
            return super().render_partial_update()
        finally:
            self._now = ()
            if later:
                self._dirty_regions.update(later)
                self._more()

    def _get_renders(
        self, crop: Region | None = None
    ) -> Iterable[tuple[Region, Region, list[Strip]]]:
        if crop is None or not self._now:
            yield from super()._get_renders(crop)
            return
        left = list(self._now)
        # front to back: what a widget covers whole needs nothing of what lies behind it
        for widget, (region, clip) in self.visible_widgets.items():
            shown = region.intersection(clip)
            touched = [part for part in left if shown.overlaps(part)]
            if not touched:
                continue
            top = min(part.y for part in touched)
            bottom = max(part.bottom for part in touched)
            seen = clip.intersection(Region(0, top, self.size.width, bottom - top))
            x, y, width, height = region.intersection(seen)
            inside = Region(x - region.x, y - region.y, width, height)
            yield region, seen, widget.render_lines(inside)
            left = [part for part in left if not shown.contains_region(part)]
            if not left:
                return


def shares(regions: Iterable[Region]) -> tuple[list[Region], list[Region]]:
    """What is drawn in this turn, and what in the next: from top to bottom, whole lines each."""
    now: list[Region] = []
    later: list[Region] = []
    lines = LINES_A_TURN
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
