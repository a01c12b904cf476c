"""The order ticket: fields on the left, every check of the gate on the right, live.

Enter reviews, a second choice sends; the review starts on Cancel, and an Enter that comes with
the first one does nothing. One ticket has one intent, so that a repeat cannot send twice.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import ClassVar, Final
from uuid import uuid4

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Button, Input, Label

from console.desk.port import Result, Topic, View
from console.desk.values import Review
from console.ui.console import console_of
from console.ui.external import literal
from console.ui.format import age, money, number, percent
from console.ui.keyboard import Typed
from console.ui.measures import label, measures, short_code
from console.ui.panes.base import price_text
from console.ui.screens.base import MeridianModal
from console.ui.widgets.choice import Choice
from console.ui.widgets.fed import Fed
from console.ui.widgets.field import Field, number_in
from console.ui.widgets.live_table import LiveTable
from console.ui.widgets.rows import Cell, Column, RowKey
from console.ui.widgets.text_lines import Piece, TextLine, TextLines, plain_line, wrapped
from engine.domain.codes import Answer
from engine.domain.commands import PlaceOrder
from engine.domain.money import plain
from engine.domain.order import OrderType, Side, TimeInForce
from engine.domain.signal import TradeType

DEBOUNCE_SECONDS: Final = 0.3
TYPES: Final = tuple(str(kind) for kind in OrderType)
NUMBERS: Final = ("quantity", "limit", "stop", "protect", "target")
USES: Final = {
    OrderType.MARKET: frozenset({"quantity", "protect", "target"}),
    OrderType.LIMIT: frozenset({"quantity", "limit", "protect", "target"}),
    OrderType.STOP: frozenset({"quantity", "stop", "protect", "target"}),
    OrderType.STOP_LIMIT: frozenset({"quantity", "limit", "stop", "protect", "target"}),
}
"""Which fields a type of order has."""

NO_STOP: Final = "no protective stop: the position will show as unprotected"

CHECK_COLUMNS: Final = (
    Column("mark", "", 1),
    Column("check", "Check", 15),
    Column("measured", "Measured", 10, "right", grow=True),
    Column("limit", "Limit", 10, "right"),
)
WIDE_CHECK_COLUMNS: Final = (
    Column("mark", "", 1),
    Column("check", "Check", 16),
    Column("measured", "Measured", 16, "right", grow=True),
    Column("limit", "Limit", 18, "right"),
)
WIDE: Final = 104
"""Cells from which on the wide columns fit."""


class PriceInput(Field):
    """A number; `=` asks for the price of the quote."""

    def edits(self, event: Typed) -> bool:
        """As any field's; a price of the quote comes from outside."""
        return getattr(event, "character", None) != "=" and super().edits(event)

    class Asked(Message):
        """`=` was pressed in `field`."""

        def __init__(self, field: "PriceInput") -> None:
            super().__init__()
            self.field = field

    def on_key(self, event: events.Key) -> None:
        """`=` is no digit: it stands for the quote."""
        if event.character == "=":
            event.stop()
            event.prevent_default()
            if self.id != "quantity":
                self.post_message(self.Asked(self))


class TicketScreen(MeridianModal[str]):
    """One order, from its fields to its sending; the result is what was sent, or nothing."""

    CSS_PATH = "ticket.tcss"
    AUTO_FOCUS = "#quantity"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back"),
        Binding("up", "app.focus_previous", "Up", show=False),
        Binding("down", "app.focus_next", "Down", show=False),
        Binding("enter", "review", "Review", show=False),
        Binding("left,right", "other_button", "Other button", show=False),
    ]

    def __init__(self, side: Side, symbol: str, account: str = "") -> None:
        """`account` is that of the position the ticket was opened on; "" goes where routes say."""
        super().__init__()
        self._account = account
        self.VERTICAL_BREAKPOINTS = [(0, "-low"), (27, "-short"), (38, "-tall")]
        self.side = side
        self._symbol = symbol
        self.intent_id = f"ticket-{uuid4().hex[:16]}"
        self.reviewed: PlaceOrder | None = None
        """The order under review; None while it is edited."""
        self.sent = False
        self._ready = False
        self._refusal = ""
        """What the engine said to the last sending; gone with the next edit."""
        self._review_since = 0.0
        self._hurried = False
        """A key came right after the review opened and was not taken."""

    # -- what it looks like

    def body(self) -> ComposeResult:
        """Fields, checks, the order in words, two buttons."""
        with Horizontal(id="ticket-halves"):
            with Vertical(id="ticket-fields"):
                yield from self._field("Symbol", Field(self._symbol, id="symbol", compact=True))
                yield from self._field("Quantity", self._number("quantity"))
                yield from self._field("Type", Choice(TYPES, id="type"))
                yield from self._field("Limit", self._number("limit"))
                yield from self._field("Stop", self._number("stop"))
                yield from self._field("Protect", self._number("protect"))
                yield from self._field("Target", self._number("target"))
                yield from self._field("Hold", Choice(("day", "swing"), id="hold"))
                yield from self._field("TIF", Choice(("default", *map(str, TimeInForce)), id="tif"))
                yield TextLines(id="ticket-quote")
            wide = self.app.size.width >= WIDE
            yield LiveTable(
                WIDE_CHECK_COLUMNS if wide else CHECK_COLUMNS,
                empty="the checks come with a quantity",
                glyphs=console_of(self.app).glyphs,
                id="checks",
            )
        yield TextLines(id="ticket-words")
        with Horizontal(id="ticket-buttons"):
            yield Button(literal("Cancel"), id="ticket-cancel", compact=True)
            yield Button(literal(f"Send {self.side}"), id="ticket-send", compact=True)
        yield Preview(self)

    def _field(self, label: str, widget: Input | Choice) -> ComposeResult:
        with Horizontal(classes="ticket--field"):
            yield Label(literal(label))
            yield widget

    def _number(self, name: str) -> Input:
        return PriceInput(id=name, compact=True)

    def on_mount(self) -> None:
        """The side in title and border; only what the type has is open."""
        self.add_class("-buy" if self.side is Side.BUY else "-sell")
        self.frame.border_title = literal(self._title)
        self._ready = True
        for button in self.query(Button):
            # while a press shows, textual takes no other one
            button.active_effect_duration = 0
        self.query_one("#ticket-buttons").visible = False
        self._open_fields()
        self._hint()
        if not self._symbol:
            self.query_one("#symbol", Input).focus()

    def _hint(self) -> None:
        editing = "enter reviews   = fills a price from the quote   esc leaves"
        reviewing = "right then enter sends   esc goes back to the fields"
        words = editing if self.reviewed is None else reviewing
        self.frame.border_subtitle = literal(words)

    def _open_fields(self) -> None:
        kind = OrderType(self.query_one("#type", Choice).value)
        frozen = self.reviewed is not None
        for name in NUMBERS:
            self.query_one(f"#{name}", Input).disabled = frozen or name not in USES[kind]
        for name in ("symbol", "type", "hold", "tif"):
            self.query_one(f"#{name}").disabled = frozen

    # -- the order in the fields

    def order(self) -> PlaceOrder | str:
        """The order as the fields say, or one sentence on what is missing."""
        kind = OrderType(self.query_one("#type", Choice).value)
        numbers: dict[str, Decimal | None] = {}
        for name in NUMBERS:
            if name not in USES[kind]:
                numbers[name] = None
                continue
            try:
                numbers[name] = number_in(name, self.query_one(f"#{name}", Input).value)
            except ValueError as none:
                return str(none)
        symbol = self.query_one("#symbol", Input).value.strip().upper()
        quantity = numbers["quantity"]
        if not symbol:
            return "a symbol is needed"
        if quantity is None:
            return "a quantity is needed"
        tif = self.query_one("#tif", Choice).value
        return PlaceOrder(
            by=console_of(self.app).by,
            symbol=symbol,
            side=self.side,
            quantity=quantity,
            type=kind,
            limit_price=numbers["limit"],
            stop_price=numbers["stop"],
            protect=numbers["protect"],
            target=numbers["target"],
            hold=TradeType(self.query_one("#hold", Choice).value),
            time_in_force=None if tif == "default" else TimeInForce(tif),
            broker=self._account if symbol == self._symbol else "",
            intent_id=self.intent_id,
        )

    # -- the preview

    def preview(self) -> None:
        """Every check anew, at the prices and ages of this moment."""
        if not self._ready:
            return
        view = console_of(self.app).desk.view
        order = self.reviewed or self.order()
        symbol = self.query_one("#symbol", Input).value.strip().upper()
        self.query_one("#ticket-quote", TextLines).show_lines(self._quote(view, symbol))
        words = self.query_one("#ticket-words", TextLines)
        send = self.query_one("#ticket-send", Button)
        table = self.query_one("#checks", LiveTable)
        if isinstance(order, str):
            self.frame.border_title = literal(self._title)
            table.clear()
            words.show_lines(plain_line(line, "warn") for line in wrapped(order, self._words_width))
            send.disabled = True
            return
        review = view.review(order)
        self._show_checks(table, review)
        words.show_lines(self._words(order, review))
        send.disabled = self.reviewed is None or not review.allowed or self.sent

    def _show_checks(self, table: LiveTable, review: Review) -> None:
        results, failed = review.checks, review.failed
        passed = [r for r in results if r.answer is not Answer.REJECT]
        rows: dict[RowKey, list[Cell]] = {}
        good = console_of(self.app).glyphs.passed
        for place, result in enumerate([*failed, *passed]):
            bad = result.answer is Answer.REJECT
            style = "loss" if bad else ""
            measured, limit = measures(result.code, result.measured, result.limit)
            rows[str(result.code)] = [
                Cell("x" if bad else good, style or "profit", place),
                Cell(short_code(result.code) if bad else label(result.code), style),
                Cell(measured, style),
                Cell(limit, "muted"),
            ]
        if [*table.shown_keys()] != [*rows]:
            table.clear()
        table.replace(rows)
        count = f"{len(failed)} of {len(results)} checks fail" if failed else "every check passes"
        self.frame.border_title = literal(f"{self._title}   {count}")

    def _quote(self, view: View, symbol: str) -> Iterator[TextLine]:
        prices = view.prices(symbol)
        quote, rules = prices.quote, prices.instrument
        held = self._held(view, symbol) if self._account else prices.held
        amount = f"holding {number(held)}" if held else "flat"
        yield ((amount, "muted"),)
        if quote is None:
            yield (("no quote", "warn"),)
            return
        stale = "" if prices.fresh else "stale"
        yield ((f"bid {price_text(quote.bid, rules)}  ask {price_text(quote.ask, rules)}", stale),)
        quote_age = age(max(view.now - quote.time, 0))
        limit = view.settings.quote_max_age_seconds
        yield (
            (f"last {price_text(quote.last, rules)}  ", stale),
            (f"{quote_age} old", "warn" if stale else "muted"),
            (f" (limit {limit}s)", "muted"),
        )

    @property
    def _title(self) -> str:
        """What the ticket is for, with the account where it was opened on one."""
        return f"{self.side} order" + (f" in {self._account}" if self._account else "")

    def _held(self, view: View, symbol: str) -> Decimal:
        """What the account of the ticket holds."""
        rows = [view.position(key) for key in view.held()]
        mine = [row for row in rows if row is not None and row.symbol == symbol]
        return sum((row.quantity for row in mine if row.account == self._account), Decimal(0))

    def _words(self, order: PlaceOrder, review: Review) -> Iterator[TextLine]:
        name = order.symbol
        if review.account != console_of(self.app).desk.view.settings.account:
            name += f" @{review.account}"
        pieces: list[Piece] = [(f"{review.side} {number(order.quantity)} {name}", "strong")]
        pieces.append((f" {order.type} · ", ""))
        if review.hold is not order.hold and not review.reduce_only:
            pieces.append((f"held as {review.hold}, not {order.hold}", "warn"))
        else:
            pieces.append((f"hold {order.hold}", ""))
        pieces.append((f" · TIF {review.time_in_force}", ""))
        if review.notional is not None:
            share = percent(review.equity_share, 1, sign=False)
            pieces.append((f"   = {self._money(review.notional, review)}", ""))
            pieces.append((f" ({share} of equity)", "muted"))
        yield pieces
        why = self._refusal or ("" if review.allowed else review.reason)
        if self.sent or self._hurried:
            why = ""
        if why:
            # It is told whole: what the order would have put at risk comes after it.
            yield from self._whole(why)
            yield self._open_risk()
            yield [*self._risk(order, review)]
            return
        yield [*self._risk(order, review)]
        yield [*self._open_risk(), *self._paused(review)]
        if self.sent:
            yield (("sending …", "warn"),)
        elif self._hurried:
            yield ((f"too soon: keys count {DEBOUNCE_SECONDS}s after the review opens", "warn"),)
        else:
            yield from self._passes(review)

    def _whole(self, reason: str) -> Iterator[TextLine]:
        """Why it is refused, in as many lines as that takes."""
        return (plain_line(line, "loss") for line in wrapped(reason, self._words_width))

    @property
    def _words_width(self) -> int:
        return self.query_one("#ticket-words", TextLines).size.width or 60

    def _open_risk(self) -> TextLine:
        """What is at risk already, before this order, and what no stop bounds."""
        view = console_of(self.app).desk.view
        risk, currency = view.open_risk(), view.settings.currency
        bare: list[Piece] = []
        if risk.unprotected:
            bare.append((f"no stop: {' '.join(risk.unprotected)}  ", "warn"))
        total = money(risk.at_stops + risk.entries, currency, currency)
        return (*bare, (f"open risk at stops {total}", "muted"))

    def _paused(self, review: Review) -> Iterator[Piece]:
        """That the machine is paused, where the order opens something (X-81)."""
        if not review.reduce_only and console_of(self.app).desk.view.run().paused:
            yield "  the machine is paused", "warn"

    def _passes(self, review: Review) -> Iterator[TextLine]:
        """That it may be sent, and what alone closes what a person opens (X-80), in as many lines
        as that takes."""
        first = "Send it?" if self.reviewed else "every check passes"
        pieces: list[Piece] = [(first, "profit")]
        closed = [] if review.reduce_only or review.managed else [*_closed_by(review)]
        if closed:
            taken = sum(len(text) for text, _ in pieces)
            if taken + 2 + len(closed[0]) <= self._words_width:
                pieces.append((f"  {closed.pop(0)}", "muted"))
        # On a small screen the title, or the button, says as much as the first words do.
        if len(pieces) > 1 or not closed:
            yield pieces
        for text in closed:
            yield from (plain_line(line, "muted") for line in wrapped(text, self._words_width))

    def _risk(self, order: PlaceOrder, review: Review) -> Iterator[Piece]:
        """What is lost at the stop: of this order, and then of everything."""
        if review.reduce_only:
            yield "only reduces what is held", "profit"
            given = (("Protect", order.protect), ("Target", order.target))
            names = [name for name, price in given if price is not None]
            if names:
                yield f": {' and '.join(names)} {'are' if names[1:] else 'is'} not used", "warn"
            return
        if review.stop is None:
            narrow = self._words_width < len(NO_STOP)
            yield "UNPROTECTED: no protective stop" if narrow else NO_STOP, "warn"
            return
        where = f"the stop at {plain(review.stop)} grows with it: " if review.stop_grows else ""
        if review.stop_moves:
            where = f"the stop is {plain(review.stop)} for all of it: "
        if review.risk is None:
            yield f"{where}risk at stop unknown: no price", ""
            return
        share, limit = percent(review.risk_share, 2, sign=False), review.risk_limit
        yield f"{where}risk at stop {self._money(review.risk, review)} ({share})", ""
        if limit is not None and review.risk_share is not None and review.risk_share > limit:
            yield f" ABOVE the {percent(limit, 2, sign=False)} of a trade", "warn"
        yield f", all {money(review.open_risk, *self._base)}", "muted"

    @property
    def _base(self) -> tuple[str, str]:
        """The base currency, as what an amount is in and as what needs no name."""
        currency = console_of(self.app).desk.view.settings.currency
        return currency, currency

    def _money(self, amount: Decimal, review: Review) -> str:
        return money(amount, review.currency, console_of(self.app).desk.view.settings.currency)

    # -- keys

    @on(Input.Changed)
    @on(Choice.Changed)
    def _edited(self) -> None:
        if not self._ready:
            return
        self._refusal = ""
        self._open_fields()
        self.query_one(Preview).mark()

    @on(PriceInput.Asked)
    def _from_quote(self, event: PriceInput.Asked) -> None:
        """The near side of the quote for an order, the last price for its stop."""
        symbol = self.query_one("#symbol", Input).value.strip().upper()
        prices = console_of(self.app).desk.view.prices(symbol)
        quote = prices.quote
        if quote is not None:
            near = quote.ask if self.side is Side.BUY else quote.bid
            price = near if near is not None and event.field.id == "limit" else quote.last
            event.field.value = price_text(price, prices.instrument).replace(",", "")

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_review()

    def action_review(self) -> None:
        """Freeze the fields and ask; only an order that passes gets this far."""
        if self.reviewed is not None or self.sent:
            return
        order = self.order()
        self.preview()
        if isinstance(order, str):
            return
        if not console_of(self.app).desk.view.review(order).allowed:
            return
        self.reviewed = order
        self._review_since = console_of(self.app).seconds()
        self.run = console_of(self.app).keyboard.run
        self._hurried = False
        # the focus first: a field that closes would hand it to whatever comes next
        self.query_one("#ticket-buttons").visible = True
        self.set_focus(self.query_one("#ticket-cancel", Button))
        self._open_fields()
        self._hint()
        self.preview()

    def takes_enter(self, run: int) -> bool:
        """In the fields Enter only reviews; in the review it must not be of the keys before it."""
        return self.reviewed is None or super().takes_enter(run)

    def action_other_button(self) -> None:
        """From one button to the other."""
        if self.reviewed is not None:
            self.focus_next("Button:enabled")

    def action_back(self) -> None:
        """From the review to the fields, from the fields out."""
        if self.reviewed is None or self.sent:
            self.dismiss(None)
            return
        self.reviewed = None
        self._open_fields()
        self.set_focus(self.query_one("#quantity", Input))
        self.query_one("#ticket-buttons").visible = False
        self._hint()
        self.preview()

    @on(Button.Pressed, "#ticket-cancel")
    def _cancelled(self) -> None:
        if not self._too_soon():
            self.action_back()

    @on(Button.Pressed, "#ticket-send")
    def _send(self) -> None:
        order = self.reviewed
        if order is None or self.sent or self._too_soon():
            return
        self.sent = True
        self.preview()
        console_of(self.app).ask(order, answered=self._answered)

    def _too_soon(self) -> bool:
        """True right after the review began: that Enter belonged to the field. It is said."""
        waited = console_of(self.app).seconds() - self._review_since
        self._hurried = self.reviewed is not None and waited < DEBOUNCE_SECONDS
        if self._hurried:
            self.preview()
        return self._hurried

    def _answered(self, result: Result) -> None:
        if not self.is_attached:
            return
        order = self.reviewed
        if result.ok and order is not None:
            self.dismiss(f"sent: {order.side} {number(order.quantity)} {order.symbol}")
            return
        self.sent = False
        self._refusal = f"refused: {result.code} {result.error}"
        self.action_back()


def _closed_by(review: Review) -> Iterator[str]:
    """What alone closes what a person's order opens (X-80); a swing only a kill of all. What was to
    have a stop and can have none is closed too."""
    stop = "" if review.stop is None else "its stop"
    if review.hold.ends_with_session:
        yield f"only {stop and f'{stop}, '}the end of the day and a kill close it"
    elif stop:
        yield f"only {stop} and a kill of all close it"
    else:
        yield "only a kill of all closes it"
    if stop:
        yield "or it is closed, if the venue does not take its stop"


class Preview(Fed):
    """Keeps the preview true while the ticket is open; draws nothing itself."""

    topics: ClassVar[frozenset[Topic]] = frozenset({Topic.STATE, Topic.POSITIONS})
    paint_every = 1.0
    DEFAULT_CSS = "Preview { display: none; }"

    def __init__(self, ticket: TicketScreen) -> None:
        super().__init__()
        self._ticket = ticket

    @property
    def is_showing(self) -> bool:
        """As long as the ticket is open."""
        return self.is_attached and self._ticket.is_attached

    def paint(self) -> None:
        """Ask every check again."""
        self.feed.take()
        self._ticket.preview()
