"""Cell differences: fewer bytes, the same picture. Terminals are emulated with pyte."""

from collections.abc import Sequence

import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from console.terminal.cells import CellScreen

WIDTH, HEIGHT = 16, 3
CURSOR = (0, 0)
STYLES = [
    None,
    Style(),
    Style.parse("red"),
    Style.parse("bold #00ff00 on #000080"),
    Style.parse("reverse"),
    Style.parse("on #000080"),
]
TRUE = ColorSystem.TRUECOLOR


def strip(parts: Sequence[tuple[str, Style | None]], width: int = WIDTH) -> Strip:
    return Strip([Segment(text, style) for text, style in parts]).adjust_cell_length(width)


def layout(rows: Sequence[Strip]) -> LayoutUpdate:
    return LayoutUpdate([[row] for row in rows], Region(0, 0, WIDTH, len(rows)))


def one_row(y: int, chops: dict[int, Strip | None], x1: int, x2: int) -> ChopsUpdate:
    lines: list[dict[int, Strip | None]] = [{} for _ in range(HEIGHT)]
    lines[y] = chops
    ends = [[*sorted(c)[1:], WIDTH] for c in lines]
    return ChopsUpdate(lines, [(y, x1, x2)], ends)


def terminal() -> tuple[pyte.Screen, pyte.Stream]:
    screen = pyte.Screen(WIDTH, HEIGHT)
    screen.reset_mode(pyte.modes.DECAWM)
    return screen, pyte.Stream(screen)


Look = tuple[str, str, bool, bool, str]


def picture(screen: pyte.Screen) -> list[list[Look]]:
    rows = []
    for y in range(HEIGHT):
        row = [screen.buffer[y][x] for x in range(WIDTH)]
        rows.append([(c.data, c.bg, c.bold, c.reverse, c.fg if c.data != " " else "") for c in row])
    return rows


def stock_picture(rows: Sequence[Strip]) -> list[list[Look]]:
    screen, stream = terminal()
    console = Console(color_system="truecolor", force_terminal=True)
    for y, row in enumerate(rows):
        stream.feed(f"\x1b[{y + 1};1H" + row.render(console))
    return picture(screen)


def diff(cells: CellScreen, update: LayoutUpdate | ChopsUpdate) -> str:
    return cells.diff(update, (WIDTH, HEIGHT), CURSOR, TRUE)


pieces = st.tuples(
    st.text(alphabet=st.sampled_from("ab ▲░─中あ"), min_size=1, max_size=8), st.sampled_from(STYLES)
)
row_strips = st.lists(pieces, min_size=1, max_size=4).map(strip)
frames = st.lists(st.lists(row_strips, min_size=HEIGHT, max_size=HEIGHT), min_size=1, max_size=4)


@settings(max_examples=150)
@given(frames, st.booleans())
def test_differences_add_up_to_the_whole_picture(sequence: list[list[Strip]], drop: bool) -> None:
    screen, stream = terminal()
    cells = CellScreen()
    for number, rows in enumerate(sequence):
        frame = diff(cells, layout(rows))
        if drop and number == 0:
            cells.invalidate()
        else:
            stream.feed(frame)
    if drop and len(sequence) == 1:
        stream.feed(diff(cells, layout(sequence[-1])))
    assert picture(screen) == stock_picture(sequence[-1])


def rows_of(*texts: str) -> list[Strip]:
    return [strip([(text, None)]) for text in texts]


def test_the_same_picture_again_costs_nothing() -> None:
    cells = CellScreen()
    assert diff(cells, layout(rows_of("one", "two", "three")))
    assert diff(cells, layout(rows_of("one", "two", "three"))) == ""


def test_one_changed_digit_costs_a_move_a_digit_and_the_way_back() -> None:
    cells = CellScreen()
    diff(cells, layout(rows_of("AAPL 100.01", "", "")))
    changed = diff(cells, layout(rows_of("AAPL 100.02", "", "")))
    assert changed == "\x1b[1;11H2\x1b[1;1H"


@pytest.mark.parametrize(("gap", "runs"), [(3, 1), (4, 1), (5, 2)])
def test_a_gap_is_written_again_up_to_four_cells_and_jumped_over_beyond(
    gap: int, runs: int
) -> None:
    cells = CellScreen()
    diff(cells, layout(rows_of("a" + "-" * gap + "a", "", "")))
    changed = diff(cells, layout(rows_of("b" + "-" * gap + "b", "", "")))
    assert changed.count("C") == runs - 1
    assert changed.count("-") == (gap if runs == 1 else 0)


def test_after_a_lost_frame_every_cell_is_sent_again() -> None:
    cells = CellScreen()
    whole = diff(cells, layout(rows_of("one", "two", "three")))
    cells.invalidate()
    assert not cells.valid
    assert diff(cells, layout(rows_of("one", "two", "three"))) == whole
    assert cells.valid


def test_another_size_sends_every_cell_again() -> None:
    cells = CellScreen()
    whole = diff(cells, layout(rows_of("one", "two", "three")))
    cells.diff(layout(rows_of("one", "two", "three")), (WIDTH, HEIGHT + 1), CURSOR, TRUE)
    assert diff(cells, layout(rows_of("one", "two", "three"))) == whole


def test_a_partial_update_changes_only_its_span() -> None:
    screen, stream = terminal()
    cells = CellScreen()
    stream.feed(diff(cells, layout(rows_of("left----right---", "", ""))))
    left, right = strip([("LEFT----", None)], 8), strip([("RIGHT---", None)], 8)
    stream.feed(diff(cells, one_row(0, {0: left, 8: right}, 8, 16)))
    assert screen.display[0] == "left----RIGHT---"
    stream.feed(diff(cells, one_row(0, {0: left, 8: None}, 0, 8)))
    assert screen.display[0] == "LEFT----RIGHT---"


def test_a_strip_that_was_painted_over_is_sent_again_when_it_comes_back() -> None:
    screen, stream = terminal()
    cells = CellScreen()
    below = strip([("below below bel.", None)])
    stream.feed(diff(cells, layout([below, *rows_of("", "")])))
    stream.feed(diff(cells, one_row(0, {4: strip([("MODAL", None)], 5)}, 4, 9)))
    assert screen.display[0] == "belo" + "MODAL" + "ow bel."
    stream.feed(diff(cells, layout([below, *rows_of("", "")])))
    assert screen.display[0] == "below below bel."


def test_hyperlinks_and_control_characters_never_go_out() -> None:
    cells = CellScreen()
    link = Style(link="https://example.invalid")
    frame = diff(cells, layout([strip([("a\x1b]52;c;x\x07\x9b2J", link)]), *rows_of("", "")]))
    assert "\x1b]" not in frame
    assert "\x07" not in frame
    assert "\x9b" not in frame
    assert "example" not in frame


def test_colours_are_what_the_terminal_can_show() -> None:
    row = [strip([("x", Style.parse("#ff0000 on #000080"))]), *rows_of("", "")]
    assert "38;2;255;0;0" in CellScreen().diff(layout(row), (WIDTH, HEIGHT), CURSOR, TRUE)
    few = CellScreen().diff(layout(row), (WIDTH, HEIGHT), CURSOR, ColorSystem.STANDARD)
    assert "38;2" not in few
    none = CellScreen().diff(layout(row), (WIDTH, HEIGHT), CURSOR, None)
    assert "\x1b[0m" in none
    assert "31" not in none


def test_the_cursor_is_put_back_even_if_only_it_moved() -> None:
    cells = CellScreen()
    diff(cells, layout(rows_of("", "", "")))
    same = layout(rows_of("", "", ""))
    assert cells.diff(same, (WIDTH, HEIGHT), (4, 2), TRUE) == "\x1b[3;5H"


RED, GREEN = Style.parse("#ff0000 on #000010"), Style.parse("#00ff00 on #000010")
BOLD = Style.parse("bold #ff0000 on #000010")


def second(before: Sequence[Strip], after: Sequence[Strip]) -> str:
    """The bytes from one picture to another, from the first cell that is written on."""
    cells = CellScreen()
    cells.diff(layout(before), (WIDTH, HEIGHT), None, TRUE)
    return cells.diff(layout(after), (WIDTH, HEIGHT), None, TRUE)


def test_the_pen_stays_from_one_frame_to_the_next() -> None:
    rows = [[strip([("-" * 15, RED), (digit, RED)]) for _ in range(HEIGHT)] for digit in "12"]
    assert second(*rows) == "".join(f"\x1b[{y + 1};16H2" for y in range(HEIGHT))


def test_an_attribute_is_turned_on_and_off_without_its_colours() -> None:
    before = [strip([("aaaa", RED), ("bbbb", BOLD), ("cccc", RED)], 12)]
    after = [strip([("AAAA", RED), ("BBBB", BOLD), ("CCCC", RED)], 12)]
    assert second(before, after) == "\x1b[1;1HAAAA\x1b[1mBBBB\x1b[22mCCCC"


def test_an_attribute_that_ends_with_another_is_begun_again() -> None:
    both, dim = Style.parse("bold dim #ff0000 on #000010"), Style.parse("dim #ff0000 on #000010")
    before = [strip([("aaaa", both), ("bbbb", dim)], 8)]
    after = [strip([("AAAA", both), ("BBBB", dim)], 8)]
    assert second(before, after).endswith("AAAA\x1b[22;2mBBBB")


def test_cells_of_one_colour_are_written_one_after_another() -> None:
    before = [strip([("aa--", RED), ("bb--", GREEN)], 8) for _ in range(HEIGHT)]
    after = [strip([("AA--", RED), ("BB--", GREEN)], 8) for _ in range(HEIGHT)]
    sent = second(before, after)
    assert sent.count("38;2;255;0;0") + sent.count("38;2;0;255;0") == 1
    assert sent.count("48;2") == 0


def test_a_blank_has_any_foreground_and_its_own_background() -> None:
    other = Style.parse("#00ff00 on #000099")
    assert second([strip([("    ", RED)], 4)], [strip([("    ", GREEN)], 4)]) == ""
    assert "48;2;0;0;153" in second([strip([("    ", RED)], 4)], [strip([("    ", other)], 4)])
    lined = Style.parse("underline #00ff00 on #000010")
    assert "\x1b[4;38;2;0;255;0m    " in second(
        [strip([("    ", RED)], 4)], [strip([("    ", lined)], 4)]
    )


def test_a_cursor_that_does_not_matter_is_not_moved() -> None:
    cells = CellScreen()
    cells.diff(layout(rows_of("1", "", "")), (WIDTH, HEIGHT), (4, 2), TRUE)
    assert cells.diff(layout(rows_of("2", "", "")), (WIDTH, HEIGHT), None, TRUE) == "\x1b[1;1H2"
    same = layout(rows_of("2", "", ""))
    assert cells.diff(same, (WIDTH, HEIGHT), None, TRUE) == ""
    assert cells.diff(same, (WIDTH, HEIGHT), (4, 2), TRUE) == "\x1b[3;5H"
