"""The console's app: keys become commands of the engine; what it does is shown in six panes.

The engine is not ours: it runs beside us and goes on when we end. `run_async` returns what the
operator chose: "leave", "halt_exit" or "quit"; None when the terminal or an error ended us.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Final

from textual import events
from textual.binding import BindingType

from console.commands.table import ACTIONS, FLATTEN
from console.desk.port import Desk
from console.ui.asking_app import BY_ACTION
from console.ui.bindings import bindings
from console.ui.details import details
from console.ui.format import counted
from console.ui.header import Header
from console.ui.jump_places import jump, jump_places
from console.ui.keyboard import Typed
from console.ui.palette import Actions
from console.ui.panes.orders import OrdersPane
from console.ui.screens.base import MeridianModal, MeridianPalette, MeridianScreen
from console.ui.screens.detail import DetailScreen
from console.ui.screens.halt import HaltScreen
from console.ui.screens.help import HelpScreen
from console.ui.screens.jump import JumpScreen
from console.ui.screens.main import MainScreen
from console.ui.screens.quit import QuitScreen
from console.ui.totals import Totals
from console.ui.trading_app import TradingApp
from console.ui.widgets.alert_line import standing
from console.ui.widgets.confirm import ConfirmScreen
from console.ui.widgets.field import Field
from console.ui.widgets.text_lines import plain_line, wrapped
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.run import Flatten, Level, Phase

CHORD_SECONDS: Final = 3.0
"""How long the second press of the chord kills."""

MARKET_SECONDS: Final = 0.1
"""How often the market's counter is compared with what was painted."""

HALT_SECONDS: Final = 0.1
"""Panes wait for so long after a halt, in which the loop is for its cancels and their reports."""

CHORD: Final = "chord pressed"
CHORD_TWICE: Final = "chord pressed twice"

KILL: Final = BY_ACTION["kill"]
ACTING_KEYS: Final = frozenset(key for action in ACTIONS if action.at_once for key in action.keys)
"""Keys that trade, or change whether entries are allowed, as soon as they are pressed."""


class MeridianApp(TradingApp):
    """Six panes over one desk."""

    TITLE = "meridian"
    CSS_PATH = Path(__file__).with_name("app.tcss")
    BINDINGS: ClassVar[list[BindingType]] = [*bindings()]
    COMMANDS = {Actions}  # noqa: RUF012 - textual's type
    MODES = {"main": MainScreen}  # noqa: RUF012 - textual's type
    DEFAULT_MODE = "main"
    COMMAND_PALETTE_BINDING = "ctrl+p"
    URGENT_KEYS = frozenset(KILL.keys)

    def __init__(
        self,
        desk: Desk,
        *,
        theme: str = "meridian",
        glyphs: str = "unicode",
        profit_colours: str = "green-red",
        refresh_hz: float = 0.0,
    ) -> None:
        """Shows what `desk` knows; `refresh_hz` 0 paints as often as the link bears."""
        super().__init__(
            desk,
            theme=theme,
            glyphs=glyphs,
            profit_colours=profit_colours,
            refresh_hz=refresh_hz,
        )
        self._armed_until = float("-inf")
        self._updates = -1
        self.totals = Totals(desk.view, self.pump)
        self.header = Header(
            desk.view, self.totals, self.banner_feed, self.glyphs, lambda: self.armed_seconds
        )

    # -- life

    def on_mount(self) -> None:
        """Follow the desk; look at the market's counter."""
        self.desk.on_halt = self._halted
        self.desk.start()
        self.run_worker(self.desk.recall())
        self.pump.register(self.header, every=0.5)
        self.totals.join(self.header)
        self.set_interval(MARKET_SECONDS, self._look_at_market)

    def on_unmount(self) -> None:
        """The engine goes on without us."""
        self.desk.stop()
        self.totals.leave(self.header)
        self.pump.unregister(self.header)

    @property
    def theme_names(self) -> tuple[str, ...]:
        """Our own themes."""
        return tuple(self._themes)

    def _look_at_market(self) -> None:
        updates = self.desk.view.price_updates
        if updates != self._updates and isinstance(self.screen_stack[0], MainScreen):
            self._updates = updates
            self.main.mark(2, 4)

    # -- keys

    async def _is_bound(self, event: events.Key) -> bool:
        """Do what the key is bound to, where nothing else may take it.

        Textual would hand the key up through all that the focus lies in, a turn of the loop each.
        """
        if await self._check_bindings(event.key, priority=True):
            return True
        if not isinstance(self.screen, MainScreen | MeridianModal) or self.edits(event):
            return False
        return await self._check_bindings(event.key)

    def must_be_alone(self, event: Typed) -> bool:
        """A key that acts at once, over the panes: as a letter of a text it is no command."""
        return (
            isinstance(event, events.Key)
            and event.key in ACTING_KEYS
            and self._over_main
            and not isinstance(self.focused, Field)
        )

    # -- stop

    @property
    def armed_seconds(self) -> float:
        """How long a second press still kills; 0 when the first was too long ago."""
        return max(self._armed_until - self.seconds(), 0.0)

    async def action_kill(self) -> None:
        """Halt with the first press, kill with the second (X-52).

        The gate is shut before anything else; nothing that adds exposure leaves from here on.
        """
        self._press_kill()

    def urgent_key(self, key: str) -> Callable[[], None] | None:
        """The chord shuts the gate as soon as it is read; the halt follows on the loop (X-52)."""
        if key not in KILL.keys or self.desk.refusal:
            return None
        self.desk.shut(CHORD)
        return self._kill_pressed

    def _kill_pressed(self) -> None:
        """Halt or kill; the cancels that this leads to leave before the picture is drawn."""
        with self._context():
            self._press_kill()
        asyncio.get_running_loop().call_soon(self._show_kill)

    def _show_kill(self) -> None:
        with self._context():
            if self.is_running and isinstance(self.screen, MeridianScreen):
                self.screen.draw_now()

    def _press_kill(self) -> None:
        second = self.armed_seconds > 0
        self._armed_until = float("-inf") if second else self.seconds() + CHORD_SECONDS
        answer = self.desk.halt(
            ask.Kill(
                by=self.by,
                level=Level.KILL if second else Level.HALT,
                flatten=self.desk.view.settings.flatten if second else Flatten.NONE,
                reason=CHORD_TWICE if second else CHORD,
            )
        )
        self._carry(answer)
        if not self.is_running:
            return
        self.header.paint()
        if not second:
            self.set_timer(CHORD_SECONDS, self.header.paint)

    def _halted(self, event: ev.Halted) -> None:
        """The panes come after its cancels; a kill brings its proof on the screen.

        Whoever set it.
        """
        self.pump.rest(HALT_SECONDS)
        self.clear_notifications()
        if event.halt.level is Level.KILL:
            self.call_later(self.action_halt_screen)

    def action_halt_screen(self) -> None:
        """The proof of a halt, and the typed way back."""
        if not isinstance(self.screen, HaltScreen):
            self.push_screen(HaltScreen(self.desk.view.resume_phrase))

    def action_flatten(self) -> None:
        """Everything closed, typed (X-52)."""
        run = self.desk.view.run()
        lines = [
            "Halts, cancels every order and closes every position at the market:",
            f"{counted(run.positions, 'position')}, {counted(run.orders, 'order')}. Stops go last.",
            "Trading starts again only after a typed resume.",
        ]
        screen = ConfirmScreen("Flatten everything", lines, phrase=FLATTEN.phrase, action="Flatten")
        self._confirm(screen, self._flatten, "not flattened")

    def _flatten(self) -> None:
        kill = ask.Kill(by=self.by, level=Level.KILL, flatten=Flatten.ALL, reason="flatten")
        self._carry(self.desk.halt(kill))

    def action_pause(self) -> None:
        """Pause, or end a pause; with real money ending it is asked for."""
        self.clear_notifications()  # what was said of the state before
        run = self.desk.view.run()
        if not run.paused:
            done = "paused: no automatic entries; those that work stay, yours and exits go on"
            self.ask(ask.Pause(by=self.by), done=done)
        elif self.banner_feed.mode == "live" and run.halt is None:
            lines = ["Entries with real money are allowed again."]
            self._confirm(ConfirmScreen("Unpause", lines, action="Unpause"), self._unpause)
        else:
            self._unpause()

    def _unpause(self) -> None:
        self.ask(ask.Unpause(by=self.by), done="automatic entries are allowed")

    # -- look

    def action_pane(self, number: int) -> None:
        """Focus a pane; Orders again goes through its tabs."""
        if not self._over_main:
            return
        pane = self.main.pane(number)
        if isinstance(pane, OrdersPane) and self.main.active == number and pane.has_focus_within:
            pane.action_tab(1)
        else:
            self.main.show(number)

    def action_filter(self) -> None:
        """Type what rows must have."""
        if self._over_main:
            self.main.active_pane.start_filter()

    def action_zoom(self) -> None:
        """One pane, or all."""
        if self._over_main:
            self.main.zoom(not self.main.zoomed)

    def action_jump(self) -> None:
        """Labels on panes and tabs."""
        if self._over_main:
            self.push_screen(JumpScreen(jump_places(self.main)), lambda key: jump(self.main, key))

    def show_details(self, table: str, key: object) -> None:
        """Everything about one row."""
        found = details(self.desk.view, table, key)
        if found is not None:
            title, lines = found
            self.push_screen(DetailScreen(title, lines))

    def action_alerts(self) -> None:
        """Everything that is wrong now, in whole sentences."""
        if not self._over_main:
            return
        alerts = standing(self.desk.view)
        width = min(self.size.width, 96) - 10
        lines = [plain_line(line, a.style) for a in alerts for line in wrapped(a.text, width)]
        self.push_screen(DetailScreen("Alerts", lines or [plain_line("nothing is wrong", "muted")]))

    # -- the console itself

    def action_help_quit(self) -> None:
        """ctrl+c is pressed by habit: say what leaves and what stops."""
        self._tell("ctrl+q quits; ctrl+k halts")

    def action_help(self) -> None:
        """Keys, and what the focused pane shows."""
        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.main.active_pane, self.size.width))

    def action_leave(self) -> None:
        """Close the top screen; on the panes: filter off, then zoom off."""
        if not self._over_main:
            self.screen.dismiss(None)
            return
        if not self.main.active_pane.end_filter() and self.main.zoomed:
            self.main.zoom(False)

    async def action_quit(self) -> None:
        """Never silently while an engine runs."""
        if isinstance(self.screen, QuitScreen):
            return
        run = self.desk.view.run()
        if self.desk.refusal or run.phase in (Phase.STOPPED, Phase.ERROR):
            self.exit("quit")
            return
        if isinstance(self.screen, MeridianPalette):
            self.pop_screen()
        self.push_screen(QuitScreen(), self._quit_chosen)

    def _quit_chosen(self, choice: str | None) -> None:
        match choice:
            case "leave" | "quit":
                self.exit(choice)
            case "halt_exit":
                halt = ask.Kill(
                    by=self.by, level=Level.HALT, flatten=Flatten.NONE, reason="halt and exit"
                )
                self._carry(self.desk.halt(halt), answered=lambda _: self.exit("halt_exit"))
            case _:
                pass
