"""`m`: an order or a position is changed from the console (X-85, X-88)."""

from decimal import Decimal

import pytest
from textual.widgets import Input

from console.ui.app import MeridianApp
from console.ui.screens.change import ChangeOrderScreen, ChangePositionScreen, ChangeScreen
from console.ui.widgets.confirm import ConfirmScreen
from engine.domain import commands as ask
from engine.domain.order import Side
from engine.state.order import Order
from tests.console.hosts import Host, console, drawn, morning, press, settle, shown, write

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
            assert told == (
                "keys go to Journal: press 2 or 3 first, m changes what is selected in Positions "
                "or Orders"
            )


@pytest.mark.parametrize(
    ("stop", "target", "said", "stop_after", "target_after"),
    [
        # one of both is refused: it is said which went through, and nothing is told as done
        ("96", "99", "done: stop 95 to 96. refused: INVALID_TARGET", 96, 120),
        ("101", "130", "not sent: target 120 to 130. refused: INVALID_STOP", 95, 120),
        ("101", "99", "not sent: target 120 to 99. refused: INVALID_STOP", 95, 120),
        ("96", "130", "", 96, 130),
    ],
)
async def test_of_a_stop_and_a_target_it_is_said_what_was_done(
    stop: str, target: str, said: str, stop_after: int, target_after: int
) -> None:
    async with Host() as host:
        host.price("AAPL", "100")
        await settle()
        bought = ask.PlaceOrder(
            by="t", symbol="AAPL", side=Side.BUY, quantity=D(10), protect=D(95), target=D(120)
        )
        assert (await host.engine.command(bought)).ok
        await host.clock.advance(2)
        async with console(host) as (app, pilot):
            await press(app, pilot, "2", "m")
            typed(app, "stop", stop)
            typed(app, "target", target)
            await press(app, pilot, "enter")
            await host.clock.advance(1)
            await drawn(app, pilot)
            (held,) = host.engine.book.held("AAPL")
            assert (held.stop, held.target) == (stop_after, target_after)
            told = [note.message for note in app._notifications]
            if said:
                assert said in " ".join(shown(app).replace("│", " ").split())
                assert isinstance(app.screen, ChangePositionScreen)
                assert told == []
            else:
                assert told == ["10 AAPL in paper: stop 95 to 96, target 120 to 130"]


async def test_what_was_done_before_a_refusal_is_not_asked_again() -> None:
    async with Host() as host:
        host.price("AAPL", "100")
        await settle()
        bought = ask.PlaceOrder(
            by="t", symbol="AAPL", side=Side.BUY, quantity=D(10), protect=D(95), target=D(120)
        )
        assert (await host.engine.command(bought)).ok
        await host.clock.advance(2)
        async with console(host) as (app, pilot):
            await press(app, pilot, "2", "m")
            typed(app, "stop", "96")
            typed(app, "target", "99")
            await press(app, pilot, "enter")
            await host.clock.advance(1)
            typed(app, "target", "130")
            await press(app, pilot, "enter")
            await host.clock.advance(1)
            await drawn(app, pilot)
            told = [note.message for note in app._notifications]
            assert told == ["10 AAPL in paper: stop 95 to 96, target 120 to 130"]
            asked = [e.command for e in host.events("OperatorActed")]
            assert asked == ["PlaceOrder", "Protect", "SetTarget", "SetTarget"]


@pytest.mark.parametrize("quantity", ["0", "1"])
async def test_a_quantity_that_cancels_is_named_before_it_does(quantity: str) -> None:
    """Nothing of it has filled: 1 stays an order, 0 cancels it (X-88)."""
    async with Host() as host:
        await morning(host)
        (entry,) = orders(host, "ENTRY")
        async with console(host) as (app, pilot):
            await press(app, pilot, "3")
            choose(app, 3, entry.client_order_id)
            await press(app, pilot, "m")
            typed(app, "quantity", quantity)
            await press(app, pilot, "enter")
            await host.clock.advance(1)
            await drawn(app, pilot)
            if quantity == "1":
                (now,) = orders(host, "ENTRY")
                assert now.quantity == 1
                return
            assert "quantity 0 cancels it (0 filled): enter again does so" in shown(app)
            assert orders(host, "ENTRY") == [entry]
            await press(app, pilot, "enter")
            await host.clock.advance(1)
            assert orders(host, "ENTRY") == []
