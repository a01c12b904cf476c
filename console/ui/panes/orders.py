"""Orders in three tabs: pending ones, fills, and what is finished."""

from collections.abc import Container, Hashable, Mapping
from dataclasses import replace
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from console.desk.port import Topic
from console.desk.values import FillRow, OrderRow
from console.ui.format import Glyphs, money, order_side
from console.ui.lines import short_id
from console.ui.panes.base import (
    Pane,
    at_top,
    fitted_price,
    make_table,
    name_cell,
    price_text,
    quantity_text,
    time_cell,
    to_top,
    whole_age,
)
from console.ui.panes.moved import Moved
from console.ui.widgets.live_table import LiveTable
from console.ui.widgets.rows import Cell, Column, Tier
from engine.domain.order import REQUEST_UNDER_WAY, OrderStatus, OrderType
from engine.domain.run import RunState

_S = OrderStatus
WORDS: Final = {
    _S.CREATED: ("CREATED", ""),
    _S.PENDING_NEW: ("SENDING", "warn"),
    _S.NEW: ("WORKING", ""),
    _S.PARTIALLY_FILLED: ("PARTIAL", "strong"),
    _S.FILLED: ("FILLED", "strong"),
    _S.PENDING_CANCEL: ("CANCELING", "warn"),
    _S.CANCELED: ("CANCELED", "muted"),
    _S.PENDING_REPLACE: ("CHANGING", "warn"),
    _S.REJECTED: ("REJECTED", "loss"),
    _S.EXPIRED: ("EXPIRED", "muted"),
    _S.SUSPENDED: ("SUSPENDED", "warn"),
    _S.UNKNOWN: ("UNKNOWN!", "error"),
}
"""States as they are shown; one that waits for an answer never looks like one that has it."""

TYPES: Final = {
    OrderType.MARKET: "MKT",
    OrderType.LIMIT: "LMT",
    OrderType.STOP: "STP",
    OrderType.STOP_LIMIT: "STPL",
}

_ENDED: Final = {"time": "Ended", "age": "Ago"}
"""How history names the columns that count from the end of an order."""

ORDER_COLUMNS: Final = (
    Column("time", "Time", 8, rank=2),
    Column("symbol", "Sym", 7, most=22),
    Column("side", "Side", 5),
    Column("quantity", "Qty", 6, "right"),
    Column("filled", "Fill", 6, "right"),
    Column("type", "Type", 4),
    Column("price", "Price", 8, "right"),
    Column("status", "Status", 10),
    Column("age", "Age", 3, "right", rank=1),
    Column("purpose", "For", 7, rank=1),
    Column("tif", "TIF", 3, tier=Tier.NORMAL, rank=3),
    Column("average", "AvgPx", 9, "right", Tier.WIDE, rank=3),
    Column("venue", "Broker id", 12, tier=Tier.WIDE, rank=3),
    Column("reason", "Reason", 10, tier=Tier.WIDE, grow=True, rank=3),
)
HISTORY_COLUMNS: Final = tuple(
    replace(column, label=_ENDED.get(column.key, column.label)) for column in ORDER_COLUMNS
)
FILL_COLUMNS: Final = (
    Column("time", "Time", 8),
    Column("symbol", "Sym", 7, most=22),
    Column("side", "Side", 5),
    Column("quantity", "Qty", 7, "right"),
    Column("price", "Price", 10, "right"),
    Column("fee", "Fee", 8, "right", most=14),
    Column("liquidity", "M/T", 5, rank=2),
    Column("order", "Order", 6, rank=1),
    Column("note", "Note", 6, grow=True),
)
TABS: Final = ("pending", "fills", "history")
COLUMNS: Final = {"pending": ORDER_COLUMNS, "fills": FILL_COLUMNS, "history": HISTORY_COLUMNS}
ROWS_AT_ONCE: Final = 48
"""Rows made anew in one painting, beside those in sight: a thousand take 50 ms of the loop."""

EMPTY: Final[Mapping[str, str]] = {
    "fills": "no fills since this console opened",
    "history": "no finished orders yet",
}


def nothing_works(state: RunState) -> str:
    """What an empty table of working orders says: who can send one in this state (X-81)."""
    if state.may_enter:
        return "no working orders; b buys, s sells, signals order too"
    if state.may_be_asked:
        return f"no working orders; {state}: b buys, s sells, signals order nothing"
    what = "only what reduces" if state.may_reduce else "nothing"
    return f"no working orders; {state}: {what} is ordered"


def _fee(fill: FillRow, base: str) -> Cell:
    """The commission, with what it was taken in unless that is the base currency."""
    places = 2 if fill.commission_currency == fill.currency else None
    amount = fill.commission if places else fill.commission.normalize()
    return Cell(money(amount, fill.commission_currency, base, places), sort=fill.commission)


class OrdersPane(Pane):
    """Three tables, one shown."""

    number = 3
    title = "Orders"
    topics: ClassVar[frozenset[Topic]] = frozenset({Topic.ORDERS, Topic.FILLS})
    paint_every = 1.0
    HELP = (
        "3 again (or left and right) goes through pending, fills, history. SENDING, CANCELING and "
        "CHANGING wait for the venue; UNKNOWN! keeps its exposure reserved until the venue "
        "proves what became of it. c cancels the selected one, C all."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "tab(-1)", "Previous tab", show=False),
        Binding("right", "tab(1)", "Next tab", show=False),
    ]

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(glyphs)
        self.tab = TABS[0]
        self._due: dict[Hashable, None] = {}
        """Orders and fills whose rows are to be made anew, in the order in which they changed."""
        self._moved = Moved()

    def body(self) -> ComposeResult:
        """All three; two are hidden."""
        for name in TABS:
            table = make_table(COLUMNS[name], self.glyphs, name)
            table.display = name == self.tab
            yield table

    def on_mount(self) -> None:
        """The newest first."""
        for name in TABS:
            self._table(name).sort_by("time", descending=True)

    def _table(self, name: str) -> LiveTable:
        return self.query_one(f"#{name}", LiveTable)

    @property
    def table(self) -> LiveTable:
        """The table shown."""
        return self._table(self.tab)

    @property
    def selected(self) -> str | None:
        """The pending order under the cursor."""
        key = self._table("pending").cursor_key if self.tab == "pending" else None
        return key if isinstance(key, str) else None

    def take_moved(self) -> bool:
        """True once if the rows moved just now, so that a key may be meant for another one."""
        return self._moved.take(self.selected, self.console.seconds())

    def action_tab(self, step: int) -> None:
        """The next tab, round and round."""
        self.show_tab(TABS[(TABS.index(self.tab) + step) % len(TABS)])

    def show_tab(self, name: str) -> None:
        """Show one of `TABS`."""
        focused = self.table.has_focus
        self.tab = name
        for known in TABS:
            self._table(known).display = known == name
        self.table.set_filter(self.needle)
        if focused:
            self.screen.set_focus(self.table)
        self.mark()

    def paint(self) -> None:
        """What changed in orders and fills: the newest now, the others in the next slots.

        An order that works no more leaves the pending ones at once; what that moves under the
        cursor is remembered.
        """
        state = self.view.run().state
        for name in TABS:
            self._table(name).set_empty(EMPTY.get(name) or nothing_works(state))
        pending = self._table("pending")
        self._moved.begin(pending)
        self._paint_rows()
        self._moved.end(pending, self.selected, self.console.seconds())

    def _paint_rows(self) -> None:
        everything, keys = self.feed.take()
        # the cursor follows what is newest, but never among orders that a key could cancel
        follow = [t for t in map(self._table, ("fills", "history")) if at_top(t)]
        if not self._table("pending").row_count:
            follow.append(self._table("pending"))
        view, now = self.view, self.view.now
        ended = dict.fromkeys(view.ended())
        if everything:
            shown = (k for name in TABS for k in self._table(name).shown_keys())
            keys = [*view.working(), *ended, *view.fills(), *shown]
        for key in self._take_due(everything, keys, ended):
            if isinstance(key, int):
                self._paint_fill(key, view.fill(key))
            elif isinstance(key, str):
                self._paint_order(key, view.order(key), now, kept=key in ended)
        # ages go on counting
        for key in self._table("pending").visible_keys():
            order = view.order(str(key))
            if order is not None and order.working:
                self._table("pending").upsert(key, self._order(order, now))
        if self.tab == "history":
            for key in self._table("history").visible_keys():
                order = view.order(str(key))
                if order is not None and not order.working:
                    self._table("history").upsert(key, self._order(order, now))
        for table in follow:
            to_top(table)
        self._title(view.run().orders)

    def _take_due(
        self, everything: bool, keys: list[Hashable], ended: Container[Hashable]
    ) -> list[Hashable]:
        """The keys whose rows are made anew now; what is left is due in the next slot."""
        if everything:
            self._due = {}
            return keys
        over = [key for key in keys if isinstance(key, str) and not self.view.works(key)]
        forgotten = [key for key in over if key not in ended]
        self._table("pending").remove_rows(over)
        self._table("history").remove_rows(forgotten)
        for key in keys:
            self._due.pop(key, None)
        self._due |= dict.fromkeys(keys)
        for key in forgotten:
            del self._due[key]
        newest = list(self._due)[-ROWS_AT_ONCE:]
        for key in newest:
            del self._due[key]
        if self._due:
            self.mark()
        return newest

    def _paint_order(self, key: str, order: OrderRow | None, now: int, *, kept: bool) -> None:
        """`kept` is False for a finished order that history has no more room for."""
        pending, history = self._table("pending"), self._table("history")
        if order is not None and order.working:
            pending.upsert(key, self._order(order, now))
        else:
            pending.remove_row(key)
        if order is not None and not order.working and kept:
            history.upsert(key, self._order(order, now))
        else:
            history.remove_row(key)

    def _paint_fill(self, key: int, fill: FillRow | None) -> None:
        table = self._table("fills")
        if fill is None:
            table.remove_row(key)
            return
        rules = fill.instrument
        notes = [w for w, on in (("LATE", fill.late), ("OVER", fill.overfill)) if on]
        if not fill.known_order:
            notes.append("UNKNOWN ORDER")
        table.upsert(
            key,
            [
                time_cell(fill.time, key),
                name_cell(rules, self._named(rules.symbol, fill.account), brief=True),
                Cell(order_side(fill.side)),
                Cell(quantity_text(fill.quantity), sort=fill.quantity),
                Cell(price_text(fill.price, rules), sort=fill.price),
                _fee(fill, self.view.settings.currency),
                Cell(str(fill.liquidity) or "-"),
                Cell(short_id(fill.client_order_id), "muted"),
                Cell(" ".join(notes), "warn"),
            ],
        )

    def _named(self, symbol: str, account: str) -> str:
        """The symbol, with its account where it is not the primary one."""
        primary = self.view.settings.account
        return symbol if account in ("", primary) else f"{symbol} @{account}"

    def _order(self, order: OrderRow, now: int) -> list[Cell]:
        rules = order.instrument
        word, style = WORDS[order.status]
        if order.status in REQUEST_UNDER_WAY:
            word += self.glyphs.ellipsis
        # a stop-limit waits at its stop: that is where it stands against the market
        price = order.limit_price if order.stop_price is None else order.stop_price
        moment = order.created_at if order.working else order.updated_at
        return [
            Cell(time_cell(moment, 0).text, "muted", moment),
            name_cell(rules, self._named(order.symbol, order.account), brief=True),
            Cell(order_side(order.side)),
            Cell(quantity_text(order.quantity), sort=order.quantity),
            Cell(quantity_text(order.filled), sort=order.filled),
            Cell(TYPES[order.type]),
            Cell("market" if price is None else fitted_price(price, rules, 8), sort=price),
            Cell(word, style),
            Cell(whole_age(now - moment), sort=-moment),
            Cell(str(order.purpose), "strong" if order.protective else ""),
            Cell(str(order.time_in_force)),
            Cell(price_text(order.average_price, rules), sort=order.average_price),
            Cell(order.venue_order_id or "-", "muted"),
            Cell(order.reject_code or order.reason, "warn" if order.reject_code else "muted"),
        ]

    def _title(self, working: int) -> None:
        counts = {
            "pending": working,
            "fills": self._table("fills").row_count,
            "history": self._table("history").row_count,
        }
        words = [f"{name.capitalize()}·{counts[name]}" for name in TABS]
        shown = TABS.index(self.tab)
        words[shown] = f"[{words[shown]}]"
        self.head("  " + " ".join(words))
