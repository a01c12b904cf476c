"""A widget the pump paints."""

from functools import cached_property
from typing import Protocol, cast

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
        return self.is_attached and self._screen_shows and self.is_on_screen

    @property
    def _screen_shows(self) -> bool:
        """True if its screen is the top one, or lies under nothing but modals."""
        return self.screen is self.app.screen or self.screen in self.app._background_screens

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
