"""The orders' pane while many orders change at once: a halt is not held up by its own picture."""

from decimal import Decimal

import pytest

from console.ui.panes.orders import ROWS_AT_ONCE, OrdersPane
from engine.domain import commands as ask
from engine.domain.order import OrderType, Side
from engine.domain.run import Level
from tests.console.hosts import Host, console, drawn, press, shown

pytestmark = pytest.mark.slow  # each drives a whole screen


async def rest(host: Host, number: int) -> str:
    """A buy far below the market that rests; its id."""
    done = await host.engine.command(
        ask.PlaceOrder(
            by="test",
            symbol="KO",
            side=Side.BUY,
            quantity=Decimal(1),
            type=OrderType.LIMIT,
            limit_price=Decimal(30) + Decimal(number) / 100,
        )
    )
    assert done.ok, done.error
    (key,) = done.data["client_order_ids"]
    return str(key)


WIDE = {"max_open_orders": 1_000, "max_orders_per_minute": 1_000, "price_collar_pct": "1"}


@pytest.mark.parametrize("count", [ROWS_AT_ONCE - 1, ROWS_AT_ONCE, ROWS_AT_ONCE + 1])
async def test_orders_that_end_together_leave_the_pending_ones_in_one_painting(count: int) -> None:
    """In history the newest stand after the first, all of them after the next."""
    async with Host(risk=WIDE) as host:
        host.price("KO", "60.00")
        await host.clock.advance(1)
        keys = [await rest(host, number) for number in range(count)]
        async with console(host) as (app, pilot):
            app.pump.stop()
            await drawn(app, pilot)
            pane = app.query_one(OrdersPane)
            pending, history = pane._table("pending"), pane._table("history")
            pane.paint()
            assert pending.row_count == count
            host.engine.halt(ask.Kill(by="test", level=Level.HALT, reason="because"))
            await host.clock.advance(1)
            assert not host.engine.book.index.count
            pane.paint()
            assert pending.row_count == 0
            assert sorted(history.shown_keys(), key=str) == sorted(keys[-ROWS_AT_ONCE:])
            pane.paint()
            assert sorted(history.shown_keys(), key=str) == sorted(keys)


async def test_an_order_that_is_new_among_many_that_changed_is_shown_in_the_next_painting() -> None:
    async with Host(risk=WIDE) as host:
        host.price("KO", "60.00")
        await host.clock.advance(1)
        keys = [await rest(host, number) for number in range(ROWS_AT_ONCE)]
        async with console(host) as (app, pilot):
            app.pump.stop()
            await drawn(app, pilot)
            pane = app.query_one(OrdersPane)
            for key in keys:
                change = ask.ModifyOrder(by="test", client_order_id=key, quantity=Decimal(2))
                assert (await host.engine.command(change)).ok
            newest = await rest(host, ROWS_AT_ONCE)
            pane.paint()
            assert newest in pane._table("pending").shown_keys()


@pytest.mark.parametrize("waited", [0.0, 1.499, 1.5])
async def test_c_spares_a_row_that_came_under_the_cursor_by_itself(waited: float) -> None:
    """The order under the cursor ends; who presses `c` for it means no other one."""
    async with Host(risk=WIDE) as host:
        host.price("KO", "60.00")
        await host.clock.advance(1)
        keys = [await rest(host, number) for number in range(2)]
        async with console(host) as (app, pilot):
            app.seconds = lambda: 10.0
            pane = app.query_one(OrdersPane)
            await press(app, pilot, "3")
            first = pane.selected
            assert first in keys
            await host.engine.command(ask.CancelOrder(by="test", client_order_id=first))
            await host.clock.advance(1)
            await drawn(app, pilot)
            (second,) = set(keys) - {first}
            assert pane.selected == second
            app.seconds = lambda: 10.0 + waited
            await press(app, pilot, "c")
            spared = waited < 1.5
            assert cancelled(host) == ([first] if spared else [first, second])
            told = "the rows moved: press c again to cancel BUY 1 KO"
            assert any(n.message.startswith(told) for n in app._notifications) is spared
            if spared:
                await press(app, pilot, "c")
                assert cancelled(host) == [first, second]


async def test_c_acts_at_once_on_the_row_that_a_person_moved_to() -> None:
    async with Host(risk=WIDE) as host:
        host.price("KO", "60.00")
        await host.clock.advance(1)
        for number in range(3):
            await rest(host, number)
        async with console(host) as (app, pilot):
            app.seconds = lambda: 10.0
            pane = app.query_one(OrdersPane)
            await press(app, pilot, "3", "home", "down")
            chosen = pane.selected
            await press(app, pilot, "c")
            assert cancelled(host) == [chosen]


def cancelled(host: Host) -> list[str]:
    """The orders whose cancel was asked for, in order."""
    return [event.client_order_id for event in host.events("CancelRequested")]


@pytest.mark.parametrize(
    ("kind", "limit", "stop", "shown_price"),
    [
        (OrderType.LIMIT, "59", None, "59.00"),
        (OrderType.STOP, None, "61", "61.00"),
        (OrderType.STOP_LIMIT, "62", "61", "61.00"),
    ],
    ids=str,
)
async def test_the_price_of_a_stop_is_where_it_waits_and_not_its_limit(
    kind: OrderType, limit: str | None, stop: str | None, shown_price: str
) -> None:
    """The stop of a coin at 57,000 was shown at its limit, 54,150."""
    async with Host(risk=WIDE) as host:
        host.price("KO", "60.00")
        await host.clock.advance(1)
        order = ask.PlaceOrder(
            by="test",
            symbol="KO",
            side=Side.BUY,
            quantity=Decimal(1),
            type=kind,
            limit_price=None if limit is None else Decimal(limit),
            stop_price=None if stop is None else Decimal(stop),
        )
        done = await host.engine.command(order)
        assert done.ok, done.error
        async with console(host) as (app, pilot):
            await drawn(app, pilot)
            pending = app.query_one(OrdersPane)._table("pending")
            (row,) = [line for line in shown(app).splitlines() if "WORKING" in line]
            assert pending.row_count == 1
            assert shown_price in row
