"""A picture drawn part by part is the picture drawn at once (G1, G10)."""

import asyncio
from random import Random

from rich.cells import set_cell_size
from rich.segment import Segment
from textual.app import App, ComposeResult
from textual.containers import Horizontal, Vertical
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from console.terminal.cells import CellScreen
from console.terminal.compositor import LINES_A_TURN, LinesUpdate, PartCompositor, shares
from console.terminal.screen import redraw
from console.ui.screens.base import MeridianScreen
from console.ui.terminal_app import TerminalApp

SIZE = (90, 40)


class Board(Widget):
    """Lines that are told; with a frame, so that the frame is drawn too."""

    DEFAULT_CSS = "Board { border: round red; height: 1fr; width: 1fr; }"

    def __init__(self) -> None:
        super().__init__()
        self.words: dict[int, str] = {}

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        return Strip([Segment(set_cell_size(self.words.get(y, "-"), width))], width)


class Boards(MeridianScreen[None]):
    def body(self) -> ComposeResult:
        with Horizontal():
            with Vertical():
                yield Board()
                yield Board()
            yield Board()


class Card(Board):
    """Lies over the boards, in part outside the screen."""

    DEFAULT_CSS = "Card { layer: over; width: 31; height: 9; offset: 66 7; background: blue; }"


class Overlaid(MeridianScreen[None]):
    DEFAULT_CSS = "Overlaid { layers: under over; }"

    def body(self) -> ComposeResult:
        with Horizontal():
            yield Board()
            yield Board()
        yield Card()


class BoardApp(TerminalApp[None]):
    def get_default_screen(self) -> Boards:
        return Boards()


def drawn(app: App[None], cells: CellScreen, *, whole: bool) -> list[str]:
    """What a terminal shows after one update."""
    compositor = app.screen._compositor
    update = compositor.render_full_update() if whole else compositor.render_partial_update()
    if update is not None:
        cells.diff(update, SIZE, (0, 0), None)
    return ["".join(row.texts) for row in cells._rows]


async def test_parts_add_up_to_the_whole_picture() -> None:
    random = Random(5)
    async with BoardApp().run_test(size=SIZE) as pilot:
        app = pilot.app
        compositor = app.screen._compositor
        assert isinstance(compositor, PartCompositor)
        compositor._more = lambda: None
        cells = CellScreen()
        drawn(app, cells, whole=True)
        boards = list(app.screen.query(Board))
        for _ in range(30):
            for board in random.sample(boards, random.randint(1, 3)):
                rows = random.sample(range(12), random.randint(1, 12))
                for row in rows:
                    board.words[row] = f"{random.random()}"
                lines = [Region(0, row + 1, board.size.width + 2, 1) for row in rows]
                board._styles_cache.set_dirty(*lines)
                corner = board.region.offset
                compositor._dirty_regions.update(line.translate(corner) for line in lines)
            if random.random() < 0.3:
                compositor._dirty_regions.add(boards[0].region)
            parts = 0
            while compositor._dirty_regions:
                shown = drawn(app, cells, whole=False)
                parts += 1
            assert parts
            assert shown == drawn(app, CellScreen(), whole=True)
            await asyncio.sleep(0)


def test_a_turn_draws_so_many_lines_and_leaves_the_rest() -> None:
    tall = Region(3, 2, 20, LINES_A_TURN + 5)
    below = Region(0, 30, 9, 1)
    now, later = shares({tall, below})
    assert now == [Region(3, 2, 20, LINES_A_TURN)]
    assert sum(region.area for region in (*now, *later)) == tall.area + below.area
    again, none = shares(later)
    assert not none
    assert sum(region.height for region in again) == 6


def test_what_fits_is_drawn_at_once() -> None:
    regions = {Region(0, y, 5, 1) for y in range(LINES_A_TURN)}
    now, later = shares(regions)
    assert set(now) == regions
    assert later == []


async def test_what_changes_between_two_turns_is_drawn_too() -> None:
    async with BoardApp().run_test(size=SIZE) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, Boards)
        compositor = screen._compositor
        assert isinstance(compositor, PartCompositor)
        compositor._more = lambda: None
        cells = CellScreen()
        drawn(pilot.app, cells, whole=True)
        first, _, tall = screen.query(Board)
        for board in (tall, first):
            board.words = {row: f"news {row}" for row in range(40)}
        tall.refresh()
        screen._dirty_widgets.add(tall)
        compositor.update_widgets(screen._dirty_widgets)
        drawn(pilot.app, cells, whole=False)
        assert compositor._dirty_regions, "one turn must not be enough for this test"
        first.refresh()
        screen._dirty_widgets.add(first)
        shown: list[str] = []

        def show(_screen: object, update: object) -> None:
            assert isinstance(update, LinesUpdate)
            cells.diff(update, SIZE, (0, 0), None)
            shown[:] = ["".join(row.texts) for row in cells._rows]

        pilot.app._display = show  # type: ignore[method-assign,assignment]
        while compositor._dirty_regions:
            screen._draw_rest()
        del pilot.app._display  # the app draws once more as it ends
        assert shown == drawn(pilot.app, CellScreen(), whole=True)


async def test_what_lies_over_changed_lines_stays_in_front() -> None:
    random = Random(7)
    async with BoardApp().run_test(size=SIZE) as pilot:
        await pilot.app.push_screen(Overlaid())
        await pilot.pause()
        compositor = pilot.app.screen._compositor
        assert isinstance(compositor, PartCompositor)
        compositor._more = lambda: None
        cells = CellScreen()
        drawn(pilot.app, cells, whole=True)
        boards = list(pilot.app.screen.query(Board))
        assert [type(board) for board in boards] == [Board, Board, Card]
        for turn in range(40):
            board = random.choice(boards)
            # characters of two columns lie under the edges of the card
            board.words = {row: f"{'x' * (row % 2)}{'漢' * 20}{turn}" for row in range(37)}
            top = random.randint(0, 20)
            lines = Region(0, top, board.size.width + 2, random.randint(1, 8))
            board._styles_cache.set_dirty(lines)
            part = lines.translate(board.region.offset).intersection(board.region)
            compositor._dirty_regions.add(part)
            shown = drawn(pilot.app, cells, whole=False)
            whole = drawn(pilot.app, CellScreen(), whole=True)
            assert shown[part.y : part.bottom] == whole[part.y : part.bottom]


async def test_a_line_that_is_told_waits_for_no_message() -> None:
    async with BoardApp().run_test(size=SIZE) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, Boards)
        await pilot.pause()
        shown: list[LinesUpdate] = []

        def show(_screen: object, update: object) -> None:
            assert isinstance(update, LinesUpdate)
            shown.append(update)

        pilot.app._display = show  # type: ignore[method-assign,assignment]
        board = screen.query(Board).first()
        board.words[4] = "news"
        redraw(board, Region(0, 4, board.size.width, 1))
        assert board.message_queue_size == screen.message_queue_size == 0
        assert not shown, "whoever made the change ends its turn first"
        screen._draw_rest()
        (update,) = shown
        assert list(update.lines) == [board.content_region.y + 4]
        screen._draw_rest()
        assert len(shown) == 1


async def test_what_comes_into_sight_is_drawn_though_its_place_was_asked_before() -> None:
    async with BoardApp().run_test(size=SIZE) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, Boards)
        compositor = screen._compositor
        assert isinstance(compositor, PartCompositor)
        compositor._more = lambda: None
        first, second, _ = screen.query(Board)
        first.display = False
        await pilot.pause()
        cells = CellScreen()
        drawn(pilot.app, cells, whole=True)
        first.words = {row: f"news {row}" for row in range(40)}
        first.display = True
        # a hidden widget has news: textual arranges the screen again for whoever asks for a place
        compositor.update_widgets({first})
        assert second.region.y > 1
        pilot.app._display = lambda _screen, _update: None  # type: ignore[method-assign,assignment]
        with pilot.app.batch_update():
            screen._refresh_layout()
        assert compositor._dirty_regions
        while compositor._dirty_regions:
            shown = drawn(pilot.app, cells, whole=False)
        del pilot.app._display  # the app draws once more as it ends
        assert shown == drawn(pilot.app, CellScreen(), whole=True)
        assert any("news 3" in line for line in shown)
