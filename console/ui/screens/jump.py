"""Jump: a label on everything that can be focused; its key goes there."""

from collections.abc import Mapping
from typing import NamedTuple

from textual import events
from textual.app import ComposeResult
from textual.geometry import Offset
from textual.widgets import Label

from console.ui.external import literal
from console.ui.screens.base import ClosesOnce
from console.ui.widgets.banner import Banner


class JumpMark(NamedTuple):
    """Where a label stands and what it says."""

    at: Offset
    words: str


class JumpScreen(ClosesOnce[str]):
    """Waits for one of the keys; any other leaves."""

    DEFAULT_CSS = """
    JumpScreen {
        background: $background 40%;
        & .jump--label { position: absolute; width: auto; height: 1; }
        & .jump--label { background: $warn; color: $background; text-style: bold; padding: 0 1; }
    }
    """

    def __init__(self, places: Mapping[str, JumpMark]) -> None:
        super().__init__()
        self.places = dict(places)

    def compose(self) -> ComposeResult:
        """The banner, and the labels."""
        yield Banner()
        for key, place in self.places.items():
            label = Label(literal(f"{key} {place.words}"), classes="jump--label")
            label.styles.offset = (place.at.x, place.at.y)
            yield label

    def on_key(self, event: events.Key) -> None:
        """One key decides."""
        event.stop()
        self.dismiss(event.character if event.character in self.places else "")

    def on_click(self) -> None:
        """A click leaves."""
        self.dismiss("")
