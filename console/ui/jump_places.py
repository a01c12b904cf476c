"""Where the labels of `JumpScreen` stand over the main screen, and where each of them leads."""

from rich.cells import cell_len
from textual.geometry import Offset

from console.ui.panes.orders import TABS, OrdersPane
from console.ui.screens.jump import JumpMark
from console.ui.screens.main import MainScreen
from console.ui.widgets.tab_strip import SHORT, TabStrip


def jump_places(main: MainScreen) -> dict[str, JumpMark]:
    """Panes that are shown at their corner, hidden ones on the tabs, tabs of Orders inside."""
    places: dict[str, JumpMark] = {}
    corner = main.region.offset
    tabs = main.query_one(TabStrip).spans()
    for number in range(1, 7):
        pane = main.pane(number)
        shown = pane.display and bool(pane.region.area)
        start, width = tabs[number - 1]
        at = pane.region.offset if shown else Offset(corner.x + start, corner.y + 1)
        # as wide as what it covers, so that no letters of it are left
        covers = cell_len(str(pane.border_title)) if shown else width - 4
        words = pane.title if shown else SHORT.get(pane.title, pane.title)
        places[str(number)] = JumpMark(at, words.ljust(covers))
        if shown and isinstance(pane, OrdersPane):
            for place, name in enumerate(TABS):
                spot = Offset(at.x + 12 + 12 * place, at.y)
                places[name[0]] = JumpMark(spot, name)
    return places


def jump(main: MainScreen, key: str | None) -> None:
    """Go where the label `key` stands; nowhere without one."""
    if not key:
        return
    if key.isdigit():
        main.show(int(key))
        return
    main.show(OrdersPane.number)
    pane = main.pane(OrdersPane.number)
    tab = next(tab for tab in TABS if tab.startswith(key))
    if isinstance(pane, OrdersPane):
        pane.show_tab(tab)
