"""`m`: an order or a position is changed from the console (X-85, X-88)."""

from decimal import Decimal

import pytest
from textual.widgets import Input

from console.ui.app import MeridianApp
from console.ui.screens.change import ChangeOrderScreen, ChangePositionScreen, ChangeScreen
from console.ui.widgets.confirm import ConfirmScreen
from engine.state.order import Order
from tests.console.hosts import Host, console, drawn, morning, press, shown, write

pytestmark = pytest.mark.slow  # each drives a whole screen

D = Decimal


def orders(host: Host, purpose: str) -> list[Order]:
    working = host.engine.book.account("paper").orders.values()
    return [order for order in working if order.purpose == purpose]


def resting(host: Host, symbol: str) -> list[Decimal | None]:
    """Where the stops of a symbol rest."""
    return [order.stop_price for order in orders(host, "PROTECT") if order.symbol == symbol]


def choose(app: MeridianApp, pane: int, key: str) -> None:
    table = app.main.pane(pane).table
    assert table is not None
    table.move_cursor(key)


def typed(app: MeridianApp, name: str, text: str) -> None:
    app.screen.query_one(f"#{name}", Input).value = text


async def test_m_changes_a_working_order() -> None:
    async with Host() as host:
        await morning(host)
        (entry,) = orders(host, "ENTRY")
        async with console(host) as (app, pilot):
            await press(app, pilot, "3")
            choose(app, 3, entry.client_order_id)
            await press(app, pilot, "m")
            assert isinstance(app.screen, ChangeOrderScreen)
            assert entry.limit_price is not None
            assert D(app.screen.query_one("#limit", Input).value) == entry.limit_price
            await press(app, pilot, "enter")
            assert "nothing was changed" in shown(app)
            lower = entry.quantity - 1
            typed(app, "quantity", str(lower))
            await press(app, pilot, "enter")
            await host.clock.advance(1)
            await drawn(app, pilot)
            (now,) = orders(host, "ENTRY")
            assert now.quantity == lower
            assert not isinstance(app.screen, ChangeOrderScreen)


async def test_a_refusal_is_said_and_the_fields_stay_open() -> None:
    async with Host() as host:
        await morning(host)
        (entry,) = orders(host, "ENTRY")
        async with console(host) as (app, pilot):
            await press(app, pilot, "3")
            choose(app, 3, entry.client_order_id)
            await press(app, pilot, "m")
            typed(app, "limit", "240.605")
            await press(app, pilot, "enter")
            await drawn(app, pilot)
            assert "refused: BAD_TICK" in shown(app)
            assert isinstance(app.screen, ChangeOrderScreen)
            await press(app, pilot, "escape")
            assert orders(host, "ENTRY") == [entry]


async def test_m_moves_the_stop_and_the_target_of_a_position_and_takes_a_stop_away_typed() -> None:
    async with Host() as host:
        await morning(host)
        stop = orders(host, "PROTECT")[0]
        assert stop.stop_price is not None
        async with console(host) as (app, pilot):
            await press(app, pilot, "2")
            choose(app, 2, stop.symbol)
            await press(app, pilot, "m")
            assert isinstance(app.screen, ChangePositionScreen)
            tighter = stop.stop_price + D("0.50")
            typed(app, "stop", str(tighter))
            typed(app, "target", "")
            await press(app, pilot, "enter")
            await host.clock.advance(1)
            await drawn(app, pilot)
            assert resting(host, stop.symbol) == [tighter]
            (held,) = host.engine.book.held(stop.symbol)
            assert (held.target, held.default_target) == (None, False)
            await press(app, pilot, "m")
            typed(app, "stop", "")
            await press(app, pilot, "enter")
            assert isinstance(app.screen, ConfirmScreen)
            await press(app, pilot, "escape")
            assert "the stop stays" in shown(app)
            assert resting(host, stop.symbol) == [tighter]
            await press(app, pilot, "enter")
            await write(app, pilot, "UNPROTECT")
            await press(app, pilot, "enter")
            await host.clock.advance(1)
            await drawn(app, pilot)
            assert not resting(host, stop.symbol)


async def test_a_long_refusal_is_read_whole_under_the_fields() -> None:
    async with Host() as host:
        await morning(host)
        async with console(host) as (app, pilot):
            await press(app, pilot, "2", "m")
            screen = app.screen
            assert isinstance(screen, ChangeScreen)
            words = " ".join(f"word{number}" for number in range(30))
            screen.say(f"refused: {words}", "loss")
            await drawn(app, pilot)
            text = shown(app).replace("│", " ").split()
            assert [word for word in text if word.startswith("word")] == words.split()


async def test_m_needs_something_that_is_selected() -> None:
    async with Host() as host:
        await morning(host)
        async with console(host) as (app, pilot):
            await press(app, pilot, "6", "m")
            (told,) = [note.message for note in app._notifications]
            assert told.startswith("choose a working order or a position first")
