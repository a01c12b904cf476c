"""The one full screen: six panes, in the shape the window allows."""

from typing import cast

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container

from console.commands.table import PANES
from console.ui.console import Console, console_of
from console.ui.panes.base import Pane
from console.ui.panes.depth import DepthPane
from console.ui.panes.journal import JournalPane
from console.ui.panes.orders import OrdersPane
from console.ui.panes.positions import PositionsPane
from console.ui.panes.risk import RiskPane
from console.ui.panes.signals import SignalsPane
from console.ui.screens.base import MeridianScreen
from console.ui.widgets.alert_line import AlertLine, standing
from console.ui.widgets.footer import KeyFooter
from console.ui.widgets.live_table import LiveTable
from console.ui.widgets.painted import Painted
from console.ui.widgets.strips import EventStrip, RiskStrip
from console.ui.widgets.tab_strip import TabStrip
from console.ui.widgets.text_lines import TextLines, plain_line

TOO_SMALL = ("terminal too small: 60x20 is needed", "^k halts   ^q leaves")


class Badges(Painted):
    """Keeps the counts on the tabs; draws nothing itself."""

    paint_every = 1.0
    DEFAULT_CSS = "Badges { display: none; }"

    @property
    def is_showing(self) -> bool:
        """True while the tabs can be seen, under a dialog too."""
        return self._screen_shows

    def paint(self) -> None:
        """Counts and alerts."""
        cast("MainScreen", self.screen).show_tabs()


class MainScreen(MeridianScreen[None]):
    """Panes in a grid, one active."""

    CSS_PATH = "main.tcss"
    AUTO_FOCUS = ""

    def __init__(self) -> None:
        super().__init__(id="main")
        self.HORIZONTAL_BREAKPOINTS = [
            (0, "-tiny"),
            (60, "-narrow"),
            (100, "-normal"),
            (160, "-wide"),
        ]
        self.VERTICAL_BREAKPOINTS = [(0, "-low"), (20, "-short"), (32, "-tall")]
        self.active = 2

    @property
    def console(self) -> Console:
        """The app, by what its parts may ask of it."""
        return console_of(self.app)

    def body(self) -> ComposeResult:
        """Tabs, panes, strips, alerts, keys."""
        glyphs = self.console.glyphs
        yield TabStrip(glyphs.cursor)
        yield TextLines([plain_line(f" {line}", "warn") for line in TOO_SMALL], id="small")
        with Container(id="body"), Container(id="panes"):
            yield PositionsPane(glyphs)
            yield SignalsPane(glyphs)
            yield DepthPane(glyphs)
            yield OrdersPane(glyphs)
            yield RiskPane(glyphs)
            yield JournalPane(glyphs)
        yield RiskStrip()
        yield TextLines([plain_line("─ last events " + "─" * 300, "muted")], id="events-title")
        yield EventStrip()
        yield AlertLine()
        yield KeyFooter()
        yield Badges()

    def on_mount(self) -> None:
        """Positions first: what is held matters most."""
        self.set_class(self.console.banner_feed.mode == "live", "-real-money")
        self.show(self.active)

    # -- panes

    def pane(self, number: int) -> Pane:
        """Pane `number`, 1 to 6."""
        return self.query_one(f"#pane-{number}", Pane)

    def mark(self, *numbers: int) -> None:
        """Have these panes painted in their next slots; none is there at the very start and end."""
        for pane in self.query(Pane):
            if pane.number in numbers:
                pane.mark()

    @property
    def active_pane(self) -> Pane:
        """The pane that keys act on."""
        return self.pane(self.active)

    def show(self, number: int) -> None:
        """Make pane `number` the active one and focus it."""
        draw = number == self.active or not self.shows_one
        for other in range(1, len(PANES) + 1):
            # the frames change with the key, not with the messages that follow it
            self.pane(other).show_focus(other == number, draw=draw)
        self._activate(number)
        self.pane(number).focus_inside()

    def _activate(self, number: int) -> None:
        self.active = number
        for other in range(1, len(PANES) + 1):
            self.pane(other).show_active(other == number, alone=self.shows_one)
        self.show_tabs()
        self.console.pump.wake()

    def show_tabs(self) -> None:
        """Names of the panes with what is in them."""
        view = self.console.desk.view
        run = view.run()
        badges = {2: f"·{run.positions}", 3: f"·{run.orders}"}
        badges = {k: v for k, v in badges.items() if v != "·0"}
        count = len(standing(view))
        note = f"! {count} alert{'s' if count > 1 else ''}" if count else ""
        self.query_one(TabStrip).show(self.active, badges, note)

    @property
    def shows_one(self) -> bool:
        """True where the active pane is the only one in sight."""
        return any(map(self.has_class, ("-narrow", "-short", "-zoomed")))

    @property
    def zoomed(self) -> bool:
        """True while one pane has the whole screen."""
        return self.has_class("-zoomed")

    def zoom(self, on: bool) -> None:
        """One pane, or all of them."""
        self.set_class(on, "-zoomed")
        self.active_pane.focus_inside()

    @on(events.DescendantFocus)
    def _focus_moved(self, event: events.DescendantFocus) -> None:
        for pane in event.widget.ancestors:
            if isinstance(pane, Pane):
                if pane.number != self.active:
                    self._activate(pane.number)
                return

    @on(TabStrip.Chosen)
    def _tab_chosen(self, event: TabStrip.Chosen) -> None:
        self.show(event.number)

    # -- what a row stands for

    @on(LiveTable.RowHighlighted)
    def _follow(self, event: LiveTable.RowHighlighted) -> None:
        if not event.table.has_focus:
            return
        symbol = self.symbol_of(event.table.id or "", event.key)
        if symbol:
            self.query_one(DepthPane).show_symbol(symbol)

    def symbol_of(self, table: str, key: object) -> str:
        """The symbol a row is about; empty where it is about none."""
        view = self.console.desk.view
        if key is None:
            return ""
        match table:
            case "positions":
                return view.symbol_of(str(key))
            case "pending" | "history":
                order = view.order(str(key))
                return order.symbol if order is not None else ""
            case "signals":
                row = view.signal(str(key))
                return row.instrument.symbol if row is not None else ""
            case _:
                return ""

    @property
    def symbol(self) -> str:
        """The symbol a new ticket starts with."""
        table = self.active_pane.table
        chosen = self.symbol_of(table.id or "", table.cursor_key) if table is not None else ""
        return chosen or self.query_one(DepthPane).symbol

    @property
    def hand(self) -> tuple[int, int]:
        """The active pane, and how often a person moved a cursor: it stays the same as long as only
        the rows move."""
        tables = sum(table.hand_moves for table in self.query(LiveTable))
        return self.active, tables + self.query_one(DepthPane).hand_moves
