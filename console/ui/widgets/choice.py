"""One value of a few, on one line: left and right (or space) change it."""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip

from console.ui.widgets.text_lines import TextLines


class Choice(TextLines, can_focus=True):
    """A chooser without a menu."""

    can_focus = True
    DEFAULT_CSS = """
    Choice {
        height: 1;
        background: $panel;
        &:focus { background: $block-cursor-background; color: $block-cursor-foreground; }
        &:focus:nocolor { text-style: reverse; }
        &:focus:ansi { text-style: reverse; }
        &:disabled { color: $muted; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "step(-1)", "Previous", show=False),
        Binding("right,space", "step(1)", "Next", show=False),
    ]
    value: reactive[str] = reactive("", init=False)

    class Changed(Message):
        """Another value."""

        def __init__(self, choice: "Choice", value: str) -> None:
            super().__init__()
            self.choice = choice
            self.value = value

        @property
        def control(self) -> "Choice":
            """The chooser."""
            return self.choice

    def __init__(
        self,
        values: Sequence[str],
        *,
        value: str = "",
        id: str | None = None,  # noqa: A002 - textual's name
    ) -> None:
        super().__init__(id=id)
        self.values = tuple(values)
        self.set_reactive(Choice.value, value or self.values[0])

    def action_step(self, by: int) -> None:
        """The next or previous value, round and round."""
        self.value = self.values[(self.values.index(self.value) + by) % len(self.values)]

    def watch_value(self, value: str) -> None:
        """Tell."""
        self.post_message(self.Changed(self, value))

    def render_line(self, y: int) -> Strip:
        """`< value >`."""
        self._lines = (((f" < {self.value} >", ""),),)
        return super().render_line(y)
