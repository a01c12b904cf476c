"""A painted widget that hears of topics from the desk."""

from typing import ClassVar

from console.desk.port import Feed, Topic, View
from console.ui.console import Console, console_of
from console.ui.widgets.painted import Painted


class Fed(Painted):
    """Follows its topics while it is mounted; `feed.take()` in `paint` says what changed."""

    topics: ClassVar[frozenset[Topic]] = frozenset()
    feed: Feed

    @property
    def console(self) -> Console:
        """The app, by what its parts may ask of it."""
        return console_of(self.app)

    @property
    def view(self) -> View:
        """What is true now."""
        return self.console.desk.view

    def on_mount(self) -> None:
        """Follow the desk."""
        self.feed = self.console.desk.follow(self.topics, self.mark, self._paint_now)

    def on_unmount(self) -> None:
        """Hear nothing more."""
        self.feed.close()

    def _paint_now(self) -> None:
        self.pump.urgent(self)
