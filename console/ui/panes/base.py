"""What the panes share: a frame with a title, a table, a filter line."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import ClassVar, Final

from rich.segment import Segment
from rich.style import Style
from textual import on
from textual.app import ComposeResult
from textual.geometry import Region
from textual.strip import Strip
from textual.widgets import Input

from console.terminal.screen import redraw
from console.ui.console import console_of
from console.ui.external import literal
from console.ui.format import Glyphs, age, number
from console.ui.widgets.fed import Fed
from console.ui.widgets.field import Field
from console.ui.widgets.live_table import LiveTable
from console.ui.widgets.rows import Cell, Column, RowKey
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.instrument import Instrument
from engine.domain.money import is_multiple


class Pane(Fed):
    """A framed pane; subclasses say `number`, `title`, and write `body` and `paint`."""

    DEFAULT_CSS = """
    Pane {
        layout: vertical;
        border: round $border-blurred;
        border-title-color: $foreground;
        border-subtitle-color: $muted;
        height: 1fr;
        & > .pane--keys { color: $border; }
        & > .pane--filter { display: none; height: 1; border: none; padding: 0 1; }
        &.-filtering > .pane--filter { display: block; }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"pane--keys"}
    """The colour of the frame while keys go to the pane."""

    number: ClassVar[int] = 0
    title: ClassVar[str] = ""
    HELP: ClassVar[str] = ""

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(id=f"pane-{self.number}")
        self.glyphs = glyphs
        self.needle = ""
        """The filter's text."""
        self._heading = ""
        self._footing = ""
        self._frames: dict[tuple[str, bool, Region], Strip] = {}
        """Lines of the frame, by what is written on it, whether keys go here, and where it is."""

    def compose(self) -> ComposeResult:
        """The body, and the filter where there is a table."""
        yield from self.body()
        yield Field(placeholder="filter", compact=True, classes="pane--filter")

    def body(self) -> ComposeResult:
        """Everything inside the frame."""
        yield from ()

    def on_mount(self) -> None:
        """A title before the first paint."""
        self.head("")

    @property
    def table(self) -> LiveTable | None:
        """The table that is shown; None where there is none."""
        return None

    def focus_inside(self) -> None:
        """Put the focus where keys work, at once: the key after this one goes there already."""
        if self.table is not None:
            self.screen.set_focus(self.table)

    def head(self, note: str, footing: str = "") -> None:
        """The title with a note behind it, and what stands at the lower edge."""
        heading = f"{self.number} {self.title}{' ' if note else ''}{note}"
        if self.needle:
            footing = f"/{self.needle}  {footing}".rstrip()
        if heading != self._heading:
            self._heading = heading
            # textual's own setter draws all of the pane anew
            self._border_title = literal(heading)
            self._draw_edge(0)
        if footing != self._footing:
            self._footing = footing
            self._border_subtitle = literal(footing)
            self._draw_edge(self.outer_size.height - 1)

    def _draw_edge(self, row: int) -> None:
        corner = self.content_offset
        redraw(self, Region(-corner.x, row - corner.y, self.outer_size.width, 1))

    def on_descendant_focus(self) -> None:
        """The frame says where keys go; `:focus-within` would restyle every table in it."""
        self.show_focus(True)

    def on_descendant_blur(self) -> None:
        """Keys go elsewhere."""
        self.show_focus(False)

    def show_focus(self, focused: bool, *, draw: bool = True) -> None:
        """Mark the frame of the pane that keys go to; without `draw` a layout will draw it."""
        # no rule asks for this class: a style sheet takes longer than the frame takes to draw
        if self.has_class("-focused") != focused:
            self.set_class(focused, "-focused", update=False)
            if draw:
                self._draw_frame()

    def show_active(self, active: bool, *, alone: bool) -> None:
        """Whether this is the active pane; `alone` is it where no other is shown."""
        if self.has_class("-active") == active:
            return
        self.set_class(active, "-active", update=False)
        if alone:
            # the class says nothing of what is inside: only the pane itself is styled anew
            self.app.stylesheet.update_nodes([self])

    def _draw_frame(self) -> None:
        corner = self.content_offset
        redraw(self, *(region.translate(-corner) for region in self._frame))

    @property
    def _frame(self) -> set[Region]:
        """The cells of the frame, as textual keeps what is to be drawn."""
        width, height = self.outer_size
        sides = (Region(x, 1, 1, max(height - 2, 0)) for x in (0, width - 1))
        edges = (Region(0, y, width, 1) for y in (0, height - 1))
        return {region for region in (*sides, *edges) if region}

    def render_lines(self, crop: Region) -> list[Strip]:
        """As textual's; a line of the frame is drawn once for each look it has."""
        width, height = self.outer_size
        edges = (0, height - 1)
        if crop.width == 1 and crop.x in (0, width - 1) and 0 < crop.y < crop.bottom < height:
            # one cell of a side is like the other
            return [self._side(crop.x)] * crop.height
        if crop.size == (width, 1) and crop.y in edges:
            return [self._edge(crop.y)]
        lines = super().render_lines(crop)
        if not self.has_class("-focused"):
            return lines
        x1, x2 = crop.column_span
        return [
            self._edge(y).crop(x1, x2) if y in edges else self._between_sides(line, x1, x2)
            for y, line in zip(crop.line_range, lines, strict=True)
        ]

    def _edge(self, y: int) -> Strip:
        """The upper or the lower line of the frame, with what is written on it."""
        text = self._footing if y else self._heading
        return self._frame_line(text, Region(0, y, self.outer_size.width, 1))

    def _side(self, x: int) -> Strip:
        return self._frame_line("", Region(x, 1, 1, 1))

    def _between_sides(self, line: Strip, x1: int, x2: int) -> Strip:
        """The cells of a line from `x1` up to `x2`, with the sides that are among them."""
        last = self.outer_size.width - 1
        left, right = x1 == 0, x2 > last
        parts = [self._side(0)] if left else []
        parts.append(line.crop(int(left), line.cell_length - right))
        return Strip.join([*parts, self._side(last)] if right else parts)

    def _frame_line(self, text: str, crop: Region) -> Strip:
        focused = self.has_class("-focused")
        look = text, focused, crop
        line = self._frames.get(look)
        if line is None:
            if len(self._frames) >= FRAME_LINES_KEPT:
                self._frames.clear()
            line = super().render_lines(crop)[0]
            if focused:
                line = self._marked(line, is_top=crop.y == 0)
            self._frames[look] = line
        return line

    def _marked(self, line: Strip, *, is_top: bool) -> Strip:
        """A line of the frame as it is while keys go here: in its colour, the title in bold."""
        outside, inside = self.background_colors
        colour = (outside + self.get_component_styles("pane--keys").color).rich_color
        frame, title = Style(color=colour), Style(bold=True) if is_top else Style.null()
        marked = Strip(
            [
                Segment(text, (style or Style.null()) + (title if text.strip(_BOX) else frame))
                for text, style, _ in line
            ],
            line.cell_length,
        )
        for line_filter in self.get_line_filters():
            marked = marked.apply_filter(line_filter, inside)
        return marked

    def notify_style_update(self) -> None:
        """Another theme."""
        super().notify_style_update()
        self._frames = {}

    # -- filter

    def start_filter(self) -> None:
        """Show the filter line and type into it; the keys that came with this one go there too."""
        if self.table is not None:
            self.add_class("-filtering")
            # `focus()` waits its turn behind keys that are queued, and the table would act on them
            self.screen.set_focus(self.query_one(".pane--filter", Input))

    def end_filter(self) -> bool:
        """Show everything again; False if nothing was filtered."""
        was = self.has_class("-filtering")
        self.query_one(".pane--filter", Input).value = ""
        self.remove_class("-filtering")
        if was:
            self.focus_inside()
        return was

    @on(Input.Changed, ".pane--filter")
    def _filter_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.apply_filter(event.value)
        self.mark()

    @on(Input.Submitted, ".pane--filter")
    def _filter_entered(self, event: Input.Submitted) -> None:
        event.stop()
        if not event.value:
            self.end_filter()
        self.focus_inside()

    def apply_filter(self, text: str) -> None:
        """Show only rows with `text`."""
        self.needle = text
        if self.table is not None:
            self.table.set_filter(text)


_BOX: Final = "╭─╮│╰╯"

LOADING: Final = "loading"

FRAME_LINES_KEPT: Final = 16
"""Lines of a pane's frame that are remembered: four, with and without the focus, and titles."""


def name_cell(instrument: Instrument, name: str = "", *, brief: bool = False) -> Cell:
    """The id of an instrument, or the `name` that begins with it, as a table's cell.

    Where a contract's id does not fit, it is written as traders do, `AAPL 18Dec26 200C`. With
    `brief` it gives way to other columns: without the day, `AAPL…200C`, a future by the letter of
    its month.
    """
    symbol = instrument.symbol
    name = name or symbol
    contract = instrument.contract
    short, least = ("", "") if contract is None else (contract.short_name, contract.least_name)
    short = short or symbol
    if len(short) >= len(symbol):
        return Cell(name, "strong")
    more = name.removeprefix(symbol)
    return Cell(name, "strong", short=short + more, least=least + more if brief and least else "")


def places_of(instrument: Instrument, price: Decimal | None) -> int:
    """How many decimals prices of this instrument near this one have."""
    if price is None:
        return _places(instrument.tick)
    return _places(instrument.tick_at(price) or price)


@lru_cache(maxsize=256)
def _places(tick: Decimal) -> int:
    exponent = tick.normalize().as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 2


def price_text(value: Decimal | None, instrument: Instrument) -> str:
    """A price on the instrument's grid."""
    return number(value, places_of(instrument, value))


def fitted_price(
    value: Decimal | None, instrument: Instrument, width: int, beside: Decimal | None = None
) -> str:
    """The price with as many decimals as `width` cells hold.

    It has no more decimals than `beside`, a price of the same row, unless it needs them.
    """
    near = value
    if value is not None and beside is not None:
        near = beside if is_multiple(value, instrument.tick_at(beside)) else value
    places = places_of(instrument, near)
    text = number(value, places)
    while len(text) > width and places:
        places -= 1
        text = number(value, places)
    return text


def whole_age(nanos: Nanos) -> str:
    """An age in whole units, so that it changes once a second at most."""
    if nanos < 10 * NS_PER_SECOND:
        return f"{max(nanos, 0) // NS_PER_SECOND}s"
    return age(nanos)


def quantity_text(value: Decimal) -> str:
    """A quantity with the decimals it has."""
    return number(value.normalize() if value != value.to_integral_value() else value.quantize(_ONE))


_ONE: Final = Decimal(1)


def time_cell(at: Nanos, seq: int) -> Cell:
    """The time of day, sorted by place in the journal."""
    text = datetime.fromtimestamp(at // NS_PER_SECOND, UTC).strftime("%H:%M:%S")
    return Cell(text, "muted", seq)


def make_table(columns: Sequence[Column], glyphs: Glyphs, name: str) -> LiveTable:
    """A table with an id, in this app's glyphs; enter on a row shows everything about it.

    What it says without a row is for the first paint to set: until then nobody has looked.
    """
    return LiveTable(columns, empty=LOADING, glyphs=glyphs, id=name, chosen=_show_details)


def _show_details(table: LiveTable, key: RowKey) -> None:
    console_of(table.app).show_details(table.id or "", key)


def at_top(table: LiveTable) -> bool:
    """True while the cursor is on the first row, so that it follows what is newest."""
    first = next(iter(table.shown_keys()), None)
    return table.cursor_key is None or table.cursor_key == first


def to_top(table: LiveTable) -> None:
    """Put the cursor on the first row."""
    first = next(iter(table.shown_keys()), None)
    if first is not None and first != table.cursor_key:
        table.follow(first)
