"""A widget the pump paints."""

from functools import cached_property
from typing import Protocol, cast

from textual.app import App
from textual.screen import Screen
from textual.widget import Widget

from console.ui.pump import Pump


class _Pumping(Protocol):
    """The app, as far as it paints."""

    pump: Pump


class Painted(Widget):
    """Registers itself with the app's pump; a subclass brings its view up to date in `paint`.

    `paint_every` repaints a pane without news, for the ages it shows (seconds; None = never).
    """

    paint_every: float | None = None

    @cached_property
    def pump(self) -> Pump:
        """The app's pump."""
        return cast(_Pumping, self.app).pump

    @property
    def is_showing(self) -> bool:
        """True if the widget is on a screen that can be seen, behind a modal too."""
        # textual's own ways walk up the tree at each step, and every paint asks this of every pane
        return self._screen_shows and self in self._shown_by[1]._compositor.visible_widgets

    @property
    def _screen_shows(self) -> bool:
        """True while the screen that the widget is on can be seen, behind a modal too."""
        app, screen = self._shown_by
        if app._exit or not self.is_running:
            return False
        return screen is app.screen or screen in app._background_screens

    @cached_property
    def _shown_by(self) -> tuple[App[object], Screen[object]]:
        """The app and the screen, which stay the same once it is mounted."""
        return self.app, self.screen

    def paint(self) -> None:
        """Bring what is shown up to date; called by the pump, inside a batch."""
        raise NotImplementedError

    def mark(self) -> None:
        """There is news: paint in the next slot."""
        self.pump.mark(self)

    def on_mount(self) -> None:
        """Join the pump."""
        self.pump.register(self, every=self.paint_every)

    def on_unmount(self) -> None:
        """Leave the pump."""
        self.pump.unregister(self)

    def on_show(self) -> None:
        """What waited while hidden is painted now."""
        self.pump.wake()
