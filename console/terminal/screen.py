"""A screen that draws lines as soon as they change, a few in each turn of the loop.

Textual draws what changed after a message to the widget, one to the screen, and a timer: three
turns of the loop and as many tasks for one line. A widget that tells its screen of lines that
changed (`redraw`), or that will know them when they are drawn (`LineScreen.settle_soon`), costs
one.
"""

import asyncio
from typing import Final, Generic, Protocol, TypeVar

from textual import events
from textual.geometry import Region
from textual.reactive import Reactive
from textual.screen import Screen
from textual.widget import Widget

from console.terminal.compositor import LINES_A_TURN, PartCompositor

Result = TypeVar("Result")

LINES_A_KEY: Final = 80
"""Lines drawn at once for a key: the frames of two panes, which are mostly one cell wide."""

PROMPT_SECONDS: Final = 0.05
"""How long after a key each change is drawn as soon as it is known."""

SOON_SECONDS: Final = 0.001
"""From a change to its picture: whoever made it ends its turn of the loop first."""

TURN_SECONDS: Final = 0.005
"""Between two parts of a picture: the engine's turns."""


class Settling(Protocol):
    """A widget that gathers changes, and tells of them when it is asked to."""

    def settle(self) -> None:
        """Mark the lines that changed."""


class LineScreen(Screen[Result], Generic[Result]):
    """A screen whose widgets say which of their lines changed."""

    focused: Reactive[Widget | None] = Reactive(None, repaint=False)
    """As textual's, but that another focus does not draw the whole screen anew."""

    def __init__(
        self,
        name: str | None = None,
        id: str | None = None,  # noqa: A002 - textual's name
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._compositor: PartCompositor = PartCompositor(self._draw_more)
        self._prompt_until = float("-inf")
        self._unsettled: dict[Settling, None] = {}
        self._turn: asyncio.TimerHandle | None = None

    def settle_soon(self, widget: Settling) -> None:
        """Have `widget` mark its lines in the next turn, and draw them."""
        self._unsettled[widget] = None
        self._draw_within(SOON_SECONDS)

    def draw_soon(self, widget: Widget, *regions: Region) -> None:
        """Draw these regions of the content of `widget` in the next turn; all of it without any."""
        widget._set_dirty(*regions)
        if widget in self._compositor.visible_widgets:
            self._dirty_widgets.add(widget)
            self._draw_within(SOON_SECONDS)

    def _compositor_refresh(self) -> None:
        """As textual's, which draws within a batch too and shows nothing of it."""
        if self.app._batch_count:
            self._draw_more()
            return
        super()._compositor_refresh()

    def _draw_within(self, seconds: float) -> None:
        if self._turn is None:
            self._turn = asyncio.get_running_loop().call_later(seconds, self._draw_rest)

    def _draw_more(self) -> None:
        """Draw what the last turn left, once the loop has come round."""
        self._draw_within(TURN_SECONDS)

    def _draw_rest(self) -> None:
        """The next turn: as many lines as one has of all that is to be drawn."""
        self._turn = None
        if not self.is_running:
            return
        with self.app._context():
            try:
                self._settle()
                self._draw()
            except Exception as error:  # as textual does: an error while drawing ends the app
                self.app._handle_exception(error)

    def _settle(self) -> None:
        unsettled, self._unsettled = self._unsettled, {}
        for widget in unsettled:
            widget.settle()

    def _draw(self) -> None:
        if not self.is_current:
            return
        # textual forgets after a refresh what was not handed to the compositor before it
        self._compositor.update_widgets(self._dirty_widgets)
        if self._compositor._dirty_regions:
            self._compositor_refresh()

    async def _on_idle(self, event: events.Idle) -> None:
        """As textual's, but that what follows a key does not wait for the next frame."""
        if self._loop_time() < self._prompt_until and self.is_current:
            event.prevent_default()
            self._on_timer_update()

    def draw_now(self) -> None:
        """Draw what a key has changed before anything else gets its turn of the loop.

        What it changes by messages, or by a layout, is drawn as soon as that is done.
        """
        self._prompt_until = self._loop_time() + PROMPT_SECONDS
        if not self.is_current or self.app._batch_count or self._layout_required:
            return
        self._settle()
        for widget in self._compositor.visible_widgets:
            if widget._repaint_required and not widget._layout_required:
                widget._repaint_required = False
                self._dirty_widgets.add(widget)
        if not self._dirty_widgets:
            return
        self._compositor.lines_a_turn = LINES_A_KEY
        try:
            self._draw()
        finally:
            self._compositor.lines_a_turn = LINES_A_TURN

    @staticmethod
    def _loop_time() -> float:
        return asyncio.get_running_loop().time()


def redraw(widget: Widget, *regions: Region) -> None:
    """Draw these regions of the content of `widget` again; all of it without any."""
    screen = widget.screen if widget.is_attached else None
    if isinstance(screen, LineScreen) and widget._is_mounted:
        screen.draw_soon(widget, *regions)
    else:
        widget.refresh(*regions)
