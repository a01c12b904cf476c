"""A pane's frame says where keys go: what is drawn for that, and that it is the whole picture."""

from random import Random

from textual.geometry import Region
from textual.strip import Strip

from console.terminal.cells import CellScreen
from console.terminal.compositor import Lines, LinesUpdate
from console.ui.app import MeridianApp
from console.ui.panes.base import Pane
from tests.console.hosts import Host, console

SIZE = (120, 40)


def update(app: MeridianApp) -> Lines:
    """What a turn draws of all that changed."""
    screen = app.main
    compositor = screen._compositor
    compositor.lines_a_turn = 10_000
    compositor.update_widgets(screen._dirty_widgets)
    screen._dirty_widgets.clear()
    made = compositor.render_partial_update()
    return made.lines if made is not None else {}


def pens(cells: CellScreen) -> list[tuple[list[str], list[object]]]:
    """All cells of the screen with their looks."""
    return [(row.texts, list(row.pens)) for row in cells._rows]


async def test_another_focus_draws_the_frame_and_nothing_inside() -> None:
    async with Host() as host, console(host, SIZE) as (app, pilot):
        await pilot.pause()
        app.pump.stop()
        upper = app.main.pane(2)
        upper.show_focus(False)
        update(app)
        upper.show_focus(True)
        drawn = update(app)
        region = upper.region
        inside = region.shrink((1, 1, 1, 1))
        assert set(drawn) == set(region.line_range)
        for y, placed in drawn.items():
            for x, strip in placed:
                assert not inside.overlaps(Region(x, y, strip.cell_length, 1))


async def test_a_look_of_the_frame_is_drawn_once() -> None:
    async with Host() as host, console(host, SIZE) as (app, pilot):
        await pilot.pause()
        app.pump.stop()
        upper, lower = app.main.pane(2), app.main.pane(3)
        upper.show_focus(False)

        def move(there: Pane, other: Pane) -> list[Strip]:
            there.show_focus(True)
            other.show_focus(False)
            return [strip for placed in update(app).values() for _, strip in placed]

        known = [*move(upper, lower), *move(lower, upper), *move(upper, lower)]
        again = [*move(lower, upper), *move(upper, lower)]
        assert {*map(id, again)} <= {*map(id, known)}


async def test_a_frame_drawn_in_part_is_the_frame_drawn_at_once() -> None:
    random = Random(3)
    async with Host() as host, console(host, SIZE) as (app, pilot):
        await pilot.pause()
        app.pump.stop()
        upper, lower = app.main.pane(2), app.main.pane(3)
        upper.show_focus(False)
        cells = CellScreen()
        cells.diff(app.screen._compositor.render_full_update(), SIZE, (0, 0), None)
        for turn in range(24):
            pane = random.choice((upper, lower))
            if random.random() < 0.3:
                pane.head(f"({turn})", f"sort {turn}")
            if turn == 12:
                app.theme = "meridian-cvd"
                await pilot.pause()
                cells.invalidate()
                full = app.screen._compositor.render_full_update()
                cells.diff(full, SIZE, (0, 0), None)
            pane.show_focus(random.random() < 0.5)
            cells.diff(LinesUpdate(update(app)), SIZE, (0, 0), None)
            at_once = CellScreen()
            at_once.diff(app.screen._compositor.render_full_update(), SIZE, (0, 0), None)
            assert pens(cells) == pens(at_once)
