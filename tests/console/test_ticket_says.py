"""What a ticket and the fields of an order say: nothing is dropped, and nothing is another's."""

from decimal import Decimal
from typing import Any

import pytest
from textual import events
from textual.widgets import Input

from console.ui.screens.change import ChangeOrderScreen
from console.ui.screens.ticket import TicketScreen
from console.ui.widgets.choice import Choice
from console.ui.widgets.field import number_in
from engine.domain import commands as ask
from engine.domain.order import OrderType, Side
from engine.domain.signal import TradeType
from tests.console.hosts import Host, console, drawn, press, settle, shown, write

D = Decimal
slow = pytest.mark.slow  # drives a whole screen


async def bought(host: Host, symbol: str = "AAPL", **more: Any) -> None:
    """Ten of it, at 100."""
    host.price(symbol, "100")
    await settle()
    order = ask.PlaceOrder(by="t", symbol=symbol, side=Side.BUY, quantity=D(10), **more)
    assert (await host.engine.command(order)).ok
    await host.clock.advance(2)


def words(text: str) -> str:
    """A screen's text without its frames and line ends."""
    for frame in "│║╭╮╰╯─":
        text = text.replace(frame, " ")
    return " ".join(text.split())


# --- fields ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_field_is_no_number(text: str) -> None:
    assert number_in("quantity", text) is None


@pytest.mark.parametrize(("text", "value"), [("5", "5"), (" 1000.50 ", "1000.50"), (".5", "0.5")])
def test_digits_and_a_point_are_a_number(text: str, value: str) -> None:
    assert number_in("quantity", text) == D(value)


@pytest.mark.parametrize(
    "text", ["-5", "abc-5", "1,000", "1e3", "+5", "5 0", ".", "1.2.3", "NaN", "1_000", "٣", "inf"]
)
def test_what_is_no_plain_number_is_told_and_becomes_no_other_one(text: str) -> None:
    with pytest.raises(ValueError, match="only digits and a point are allowed") as told:
        number_in("protect", text)
    assert f"protect is {text!r}" in str(told.value)


@slow
@pytest.mark.parametrize("name", ["quantity", "protect"])
@pytest.mark.parametrize("text", ["-5", "abc-5", "1,000"])
@pytest.mark.parametrize("paste", [False, True])
async def test_a_ticket_keeps_what_was_typed_and_does_not_review_it(
    name: str, text: str, paste: bool
) -> None:
    async with Host() as host:
        host.price("AAPL", "229")
        await settle()
        async with console(host) as (app, pilot):
            await press(app, pilot, "b")
            assert isinstance(app.screen, TicketScreen)
            if name != "quantity":
                await write(app, pilot, "1")
            field = app.screen.query_one(f"#{name}", Input)
            field.focus()
            if paste:
                app.post_message(events.Paste(text))
                await drawn(app, pilot)
            else:
                await write(app, pilot, text)
            assert field.value == text
            assert f"{name} is {text!r}: only digits and a point" in words(shown(app))
            await press(app, pilot, "enter")
            assert app.screen.reviewed is None


@slow
async def test_the_change_of_an_order_takes_no_part_of_what_was_typed() -> None:
    async with Host() as host:
        host.price("AAPL", "229")
        await settle()
        rests = ask.PlaceOrder(
            by="t",
            symbol="AAPL",
            side=Side.BUY,
            quantity=D(5),
            type=OrderType.LIMIT,
            limit_price=D(220),
        )
        assert (await host.engine.command(rests)).ok
        await host.clock.advance(1)
        async with console(host) as (app, pilot):
            await press(app, pilot, "3", "m")
            assert isinstance(app.screen, ChangeOrderScreen)
            await press(app, pilot, "ctrl+u")
            await write(app, pilot, "1,0")
            await press(app, pilot, "enter")
            assert "quantity is '1,0': only digits and a point" in words(shown(app))
            (order,) = host.engine.book.account("paper").orders.values()
            assert order.quantity == 5


# --- whose symbol ---------------------------------------------------------------------------------


@slow
async def test_a_symbol_that_came_by_itself_since_the_last_ticket_is_named_first() -> None:
    async with Host() as host:
        host.price("AAPL", "100")
        await settle()
        async with console(host) as (app, pilot):
            await press(app, pilot, "b")
            assert app.screen.query_one("#symbol", Input).value == "AAPL"
            await press(app, pilot, "escape")
            await bought(host, "XOM")
            await drawn(app, pilot)
            await press(app, pilot, "b")
            assert not isinstance(app.screen, TicketScreen)
            told = [n.message for n in app._notifications]
            assert "the rows moved: press b again for a ticket in XOM" in told
            await press(app, pilot, "b")
            assert app.screen.query_one("#symbol", Input).value == "XOM"


@slow
async def test_a_symbol_that_a_person_went_to_has_its_ticket_at_once() -> None:
    async with Host() as host:
        await bought(host, "AAPL")
        await bought(host, "XOM")
        async with console(host) as (app, pilot):
            seen = []
            for key in ("home", "down", "up"):
                await press(app, pilot, key, "s")
                seen.append(app.screen.query_one("#symbol", Input).value)
                await press(app, pilot, "escape")
            assert seen[0] == seen[2] != seen[1]


@slow
async def test_what_a_ticket_itself_bought_is_no_move_of_the_rows() -> None:
    async with Host() as host:
        host.price("AAPL", "100")
        host.price("MSFT", "100")
        await settle()
        async with console(host) as (app, pilot):
            await press(app, pilot, "b")
            app.seconds = lambda: 0.0
            app.screen.query_one("#symbol", Input).value = "MSFT"
            await write(app, pilot, "5")
            await press(app, pilot, "enter")
            app.seconds = lambda: 1.0
            await press(app, pilot, "right", "enter")
            await host.clock.advance(2)
            await drawn(app, pilot)
            app.seconds = lambda: 10.0
            await press(app, pilot, "b")
            assert app.screen.query_one("#symbol", Input).value == "MSFT"


# --- what has no effect, and what is above a limit ------------------------------------------------


@slow
@pytest.mark.parametrize(
    ("held", "asked", "closes"),
    [
        (TradeType.DAY, "swing", "only its stop, the end of the day and a kill close it"),
        (TradeType.SWING, "day", "only its stop and a kill of all close it"),
    ],
)
async def test_an_add_is_held_as_what_it_adds_to(held: TradeType, asked: str, closes: str) -> None:
    async with Host() as host:
        await bought(host, protect=D(95), hold=held)
        async with console(host) as (app, pilot):
            await press(app, pilot, "b")
            await write(app, pilot, "1")
            app.screen.query_one("#hold", Choice).value = asked
            await drawn(app, pilot)
            assert f"held as {held}, not {asked}" in words(shown(app))
            assert closes in words(shown(app))
            app.screen.query_one("#hold", Choice).value = str(held)
            await drawn(app, pilot)
            assert f"hold {held}" in words(shown(app))
            assert "held as" not in words(shown(app))


@slow
async def test_what_an_order_that_only_reduces_does_not_use_the_ticket_says() -> None:
    async with Host() as host:
        await bought(host, protect=D(95))
        async with console(host) as (app, pilot):
            await press(app, pilot, "s")
            await write(app, pilot, "1")
            assert "only reduces what is held" in words(shown(app))
            assert "Protect is not used" not in words(shown(app))
            app.screen.query_one("#protect", Input).value = "105"
            await drawn(app, pilot)
            assert "only reduces what is held: Protect is not used" in words(shown(app))
            app.screen.query_one("#target", Input).value = "90"
            await drawn(app, pilot)
            both = "only reduces what is held: Protect and Target are not used"
            assert both in words(shown(app))
            app.screen.query_one("#protect", Input).value = ""
            await drawn(app, pilot)
            assert "only reduces what is held: Target is not used" in words(shown(app))


@slow
@pytest.mark.parametrize(
    ("protect", "is_above"), [("90.01", False), ("90", False), ("89.99", True)]
)
async def test_x82_a_first_order_above_the_risk_of_a_trade_goes_with_a_warning(
    protect: str, is_above: bool
) -> None:
    """100 at 100 on 100,000, of which a trade may risk 1 %."""
    risk = {"max_order_notional": "500000", "max_risk_per_trade": "0.01"}
    async with Host(risk=risk) as host:
        host.price("AAPL", "100")
        await settle()
        async with console(host) as (app, pilot):
            await press(app, pilot, "b")
            await write(app, pilot, "100")
            app.screen.query_one("#protect", Input).value = protect
            await drawn(app, pilot)
            assert ("ABOVE the 1.00% of a trade" in words(shown(app))) is is_above
            assert "every check passes" in words(shown(app))
