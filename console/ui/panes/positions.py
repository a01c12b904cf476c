"""Positions: what is held, what it is worth now, and what protects it."""

from decimal import Decimal
from typing import ClassVar, Final

from textual.app import ComposeResult

from console.desk.port import Topic
from console.desk.values import PositionRow
from console.ui.format import Glyphs, number, percent, position_side, profit_style, signed, tick
from console.ui.panes.base import (
    Pane,
    fitted_price,
    make_table,
    name_cell,
    price_text,
    quantity_text,
    whole_age,
)
from console.ui.panes.moved import Moved
from console.ui.widgets.live_table import LiveTable
from console.ui.widgets.rows import Cell, Column, Tier
from engine.domain.money import ZERO
from engine.domain.run import RunState

COLUMNS: Final = (
    Column("symbol", "Sym", 7, most=22),
    Column("side", "Side", 5, rank=1),
    Column("quantity", "Qty", 6, "right"),
    Column("average", "Avg", 8, "right", rank=2),
    Column("last", "Last", 10, "right", rank=1),
    Column("unrealized", "uPnL", 9, "right"),
    Column("currency", "Cur", 0, most=4),
    Column("percent", "%", 5, "right", rank=2),
    Column("stop", "Stop", 8, "right"),
    Column("r", "R", 4, "right", rank=2),
    Column("age", "Age", 3, "right", rank=2),
    Column("target", "Target", 9, "right", Tier.NORMAL, rank=2),
    Column("value", "MktVal", 10, "right", Tier.WIDE, rank=3),
    Column("share", "%Eq", 5, "right", Tier.WIDE, rank=3),
    Column("realized", "rPnL", 9, "right", Tier.WIDE, rank=3),
    Column("hold", "Hold", 5, "left", Tier.WIDE, rank=3),
)


def nothing_held(state: RunState) -> str:
    """What an empty table says: what can open a position in this state (X-81)."""
    if state.may_enter:
        return "no positions; a signal that passes every check opens one"
    who = "only an order of your own" if state.may_be_asked else "nothing"
    return f"no positions; {state}: {who} opens one"


class PositionsPane(Pane):
    """One row a holding."""

    number = 2
    title = "Positions"
    topics: ClassVar[frozenset[Topic]] = frozenset({Topic.POSITIONS, Topic.STATE})
    paint_every = 1.0
    HELP = (
        "Signed quantities and profits; `~` and dim: the price is older than its limit; "
        "`NONE!`: no stop rests at the venue for all of it. x closes the selected one."
    )

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(glyphs)
        self._seen: dict[str, PositionRow] = {}
        self._marks: dict[str, tuple[Decimal, Decimal]] = {}
        """Last mark of a holding, and its newest change."""
        self._moved = Moved()

    def body(self) -> ComposeResult:
        """The table."""
        yield make_table(COLUMNS, self.glyphs, "positions")

    def on_mount(self) -> None:
        """Painted with all that shows the totals."""
        self.console.totals.join(self)

    def on_unmount(self) -> None:
        """Painted no more."""
        self.console.totals.leave(self)

    @property
    def table(self) -> LiveTable:
        """The table."""
        return self.query_one("#positions", LiveTable)

    @property
    def selected(self) -> str | None:
        """The key of the holding under the cursor."""
        key = self.table.cursor_key
        return key if isinstance(key, str) else None

    def take_moved(self) -> bool:
        """True once if the rows moved just now, so that a key may be meant for another one."""
        return self._moved.take(self.selected, self.console.seconds())

    def paint(self) -> None:
        """The rows; what moved under the cursor is remembered."""
        self._moved.begin(self.table)
        self._paint_rows()
        self._moved.end(self.table, self.selected, self.console.seconds())

    def _paint_rows(self) -> None:
        """Rows whose holding, price, stop or age changed."""
        everything, _ = self.feed.take()
        totals = self.console.totals.take(self)
        view, table = self.view, self.table
        held = dict.fromkeys(view.held())
        for key in [k for k in self._seen if k not in held]:
            table.remove_row(key)
            del self._seen[key]
            self._marks.pop(key, None)
        for key in held:
            row = view.position(key)
            if row is not None and (everything or self._seen.get(key) is not row):
                self._seen[key] = row
                table.upsert(key, self._row(row))
        table.set_empty(nothing_held(view.run().state))
        unrealized = signed(totals.unrealized)
        note = f"({len(held)})" + (f"  uPnL {unrealized}" if held else "")
        column, descending = table.sorted_by
        arrow = self.glyphs.sort_down if descending else self.glyphs.sort_up
        self.head(note, f"sort {column}{arrow}" if column else "")

    def _row(self, row: PositionRow) -> list[Cell]:
        rules, r = row.instrument, row.r_multiple
        dim = "" if row.fresh else "stale"
        return [
            # In another account than the primary one, the key says which.
            name_cell(rules, row.key),
            Cell(position_side(row.quantity)),
            Cell(quantity_text(row.quantity), sort=row.quantity),
            Cell(fitted_price(row.average_price, rules, 8), sort=row.average_price),
            self._last(row),
            Cell(signed(row.unrealized), dim or profit_style(row.unrealized), row.unrealized),
            Cell("" if row.currency == self.view.settings.currency else row.currency, "muted"),
            Cell(
                percent(row.unrealized_share).removesuffix("%"),
                dim or profit_style(row.unrealized),
                row.unrealized_share,
            ),
            self._stop(row),
            Cell("-" if r is None else number(r, 1, signed=True), dim, r),
            Cell(whole_age(row.age), sort=row.age),
            Cell(price_text(row.target, rules), sort=row.target),
            Cell(signed(row.value, 0), dim, row.value),
            Cell(percent(row.equity_share).removesuffix("%"), dim, row.value),
            Cell(signed(row.realized), "", row.realized),
            Cell(str(row.hold)),
        ]

    def _last(self, row: PositionRow) -> Cell:
        mark = row.last
        if mark is None:
            return Cell("no price", "warn")
        if row.split:
            return Cell(f"{row.split}? {fitted_price(mark, row.instrument, 5)}", "error", mark)
        text = fitted_price(mark, row.instrument, 8)
        before, change = self._marks.get(row.key, (mark, ZERO))
        if mark != before:
            change = mark - before
        self._marks[row.key] = (mark, change)
        if self.view.past and row.price_age is not None:
            old = whole_age(row.price_age)
            return Cell(f"{fitted_price(mark, row.instrument, 9 - len(old))} {old}", "stale", mark)
        if not row.fresh:
            return Cell(f"{self.glyphs.stale} {text}", "stale", mark)
        style = "up" if change > 0 else "down" if change < 0 else ""
        return Cell(f"{tick(change, self.glyphs)} {text}", style, mark)

    def _stop(self, row: PositionRow) -> Cell:
        if row.closing:
            return Cell("closing", "warn")
        stop = fitted_price(row.stop, row.instrument, 7, row.average_price)
        if row.covered >= abs(row.quantity):
            return Cell(stop, sort=row.stop)
        return Cell("NONE!" if not row.covered else f"{stop}!", "error", row.stop)
