"""The typed confirmation: whoever adds risk writes out what they want.

Focus starts in the field, or on Cancel where no phrase is asked; Enter on Cancel and Escape mean
no, and only the exact phrase means yes. Reducing risk never passes through here.
"""

from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Button, Input, Static

from console.ui.external import literal
from console.ui.screens.base import MeridianModal
from console.ui.widgets.field import Field


class ConfirmScreen(MeridianModal[bool]):
    """Asks for `phrase`; the result is True only if it was typed exactly and confirmed.

    An empty phrase asks yes or no, with no as the default. `lines` may hold text from outside.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "No"),
        Binding("left,right", "other_button", "Other button", show=False),
    ]
    DEFAULT_CSS = """
    ConfirmScreen {
        & #confirm-lines { height: auto; max-height: 14; margin-bottom: 1; }
        & #confirm-wanted { height: 1; color: $warn; }
        & #confirm-phrase { height: 3; border: round $warn; padding: 0 1; background: $panel; }
        & #confirm-buttons { height: 1; margin-top: 1; align-horizontal: right; }
        & #confirm-no, & #confirm-yes {
            min-width: 12;
            margin-left: 2;
            height: 1;
            border: none;
            &:hover, &:focus, &.-active, &:disabled { border: none; }
        }
    }
    """
    AUTO_FOCUS = "#confirm-no"

    def __init__(
        self, title: str, lines: Iterable[str], *, phrase: str = "", action: str = "Confirm"
    ) -> None:
        super().__init__()
        self._title = title
        self._lines = list(lines)
        self._phrase = phrase
        self._action = action

    def body(self) -> ComposeResult:
        """Text, the phrase, and two buttons."""
        yield Static(Content("\n").join(map(literal, self._lines)), id="confirm-lines")
        if self._phrase:
            yield Static(literal(f"Type {self._phrase} to go on:"), id="confirm-wanted")
            yield Field(id="confirm-phrase")
        with Horizontal(id="confirm-buttons"):
            yield Button(literal("Cancel"), id="confirm-no", compact=True)
            yield Button(
                literal(self._action),
                id="confirm-yes",
                variant="error",
                compact=True,
                disabled=bool(self._phrase),
            )

    def on_mount(self) -> None:
        """Title of the frame; keys go where the phrase is typed."""
        self.frame.border_title = literal(self._title)
        if self._phrase:
            self.query_one("#confirm-phrase", Input).focus()

    def action_close(self) -> None:
        """Escape is no."""
        self.dismiss(False)

    def action_other_button(self) -> None:
        """From one button to the other, where it is open."""
        self.focus_next("Button:enabled")

    @on(Input.Changed, "#confirm-phrase")
    def _typed(self, event: Input.Changed) -> None:
        self.query_one("#confirm-yes", Button).disabled = event.value != self._phrase

    @on(Input.Submitted, "#confirm-phrase")
    def _entered(self, event: Input.Submitted) -> None:
        if event.value == self._phrase:
            self.dismiss(True)
        else:
            self.query_one("#confirm-wanted", Static).update(
                literal(f"type {self._phrase} to go on; escape leaves"),
                layout=False,
            )

    @on(Button.Pressed, "#confirm-yes")
    def _confirmed(self) -> None:
        self.dismiss(True)

    @on(Button.Pressed, "#confirm-no")
    def _refused(self) -> None:
        self.dismiss(False)
