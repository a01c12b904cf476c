"""Text from outside through every widget of ours: literal, no action, no escape, no crash."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.segment import Segment
from textual.color import Color
from textual.widget import Widget
from textual.widgets import Input, Static
from textual.widgets._toast import Toast

from console.ui.external import ExternalTextFilter, literal
from console.ui.widgets.banner import BannerItem
from console.ui.widgets.confirm import ConfirmScreen
from console.ui.widgets.live_table import LiveTable
from console.ui.widgets.rows import Column
from engine.domain.text import UNSAFE, clean_text
from tests.console.helpers import OneApp, lines

pytestmark = pytest.mark.slow  # each drives a whole screen

CORPUS = {
    "closing tag": "[/]",
    "unknown closing tag": "[/x]",
    "unterminated tag": "[b",
    "action": "[@click=app.note]here[/]",
    "quit": "[@click=app.quit]here[/]",
    "link": "[link=http://x]y[/link]",
    "clipboard": "a\x1b]52;c;aGk=\x07b",
    "title": "a\x1b]0;LIVE\x07b",
    "clear": "a\x1b[2Jb",
    "device control": "a\x1bP+q\x1b\\b",
    "C1 CSI": "a\x9b2Jb",
    "C1 OSC": "a\x9d0;x\x9cb",
    "NUL": "a\x00b",
    "newline": "a\nb",
    "carriage return": "safe\rforged",
    "backspace": "BUY\x08\x08\x08SELL",
    "bidi override": "a\u202eLLES\u202cb",
    "bidi isolate": "a\u2067x\u2069b",
    "zero width": "AA\u200bPL",
    "surrogate": "a\ud800b",
}

ESCAPES = set("\x00\x07\x08\x1b\x9b\x9c\x9d\n\r")

Undo = Callable[[], object]


def live_table(app: OneApp, text: str) -> Undo:
    table = app.screen.query_one(LiveTable)
    table.upsert("k", [text])
    return table.clear


def empty_table(app: OneApp, text: str) -> Undo:
    return mounted(app, LiveTable([Column("a", "A", 70)], empty=text))


def filtered_table(app: OneApp, text: str) -> Undo:
    table = app.screen.query_one(LiveTable)
    table.upsert("k", ["other"])
    table.set_filter(text)
    return lambda: table.set_filter("")


def banner(app: OneApp, text: str) -> Undo:
    app.banner_feed.show([BannerItem(text, "loss")])
    return lambda: app.banner_feed.show([])


def confirm(app: OneApp, text: str) -> Undo:
    app.push_screen(ConfirmScreen(text, [text], phrase="X", action="Go"))
    return app.pop_screen


def toast(app: OneApp, text: str) -> Undo:
    app.notify(text, title=text, markup=True)
    return app.clear_notifications


def static(app: OneApp, text: str) -> Undo:
    return mounted(app, Static(literal(text)))


def border_title(app: OneApp, text: str) -> Undo:
    widget = Static("x")
    widget.styles.border = ("round", "white")
    widget.border_title = literal(text)
    return mounted(app, widget)


def mounted(app: OneApp, widget: Widget) -> Undo:
    app.screen.mount(widget)
    return widget.remove


WAYS = [
    live_table,
    empty_table,
    filtered_table,
    banner,
    confirm,
    toast,
    static,
    border_title,
]


@pytest.mark.parametrize("way", WAYS, ids=lambda w: w.__name__)
async def test_text_from_outside_is_shown_as_it_is(way: Callable[[OneApp, str], Undo]) -> None:
    app = OneApp(LiveTable([Column("a", "A", 70)]))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        for name, text in CORPUS.items():
            undo = way(app, text)
            await pilot.pause()
            shown = lines(app)
            assert not ESCAPES & set("".join(shown)), name
            expected = clean_text(text)
            if way is filtered_table:
                expected = expected.casefold()
            assert any(expected in line for line in shown), (name, shown)
            for y, line in enumerate(shown):
                if "here" in line:
                    await pilot.click(offset=(line.index("here") + 1, y))
            assert app.actions_run == [], name
            assert app.is_running, name
            assert app.failure is None, name
            undo()


async def test_the_filter_stands_behind_widgets_that_let_everything_through() -> None:
    loose = Static("", markup=False)
    field = Input()
    app = OneApp(loose, field)
    async with app.run_test(size=(80, 24)) as pilot:
        for name, text in CORPUS.items():
            loose.update(text)
            field.value = text
            await pilot.pause()
            strips = app.screen._compositor.render_strips()
            shown = [segment.text for strip in strips for segment in strip]
            assert not any(UNSAFE.search(piece) for piece in shown), name


async def test_a_toast_is_never_markup_and_is_shown() -> None:
    app = OneApp()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        app.notify("[/] broker said [b]no")
        await pilot.pause()
        await pilot.pause()
        assert app.screen.query_one(Toast) is not None
        assert any("[/] broker said [b]no" in line for line in lines(app))


@given(st.text(alphabet=st.characters(), max_size=80))
def test_the_filter_leaves_only_safe_text_of_the_same_width(text: str) -> None:
    before = Segment(text)
    after = ExternalTextFilter().apply([before], Color(0, 0, 0))
    assert not any(UNSAFE.search(segment.text) for segment in after)
    assert sum(s.cell_length for s in after) == before.cell_length


def test_the_filter_costs_nothing_where_text_is_safe() -> None:
    segments = [Segment("AAPL"), Segment("▲ 100.01")]
    assert ExternalTextFilter().apply(segments, Color(0, 0, 0)) is segments


def test_literals_are_cut_at_the_limit() -> None:
    assert len(literal("a" * 900).plain) == 500
