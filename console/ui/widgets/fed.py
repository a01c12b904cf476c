"""A painted widget that hears of topics from the bridge."""

from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.app import App

from console.ui.bridge import Bridge, Feed, Topic
from console.ui.widgets.painted import Painted

if TYPE_CHECKING:
    from console.ui.app import MeridianApp


def console_of(app: App[Any]) -> "MeridianApp":
    """The app, by its own type."""
    return cast("MeridianApp", app)


class Fed(Painted):
    """Joins the bridge when mounted; `feed.take()` in `paint` says what changed."""

    topics: ClassVar[frozenset[Topic]] = frozenset()
    feed: Feed

    @property
    def console(self) -> "MeridianApp":
        """The app, by its own type."""
        return console_of(self.app)

    @property
    def bridge(self) -> Bridge:
        """The app's replica of the engine."""
        return self.console.bridge

    def on_mount(self) -> None:
        """Join the bridge."""
        self.feed = self.bridge.feed(self.topics, self.mark, self._paint_now)

    def on_unmount(self) -> None:
        """Leave the bridge."""
        self.bridge.drop(self.feed)

    def _paint_now(self) -> None:
        self.pump.urgent(self)
