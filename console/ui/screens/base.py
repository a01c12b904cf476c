"""What every screen and modal of the console has in common: the banner on row 0."""

import asyncio
from typing import ClassVar, Final, Generic, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.command import CommandPalette
from textual.containers import Vertical
from textual.reactive import Reactive
from textual.screen import ModalScreen, Screen
from textual.widget import Widget

from console.terminal.compositor import LINES_A_TURN, PartCompositor
from console.ui.widgets.banner import Banner
from console.ui.widgets.live_table import LiveTable

Result = TypeVar("Result")

LINES_A_KEY: Final = 80
"""Lines drawn at once for a key: the frames of two panes, which are mostly one cell wide."""

PROMPT_SECONDS: Final = 0.05
"""How long after a key each change is drawn as soon as it is known."""

TURN_SECONDS: Final = 0.005
"""Between two parts of a picture: the engine's turns."""


class MeridianScreen(Screen[Result], Generic[Result]):
    """A full screen; subclasses write `body`."""

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
        self._was_shown = False
        self.HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-normal"), (160, "-wide")]
        self.VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-tall")]

    def _on_screen_resume(self, event: events.ScreenResume) -> None:
        """As textual's; what has just been mounted has its styles, and gets no new ones."""
        if not self._was_shown:
            event.refresh_styles = False
        self._was_shown = True

    def _compositor_refresh(self) -> None:
        """As textual's, which draws within a batch too and shows nothing of it."""
        if self.app._batch_count:
            self._draw_more()
            return
        super()._compositor_refresh()

    def _draw_more(self) -> None:
        """Draw what the last turn left, once the loop has come round."""
        asyncio.get_running_loop().call_later(TURN_SECONDS, self._draw_rest)

    def _draw_rest(self) -> None:
        if not self.is_current or not self._compositor._dirty_regions:
            return
        # textual forgets after a refresh what was not handed to the compositor before it
        self._compositor.update_widgets(self._dirty_widgets)
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
        for widget in self._compositor.visible_widgets:
            if isinstance(widget, LiveTable):
                widget.settle()
            if widget._repaint_required and not widget._layout_required:
                widget._repaint_required = False
                self._dirty_widgets.add(widget)
        if not self._dirty_widgets:
            return
        self._compositor.update_widgets(self._dirty_widgets)
        self._compositor.lines_a_turn = LINES_A_KEY
        try:
            self._compositor_refresh()
        finally:
            self._compositor.lines_a_turn = LINES_A_TURN

    @staticmethod
    def _loop_time() -> float:
        return asyncio.get_running_loop().time()

    def compose(self) -> ComposeResult:
        """The banner, then the body."""
        # known before there is anything below: textual gives all of it new styles for them later
        width, height = self.app.size
        wide = self._get_breakpoint_classes(width, self.HORIZONTAL_BREAKPOINTS or [])
        high = self._get_breakpoint_classes(height, self.VERTICAL_BREAKPOINTS or [])
        self.add_class(*wide, *high)
        yield Banner()
        yield from self.body()

    def body(self) -> ComposeResult:
        """Everything below row 0."""
        yield from ()


class MeridianModal(ModalScreen[Result], Generic[Result]):
    """A modal in a frame; subclasses write `body`. Escape closes it with `None`."""

    # With priority the focus moves before the next key of a burst is handed to a field.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close"),
        Binding("tab", "app.focus_next", "Next", show=False, priority=True),
        Binding("shift+tab", "app.focus_previous", "Previous", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    MeridianModal {
        align: center middle;
        & > .modal--frame {
            width: 72;
            max-width: 96%;
            height: auto;
            max-height: 90%;
            padding: 0 1;
            background: $surface;
            border: round $border;
            border-title-color: $foreground;
        }
        &.-live > .modal--frame { border: heavy $live; }
    }
    """

    def compose(self) -> ComposeResult:
        """The banner, then the framed body."""
        yield Banner()
        with Vertical(classes="modal--frame") as frame:
            yield from self.body()
        self.frame = frame

    def body(self) -> ComposeResult:
        """The inside of the frame."""
        yield from ()

    def action_close(self) -> None:
        """Leave without a result."""
        self.dismiss(None)


class MeridianPalette(CommandPalette):
    """Textual's command palette under our banner."""

    def compose(self) -> ComposeResult:
        """The banner, then the palette."""
        yield Banner()
        yield from super().compose()
