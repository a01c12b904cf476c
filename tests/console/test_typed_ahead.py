"""Keys that come in one read: what follows a key that opens something belongs to that.

They come as over a slow line, or while the console is busy: all of them wait before the first one
is looked at.
"""

import pytest
from textual import events
from textual.widgets import Input

from console.ui.screens.base import MeridianPalette
from console.ui.screens.change import ChangePositionScreen
from console.ui.screens.detail import DetailScreen
from console.ui.screens.halt import HaltScreen
from console.ui.screens.help import HelpScreen
from console.ui.screens.main import MainScreen
from console.ui.screens.quit import QuitScreen
from console.ui.screens.ticket import TicketScreen
from console.ui.widgets.confirm import ConfirmScreen
from engine.domain.run import RunState
from tests.console.hosts import Host, asked, burst, console, drawn, morning, press

pytestmark = pytest.mark.slow  # each drives a whole screen


@pytest.mark.parametrize("pane", ["2", "3", "5", "6"])
async def test_what_follows_the_slash_is_typed_into_the_filter(pane: str) -> None:
    """Measured: `/` and `x` in one read closed the position under the cursor."""
    async with Host() as host:
        await morning(host)
        async with console(host) as (app, pilot):
            await press(app, pilot, pane)
            before = asked(host)
            await burst(app, pilot, "/ x c C p m b")
            assert asked(host) == before
            assert isinstance(app.screen, MainScreen)
            assert app.main.active_pane.query_one(".pane--filter", Input).value == "xcCpmb"
            assert app.main.active_pane.needle == "xcCpmb"


async def test_a_pane_and_its_filter_in_one_read() -> None:
    async with Host() as host:
        await morning(host)
        async with console(host) as (app, pilot):
            await press(app, pilot, "6")
            await burst(app, pilot, "2 / x o")
            table = app.main.pane(2).table
            assert table is not None
            assert list(table.shown_keys()) == ["XOM"]


async def test_keys_after_a_pane_go_to_that_pane() -> None:
    """`2 j`: the cursor of Positions moves, so that an `x` after it closes what is under it."""
    async with Host() as host:
        await morning(host)
        async with console(host) as (app, pilot):
            table = app.main.pane(2).table
            assert table is not None
            await press(app, pilot, "2", "home", "3")
            first, second, *_ = table.shown_keys()
            assert table.cursor_key == first
            await burst(app, pilot, "2 j")
            assert table.cursor_key == second


@pytest.mark.parametrize("pane", ["2", "4", "6"])
async def test_what_follows_the_key_of_a_ticket_is_typed_into_its_quantity(pane: str) -> None:
    """A digit that is lost is another quantity; the order book is no table and no different."""
    async with Host() as host:
        await morning(host)
        async with console(host) as (app, pilot):
            await press(app, pilot, pane)
            before = asked(host)
            await burst(app, pilot, "b 1 2 5 backspace 0")
            assert isinstance(app.screen, TicketScreen)
            assert app.screen.query_one("#quantity", Input).value == "120"
            assert asked(host) == before


@pytest.mark.parametrize(
    ("keys", "screen"),
    [
        ("? x p c", HelpScreen),
        ("m x", ChangePositionScreen),
        ("enter x p C", DetailScreen),
        ("F x p", ConfirmScreen),
        ("ctrl+q x p", QuitScreen),
        ("ctrl+p x p c", MeridianPalette),
        ("h x p", HaltScreen),
    ],
)
async def test_what_follows_the_key_of_a_screen_acts_on_nothing_below_it(
    keys: str, screen: type
) -> None:
    async with Host() as host:
        await morning(host)
        async with console(host) as (app, pilot):
            await press(app, pilot, "2", "home")
            before = asked(host)
            await burst(app, pilot, keys)
            assert isinstance(app.screen, screen)
            assert asked(host) == before
            assert not host.engine.book.data.halt


async def test_a_phrase_that_comes_with_its_question_is_typed_into_it() -> None:
    async with Host() as host:
        await morning(host)
        async with console(host) as (app, pilot):
            await burst(app, pilot, "F F L A")
            assert isinstance(app.screen, ConfirmScreen)
            assert app.screen.query_one("#confirm-phrase", Input).value == "FLA"


async def test_a_text_pasted_with_the_key_of_a_field_goes_into_it() -> None:
    async with Host() as host:
        await morning(host)
        async with console(host) as (app, pilot):
            for key, field in (("slash", ".pane--filter"), ("b", "#quantity")):
                await press(app, pilot, "2")
                app.post_message(events.Key(key, "/" if key == "slash" else key))
                app.post_message(events.Paste("12"))
                await drawn(app, pilot)
                await drawn(app, pilot)
                values = [one.value for one in app.screen.query(field).results(Input)]
                assert "12" in values
                await press(app, pilot, "escape")


async def test_the_chord_waits_for_no_screen_X52() -> None:
    async with Host() as host:
        await morning(host)
        async with console(host) as (app, pilot):
            await burst(app, pilot, "b 1 ctrl+k 2")
            assert host.engine.book.run_state is RunState.HALTED
            assert isinstance(app.screen, TicketScreen)
            assert app.screen.query_one("#quantity", Input).value == "12"
