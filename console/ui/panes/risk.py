"""Risk: what is used of every limit in force, and the day's equity."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import ClassVar, Final

from textual.app import ComposeResult

from console.desk.port import Topic
from console.desk.values import PortfolioView
from console.ui.format import ASCII, Glyphs, bar, compact, number, percent, profit_style, signed
from console.ui.panes.base import Pane, make_table
from console.ui.widgets.live_table import LiveTable
from console.ui.widgets.rows import Cell, Column, Tier
from console.ui.widgets.strips import AMBER, loudness
from console.ui.widgets.text_lines import TextLine, TextLines
from engine.domain.money import plain

COLUMNS: Final = (
    Column("name", "Limit", 13, grow=True),
    Column("measured", "Now", 6, "right"),
    Column("limit", "Max", 6, "right"),
    Column("bar", "Used", 4),
    Column("used", "", 5, "right"),
    Column("key", "Config key", 30, tier=Tier.NORMAL),
)
SHORT: Final = {
    "daily_loss_limit": "day loss",
    "drawdown_limit": "drawdown",
    "max_concurrent_positions": "positions",
    "max_single_stock_exposure": "one name",
    "max_sector_exposure": "one sector",
    "max_gross_exposure": "gross",
    "max_trades_per_day": "entries/day",
    "min_account_equity": "min equity",
    "max_orders_per_minute": "orders/min",
    "max_open_orders": "open orders",
}
SHARES: Final = frozenset(
    {
        "daily_loss_limit",
        "drawdown_limit",
        "max_single_stock_exposure",
        "max_sector_exposure",
        "max_gross_exposure",
    }
)
SPARKS: Final = "▁▂▃▄▅▆▇█"
ASCII_SPARKS: Final = "_.-=+*#@"
EMPTY: Final = "no limit is in force: profile custom with nothing set"


def spark(values: Sequence[Decimal], width: int, marks: str) -> str:
    """The newest `width` values as one mark each, lowest to highest."""
    shown = list(values)[-width:]
    if len(shown) < 2:
        return ""
    low, high = min(shown), max(shown)
    if low == high:
        return marks[0] * len(shown)
    steps = len(marks) - 1
    return "".join(marks[int((value - low) / (high - low) * steps)] for value in shown)


class RiskPane(Pane):
    """Money on top, one row a limit below."""

    number = 5
    title = "Risk"
    topics: ClassVar[frozenset[Topic]] = frozenset({Topic.RISK, Topic.STATE})
    paint_every = 1.0
    HELP = "Amber from 75 % of a limit, red from 90 %. The gate refuses what would exceed one."

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(glyphs)

    def body(self) -> ComposeResult:
        """Money, then limits."""
        yield TextLines(id="money")
        yield make_table(COLUMNS, self.glyphs, "risk")

    def on_mount(self) -> None:
        """Painted with all that shows the totals."""
        self.console.totals.join(self)

    def on_unmount(self) -> None:
        """Painted no more."""
        self.console.totals.leave(self)

    @property
    def table(self) -> LiveTable:
        """The limits."""
        return self.query_one("#risk", LiveTable)

    def paint(self) -> None:
        """Measure everything again."""
        self.feed.take()
        held = self.console.totals.take(self)
        self.query_one("#money", TextLines).show_lines(self._money(held))
        self.table.set_empty(EMPTY)
        for row in self.view.limits():
            name, used = row.name, row.used
            style = loudness(used)
            warn = " !" if used >= AMBER else ""
            self.table.upsert(
                name,
                [
                    Cell(self._label(name) + warn, style),
                    Cell(_amount(name, row.measured), style),
                    Cell(_amount(name, row.limit), "muted"),
                    Cell(bar(used, 4, self.glyphs), style, used),
                    Cell(f"{percent(used, 0, sign=False)} ", style, used),
                    Cell(f"risk.{name}", "muted"),
                ],
            )
        self.head(f"({self.view.settings.profile})")

    def _label(self, name: str) -> str:
        """The name of a limit; that of losses in a row says which losses it counts (A-184)."""
        if name != "consecutive_loss_threshold":
            return SHORT.get(name, name)
        least = self.view.settings.loss_counts_from
        return f"losses {plain(least * 100)}%+" if least else "losses"

    def _money(self, held: PortfolioView) -> Iterator[TextLine]:
        curve = self.view.equity_curve()
        marks = ASCII_SPARKS if self.glyphs is ASCII else SPARKS
        room = max(self.size.width - 22, 8)
        yield (
            (" equity ", "muted"),
            (number(held.equity, 2), "strong"),
            (f"  {spark([*curve, held.equity], room, marks)}", "paper"),
        )
        yield (
            (" day ", "muted"),
            (signed(held.day), profit_style(held.day)),
            ("  unreal ", "muted"),
            (signed(held.unrealized), profit_style(held.unrealized)),
        )
        risk = self.view.open_risk()
        yield (
            (" gross ", "muted"),
            (compact(held.gross), ""),
            (" net ", "muted"),
            (compact(held.market_value, sign=True), ""),
            (" cash ", "muted"),
            (number(held.cash, 2), ""),
        )
        yield (
            (" at stops ", "muted"),
            (compact(risk.at_stops), ""),
            (" entries ", "muted"),
            (compact(risk.entries), ""),
        )
        if risk.unprotected:
            yield ((f" without a stop: {' '.join(risk.unprotected)}", "warn"),)
        if held.unvalued:
            yield ((f" no fresh rate: {' '.join(held.unvalued)}", "warn"),)


def _amount(name: str, value: Decimal) -> str:
    if name in SHARES:
        return percent(value, 1, sign=False)
    return compact(value) if value >= 100_000 else number(value, 0)
