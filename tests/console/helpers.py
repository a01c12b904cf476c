"""What tests of widgets share: an app around one widget, and its screen as text."""

from collections.abc import Iterable
from typing import Any

from textual.app import App, ComposeResult
from textual.widget import Widget

from console.ui.screens.base import MeridianScreen
from console.ui.terminal_app import TerminalApp
from console.ui.widgets.banner import Mode


class OneScreen(MeridianScreen[None]):
    def __init__(self, widgets: Iterable[Widget]) -> None:
        super().__init__()
        self.widgets = widgets

    def body(self) -> ComposeResult:
        yield from self.widgets


class OneApp(TerminalApp[None]):
    """An app whose only screen holds the widgets given."""

    def __init__(self, *widgets: Widget, mode: Mode = "paper", theme: str = "meridian") -> None:
        super().__init__(mode=mode, theme=theme)
        self.widgets = widgets
        self.actions_run: list[str] = []

    def get_default_screen(self) -> OneScreen:
        return OneScreen(self.widgets)

    def action_note(self) -> None:
        self.actions_run.append("note")


def lines(app: App[Any]) -> list[str]:
    """The screen as the app renders it, without trailing blanks."""
    return [strip.text.rstrip() for strip in app.screen._compositor.render_strips()]
