"""What every screen and modal of the console has in common: the banner on row 0."""

from typing import Any, ClassVar, Generic, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.command import CommandPalette
from textual.containers import Vertical
from textual.screen import ModalScreen

from console.terminal.screen import LineScreen
from console.ui.widgets.banner import Banner

Result = TypeVar("Result")


class MeridianScreen(LineScreen[Result], Generic[Result]):
    """A full screen; subclasses write `body`."""

    def __init__(
        self,
        name: str | None = None,
        id: str | None = None,  # noqa: A002 - textual's name
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._was_shown = False
        self.HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-normal"), (160, "-wide")]
        self.VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-tall")]

    def _on_screen_resume(self, event: events.ScreenResume) -> None:
        """As textual's; what has just been mounted has its styles, and gets no new ones."""
        if not self._was_shown:
            event.refresh_styles = False
        self._was_shown = True

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


class ClosesOnce(ModalScreen[Result], Generic[Result]):
    """A modal that goes once, however often it is told to, and takes no other screen with it."""

    _gone = False
    """True once it has given its result."""
    _late: tuple[Result | None, ...] = ()
    """The result that came while another screen lay over this one."""
    run = 0
    """The run of keys in which it came on top; 0 where no terminal's key brought it."""

    def takes_enter(self, run: int) -> bool:
        """False for an Enter of the run that brought this screen: nobody has read it yet."""
        return not self.run or run != self.run

    def dismiss(self, result: Result | None = None) -> AwaitComplete:
        """As textual's; the first call counts.

        Textual takes away whatever is on top. Under another screen this one waits until it is on
        top again.
        """
        if self._gone or self._late:
            return AwaitComplete()
        if self.app.screen is not self:
            self._late = (result,)
            return AwaitComplete()
        self._gone = True
        return super().dismiss(result)

    def on_screen_resume(self) -> None:
        """On top again: go, if that was asked for meanwhile."""
        if self._late and self.app.screen is self:
            (result,), self._late = self._late, ()
            self.dismiss(result)


class MeridianModal(ClosesOnce[Result], Generic[Result]):
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


class MeridianPalette(CommandPalette, ClosesOnce[Any]):
    """Textual's command palette under our banner."""

    def compose(self) -> ComposeResult:
        """The banner, then the palette."""
        yield Banner()
        yield from super().compose()
