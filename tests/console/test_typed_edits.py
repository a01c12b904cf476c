"""Keys that come all at once into the fields of the ticket and of a filter: as a model says."""

from random import Random

import pytest
from textual import events
from textual.keys import _character_to_key
from textual.widgets import Input

from console.ui.app import MeridianApp
from console.ui.screens.ticket import TicketScreen
from console.ui.widgets.choice import Choice
from tests.console.hosts import Host, asked, console, drawn, morning, press
from tests.console.typist import PASTE, filter_line, ticket


def hand_over(app: MeridianApp, keys: list[str]) -> None:
    """All of them before the first is looked at."""
    for key in keys:
        if key.startswith(PASTE):
            app.post_message(events.Paste(key.removeprefix(PASTE)))
            continue
        named = _character_to_key(key) if len(key) == 1 else key
        character = key if len(key) == 1 else " " if key == "space" else None
        app.post_message(events.Key(named, character))


async def test_what_a_choice_opens_takes_the_key_after_it() -> None:
    """`Tab Right Tab 400`: the type becomes a limit order, and 400 its limit."""
    async with Host() as host:
        await morning(host)
        async with console(host) as (app, pilot):
            await press(app, pilot, "b")
            hand_over(app, ["1", "0", "tab", "right", "tab", "4", "0", "0"])
            await drawn(app, pilot)
            await drawn(app, pilot)
            assert app.screen.query_one("#quantity", Input).value == "10"
            assert app.screen.query_one("#type", Choice).value == "LIMIT"
            assert app.screen.query_one("#limit", Input).value == "400"


@pytest.mark.parametrize("seed", range(2))
async def test_random_edits_of_a_ticket_end_as_the_model_says(seed: int) -> None:
    random = Random(seed)
    async with Host() as host:
        await morning(host)
        async with console(host) as (app, pilot):
            before = asked(host)
            await press(app, pilot, "2", "home")
            for _ in range(2):
                form = ticket(app.main.symbol)
                form.type(random, 40, "quantity")
                hand_over(app, ["b", *form.pressed])
                for _ in range(200):
                    await drawn(app, pilot)
                    if app.keyboard.idle:
                        break
                screen = app.screen
                assert isinstance(screen, TicketScreen)
                found = {choice.id: choice.value for choice in screen.query(Choice)}
                found |= {text.id: text.value for text in screen.query(Input)}
                assert found == form.values, form.pressed
                await press(app, pilot, "escape")
            assert asked(host) == before


@pytest.mark.parametrize("pane", ["2", "6"])
async def test_random_edits_of_a_filter_end_as_the_model_says(pane: str) -> None:
    random = Random(int(pane))
    async with Host() as host:
        await morning(host)
        async with console(host) as (app, pilot):
            before = asked(host)
            await press(app, pilot, pane)
            form = filter_line()
            form.type(random, 60, "text")
            hand_over(app, ["/", *form.pressed])
            for _ in range(200):
                await drawn(app, pilot)
                if app.keyboard.idle:
                    break
            (text,) = form.values.values()
            assert app.main.active_pane.query_one(".pane--filter", Input).value == text
            assert app.main.active_pane.needle == text
            assert asked(host) == before
