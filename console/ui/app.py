"""The console's app: keys become commands of the engine; what it does is shown in six panes.

The engine is not ours: it runs beside us and goes on when we end. `run_async` returns what the
operator chose: "leave", "halt_exit" or "quit"; None when the terminal or an error ended us.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import ClassVar, Final, cast

from rich.cells import cell_len
from textual import events
from textual.actions import ActionParseResult
from textual.binding import BindingType
from textual.dom import DOMNode
from textual.geometry import Offset

from console.commands.model import Action
from console.commands.table import ACTIONS, FLATTEN, UNPROTECT
from console.desk.port import Desk, Result
from console.ui.bindings import bindings
from console.ui.details import details
from console.ui.format import GLYPHS, counted
from console.ui.header import Header
from console.ui.keyboard import Typed
from console.ui.lines import order_words
from console.ui.palette import Actions
from console.ui.panes.orders import TABS, OrdersPane
from console.ui.panes.positions import PositionsPane
from console.ui.screens.base import MeridianModal, MeridianPalette, MeridianScreen
from console.ui.screens.change import ChangeOrderScreen, ChangePositionScreen
from console.ui.screens.detail import DetailScreen
from console.ui.screens.halt import HaltScreen
from console.ui.screens.help import HelpScreen
from console.ui.screens.jump import JumpMark, JumpScreen
from console.ui.screens.main import MainScreen
from console.ui.screens.quit import QuitScreen
from console.ui.screens.reconcile import ReconcileScreen
from console.ui.screens.ticket import TicketScreen
from console.ui.terminal_app import TerminalApp
from console.ui.totals import Totals
from console.ui.widgets.alert_line import standing
from console.ui.widgets.banner import Mode
from console.ui.widgets.confirm import ConfirmScreen
from console.ui.widgets.field import Field
from console.ui.widgets.tab_strip import SHORT, TabStrip
from console.ui.widgets.text_lines import plain_line, wrapped
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import Command
from engine.domain.order import Side
from engine.domain.run import Flatten, Level, Phase

log = logging.getLogger(__name__)

CHORD_SECONDS: Final = 3.0
"""How long the second press of the chord kills."""

MARKET_SECONDS: Final = 0.1
"""How often the market's counter is compared with what was painted."""

OPERATOR: Final = "console"

HALT_SECONDS: Final = 0.1
"""Panes wait for so long after a halt, in which the loop is for its cancels and their reports."""

CHORD: Final = "chord pressed"
CHORD_TWICE: Final = "chord pressed twice"

_BY_ACTION: Final = {action.name: action for action in ACTIONS}
KILL: Final = _BY_ACTION["kill"]
ACTING_KEYS: Final = frozenset(key for action in ACTIONS if action.at_once for key in action.keys)
"""Keys that trade, or change whether entries are allowed, as soon as they are pressed."""


class MeridianApp(TerminalApp[str]):
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
        mode = str(desk.view.settings.mode)
        super().__init__(
            mode=cast(Mode, mode if mode in ("shadow", "live") else "paper"),
            theme=theme,
            profit_colours=profit_colours,
            glyphs=glyphs if glyphs in GLYPHS else "unicode",
            refresh_hz=refresh_hz,
        )
        self.desk = desk
        self.by = OPERATOR
        self.seconds: Callable[[], float] = time.monotonic
        """A clock for keys; the engine's own may run faster than a hand."""
        self._armed_until = float("-inf")
        self._ticket_for: tuple[str, tuple[int, int]] | None = None
        """The symbol of the last ticket, and where a person's hand had put the cursor then."""
        self._asked: set[asyncio.Task[None]] = set()
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
    def main(self) -> MainScreen:
        """The screen of the panes, whatever lies over it."""
        return cast(MainScreen, self.screen_stack[0])

    @property
    def theme_names(self) -> tuple[str, ...]:
        """Our own themes."""
        return tuple(self._themes)

    def _look_at_market(self) -> None:
        updates = self.desk.view.price_updates
        if updates != self._updates and isinstance(self.screen_stack[0], MainScreen):
            self._updates = updates
            self.main.mark(2, 4)

    # -- asking the engine

    def ask(
        self,
        command: Command,
        *,
        then: Callable[[str], None] | None = None,
        answered: Callable[[Result], None] | None = None,
        done: str = "",
    ) -> None:
        """Hand `command` to the engine. A refusal is told as a toast unless someone takes it."""
        self._carry(self.desk.ask(command), then=then, answered=answered, done=done)

    def _carry(
        self,
        answer: Awaitable[Result],
        *,
        then: Callable[[str], None] | None = None,
        answered: Callable[[Result], None] | None = None,
        done: str = "",
    ) -> None:
        async def carry() -> None:
            result = await answer
            if answered is not None:
                answered(result)
            elif then is not None:
                then("" if result.ok else f"{result.code} {result.error}")
            elif not result.ok:
                self._tell(f"refused: {result.error}", warn=True)
            elif done:
                self._tell(done)

        task = asyncio.get_running_loop().create_task(carry())
        self._asked.add(task)
        task.add_done_callback(self._carried)

    def _carried(self, task: "asyncio.Task[None]") -> None:
        self._asked.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, Exception):
            log.error("a command failed", exc_info=error)
            if self.is_running:
                self._handle_exception(error)

    def _refuses(self) -> bool:
        """True where no command is taken; it is said why."""
        if self.desk.refusal:
            self._tell(f"refused: {self.desk.refusal}", warn=True)
        return bool(self.desk.refusal)

    def _tell(self, words: str, *, warn: bool = False) -> None:
        if self.is_running:
            self.notify(words, severity="warning" if warn else "information", timeout=4)

    async def run_named(self, action: Action) -> None:
        """Do what the table names; the palette comes this way."""
        await self.run_action(action.name)

    async def run_action(
        self,
        action: "str | ActionParseResult",
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """As textual's; what asks something of the engine is refused where no command is taken."""
        known = _BY_ACTION.get(action) if isinstance(action, str) else None
        if known is not None and known.asks and self._refuses():
            return True
        return await super().run_action(action, default_namespace, namespaces)

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

    # -- trade

    def action_ticket(self, side: str) -> None:
        """A ticket for the symbol that is selected.

        One that came under the cursor by itself, just now or since the last ticket, is named first.
        """
        if not self._over_main:
            return
        pane, symbol, hand = self.main.active_pane, self.main.symbol, self.main.hand
        last, self._ticket_for = self._ticket_for, (symbol, hand)
        moved = isinstance(pane, PositionsPane | OrdersPane) and pane.take_moved()
        if moved or (last is not None and last[0] != symbol and last[1] == hand):
            key = "b" if side == Side.BUY else "s"
            self._tell(f"the rows moved: press {key} again for a ticket in {symbol}", warn=True)
            return
        ticket = TicketScreen(Side(side), symbol, self._account())

        def closed(sent: str | None) -> None:
            if sent and ticket.reviewed is not None:
                # what it buys may come under the cursor: that is where the hand is
                self._ticket_for = ticket.reviewed.symbol, hand
            self._changed(sent)

        self.push_screen(ticket, closed)

    def _account(self) -> str:
        """The account of the position that is selected, where there are several accounts."""
        pane = self.main.active_pane
        key = pane.selected if isinstance(pane, PositionsPane) else None
        if key is None or len(self.desk.view.accounts()) < 2:
            return ""
        return self.desk.view.account_of(key)

    def _changed(self, sent: str | None) -> None:
        if sent:
            self._tell(sent)

    def action_close_position(self) -> None:
        """Close what is selected in Positions, at once (reducing is never asked twice).

        Only rows that moved under the cursor by themselves are named first.
        """
        pane = self.main.active_pane
        key = pane.selected if isinstance(pane, PositionsPane) else None
        if not isinstance(pane, PositionsPane):
            self._elsewhere("2", "x closes", "Positions")
            return
        if key is None:
            self._tell("there is no position to close", warn=True)
            return
        symbol = self.desk.view.symbol_of(key)
        if pane.take_moved():
            self._tell(f"the rows moved: press x again to close {key}", warn=True)
            return
        account = self.desk.view.account_of(key)
        self.ask(
            ask.ClosePosition(by=self.by, symbol=symbol, broker=account), done=f"closing {key}"
        )

    def action_cancel_order(self) -> None:
        """Cancel what is selected in Orders; taking a stop away is typed.

        Only rows that moved under the cursor by themselves are named first.
        """
        pane = self.main.active_pane
        key = pane.selected if isinstance(pane, OrdersPane) else None
        order = None if key is None else self.desk.view.order(key)
        if not isinstance(pane, OrdersPane):
            self._elsewhere("3", "c cancels", "Orders")
            return
        if order is None or not order.working:
            self._no_order(pane, "cancel", "cancelled")
            return
        if pane.take_moved():
            words = f"the rows moved: press c again to cancel {order_words(order)}"
            self._tell(words, warn=True)
            return
        command = ask.CancelOrder(by=self.by, client_order_id=order.client_order_id)
        if not order.protective:
            self.ask(command, done=f"cancelling {order_words(order)}")
            return
        lines = [order_words(order), f"protects {order.symbol}: without it nothing does."]
        typed = ask.CancelOrder(
            by=self.by, client_order_id=order.client_order_id, confirm=UNPROTECT.phrase
        )
        screen = ConfirmScreen(
            "Take the stop away", lines, phrase=UNPROTECT.phrase, action="Unprotect"
        )
        self._confirm(
            screen, lambda: self.ask(typed, done=f"{order.symbol} loses its stop"), "the stop stays"
        )

    def action_modify(self) -> None:
        """Change the order or the position that is selected."""
        if not self._over_main:
            return
        pane = self.main.active_pane
        view = self.desk.view
        if isinstance(pane, PositionsPane):
            position = None if pane.selected is None else view.position(pane.selected)
            if position is None:
                self._tell("there is no position to change", warn=True)
            else:
                self.push_screen(ChangePositionScreen(position), self._changed)
        elif isinstance(pane, OrdersPane):
            order = None if pane.selected is None else view.order(pane.selected)
            if order is None or not order.working:
                self._no_order(pane, "change", "changed")
            else:
                self.push_screen(ChangeOrderScreen(order), self._changed)
        else:
            self._elsewhere("2 or 3", "m changes", "Positions or Orders")

    def _elsewhere(self, key: str, does: str, pane: str) -> None:
        """A key that acts on a row was pressed where it acts on none."""
        here = self.main.active_pane.title
        words = f"keys go to {here}: press {key} first, {does} what is selected in {pane}"
        self._tell(words, warn=True)

    def _no_order(self, pane: OrdersPane, verb: str, done: str) -> None:
        if pane.tab == TABS[0]:
            self._tell(f"there is no working order to {verb}", warn=True)
        else:
            words = f"only working orders are {done}: left or right goes to Pending"
            self._tell(words, warn=True)

    def action_cancel_all(self) -> None:
        """Every working order but protective stops."""
        count = self.desk.view.run().cancellable
        words = f"cancelling {counted(count, 'order')}; protective stops stay"
        self.ask(ask.CancelAll(by=self.by), done=words if count else "nothing to cancel")

    def action_reconcile(self) -> None:
        """Differences with the venue."""
        if self._over_main:
            self.push_screen(ReconcileScreen())

    def _confirm(
        self, screen: ConfirmScreen, act: Callable[[], None], no: str = "nothing was done"
    ) -> None:
        def decided(yes: bool | None) -> None:
            if yes is True:
                act()
            else:
                self._tell(no)

        self.push_screen(screen, decided)

    # -- look

    @property
    def _over_main(self) -> bool:
        """True while nothing lies over the panes."""
        return isinstance(self.screen, MainScreen)

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
            self.push_screen(JumpScreen(self._places()), self._jumped)

    def _places(self) -> dict[str, JumpMark]:
        """Panes that are shown at their corner, hidden ones on the tabs, tabs of Orders inside."""
        places: dict[str, JumpMark] = {}
        corner = self.main.region.offset
        tabs = self.main.query_one(TabStrip).spans()
        for number in range(1, 7):
            pane = self.main.pane(number)
            shown = pane.display and bool(pane.region.area)
            start, width = tabs[number - 1]
            at = pane.region.offset if shown else Offset(corner.x + start, corner.y + 1)
            # as wide as what it covers, so that no letters of it are left
            covers = cell_len(str(pane.border_title)) if shown else width - 4
            words = pane.title if shown else SHORT.get(pane.title, pane.title)
            places[str(number)] = JumpMark(at, words.ljust(covers))
            if shown and isinstance(pane, OrdersPane):
                for place, name in enumerate(TABS):
                    spot = Offset(at.x + 12 + 12 * place, at.y)
                    places[name[0]] = JumpMark(spot, name)
        return places

    def _jumped(self, key: str | None) -> None:
        if not key:
            return
        if key.isdigit():
            self.main.show(int(key))
            return
        self.main.show(OrdersPane.number)
        pane = self.main.pane(OrdersPane.number)
        tab = next(tab for tab in TABS if tab.startswith(key))
        if isinstance(pane, OrdersPane):
            pane.show_tab(tab)

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
        facts = (
            f"The engine is {run.state}: {counted(run.positions, 'position')}, "
            f"{counted(run.orders, 'working order')}."
        )
        if isinstance(self.screen, MeridianPalette):
            self.pop_screen()
        self.push_screen(QuitScreen(facts), self._quit_chosen)

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
