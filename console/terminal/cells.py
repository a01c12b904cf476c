"""What the terminal shows now, cell by cell, and the fewest bytes that turn it into the next frame.

Textual sends every dirty region again, whole. Most of its cells are the ones already on the screen:
only the difference goes out here (measured at 120x40, busy, 10 Hz: 157 → 40 kB/s). Of that more
than half said which colour comes next: so the cells of one colour are written one after another,
wherever they stand, and the pen stays as it is from one frame to the next. Hyperlinks are not sent:
text from outside has no business in OSC 8.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple, TypeVar

from rich.cells import get_character_cell_size
from rich.color import ColorSystem
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.strip import SGR_STYLES, Strip

from console.terminal.compositor import LinesUpdate
from engine.domain.text import UNSAFE

UNKNOWN: Final = "\x00"
"""The text of a cell whose content on the terminal is not known: it differs from every other."""

_PEN_CACHE_LIMIT: Final = 4_096
_CELL_CACHE_LIMIT: Final = 512
"""Lines whose cells are remembered: a row that moves up or down is the same line elsewhere."""

Value = TypeVar("Value")

_REWRITE_GAP: Final = 4
"""Unchanged cells between two changes that cost fewer bytes to write again than to jump over."""


class Pen(NamedTuple):
    """The SGR parameters of one style, split so that only what changes is sent."""

    attributes: str
    foreground: str
    background: str


PLAIN: Final = Pen("", "39", "49")

ANY: Final = ""
"""The foreground of a blank cell: whichever the pen has, it looks the same."""

_UNSEEN_ON_BLANKS: Final = frozenset({"", "1", "2", "3"})
"""Attributes that need no foreground to be drawn where nothing is: all but lines and reverse."""

_OFF: Final = {
    "1": "22",
    "2": "22",
    "3": "23",
    "4": "24",
    "5": "25",
    "6": "25",
    "7": "27",
    "8": "28",
    "9": "29",
    "21": "24",
    "51": "54",
    "52": "54",
    "53": "55",
}
"""What ends each attribute (ECMA-48, 8.3.117)."""

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
        self._pens: dict[Style, tuple[Pen, Pen]] = {}
        """By style, the pen of text and that of blanks."""
        self._cells: dict[int, tuple[Strip, Cells]] = {}
        """By identity; the strip is kept so that its identity stays its own."""
        self._shared: dict[Pen, Pen] = {}
        self._color_system: ColorSystem | None = None
        self._cursor: tuple[int, int] | None = None
        """Where the cursor was left, None where that does not matter."""
        self._pen: Pen | None = None
        """The pen that the terminal has now, None where it is not known."""
        self.valid = False

    def invalidate(self) -> None:
        """Forget what the terminal shows; the next full update is sent cell by cell."""
        self.valid = False

    def diff(
        self,
        update: Update,
        size: tuple[int, int],
        cursor: tuple[int, int] | None,
        color_system: ColorSystem | None,
    ) -> str:
        """The bytes from the last frame to `update` on a screen of `size`; "" where they agree.

        Ends with the terminal's cursor at `cursor` (x, y); None: wherever the last cell was.
        """
        self._settle(size, color_system)
        writer = _FrameWriter(self._pen)
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
            self._cursor = self._pen = None

    def _finish(self, writer: "_FrameWriter", cursor: tuple[int, int] | None) -> str:
        parts, self._pen = writer.finish()
        if cursor is not None and (parts or cursor != self._cursor):
            parts.append(f"\x1b[{cursor[1] + 1};{cursor[0] + 1}H")
        if parts:
            self._cursor = cursor
        return "".join(parts)

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
            pen, blank = self._pens_of(style)
            if text.isascii() and text.isprintable():
                texts.extend(text)
                if " " in text:
                    pens.extend([blank if character == " " else pen for character in text])
                else:
                    pens.extend([pen] * len(text))
                continue
            for character in text:
                columns = get_character_cell_size(character)
                if UNSAFE.match(character):
                    # a control character never becomes a cell, whoever let it through
                    continue
                if columns == 1:
                    texts.append(character)
                    pens.append(blank if character == " " else pen)
                    continue
                wide = True
                if columns == 2:
                    texts.extend((character, ""))
                    pens.extend((pen, pen))
                elif texts:
                    lead = -2 if texts[-1] == "" and len(texts) > 1 else -1
                    texts[lead] += character
        return texts, pens, wide

    def _pens_of(self, style: Style | None) -> tuple[Pen, Pen]:
        if style is None:
            return PLAIN, self._blank(PLAIN)
        pens = self._pens.get(style)
        if pens is None:
            if len(self._pens) >= _PEN_CACHE_LIMIT:
                self._pens.clear()
                self._shared.clear()
                self._cells.clear()
            pen = _pen_of(style, self._color_system)
            pen = self._shared.setdefault(pen, pen)
            pens = self._pens[style] = pen, self._blank(pen)
        return pens

    def _blank(self, pen: Pen) -> Pen:
        """The pen of the blanks in a text of this pen."""
        if not _UNSEEN_ON_BLANKS.issuperset(pen.attributes.split(";")):
            return pen
        blank = Pen(pen.attributes, ANY, pen.background)
        return self._shared.setdefault(blank, blank)


class _Piece(NamedTuple):
    """Columns `start` to `stop` of line `y`, of one foreground and one background."""

    y: int
    start: int
    stop: int
    texts: list[str]
    pens: list[Pen]


class _FrameWriter:
    """Writes changed cells with the fewest moves and pen changes, colour by colour."""

    def __init__(self, pen: Pen | None) -> None:
        """`pen` is the one that the terminal has; None: it is not known."""
        self._parts: list[str] = []
        self._pen = pen
        self._at: tuple[int, int] | None = None
        self._pieces: dict[str, dict[str, list[_Piece]]] = {}
        """By background, then by foreground; in reading order."""
        self._whole: dict[int, tuple[list[str], list[Pen]]] = {}
        """Lines that are written from the first cell to the last."""

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
        """Take in what changed on a line; each cell at most once a frame."""
        texts, pens = row.texts, row.pens
        if texts == before_texts and pens == before_pens:
            return
        if whole:
            # half of a wide character cannot be written, nor what lies beside it out of order
            self._whole[y] = texts, pens
            return
        for start, end in _changed_runs(row, before_texts, before_pens, span):
            self._cut(y, start, end, texts, pens)

    def _cut(self, y: int, start: int, end: int, texts: list[str], pens: list[Pen]) -> None:
        """Cut a run where its colours change; blanks go with what stands before them, or after."""
        begin, foreground, background = start, pens[start].foreground, pens[start].background
        for x in range(start + 1, end):
            pen = pens[x]
            if pen is pens[x - 1]:
                continue
            if pen.background == background:
                if pen.foreground in (ANY, foreground):
                    continue
                if foreground == ANY:
                    foreground = pen.foreground
                    continue
            self._keep(_Piece(y, begin, x, texts, pens), foreground, background)
            begin, foreground, background = x, pen.foreground, pen.background
        self._keep(_Piece(y, begin, end, texts, pens), foreground, background)

    def _keep(self, piece: _Piece, foreground: str, background: str) -> None:
        self._pieces.setdefault(background, {}).setdefault(foreground, []).append(piece)

    def finish(self) -> tuple[list[str], Pen | None]:
        """The bytes of all that was taken in, and the pen that the terminal has then."""
        for foregrounds in _first(self._pieces, self._pen and self._pen.background):
            now = self._pen and self._pen.foreground
            for pieces in (foregrounds.pop(ANY, ()), *_first(foregrounds, now)):
                for piece in pieces:
                    self._write(piece)
        for y, (texts, pens) in self._whole.items():
            self._write_whole(y, texts, pens)
        return self._parts, self._pen

    def _write(self, piece: _Piece) -> None:
        y, start, stop, texts, pens = piece
        self._move(start, y)
        x = start
        while x < stop:
            pen, end = pens[x], x + 1
            while end < stop and pens[end] is pen:
                end += 1
            self._use(pen)
            self._parts.append("".join(texts[x:end]).replace(UNKNOWN, " "))
            x = end
        # behind the last column terminals disagree on where the cursor is
        self._at = None if stop == len(texts) else (stop, y)

    def _write_whole(self, y: int, texts: list[str], pens: list[Pen]) -> None:
        self._at = None
        for x, text in enumerate(texts):
            if text == "":
                continue
            self._use(pens[x])
            if self._at is None:
                self._move(x, y)
            self._parts.append(" " if text == UNKNOWN else text)
            single = len(text) == 1 and (x + 1 == len(texts) or texts[x + 1] != "")
            # terminals disagree on the width of the others: say again where the next cell is
            self._at = (x + 1, y) if single else None
        self._at = None

    def _move(self, x: int, y: int) -> None:
        if self._at == (x, y):
            return
        if self._at is not None and self._at[1] == y and self._at[0] < x:
            self._parts.append(f"\x1b[{x - self._at[0]}C")
        else:
            self._parts.append(f"\x1b[{y + 1};{x + 1}H")
        self._at = (x, y)

    def _use(self, pen: Pen) -> None:
        old = self._pen
        if pen is old:
            return
        if pen.foreground == ANY:
            pen = pen._replace(foreground=PLAIN.foreground if old is None else old.foreground)
        self._pen = pen
        if old is None:
            codes = ["0", *filter(None, [pen.attributes])]
            old = PLAIN
        else:
            codes = list(_turned(old.attributes, pen.attributes))
        if pen.foreground != old.foreground:
            codes.append(pen.foreground)
        if pen.background != old.background:
            codes.append(pen.background)
        if codes:
            self._parts.append(f"\x1b[{';'.join(codes)}m")


def _first(groups: dict[str, Value], key: str | None) -> list[Value]:
    """The groups, beginning with that of `key` if there is one."""
    first = [] if key is None or key not in groups else [groups.pop(key)]
    return [*first, *groups.values()]


@lru_cache(maxsize=256)
def _turned(old: str, new: str) -> tuple[str, ...]:
    """The codes that turn one set of attributes into another."""
    had, wanted = set(filter(None, old.split(";"))), list(filter(None, new.split(";")))
    ended = {_OFF[code] for code in had.difference(wanted)}
    begun = [code for code in wanted if code not in had or _OFF[code] in ended]
    return (*sorted(ended), *begun)


def _changed_runs(
    row: _Row, before_texts: list[str], before_pens: list[Pen], span: range
) -> Iterable[tuple[int, int]]:
    """Half-open runs of columns of `span` to write; gaps too short to jump over are closed."""
    texts, pens = row.texts, row.pens
    changed = [
        x
        for x in span
        if texts[x] != before_texts[x]
        or (pens[x] is not before_pens[x] and pens[x] != before_pens[x])
    ]
    if not changed:
        return
    start, end = changed[0], changed[0] + 1
    for x in changed[1:]:
        if x > end and (
            x - end > _REWRITE_GAP or any(_turns(pens[end - 1], pens[g]) for g in range(end, x))
        ):
            yield start, end
            start = x
        end = x + 1
    yield start, end


def _turns(pen: Pen, other: Pen) -> bool:
    """Whether to write `other` after `pen` takes another colour or attribute."""
    return pen is not other and (
        (pen.attributes, pen.background) != (other.attributes, other.background)
        or (pen.foreground != other.foreground and ANY not in (pen.foreground, other.foreground))
    )


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
