"""Row 0: paper or live by word, shape and colour, and what leaves as the window narrows."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from console.ui.format import ASCII
from console.ui.screens.base import MeridianModal
from console.ui.widgets.banner import BannerFeed, BannerItem, Mode, fit_items
from console.ui.widgets.confirm import ConfirmScreen
from tests.console.helpers import OneApp, lines

ITEMS = [
    BannerItem("alpaca·PA…77", priority=40),
    BannerItem("● RUN", "profit", priority=90),
    BannerItem("feed 0.3s", priority=70, short="0.3s"),
    BannerItem("loop 4ms p99 9ms", "muted", priority=10),
    BannerItem("day +812.40▲", "profit", priority=60, right=True),
    BannerItem("14:32:07Z", priority=80, right=True),
]


@pytest.mark.parametrize(
    ("mode", "mark", "ascii_"),
    [
        ("paper", "▐ PAPER ▌", "[ PAPER ]"),
        ("shadow", "▐ PAPER SHADOW ▌", "[ PAPER SHADOW ]"),
        ("live", "█ LIVE · REAL MONEY █", "### LIVE - REAL MONEY ###"),
    ],
)
def test_the_mark_says_it_by_word_and_shape(mode: Mode, mark: str, ascii_: str) -> None:
    assert BannerFeed(mode).mark == mark
    assert BannerFeed(mode, ASCII).mark == ascii_


def texts(width: int) -> list[str]:
    left, right = fit_items(ITEMS, width)
    return [text for text, _ in (*left, *right)]


def test_with_room_for_all_everything_is_there_left_and_right() -> None:
    left, right = fit_items(ITEMS, 200)
    assert [text for text, _ in left] == ["alpaca·PA…77", "● RUN", "feed 0.3s", "loop 4ms p99 9ms"]
    assert [text for text, _ in right] == ["day +812.40▲", "14:32:07Z"]


def test_short_forms_come_before_anything_leaves_and_the_least_important_leaves_first() -> None:
    whole = sum(1 + cell_len(item.text) for item in ITEMS)
    assert "feed 0.3s" in texts(whole)
    assert "0.3s" in texts(whole - 1)
    assert len(texts(whole - 1)) == len(ITEMS)
    order = [set(texts(width)) for width in range(whole, 0, -1)]
    left = [gone for before, after in pairwise(order) for gone in before - after]
    assert left[:2] == ["feed 0.3s", "loop 4ms p99 9ms"]
    assert left[-1] == "● RUN"


@given(
    st.lists(
        st.builds(
            BannerItem,
            text=st.text(max_size=12),
            short=st.text(max_size=3),
            priority=st.integers(0, 3),
            right=st.booleans(),
        ),
        max_size=8,
    ),
    st.integers(0, 60),
)
def test_what_is_shown_always_fits(items: list[BannerItem], width: int) -> None:
    left, right = fit_items(items, width)
    assert sum(1 + cell_len(text) for text, _ in (*left, *right)) <= width


@pytest.mark.parametrize("mode", ["paper", "live"])
@pytest.mark.parametrize("width", [21, 40, 80, 200])
async def test_the_mark_is_whole_at_every_width(mode: Mode, width: int) -> None:
    app = OneApp(mode=mode)
    async with app.run_test(size=(width, 24)) as pilot:
        app.banner_feed.show(ITEMS)
        await pilot.pause()
        first = app.screen._compositor.render_strips()[0]
        assert first.text.startswith(app.banner_feed.mark)
        assert first.cell_length == width


async def test_live_has_a_red_ground_and_paper_has_none() -> None:
    for mode in ("paper", "live"):
        app = OneApp(mode=mode)
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.pause()
            mark = next(iter(app.screen._compositor.render_strips()[0])).style
            assert mark is not None
            assert mark.bgcolor is not None
            assert mark.bgcolor.triplet is not None
            is_red = mark.bgcolor.triplet.hex == app.theme_variables["live"]
            assert is_red is (mode == "live")
            assert app.has_class("-live") is (mode == "live")


class Plain(MeridianModal[None]):
    pass


async def test_the_banner_is_on_every_screen_modal_and_palette() -> None:
    app = OneApp(mode="live")
    async with app.run_test(size=(80, 24)) as pilot:
        app.banner_feed.show([BannerItem("one")])
        for screen in (Plain(), ConfirmScreen("t", ["x"])):
            app.push_screen(screen)
            await pilot.pause()
            assert lines(app)[0] == "█ LIVE · REAL MONEY █ one"
        await pilot.press("ctrl+p")
        await pilot.pause()
        app.banner_feed.show([BannerItem("two")])
        await pilot.pause()
        assert lines(app)[0] == "█ LIVE · REAL MONEY █ two"
