"""Order book: the depth of one symbol, with our own orders in it."""

from collections.abc import Iterator
from decimal import Decimal
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size

from console.desk.port import Topic
from console.desk.values import Prices
from console.ui.format import Glyphs, bar, number, percent
from console.ui.panes.base import Pane, places_of, quantity_text, whole_age
from console.ui.widgets.depth_ladder import Ladder, Rung, as_depth
from console.ui.widgets.text_lines import TextLine, TextLines
from engine.domain.market import Depth
from engine.domain.money import ZERO

HEADER = " mine     bid      price      ask  mine"
NO_BOOK = "no book yet; it comes with the first quotes"


class DepthLines(TextLines, can_focus=True):
    """The ladder's lines; focus lets keys change the symbol."""

    can_focus = True
    DEFAULT_CSS = "DepthLines { height: 1fr; }"


class DepthPane(Pane):
    """The ladder of the symbol that was selected last."""

    number = 4
    title = "Order book"
    topics: ClassVar[frozenset[Topic]] = frozenset({Topic.ORDERS})
    paint_every = 1.0
    HELP = (
        "mine, bid, price, ask, mine. Follows the row selected in Positions, Orders or Signals; "
        "left and right go through all symbols."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "step(-1)", "Previous symbol", show=False),
        Binding("right", "step(1)", "Next symbol", show=False),
    ]

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(glyphs)
        self._symbol = ""
        self.hand_moves = 0
        """How often a person went to another symbol."""
        self._ladder = Ladder()

    def body(self) -> ComposeResult:
        """The lines."""
        yield DepthLines(id="depth")

    @property
    def lines(self) -> DepthLines:
        """The ladder's lines."""
        return self.query_one("#depth", DepthLines)

    def focus_inside(self) -> None:
        """Keys change the symbol."""
        self.screen.set_focus(self.lines)

    @property
    def symbol(self) -> str:
        """The symbol shown: the one chosen, else one held, else the first with a quote."""
        if self._symbol:
            return self._symbol
        view = self.view
        held = next(iter(view.held()), None)
        first = next(iter(view.quoted()), "") if held is None else view.symbol_of(held)
        return first or next(iter(view.settings.symbols), "")

    def show_symbol(self, symbol: str) -> None:
        """Show this one from now on."""
        if symbol and symbol != self._symbol:
            self._symbol = symbol
            self.mark()

    def action_step(self, by: int) -> None:
        """The next or previous symbol that has a quote."""
        self.hand_moves += 1
        known = sorted({*self.view.quoted(), *self.view.settings.symbols})
        if known:
            place = known.index(self.symbol) if self.symbol in known else 0
            self.show_symbol(known[(place + by) % len(known)])

    def paint(self) -> None:
        """The ladder as it stands now."""
        self.feed.take()
        now, symbol = self.view.now, self.symbol
        prices = self.view.prices(symbol)
        quote, depth = prices.quote, prices.depth
        if quote is not None and (depth is None or not (depth.bids or depth.asks)):
            depth = as_depth(quote)
        if depth is None:
            words = NO_BOOK
            if quote is not None:
                words = f"last {number(quote.last)}, {whole_age(now - quote.time)} old; no depth"
            self.lines.show_lines([((f" {words}", "muted"),)])
            self.head(symbol)
            return
        size: Size = self.lines.size
        self.lines.show_lines(self._draw(prices, depth, size, now))
        spread = ""
        if depth.bids and depth.asks:
            places = places_of(prices.instrument, depth.asks[0].price)
            spread = f"spr {number(depth.asks[0].price - depth.bids[0].price, places)}  "
        self.head(symbol, f"{spread}{self.glyphs.dot} {whole_age(now - depth.time)}")

    def _draw(self, prices: Prices, depth: Depth, size: Size, now: int) -> Iterator[TextLine]:
        fresh, quote, rules = prices.fresh, prices.quote, prices.instrument
        near = next((level.price for level in (*depth.bids, *depth.asks)), rules.tick)
        places, tick = places_of(rules, near), rules.tick_at(near) or rules.tick
        rows = max(size.height - 3, 1)
        yield ((HEADER, "muted"),)
        best = depth.bids[0].price if depth.bids else None
        for rung in self._ladder.rungs(depth, tick=tick, rows=rows, mine=prices.mine):
            yield self._rung(rung, places, best, fresh)
        yield self._balance(depth, size.width)
        if quote is not None:
            stale = "" if fresh else f"{self.glyphs.stale} "
            yield (
                (f" {stale}last {number(quote.last, places)}", "stale" if not fresh else ""),
                (f"  {whole_age(now - quote.time)} ago", "muted"),
            )

    def _rung(self, rung: Rung, places: int, best: Decimal | None, fresh: bool) -> TextLine:
        dim = "" if fresh else "stale"
        bid = "" if rung.bid is None else quantity_text(rung.bid)
        ask = "" if rung.ask is None else quantity_text(rung.ask)
        left = f"{quantity_text(rung.mine_bid)}{self.glyphs.cursor}" if rung.mine_bid else ""
        right = f"{self.glyphs.cursor}{quantity_text(rung.mine_ask)}" if rung.mine_ask else ""
        at_best = best is not None and rung.price == best
        return (
            (f"{left:>5}", "warn"),
            (f"{bid:>8}", dim or "up"),
            (f" {number(rung.price, places):>10}", dim or ("strong" if at_best else "")),
            (f"{ask:>9}", dim or "down"),
            (f" {right:<6}", "warn"),
        )

    def _balance(self, depth: Depth, width: int) -> TextLine:
        bids = sum((level.size for level in depth.bids), start=ZERO)
        asks = sum((level.size for level in depth.asks), start=ZERO)
        total = bids + asks
        share = bids / total if total else None
        cells = max(min(width - 22, 24), 6)
        rest = None if share is None else 1 - share
        return (
            (f" bid {percent(share, 0, sign=False):>4} ", "muted"),
            (bar(share, cells, self.glyphs), "up"),
            (f" ask {percent(rest, 0, sign=False):>4}", "muted"),
        )
