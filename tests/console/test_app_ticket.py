"""The ticket: a preview of every check, a review, and never two orders from one ticket."""

import re
from decimal import Decimal

import pytest
from msgspec.structs import replace
from textual import events
from textual.pilot import Pilot
from textual.widgets import Button, Input

from console.desk.local import LocalDesk
from console.ui.app import MeridianApp
from console.ui.screens.ticket import DEBOUNCE_SECONDS, TicketScreen
from console.ui.widgets.choice import Choice
from console.ui.widgets.live_table import LiveTable
from engine.domain import commands as ask
from engine.domain.codes import Answer, Code
from engine.domain.instrument import Facts, instrument_of
from engine.domain.order import OrderType, Purpose, Side
from engine.domain.run import Level
from engine.risk.gate import CHECKS
from engine.risk.request import RequestKind
from tests.console.hosts import Host, console, drawn, press, settle, shown, write

pytestmark = pytest.mark.slow  # each drives a whole screen

D = Decimal


async def _ticket(app: MeridianApp, pilot: Pilot[str], side: str = "b") -> TicketScreen:
    await press(app, pilot, side)
    assert isinstance(app.screen, TicketScreen)
    app.seconds = lambda: 0.0  # from 0 on sums of a few tenths are exact
    return app.screen


def _wait(app: MeridianApp, seconds: float = DEBOUNCE_SECONDS) -> None:
    """Let so much of a hand's time pass."""
    now = app.seconds() + seconds
    app.seconds = lambda: now


async def _host_with_price(host: Host, price: str = "229") -> None:
    host.price("AAPL", price)
    await settle()


def test_every_check_of_a_manual_order_is_asked_even_after_one_refused() -> None:
    host = Host()
    order = ask.PlaceOrder(by="t", symbol="AAPL", side=Side.BUY, quantity=D(1000))
    review = LocalDesk(host.engine).view.review(order)
    assert not review.allowed
    results = review.checks
    asked = {result.code for result in results}
    known = {check.code for check in CHECKS if RequestKind.MANUAL in check.kinds}
    assert {Code.RUN_STATE, Code.NO_PRICE, Code.RATE_LIMIT, Code.MAX_OPEN_ORDERS} <= asked <= known
    assert sum(1 for result in results if result.answer is Answer.REJECT) > 1
    for result in results:
        assert result.measured
        assert result.limit


async def test_x86_what_is_paid_in_another_currency_says_so_and_is_a_share_of_the_base() -> None:
    sap = instrument_of("SAP", Facts(currency="EUR"))
    async with Host(instruments={"SAP": sap}) as host:
        host.price("EUR_USD", "1.25", spread="0.0002")
        host.price("SAP", "200")
        await settle()
        order = ask.PlaceOrder(
            by="t", symbol="SAP", side=Side.BUY, quantity=D(20), protect=D(195), broker=""
        )
        review = LocalDesk(host.engine).view.review(order)
        # 20 x 200 and 20 x 5 euros, at 1.25 dollars of 100,000
        assert (review.notional, review.risk, review.currency) == (D(4_000), D(100), "EUR")
        assert (review.equity_share, review.risk_share) == (D("0.05"), D("0.00125"))
        async with console(host) as (app, pilot):
            await press(app, pilot, "b")
            app.screen.query_one("#symbol", Input).value = "SAP"
            app.screen.query_one("#quantity", Input).value = "20"
            app.screen.query_one("#protect", Input).value = "195"
            await drawn(app, pilot)
            assert "= 4,000.00 EUR (5.0% of equity)" in shown(app)
            assert "risk at stop 100.00 EUR (0.12%)" in shown(app)


async def test_x87_the_ticket_names_an_account_that_is_not_the_primary_one() -> None:
    async with Host() as host, console(host) as (app, pilot):
        await _host_with_price(host)
        screen = await _ticket(app, pilot)
        order = ask.PlaceOrder(by="t", symbol="AAPL", side=Side.BUY, quantity=D(20))
        review = LocalDesk(host.engine).view.review(order)
        for account, told in (("paper", "BUY 20 AAPL"), ("eur", "BUY 20 AAPL @eur")):
            line = next(iter(screen._words(order, replace(review, account=account))))
            assert line[0][0] == told


async def test_no_check_has_passed_while_the_fields_make_no_order() -> None:
    async with Host() as host:
        await _host_with_price(host)
        async with console(host) as (app, pilot):
            await _ticket(app, pilot)
            await write(app, pilot, "20")
            assert "every check passes" in shown(app)
            await write(app, pilot, "m")
            assert "only digits" in shown(app)
            assert "every check passes" not in shown(app)


async def test_a_market_order_from_keys_alone() -> None:
    async with Host() as host:
        await _host_with_price(host)
        async with console(host) as (app, pilot):
            screen = await _ticket(app, pilot)
            assert "BUY order" in shown(app)
            assert screen.query_one("#symbol", Input).value == "AAPL"
            await write(app, pilot, "20")
            assert "every check passes" in shown(app)
            assert "4,580.00" in shown(app)
            assert "4.6% of equity" in shown(app)
            assert "no protective stop" in shown(app)
            assert "BUY 20 AAPL MARKET · hold day · TIF GTC" in shown(app)
            assert "✓ request readable" in shown(app)
            assert "INVALID_INPUT" not in shown(app)
            await press(app, pilot, "enter")
            assert screen.reviewed is not None
            assert app.focused is screen.query_one("#ticket-cancel", Button)
            assert not host.engine.book.account("paper").orders
            _wait(app)
            await press(app, pilot, "right", "enter")
            await host.clock.advance(1)
            position = host.engine.book.holding("paper", "AAPL")
            assert position is not None
            assert position.quantity == 20
            assert not isinstance(app.screen, TicketScreen)


@pytest.mark.parametrize(
    ("side", "protect", "said"),
    [
        # of ten held under a stop at 220, five more are lost from 229 to 220
        ("b", "", "the stop at 220 grows with it: risk at stop 45.00"),
        # a tighter one is that of all of it: ten from 229.09, five more from the market
        ("b", "225", "the stop is 225 for all of it: risk at stop 20.00"),
        ("b", "210", "the stop at 220 grows with it: risk at stop 45.00"),
        ("s", "", "only reduces what is held"),
    ],
)
async def test_an_order_that_adds_is_under_the_stop_of_its_position(
    side: str, protect: str, said: str
) -> None:
    async with Host() as host:
        await _host_with_price(host)
        first = ask.PlaceOrder(by="t", symbol="AAPL", side=Side.BUY, quantity=D(10), protect=D(220))
        assert (await host.engine.command(first)).ok
        await host.clock.advance(2)
        async with console(host) as (app, pilot):
            screen = await _ticket(app, pilot, side)
            await write(app, pilot, "5")
            screen.query_one("#protect", Input).value = protect
            await drawn(app, pilot)
            assert said in shown(app)
            assert "unprotected" not in shown(app)


@pytest.mark.parametrize(
    ("protect", "said"),
    [
        ("", "no protective stop: the position will show as unprotected"),
        ("225", "the stop is 225 for all of it: risk at stop 20.00"),
    ],
)
async def test_an_order_that_adds_where_the_stop_was_taken_away(protect: str, said: str) -> None:
    async with Host() as host:
        await _host_with_price(host)
        first = ask.PlaceOrder(by="t", symbol="AAPL", side=Side.BUY, quantity=D(10), protect=D(220))
        assert (await host.engine.command(first)).ok
        await host.clock.advance(2)
        bare = ask.Protect(by="t", symbol="AAPL", price=None, confirm="UNPROTECT")
        assert (await host.engine.command(bare)).ok
        await host.clock.advance(2)
        async with console(host) as (app, pilot):
            screen = await _ticket(app, pilot)
            await write(app, pilot, "5")
            screen.query_one("#protect", Input).value = protect
            await drawn(app, pilot)
            assert said in shown(app)


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        ("1 0 backspace 5", "15"),
        ("2 5 1 0 left backspace 7", "2570"),
        ("9 9 ctrl+u 1 3 8", "138"),
        ("5 home 1 end 0", "150"),
    ],
)
async def test_keys_that_come_together_act_in_their_order(keys: str, value: str) -> None:
    """As over a slow line, or while the console is busy: a wrong order here is a wrong quantity."""
    async with Host() as host:
        await _host_with_price(host)
        async with console(host) as (app, pilot):
            screen = await _ticket(app, pilot)
            for key in keys.split():
                app.post_message(events.Key(key, key if len(key) == 1 else None))
            await drawn(app, pilot)
            assert screen.query_one("#quantity", Input).value == value


async def test_every_field_reaches_the_order() -> None:
    async with Host() as host:
        await _host_with_price(host)
        async with console(host) as (app, pilot):
            screen = await _ticket(app, pilot)
            await write(app, pilot, "10")
            screen.query_one("#type", Choice).focus()
            await press(app, pilot, "right")
            assert screen.query_one("#stop", Input).disabled
            screen.query_one("#limit", Input).focus()
            await press(app, pilot, "equals_sign")
            assert screen.query_one("#limit", Input).value == "229.01"
            screen.query_one("#limit", Input).value = "228.50"
            screen.query_one("#protect", Input).focus()
            await write(app, pilot, "220")
            assert "risk at stop 85.00" in shown(app)
            screen.query_one("#hold", Choice).value = "swing"
            screen.query_one("#tif", Choice).value = "GTC"
            screen.query_one("#protect", Input).focus()
            await press(app, pilot, "enter")
            _wait(app)
            await press(app, pilot, "right", "enter")
            await host.clock.advance(1)
            (order,) = host.engine.book.account("paper").orders.values()
            assert (order.type, order.limit_price) == (OrderType.LIMIT, D("228.50"))
            assert (order.stop_loss, str(order.trade_type)) == (D(220), "swing")
            assert (str(order.time_in_force), order.purpose) == ("GTC", Purpose.MANUAL)


async def test_enter_twice_sends_nothing_and_enter_on_cancel_goes_back() -> None:
    async with Host() as host:
        await _host_with_price(host)
        async with console(host) as (app, pilot):
            screen = await _ticket(app, pilot)
            await write(app, pilot, "20")
            await press(app, pilot, "enter", "enter", "enter")
            assert screen.reviewed is not None
            screen.query_one("#ticket-send", Button).press()
            await drawn(app, pilot)
            assert not screen.sent
            assert "too soon: keys count 0.3s after the review opens" in shown(app)
            _wait(app, 0.299)
            await press(app, pilot, "enter")
            assert screen.reviewed is not None
            _wait(app, 0.01)
            await press(app, pilot, "enter")
            assert screen.reviewed is None
            assert isinstance(app.screen, TicketScreen)
            assert not host.events("OrderIntended")


async def test_one_ticket_sends_once() -> None:
    async with Host() as host:
        await _host_with_price(host)
        async with console(host) as (app, pilot):
            screen = await _ticket(app, pilot)
            await write(app, pilot, "20")
            await press(app, pilot, "enter")
            _wait(app)
            send = screen.query_one("#ticket-send", Button)
            for _ in range(5):
                send.press()
            await drawn(app, pilot)
            await host.clock.advance(1)
            assert len(host.events("OrderIntended")) == 1
            acted = [e for e in host.events("OperatorActed") if e.command == "PlaceOrder"]
            assert [e.args["intent_id"] for e in acted] == [screen.intent_id]


@pytest.mark.parametrize("stale_after", [15, 16])
async def test_a_stale_price_shuts_send_while_the_review_is_open(stale_after: int) -> None:
    async with Host() as host:
        await _host_with_price(host)
        async with console(host) as (app, pilot):
            screen = await _ticket(app, pilot)
            await write(app, pilot, "20")
            await press(app, pilot, "enter")
            send = screen.query_one("#ticket-send", Button)
            assert not send.disabled
            await host.clock.advance(stale_after)
            await drawn(app, pilot)
            assert send.disabled is (stale_after > 15)


async def test_what_would_be_refused_says_why_and_never_reaches_the_review() -> None:
    async with Host() as host:
        await _host_with_price(host)
        async with console(host) as (app, pilot):
            screen = await _ticket(app, pilot)
            await write(app, pilot, "900")
            text = shown(app)
            assert "x SINGLE_EXPOSURE" in text
            assert "At most" in text
            table = screen.query_one("#checks", LiveTable)
            first = next(iter(table.shown_keys()))
            assert first in ("SINGLE_EXPOSURE", "SECTOR_EXPOSURE", "GROSS_EXPOSURE")
            await press(app, pilot, "enter")
            assert screen.reviewed is None


@pytest.mark.parametrize("paused", [True, False])
async def test_x81_the_ticket_says_that_the_machine_is_paused_and_passes(*, paused: bool) -> None:
    async with Host() as host:
        await _host_with_price(host)
        if paused:
            assert (await host.engine.command(ask.Pause(by="another"))).ok
        async with console(host) as (app, pilot):
            screen = await _ticket(app, pilot)
            await write(app, pilot, "20")
            assert "every check passes" in shown(app)
            assert ("the machine is paused" in shown(app)) is paused
            await press(app, pilot, "enter")
            assert screen.reviewed is not None
            _wait(app)
            await press(app, pilot, "right", "enter")
            await host.clock.advance(1)
            position = host.engine.book.holding("paper", "AAPL")
            assert position is not None
            assert position.quantity == 20


@pytest.mark.parametrize(
    ("hold", "stop", "said"),
    [
        ("day", "220", "only its stop, the end of the day and a kill close it"),
        ("swing", "220", "only its stop and a kill of all close it"),
        ("day", "", "only the end of the day and a kill close it"),
        ("swing", "", "only a kill of all closes it"),
    ],
)
async def test_x80_the_ticket_says_what_closes_it(hold: str, stop: str, said: str) -> None:
    async with Host() as host:
        await _host_with_price(host)
        async with console(host) as (app, pilot):
            screen = await _ticket(app, pilot)
            await write(app, pilot, "20")
            screen.query_one("#hold", Choice).value = hold
            screen.query_one("#protect", Input).value = stop
            await drawn(app, pilot)
            assert said in shown(app)


@pytest.mark.parametrize("paused", [False, True])
@pytest.mark.parametrize("hold", ["day", "swing"])
@pytest.mark.parametrize("size", [(60, 20), (80, 24), (80, 26), (80, 27), (80, 34)], ids=str)
async def test_x80_it_says_whole_that_what_can_have_no_stop_is_closed(
    size: tuple[int, int], hold: str, *, paused: bool
) -> None:
    """DESIGN rule 3: a person's position whose stop the venue refuses is closed too."""
    async with Host() as host:
        await _host_with_price(host)
        if paused:
            assert (await host.engine.command(ask.Pause(by="another"))).ok
        async with console(host, size=size) as (app, pilot):
            screen = await _ticket(app, pilot)
            await write(app, pilot, "20")
            screen.query_one("#hold", Choice).value = hold
            refused = "or it is closed, if the venue does not take its stop"
            await drawn(app, pilot)
            assert refused not in shown(app)
            screen.query_one("#protect", Input).value = "220"
            day = "only its stop, the end of the day and a kill close it"
            said = day if hold == "day" else "only its stop and a kill of all close it"
            await drawn(app, pilot)
            text = shown(app)
            for words in ("every check passes", said, refused, "risk at stop"):
                assert words in text
            assert ("the machine is paused" in text) is paused
            await press(app, pilot, "enter")
            assert screen.reviewed is not None
            assert said in shown(app)
            assert refused in shown(app)
            assert "Send BUY" in shown(app), "the buttons are the last line, and were cut off"


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40)], ids=str)
async def test_why_an_order_is_refused_is_told_to_its_last_word(size: tuple[int, int]) -> None:
    """A line of open risk had taken the place of the second line of the reason."""
    async with Host() as host:
        await _host_with_price(host)
        first = ask.PlaceOrder(by="t", symbol="AAPL", side=Side.BUY, quantity=D(5))
        assert (await host.engine.command(first)).ok
        await host.clock.advance(2)
        async with console(host, size=size) as (app, pilot):
            await press(app, pilot, "s")
            await write(app, pilot, "10")
            await drawn(app, pilot)
            ticket = re.findall("║(.*)║", shown(app))
            words = " ".join(" ".join(ticket).split())
            assert "less what is already being closed may be reduced in one order" in words


async def test_x82_the_ticket_says_what_everything_would_lose_at_its_stop() -> None:
    """Ten are held from 229.09 under a stop at 220; five more from 229 add 45 to that."""
    async with Host() as host:
        await _host_with_price(host)
        first = ask.PlaceOrder(by="t", symbol="AAPL", side=Side.BUY, quantity=D(10), protect=D(220))
        assert (await host.engine.command(first)).ok
        await host.clock.advance(2)
        at_stops = D(host.engine.status()["open_risk"]["at_stops"])
        assert at_stops > 0
        async with console(host) as (app, pilot):
            await _ticket(app, pilot)
            await write(app, pilot, "5")
            await drawn(app, pilot)
            assert f"risk at stop 45.00 (0.05%), all {at_stops + 45:.2f}" in shown(app)


async def test_a_refusal_by_the_engine_comes_back_to_the_fields() -> None:
    async with Host() as host:
        await _host_with_price(host)
        async with console(host) as (app, pilot):
            screen = await _ticket(app, pilot)
            await write(app, pilot, "20")
            await press(app, pilot, "enter")
            _wait(app)
            await host.engine.command(ask.Kill(by="another", level=Level.HALT))
            screen.query_one("#ticket-send", Button).disabled = False
            screen.query_one("#ticket-send", Button).press()
            await pilot.pause()
            await settle()
            await pilot.pause()
            assert "refused: KILL_SWITCH" in shown(app)
            assert not screen.sent
            assert not host.events("OrderIntended")


async def test_selling_what_is_held_only_reduces_and_passes_a_halt() -> None:
    async with Host() as host:
        await _host_with_price(host)
        await host.engine.command(
            ask.PlaceOrder(by="t", symbol="AAPL", side=Side.BUY, quantity=D(20))
        )
        await host.clock.advance(1)
        async with console(host) as (app, pilot):
            await press(app, pilot, "ctrl+k")
            screen = await _ticket(app, pilot, "s")
            assert "SELL order" in shown(app)
            await write(app, pilot, "20")
            assert "only reduces what is held" in shown(app)
            await press(app, pilot, "enter")
            _wait(app)
            screen.query_one("#ticket-send", Button).press()
            await drawn(app, pilot)
            await host.clock.advance(1)
            assert host.engine.book.holding("paper", "AAPL") is None


@pytest.mark.parametrize(
    ("quantity", "words"),
    [("", "a quantity is needed"), ("1.2.3", "quantity is '1.2.3'"), ("0", "quantity is 0")],
)
async def test_bad_input_gets_one_sentence(quantity: str, words: str) -> None:
    async with Host() as host:
        await _host_with_price(host)
        async with console(host) as (app, pilot):
            screen = await _ticket(app, pilot)
            await write(app, pilot, quantity)
            await press(app, pilot, "enter")
            assert words in shown(app)
            assert screen.reviewed is None
