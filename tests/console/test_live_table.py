"""The live table: what is drawn for a change, and a cursor that stays on its row."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.scrollbar import ScrollBar

from console.ui.widgets.live_table import LiveTable
from console.ui.widgets.rows import Cell, Column, Tier
from tests.console.helpers import OneApp, lines

COLUMNS = [
    Column("sym", "Sym", 8),
    Column("qty", "Qty", 7, "right"),
    Column("value", "MktVal", 9, "right", Tier.NORMAL),
    Column("note", "Note", 10, tier=Tier.WIDE, grow=True),
]


def cells(symbol: str, quantity: int = 1) -> list[Cell | str]:
    return [symbol, Cell(f"{quantity:+d}", "profit", Decimal(quantity)), "1,000", "note"]


async def fill(pilot: Pilot[Any], table: LiveTable, count: int) -> None:
    for number in range(count):
        table.upsert(number, cells(f"S{number:05d}", number))
    await pilot.pause()


def app_with(table: LiveTable) -> OneApp:
    return OneApp(table)


class Unfocused(OneApp):
    """The focus that an app gives by itself comes after the screen, on a slow machine."""

    AUTO_FOCUS = None


async def test_only_the_changed_row_is_drawn_again() -> None:
    table = LiveTable(COLUMNS)
    async with app_with(table).run_test(size=(80, 24)) as pilot:
        await fill(pilot, table, 15)
        drawn = table.lines_drawn
        table.upsert(7, cells("S00007", 99))
        await pilot.pause()
        assert table.lines_drawn == drawn + 1
        assert "+99" in lines(pilot.app)[1 + 1 + 7]


async def test_equal_cells_draw_nothing() -> None:
    table = LiveTable(COLUMNS)
    async with app_with(table).run_test(size=(80, 24)) as pilot:
        await fill(pilot, table, 15)
        drawn = table.lines_drawn
        table.upsert(7, cells("S00007", 7))
        await pilot.pause()
        assert table.lines_drawn == drawn


@pytest.mark.slow
async def test_a_hundred_thousand_rows_cost_what_is_visible_of_them() -> None:
    table = LiveTable(COLUMNS)
    async with app_with(table).run_test(size=(80, 24)) as pilot:
        await fill(pilot, table, 100_000)
        visible = table.size.height - 1
        assert table.lines_drawn <= 2 * visible
        drawn = table.lines_drawn
        for number in range(50_000, 51_000):
            table.upsert(number, cells("changed", number))
        await pilot.pause()
        assert table.lines_drawn == drawn
        await pilot.press("end")
        await pilot.pause()
        assert table.lines_drawn <= drawn + visible + 1
        assert "S99999" in lines(pilot.app)[-1]


async def test_a_change_of_the_data_never_lays_the_screen_out() -> None:
    table = LiveTable(COLUMNS)
    async with app_with(table).run_test(size=(80, 24)) as pilot:
        await fill(pilot, table, 5)
        updates = table._layout_updates
        reflows = pilot.app.screen._layout_updates
        await fill(pilot, table, 200)
        table.remove_row(3)
        table.set_filter("S0001")
        await pilot.pause()
        assert table._layout_updates == updates
        assert pilot.app.screen._layout_updates == reflows


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (99, ["Sym", "Qty"]),
        (100, ["Sym", "Qty", "MktVal"]),
        (159, ["Sym", "Qty", "MktVal"]),
        (160, ["Sym", "Qty", "MktVal", "Note"]),
    ],
)
async def test_columns_appear_by_the_width_of_the_window(width: int, shown: list[str]) -> None:
    table = LiveTable(COLUMNS)
    async with app_with(table).run_test(size=(width, 24)) as pilot:
        await pilot.pause()
        assert lines(pilot.app)[1].split() == shown


async def test_columns_that_do_not_fit_are_left_out_whole() -> None:
    table = LiveTable(COLUMNS)
    async with app_with(table).run_test(size=(14, 10)) as pilot:
        await fill(pilot, table, 1)
        assert lines(pilot.app)[1].split() == ["Sym"]


async def test_the_cursor_stays_on_its_row_when_rows_move() -> None:
    table = LiveTable(COLUMNS)
    async with app_with(table).run_test(size=(80, 24)) as pilot:
        await fill(pilot, table, 10)
        table.focus()
        table.move_cursor(4)
        table.sort_by("qty", descending=True)
        assert table.sorted_by == ("qty", True)
        table.upsert(4, cells("S00004", 1_000))
        await pilot.pause()
        assert table.cursor_key == 4
        assert lines(pilot.app)[2].startswith("▸S00004")


async def test_a_row_somebody_may_act_on_does_not_slip_out_of_sight() -> None:
    table = LiveTable(COLUMNS)
    async with app_with(table).run_test(size=(80, 24)) as pilot:
        await fill(pilot, table, 100)
        table.focus()
        table.sort_by("qty")
        table.move_cursor(2)
        table.upsert(2, cells("S00002", 99_999))
        await pilot.pause()
        assert any(line.startswith("▸S00002") for line in lines(pilot.app))


async def test_new_rows_do_not_scroll_a_table_without_focus() -> None:
    table = LiveTable(COLUMNS)
    async with Unfocused(table).run_test(size=(80, 24)) as pilot:
        table.sort_by(None, descending=True)
        await fill(pilot, table, 100)
        assert "S00099" in lines(pilot.app)[2]


async def test_a_removed_row_hands_the_cursor_to_the_one_that_takes_its_line() -> None:
    table = LiveTable(COLUMNS)
    async with app_with(table).run_test(size=(80, 24)) as pilot:
        await fill(pilot, table, 3)
        table.move_cursor(1)
        heirs = []
        for key in (1, 2, 0):
            table.remove_row(key)
            heirs.append(table.cursor_key)
        assert heirs == [2, 0, None]


@pytest.mark.parametrize(
    ("gone", "heir"),
    [((), 2), ((2,), 3), ((0, 1), 2), ((2, 3), 4), ((1, 2), 4), ((2, 3, 4), 1), (range(5), None)],
)
async def test_rows_removed_together_hand_the_cursor_to_the_one_that_takes_its_line(
    gone: Sequence[int], heir: int | None
) -> None:
    table = LiveTable(COLUMNS)
    async with app_with(table).run_test(size=(80, 24)) as pilot:
        await fill(pilot, table, 5)
        table.move_cursor(2)
        table.remove_rows(gone)
        assert table.cursor_key == heir
        assert list(table.shown_keys()) == [key for key in range(5) if key not in gone]


async def test_keys_move_the_cursor_and_enter_selects() -> None:
    said: list[object] = []
    table = LiveTable(COLUMNS, chosen=lambda _table, key: said.append(key))
    async with app_with(table).run_test(size=(80, 24)) as pilot:
        await fill(pilot, table, 100)
        table.focus()
        moves = [
            ("j", 1),
            ("down", 2),
            ("k", 1),
            ("up", 0),
            ("up", 0),
            ("end", 99),
            ("down", 99),
            ("home", 0),
            ("pagedown", table.size.height - 2),
            ("pageup", 0),
        ]
        for key, expected in moves:
            await pilot.press(key)
            assert table.cursor_key == expected, key
        await pilot.press("enter")
        assert said == [0]


async def test_a_click_puts_the_cursor_and_does_nothing_else() -> None:
    said: list[object] = []
    table = LiveTable(COLUMNS, chosen=lambda _table, key: said.append(key))
    async with app_with(table).run_test(size=(80, 24)) as pilot:
        await fill(pilot, table, 10)
        await pilot.click(table, offset=(3, 5), times=2)
        assert table.cursor_key == 4
        assert said == []


async def test_the_header_says_what_it_is_sorted_by() -> None:
    table = LiveTable(COLUMNS)
    async with app_with(table).run_test(size=(80, 24)) as pilot:
        await fill(pilot, table, 2)
        table.sort_by("qty", descending=True)
        await pilot.pause()
        assert "Qty↓" in lines(pilot.app)[1]
        with pytest.raises(KeyError, match="no column 'nope'; there are sym, qty"):
            table.sort_by("nope")


async def test_an_empty_table_and_an_empty_filter_say_so() -> None:
    table = LiveTable(COLUMNS, empty="no positions")
    async with app_with(table).run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert lines(pilot.app)[2].strip() == "no positions"
        await fill(pilot, table, 2)
        table.set_filter("zzz")
        await pilot.pause()
        assert "zzz" in lines(pilot.app)[2]
        assert (table.row_count, table.shown_count, table.cursor_key) == (2, 0, None)
        table.set_filter("")
        await pilot.pause()
        assert table.cursor_key == 0


async def test_replace_leaves_exactly_the_rows_given() -> None:
    table = LiveTable(COLUMNS)
    async with app_with(table).run_test(size=(80, 24)) as pilot:
        await fill(pilot, table, 5)
        drawn = table.lines_drawn
        table.replace({1: cells("S00001", 1), 9: cells("new", 9)})
        await pilot.pause()
        assert list(table.shown_keys()) == [1, 9]
        assert table.lines_drawn <= drawn + 2


async def test_text_too_long_for_its_column_ends_in_an_ellipsis() -> None:
    table = LiveTable(COLUMNS)
    async with app_with(table).run_test(size=(80, 24)) as pilot:
        table.upsert(1, ["ABCDEFGHIJ", "1", "", ""])
        table.upsert(2, ["中中中中中中", "1", "", ""])
        await pilot.pause()
        assert lines(pilot.app)[2].startswith("▸ABCDEFG… ")
        assert "中中中" in lines(pilot.app)[3]


async def test_a_style_is_a_colour_of_the_theme_and_follows_it() -> None:
    table = LiveTable(COLUMNS)
    app = app_with(table)
    async with app.run_test(size=(80, 24)) as pilot:
        await fill(pilot, table, 1)

        def colour() -> str | None:
            strip = app.screen._compositor.render_strips()[2]
            styles = [s.style for s in strip if "+0" in s.text and s.style is not None]
            triplet = styles[0].color.triplet if styles[0].color else None
            return triplet.hex if triplet else None

        assert colour() == app.theme_variables["profit"]
        app.theme = "meridian-light"
        await pilot.pause()
        await pilot.pause()
        assert colour() == app.theme_variables["profit"]


NAMED = [
    Column("sym", "Sym", 4, most=12),
    Column("side", "Side", 4),
    Column("state", "State", 8, least=5),
    Column("age", "Age", 4, rank=1),
]
LONG = Cell("OPTION 2026C", short="OPT 26 C")


@pytest.mark.parametrize(
    ("width", "first", "shown"),
    [
        # two cells are the scroll bar's and the cursor's
        (25, "ABC", "ABC  BUY  WORKING  12s"),
        (29, LONG, "OPT 26 C BUY  WORKING  12s"),
        (33, LONG, "OPTION 2026C BUY  WORKING  12s"),
        # the highest rank goes first, and the name takes what it leaves
        (28, LONG, "OPTION 2026C BUY  WORKING"),
        (24, LONG, "OPT 26 C BUY  WORKING"),
        # then what may be cut is cut
        (21, LONG, "OPT 26 C BUY  WORK…"),
    ],
)
async def test_a_long_name_takes_its_room_from_what_matters_least(
    width: int, first: Cell | str, shown: str
) -> None:
    """U-10: a contract is told apart by the end of its name, which is never cut before others."""
    table = LiveTable(NAMED)
    async with app_with(table).run_test(size=(width, 5)) as pilot:
        table.upsert(1, [first, "BUY", "WORKING", "12s"])
        await pilot.pause()
        assert lines(pilot.app)[2].removeprefix("▸").rstrip(" ▁▂▃▄▅▆▇█") == shown


SHORTEST = Cell("OPTION 2026C", short="OPT 26 C", least="O…C")


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (33, "OPTION 2026C BUY  WORKING  12s"),
        (32, "OPT 26 C    BUY  WORKING  12s"),
        (29, "OPT 26 C BUY  WORKING  12s"),
        (28, "O…C     BUY  WORKING  12s"),
        (25, "O…C  BUY  WORKING  12s"),
        # only now a column goes, and the name takes what it leaves
        (24, "OPT 26 C BUY  WORKING"),
        (23, "O…C     BUY  WORKING"),
    ],
)
async def test_columns_keep_their_place_while_a_name_has_a_shorter_form(
    width: int, shown: str
) -> None:
    table = LiveTable(NAMED)
    async with app_with(table).run_test(size=(width, 5)) as pilot:
        table.upsert(1, [SHORTEST, "BUY", "WORKING", "12s"])
        await pilot.pause()
        assert lines(pilot.app)[2].removeprefix("▸").rstrip(" ▁▂▃▄▅▆▇█") == shown


async def test_a_name_that_is_gone_leaves_its_room_so_that_nothing_jumps() -> None:
    table = LiveTable(NAMED)
    async with app_with(table).run_test(size=(29, 6)) as pilot:
        table.upsert(1, [LONG, "BUY", "WORKING", "12s"])
        table.upsert(2, ["ABC", "BUY", "WORKING", "12s"])
        await pilot.pause()
        before = lines(pilot.app)[3]
        table.remove_row(1)
        await pilot.pause()
        assert lines(pilot.app)[2].strip("▸ ") == before.strip()


async def test_the_scroll_bar_is_drawn_again_only_where_its_thumb_moves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = LiveTable(COLUMNS)
    async with app_with(table).run_test(size=(80, 24)) as pilot:
        bar = table.vertical_scrollbar
        drawn: list[int] = []

        def refresh(*_: object, **__: object) -> ScrollBar:
            drawn.append(1)
            return bar

        monkeypatch.setattr(bar, "refresh", refresh)
        page = table.size.height - 1
        await fill(pilot, table, page)
        drawn.clear()
        await fill(pilot, table, page + 1)
        assert drawn
        await fill(pilot, table, 10_000)
        drawn.clear()
        await fill(pilot, table, 10_001)
        assert not drawn
        assert bar.window_virtual_size == 10_001 + 1
