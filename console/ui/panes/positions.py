"""Positions: what is held, what it is worth now, and what protects it."""

from decimal import Decimal
from typing import ClassVar, Final

from textual.app import ComposeResult

from console.ui.bridge import Topic
from console.ui.format import Glyphs, number, percent, position_side, profit_style, signed, tick
from console.ui.panes.base import (
    Pane,
    fitted_price,
    make_table,
    price_text,
    quantity_text,
    whole_age,
)
from console.ui.widgets.live_table import LiveTable
from console.ui.widgets.rows import Cell, Column, Tier
from engine.domain.instant import NS_PER_SECOND
from engine.domain.market import Quote
from engine.domain.money import ZERO
from engine.domain.position import Position
from engine.domain.run import RunState
from engine.world import World

COLUMNS: Final = (
    Column("symbol", "Sym", 7),
    Column("side", "Side", 5),
    Column("quantity", "Qty", 6, "right"),
    Column("average", "Avg", 8, "right"),
    Column("last", "Last", 10, "right"),
    Column("unrealized", "uPnL", 9, "right"),
    Column("percent", "%", 5, "right"),
    Column("stop", "Stop", 8, "right"),
    Column("r", "R", 4, "right"),
    Column("age", "Age", 3, "right"),
    Column("value", "MktVal", 10, "right", Tier.WIDE),
    Column("share", "%Eq", 5, "right", Tier.WIDE),
    Column("realized", "rPnL", 9, "right", Tier.WIDE),
    Column("target", "Target", 9, "right", Tier.WIDE),
    Column("hold", "Hold", 5, "left", Tier.WIDE),
)

EMPTY: Final = "no positions; a signal that passes every check opens one"

SETTLE_SECONDS: Final = 1.5
"""How long after a move of the rows a key does not act on the row that came under the cursor."""


def covered(world: World, position: Position) -> Decimal:
    """How much of the position the venue's own stops protect."""
    return sum(
        (
            o.leaves
            for o in world.book.working(position.symbol)
            if o.is_protective and o.accepted_at
        ),
        start=ZERO,
    )


def r_multiple(position: Position, mark: Decimal | None) -> Decimal | None:
    """Profit in units of the risk taken at the start; None without an initial stop."""
    entry, stop = position.average_price, position.initial_stop
    if mark is None or stop is None or entry == stop:
        return None
    return (mark - entry) * position.sign / abs(entry - stop)


class PositionsPane(Pane):
    """One row a symbol."""

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
        self._seen: dict[str, tuple[object, ...]] = {}
        self._marks: dict[str, tuple[Decimal, Decimal]] = {}
        """Last mark of a symbol, and its newest change."""
        self._moved: tuple[str, float] | None = None
        """The symbol the cursor came to by itself, and when."""

    def body(self) -> ComposeResult:
        """The table."""
        yield make_table(COLUMNS, EMPTY, self.glyphs, "positions")

    @property
    def table(self) -> LiveTable:
        """The table."""
        return self.query_one("#positions", LiveTable)

    @property
    def selected(self) -> str | None:
        """The symbol under the cursor."""
        key = self.table.cursor_key
        return key if isinstance(key, str) else None

    def take_moved(self) -> bool:
        """True if the rows moved just now, so that a key may be meant for another one.

        Asked once: who was told so and asks again means the row that is named.
        """
        moved, self._moved = self._moved, None
        if moved is None or moved[0] != self.selected:
            return False
        return self.console.seconds() - moved[1] < SETTLE_SECONDS

    def paint(self) -> None:
        """The rows; what moved under the cursor is remembered."""
        table = self.table
        before = table.cursor_key, table.cursor_line
        self._paint_rows()
        after = table.cursor_key, table.cursor_line
        if before[0] is not None and before != after and self.selected is not None:
            self._moved = self.selected, self.console.seconds()

    def _paint_rows(self) -> None:
        """Rows whose position, price, stop or age changed."""
        everything, keys = self.feed.take()
        world = self.console.engine.world
        now = self.console.engine.clock.now()
        held = world.book.data.positions
        table = self.table
        for symbol in [s for s in self._seen if s not in held]:
            table.remove_row(symbol)
            del self._seen[symbol]
            self._marks.pop(symbol, None)
        for symbol, position in held.items():
            quote = world.market.quotes.get(symbol)
            looks = (
                id(position),
                id(quote),
                world.market.is_fresh(symbol, now),
                (now - position.opened_at) // NS_PER_SECOND,
            )
            if everything or symbol in keys or self._seen.get(symbol) != looks:
                self._seen[symbol] = looks
                table.upsert(symbol, self._row(world, position, quote, now))
        state = world.book.run_state
        table.set_empty(EMPTY if state is RunState.ACTIVE else f"no positions; {state}: no entries")
        unrealized = signed(world.value.unrealized)
        note = f"({len(held)})" + (f"  uPnL {unrealized}" if held else "")
        column, descending = table.sorted_by
        arrow = self.glyphs.sort_down if descending else self.glyphs.sort_up
        self.head(note, f"sort {column}{arrow}" if column else "")

    def _row(self, world: World, position: Position, quote: Quote | None, now: int) -> list[Cell]:
        symbol = position.symbol
        rules = world.instrument(symbol)
        fresh = world.market.is_fresh(symbol, now)
        mark = None if quote is None else quote.last
        profit = None if mark is None else position.unrealized(mark)
        share = None if profit is None or not position.cost else profit / abs(position.cost)
        r = r_multiple(position, mark)
        value = world.value.value_of(symbol)
        equity = world.equity
        dim = "" if fresh else "stale"
        return [
            Cell(symbol, "strong"),
            Cell(position_side(position.quantity)),
            Cell(quantity_text(position.quantity), sort=position.quantity),
            Cell(fitted_price(position.average_price, rules, 8), sort=position.average_price),
            self._last(symbol, mark, fitted_price(mark, rules, 8), fresh),
            Cell(signed(profit), dim or profit_style(profit), profit),
            Cell(percent(share).removesuffix("%"), dim or profit_style(profit), share),
            self._stop(world, position),
            Cell("-" if r is None else number(r, 1, signed=True), dim, r),
            Cell(whole_age(now - position.opened_at), sort=now - position.opened_at),
            Cell(signed(value, 0), dim, value),
            Cell(percent(value / equity if equity else None).removesuffix("%"), dim, value),
            Cell(signed(position.realized - position.commission), "", position.realized),
            Cell(price_text(position.target, rules), sort=position.target),
            Cell(str(position.trade_type)),
        ]

    def _last(self, symbol: str, mark: Decimal | None, text: str, fresh: bool) -> Cell:
        if mark is None:
            return Cell("no price", "warn")
        before, change = self._marks.get(symbol, (mark, ZERO))
        if mark != before:
            change = mark - before
        self._marks[symbol] = (mark, change)
        if not fresh:
            return Cell(f"{self.glyphs.stale} {text}", "stale", mark)
        style = "up" if change > 0 else "down" if change < 0 else ""
        return Cell(f"{tick(change, self.glyphs)} {text}", style, mark)

    def _stop(self, world: World, position: Position) -> Cell:
        if position.exiting is not None:
            return Cell("closing", "warn")
        held = covered(world, position)
        stop = fitted_price(position.stop, world.instrument(position.symbol), 7)
        if held >= abs(position.quantity):
            return Cell(stop, sort=position.stop)
        return Cell("NONE!" if not held else f"{stop}!", "error", position.stop)
