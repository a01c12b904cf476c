"""What panes and screens may ask of the app they are in."""

from collections.abc import Callable
from typing import Any, Protocol, cast

from textual.app import App

from console.commands.model import Action
from console.desk.port import Desk, Result
from console.ui.format import Glyphs
from console.ui.keyboard import Keyboard
from console.ui.pump import Pump
from console.ui.totals import Totals
from console.ui.widgets.banner import BannerFeed
from engine.domain.inputs import Command


class Console(Protocol):
    """The console's app as its parts know it."""

    desk: Desk
    glyphs: Glyphs
    banner_feed: BannerFeed
    pump: Pump
    totals: Totals
    keyboard: Keyboard
    by: str
    """Who gives the commands, as the journal names it."""
    seconds: Callable[[], float]
    """A clock for keys."""

    @property
    def theme_names(self) -> tuple[str, ...]:
        """Our own themes."""
        ...

    def ask(
        self,
        command: Command,
        *,
        then: Callable[[str], None] | None = None,
        answered: Callable[[Result], None] | None = None,
        done: str = "",
    ) -> None:
        """Hand `command` to the engine; a refusal is a toast unless `then` or `answered` takes
        the answer. `done` is said where it was done.
        """
        ...

    async def run_named(self, action: Action) -> None:
        """Do what an action of the table names."""
        ...

    def show_details(self, table: str, key: object) -> None:
        """Show everything about the row `key` of a table."""
        ...


def console_of(app: App[Any]) -> Console:
    """The app by what its parts may ask of it."""
    return cast(Console, app)
