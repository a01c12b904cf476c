"""Where a position takes its profit can be seen, and asked for in the ticket (X-85, A-163)."""

from decimal import Decimal

import pytest
from textual.widgets import Input

from console.ui.details import details
from console.ui.screens.ticket import TicketScreen
from engine.domain import commands as ask
from engine.domain.order import Side
from tests.console.hosts import Host, console, drawn, morning, press, settle, shown, write

pytestmark = pytest.mark.slow  # each drives a whole screen


def _text(lines: object) -> list[str]:
    return ["".join(piece[0] for piece in line) for line in lines]  # type: ignore[attr-defined]


async def test_a_wide_table_of_positions_has_the_target() -> None:
    async with Host() as host:
        await morning(host)
        async with console(host, (200, 50)) as (app, _):
            rows = shown(app).splitlines()
            start = rows[1 + rows[1:].index(next(r for r in rows if " Target " in r)) :][0].index(
                "Target"
            )
            row = next(r for r in rows if "NVDA    LONG" in r)
            assert row[start - 3 : start + 6].strip() == "142.00"


@pytest.mark.parametrize(("price", "shown_as"), [("250", "250.00"), (None, "none")])
async def test_the_details_of_a_position_begin_with_what_it_is_now_X85(
    price: str | None, shown_as: str
) -> None:
    async with Host() as host:
        host.price("AAPL", "229")
        await settle()
        target = None if price is None else Decimal(price)
        wanted = ask.PlaceOrder(
            by="t",
            symbol="AAPL",
            side=Side.BUY,
            quantity=Decimal(10),
            protect=Decimal(225),
            target=target,
        )
        assert (await host.engine.command(wanted)).ok
        await host.clock.advance(2)
        async with console(host) as (app, _):
            found = details(app.desk.view, "positions", "AAPL")
            assert found is not None
            lines = _text(found[1])
            assert lines[0] == "quantity          LONG 10"
            assert lines[4] == "stop              225.00"
            assert lines[5] == f"target            {shown_as}"
            assert not any("told_unprotected" in line for line in lines)
            assert not any("17724" in line for line in lines), "a time is no number"


async def test_the_ticket_has_a_target_and_sends_it_X85() -> None:
    async with Host() as host:
        host.price("AAPL", "229")
        await settle()
        async with console(host, (80, 24)) as (app, pilot):
            app.main.query_one("#pane-4").show_symbol("AAPL")  # type: ignore[attr-defined]
            await press(app, pilot, "b")
            screen = app.screen
            assert isinstance(screen, TicketScreen)
            screen.query_one("#symbol", Input).value = "AAPL"
            await write(app, pilot, "10")
            screen.query_one("#protect", Input).value = "225"
            screen.query_one("#target", Input).value = "250"
            await drawn(app, pilot)
            order = screen.order()
            assert isinstance(order, ask.PlaceOrder)
            assert (order.protect, order.target) == (Decimal(225), Decimal(250))
            assert "Target     250" in shown(app)
            screen.query_one("#target", Input).value = "220"
            await drawn(app, pilot)
            assert not app.desk.view.review(screen.order()).allowed  # type: ignore[arg-type]
