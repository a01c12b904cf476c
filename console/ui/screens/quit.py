"""Leaving: what shall become of the engine that runs."""

from collections.abc import Iterator
from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Button, Static

from console.desk.port import Topic
from console.ui.external import literal
from console.ui.format import counted
from console.ui.screens.base import MeridianModal
from console.ui.widgets.fed import Fed
from console.ui.widgets.text_lines import PaintedLines, TextLine, plain_line, wrapped

CHOICES: Final = (
    ("back", "Back", "go on as before"),
    (
        "leave",
        "Leave the engine running",
        "the shell comes back and the engine goes on; a new console cannot attach to it, "
        "`meridian-tui status`, `kill` and `stop` reach it",
    ),
    (
        "quit",
        "Stop the engine and quit",
        "no entries, working entries cancelled, protective stops stay at the venue",
    ),
    (
        "halt_exit",
        "Halt and exit",
        "the halt is latched: the next start trades only after a typed resume",
    ),
)


NAMED: Final = 3
"""So many holdings without a stop are named: at 80x24 the choices stay in sight."""


UNKNOWN_WIDTH: Final = 60
"""Before it is laid out."""


class EngineNow(PaintedLines, Fed):
    """What the engine is and has, and what would have no stop without it, as long as the choice
    stands open."""

    topics: ClassVar[frozenset[Topic]] = frozenset({Topic.STATE, Topic.POSITIONS, Topic.ORDERS})

    def paint(self) -> None:
        """The run state, how much is held and works, and what no stop would cover at its venue."""
        self.feed.take()
        run = self.view.run()
        held, works = counted(run.positions, "position"), counted(run.orders, "working order")
        lines: list[TextLine] = [
            ((f"The engine is {run.state}: {held}, {works}.", "strong"),),
            *self._unattended(),
            (),
        ]
        self.show_lines(lines)

    def _unattended(self) -> Iterator[TextLine]:
        bare = self.view.unattended()
        if not bare:
            return
        yield plain_line("Without the engine nothing protects:", "error")
        for one in bare[:NAMED]:
            for text in wrapped(one.text, (self.size.width or UNKNOWN_WIDTH) - 2):
                yield plain_line(f"  {text}", "error")
        if (left := len(bare) - NAMED) > 0:
            yield plain_line(f"  and {left} more: see NONE! among the positions", "error")


class QuitScreen(MeridianModal[str]):
    """Four ways; back is the first."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Back"),
        Binding("up", "app.focus_previous", "Up", show=False),
        Binding("down", "app.focus_next", "Down", show=False),
    ]
    AUTO_FOCUS = "#back"
    DEFAULT_CSS = """
    QuitScreen {
        & Button {
            width: 100%;
            height: 1;
            border: none;
            text-align: left;
            content-align: left middle;
        }
        & Button:focus, & Button:hover, & Button.-active { border: none; }
        & .quit--words { color: $muted; padding: 0 0 1 3; }
        & Vertical { height: auto; }
    }
    """

    def body(self) -> ComposeResult:
        """What runs, and the ways out."""
        yield EngineNow(id="engine-now")
        with Vertical():
            for name, label, words in CHOICES:
                yield Button(literal(label), id=name, compact=True)
                yield Static(literal(words), classes="quit--words")

    def on_mount(self) -> None:
        """Title of the frame."""
        self.frame.border_title = literal("Leave the console?")

    def action_close(self) -> None:
        """Escape goes back."""
        self.dismiss("back")

    @on(Button.Pressed)
    def _chosen(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id or "back")
