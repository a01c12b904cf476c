"""What the terminal shows now, cell by cell, and the fewest bytes that turn it into the next frame.

Textual sends every dirty region again, whole. Most of its cells are the ones already on the screen:
only the difference goes out here (measured at 120x40, busy, 10 Hz: 157 → 40 kB/s). Hyperlinks are
not sent: text from outside has no business in OSC 8.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from rich.cells import get_character_cell_size
from rich.color import ColorSystem
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.strip import SGR_STYLES, Strip

from console.terminal.compositor import LinesUpdate
from engine.domain.text import UNSAFE

RESET: Final = "\x1b[0m"
UNKNOWN: Final = "\x00"
"""The text of a cell whose content on the terminal is not known: it differs from every other."""

_PEN_CACHE_LIMIT: Final = 4_096
_CELL_CACHE_LIMIT: Final = 512
"""Lines whose cells are remembered: a row that moves up or down is the same line elsewhere."""

_REWRITE_GAP: Final = 4
"""Unchanged cells between two changes that cost fewer bytes to write again than to jump over."""


class Pen(NamedTuple):
    """The SGR parameters of one style, split so that only what changes is sent."""

    attributes: str
    foreground: str
    background: str


PLAIN: Final = Pen("", "39", "49")

Cells = tuple[list[str], list[Pen], bool]
"""The text and the pen of each cell of a strip, and whether any character is wide."""

Update = LayoutUpdate | ChopsUpdate | LinesUpdate
"""What the compositors hand on."""


class _Row:
    """One line of the screen: what stands in each cell, and which strips put it there."""

    __slots__ = ("pens", "strips", "texts", "wide")

    def __init__(self, width: int) -> None:
        self.texts = [UNKNOWN] * width
        self.pens = [PLAIN] * width
        self.strips: dict[int, Strip] = {}
        self.wide = False
        """True if any cell holds something else than one character of one column."""

    def put(self, x: int, strip: Strip, texts: list[str], pens: list[Pen]) -> None:
        end = min(x + len(texts), len(self.texts))
        count = end - x
        for other in [
            start
            for start, held in self.strips.items()
            if start < end and start + held.cell_length > x
        ]:
            del self.strips[other]
        if count == len(texts):
            self.strips[x] = strip
        self.texts[x:end] = texts[:count]
        self.pens[x:end] = pens[:count]


class CellScreen:
    """The last frame sent, as cells; `diff` gives the bytes to the next one and remembers it.

    A frame that did not reach the terminal makes the memory wrong: call `invalidate`, and give
    `diff` a full update next (`valid` is False until then).
    """

    def __init__(self) -> None:
        self._size = (0, 0)
        self._rows: list[_Row] = []
        self._pens: dict[Style, Pen] = {}
        self._cells: dict[int, tuple[Strip, Cells]] = {}
        """By identity; the strip is kept so that its identity stays its own."""
        self._shared: dict[Pen, Pen] = {}
        self._color_system: ColorSystem | None = None
        self._cursor = (-1, -1)
        self.valid = False

    def invalidate(self) -> None:
        """Forget what the terminal shows; the next full update is sent cell by cell."""
        self.valid = False

    def diff(
        self,
        update: Update,
        size: tuple[int, int],
        cursor: tuple[int, int],
        color_system: ColorSystem | None,
    ) -> str:
        """The bytes from the last frame to `update` on a screen of `size`; "" where they agree.

        Ends with the terminal's cursor at `cursor` (x, y) and the plain pen.
        """
        self._settle(size, color_system)
        writer = _FrameWriter()
        width, height = size
        for y, placed in _placed_strips(update):
            if not 0 <= y < height:
                continue
            row = self._rows[y]
            changed = [
                (x, strip) for x, strip in placed if x < width and row.strips.get(x) is not strip
            ]
            if not changed:
                continue
            before_texts, before_pens = row.texts[:], row.pens[:]
            was_wide = row.wide
            first, end = width, 0
            for x, strip in changed:
                texts, pens, wide = self._cells_of(strip)
                row.wide = row.wide or wide
                row.put(x, strip, texts, pens)
                first, end = min(first, x), max(end, x + len(texts))
            if row.wide:
                row.wide = _settle_wide_cells(row.texts)
            if row.wide or was_wide:
                first, end = 0, width
            span = range(first, min(end, width))
            writer.row(y, row, before_texts, before_pens, span, whole=row.wide or was_wide)
        self.valid = True
        return self._finish(writer, cursor)

    def _settle(self, size: tuple[int, int], color_system: ColorSystem | None) -> None:
        if self._color_system is not color_system:
            self._color_system = color_system
            self._pens.clear()
            self._cells.clear()
            self.valid = False
        if size != self._size or not self.valid:
            self._size = size
            self._rows = [_Row(size[0]) for _ in range(size[1])]
            self._cursor = (-1, -1)

    def _finish(self, writer: "_FrameWriter", cursor: tuple[int, int]) -> str:
        if not writer.parts and cursor == self._cursor:
            return ""
        self._cursor = cursor
        writer.finish(cursor)
        return "".join(writer.parts)

    def _cells_of(self, strip: Strip) -> Cells:
        """`strip` as one text and one pen a cell; the second cell of a wide character is ""."""
        known = self._cells.get(id(strip))
        if known is not None:
            return known[1]
        cells = self._make_cells(strip)
        if len(self._cells) >= _CELL_CACHE_LIMIT:
            del self._cells[next(iter(self._cells))]
        self._cells[id(strip)] = strip, cells
        return cells

    def _make_cells(self, strip: Strip) -> Cells:
        texts: list[str] = []
        pens: list[Pen] = []
        wide = False
        for text, style, control in strip:
            if control:
                continue
            pen = self._pen(style)
            if text.isascii() and text.isprintable():
                texts.extend(text)
                pens.extend([pen] * len(text))
                continue
            for character in text:
                columns = get_character_cell_size(character)
                if UNSAFE.match(character):
                    # a control character never becomes a cell, whoever let it through
                    continue
                if columns == 1:
                    texts.append(character)
                    pens.append(pen)
                    continue
                wide = True
                if columns == 2:
                    texts.extend((character, ""))
                    pens.extend((pen, pen))
                elif texts:
                    lead = -2 if texts[-1] == "" and len(texts) > 1 else -1
                    texts[lead] += character
        return texts, pens, wide

    def _pen(self, style: Style | None) -> Pen:
        if style is None:
            return PLAIN
        pen = self._pens.get(style)
        if pen is None:
            if len(self._pens) >= _PEN_CACHE_LIMIT:
                self._pens.clear()
                self._shared.clear()
                self._cells.clear()
            pen = _pen_of(style, self._color_system)
            pen = self._pens[style] = self._shared.setdefault(pen, pen)
        return pen


class _FrameWriter:
    """Writes changed cells in reading order with the fewest moves and pen changes."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self._pen: Pen | None = None
        self._at: tuple[int, int] | None = None

    def row(
        self,
        y: int,
        row: _Row,
        before_texts: list[str],
        before_pens: list[Pen],
        span: range,
        *,
        whole: bool,
    ) -> None:
        texts, pens = row.texts, row.pens
        if not whole and texts == before_texts and pens == before_pens:
            return
        for start, end in _changed_runs(row, before_texts, before_pens, span, whole=whole):
            self._move(start, y)
            x = start
            while x < end:
                pen = pens[x]
                stop = x + 1
                while stop < end and pens[stop] is pen:
                    stop += 1
                self._write(x, stop, y, texts, pen)
                x = stop

    def finish(self, cursor: tuple[int, int]) -> None:
        if self._pen is not None:
            self.parts.append(RESET)
        self.parts.append(f"\x1b[{cursor[1] + 1};{cursor[0] + 1}H")

    def _write(self, start: int, stop: int, y: int, texts: list[str], pen: Pen) -> None:
        self._use(pen)
        for x in range(start, stop):
            text = texts[x]
            if text == "":
                continue
            if self._at is None:
                self._move(x, y)
            self.parts.append(" " if text == UNKNOWN else text)
            single = len(text) == 1 and (x + 1 == len(texts) or texts[x + 1] != "")
            # terminals disagree on the width of the others: say again where the next cell is
            self._at = (x + 1, y) if single else None
        if stop == len(texts):
            self._at = None

    def _move(self, x: int, y: int) -> None:
        if self._at == (x, y):
            return
        if self._at is not None and self._at[1] == y and self._at[0] < x:
            self.parts.append(f"\x1b[{x - self._at[0]}C")
        else:
            self.parts.append(f"\x1b[{y + 1};{x + 1}H")
        self._at = (x, y)

    def _use(self, pen: Pen) -> None:
        old = self._pen
        if pen is old:
            return
        self._pen = pen
        if old is None or pen.attributes != old.attributes:
            codes = ["0", pen.attributes] if pen.attributes else ["0"]
            if pen.foreground != PLAIN.foreground:
                codes.append(pen.foreground)
            if pen.background != PLAIN.background:
                codes.append(pen.background)
        else:
            codes = []
            if pen.foreground != old.foreground:
                codes.append(pen.foreground)
            if pen.background != old.background:
                codes.append(pen.background)
        if codes:
            self.parts.append(f"\x1b[{';'.join(codes)}m")


def _changed_runs(
    row: _Row, before_texts: list[str], before_pens: list[Pen], span: range, *, whole: bool
) -> Iterable[tuple[int, int]]:
    """Half-open runs of columns of `span` to write; gaps too short to jump over are closed.

    A row that holds (or held) wide characters is written whole: half of one cannot be.
    """
    texts, pens = row.texts, row.pens
    if whole:
        if texts != before_texts or pens != before_pens:
            yield 0, len(texts)
        return
    start = end = -1
    for x in span:
        if texts[x] == before_texts[x] and pens[x] == before_pens[x]:
            continue
        if start < 0:
            start = x
        elif x - end > _REWRITE_GAP or any(pens[g] is not pens[end - 1] for g in range(end, x)):
            yield start, end
            start = x
        end = x + 1
    if start >= 0:
        yield start, end


def _settle_wide_cells(texts: list[str]) -> bool:
    """Blank each half of a wide character that lost the other half; True if any whole is left."""
    left = False
    for x, text in enumerate(texts):
        lost_lead = text == "" and (x == 0 or not _is_wide(texts[x - 1]))
        lost_tail = _is_wide(text) and (x + 1 == len(texts) or texts[x + 1] != "")
        if lost_lead or lost_tail:
            texts[x] = " "
        elif len(text) != 1 or _is_wide(text):
            left = True
    return left


def _is_wide(text: str) -> bool:
    return text not in ("", UNKNOWN) and get_character_cell_size(text[0]) == 2


def _pen_of(style: Style, color_system: ColorSystem | None) -> Pen:
    attributes = style._attributes & style._set_attributes
    codes = [code for bit, code in enumerate(SGR_STYLES) if attributes & (1 << bit)]
    if color_system is None:
        return Pen(";".join(codes), PLAIN.foreground, PLAIN.background)
    foreground, background = PLAIN.foreground, PLAIN.background
    if style.color is not None:
        foreground = ";".join(style.color.downgrade(color_system).get_ansi_codes())
    if style.bgcolor is not None:
        background = ";".join(style.bgcolor.downgrade(color_system).get_ansi_codes(False))
    return Pen(";".join(codes), foreground, background)


def _placed_strips(
    update: Update,
) -> Iterable[tuple[int, list[tuple[int, Strip]]]]:
    """The strips of an update with their column, line by line."""
    if isinstance(update, LinesUpdate):
        yield from update.lines.items()
        return
    if isinstance(update, LayoutUpdate):
        for y, line in enumerate(update.strips, update.region.y):
            yield y, _in_sequence(update.region.x, line)
        return
    done: dict[int, set[int]] = {}
    for y, x1, x2 in update.spans:
        taken = done.setdefault(y, set())
        yield y, _in_span(update.chops[y], update.chop_ends[y], x1, x2, taken)


def _in_sequence(x: int, line: Iterable[Strip | None]) -> list[tuple[int, Strip]]:
    placed: list[tuple[int, Strip]] = []
    for strip in line:
        if strip is None:
            continue
        placed.append((x, strip))
        x += strip.cell_length
    return placed


def _in_span(
    chops: Mapping[int, Strip | None], ends: list[int], x1: int, x2: int, taken: set[int]
) -> list[tuple[int, Strip]]:
    """The whole chops a span touches: a chop is current over all its width, or it is not there."""
    placed: list[tuple[int, Strip]] = []
    for end, (x, strip) in zip(ends, chops.items(), strict=False):
        if strip is None or x in taken or x >= x2 or end <= x1:
            continue
        taken.add(x)
        placed.append((x, strip))
    return placed
