"""A screen goes once: whatever asks it again is nothing, and takes no other screen with it."""

from typing import Any

import pytest
from textual.screen import Screen

from console.ui.panes.orders import OrdersPane
from console.ui.screens.halt import HaltScreen
from console.ui.screens.jump import JumpScreen
from console.ui.screens.main import MainScreen
from console.ui.screens.quit import QuitScreen
from console.ui.screens.ticket import TicketScreen
from console.ui.widgets.confirm import ConfirmScreen
from tests.console.hosts import Host, asked, burst, console, drawn, morning, press

pytestmark = pytest.mark.slow  # each drives a whole screen


@pytest.mark.parametrize(
    ("keys", "screen"),
    [
        ("o 2 j", MainScreen),
        ("o 2 2", MainScreen),
        ("o q q q", MainScreen),
        ("o o o", JumpScreen),
        ("o f h p", HaltScreen),
    ],
)
async def test_the_first_key_decides_a_jump_and_the_next_has_its_own_turn(
    keys: str, screen: type[Screen[Any]]
) -> None:
    """Measured: two keys after `o` in one read ended the console."""
    async with Host() as host:
        await morning(host)
        async with console(host) as (app, pilot):
            before = asked(host)
            await burst(app, pilot, keys)
            assert app.is_running
            assert isinstance(app.screen, screen)
            assert asked(host) == before
            pane = app.main.pane(3)
            assert isinstance(pane, OrdersPane)
            if keys == "o f h p":
                assert pane.tab == "fills"


@pytest.mark.parametrize(
    "keys",
    ["? escape escape", "enter escape enter", "ctrl+q enter enter", "ctrl+p escape escape",
     "b escape escape", "m escape escape", "F escape escape", "r escape escape", "h escape escape"],
)  # fmt: skip
async def test_a_second_key_that_closes_is_nothing(keys: str) -> None:
    async with Host() as host:
        await morning(host)
        async with console(host) as (app, pilot):
            await press(app, pilot, "2", "home")
            before = asked(host)
            await burst(app, pilot, keys)
            assert app.is_running
            assert asked(host) == before


async def test_a_second_click_on_a_jump_is_nothing() -> None:
    async with Host() as host, console(host) as (app, pilot):
        await press(app, pilot, "o")
        screen = app.screen
        assert isinstance(screen, JumpScreen)
        screen.on_click()
        screen.on_click()
        await drawn(app, pilot)
        assert isinstance(app.screen, MainScreen)


async def test_a_screen_that_ends_under_another_takes_that_one_not_away() -> None:
    """An answer comes when it comes: what lies over the ticket by then stays, the ticket goes."""
    async with Host() as host, console(host) as (app, pilot):
        await press(app, pilot, "b")
        ticket = app.screen
        assert isinstance(ticket, TicketScreen)
        await press(app, pilot, "ctrl+q")
        assert isinstance(app.screen, QuitScreen)
        ticket.dismiss("sent")
        ticket.dismiss("sent again")
        await drawn(app, pilot)
        assert isinstance(app.screen, QuitScreen)
        await press(app, pilot, "escape")
        assert isinstance(app.screen, MainScreen)


@pytest.mark.parametrize("times", [1, 2, 3])
async def test_a_phrase_entered_again_is_taken_once(times: int) -> None:
    async with Host() as host, console(host) as (app, pilot):
        said: list[bool | None] = []
        await app.push_screen(ConfirmScreen("Go", ["on"], phrase="GO"), said.append)
        await press(app, pilot, "G", "O")
        await burst(app, pilot, " ".join(["enter"] * times))
        assert said == [True]
        assert isinstance(app.screen, MainScreen)
