"""The venue says that an order is FILLED, and no fill of it is told (rule 1, U-21, X-52)."""

from decimal import Decimal

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import VenueOrder
from engine.domain.order import OrderStatus, OrderType, Purpose, Side
from engine.domain.report import OrderReport
from engine.domain.run import Flatten, Level
from tests.engine.liar import Table, play

KILL = ask.Kill(by="test", level=Level.KILL, flatten=Flatten.ALL)


async def filled_unseen(table: Table, seconds: float = 60) -> str:
    """99 were bought and are held, and the engine knows of no fill; the order's id."""
    table.venue.hides_fills = True
    done = await table.order(Side.BUY, 99, protect=Decimal(90))
    (key,) = done.data["client_order_ids"]
    await table.wait(1)
    table.venue.hides_fills = False
    assert (table.there, table.held) == (99, 0)
    await table.wait(seconds)
    assert status(table, key) is OrderStatus.UNKNOWN
    return str(key)


def status(table: Table, key: str) -> OrderStatus:
    order = table.engine.book.order(key)
    assert order is not None
    return order.status


def test_rule1_the_missing_fill_is_proposed_and_an_operator_takes_it() -> None:
    async def scene(table: Table) -> None:
        key = await filled_unseen(table)
        shown = await table.engine.command(ask.Reconcile(by="test"))
        (event,) = shown.data["events"]
        fill = event["data"]["fill"]
        assert (event["type"], fill["client_order_id"]) == ("OrderFilled", key)
        assert (fill["side"], fill["quantity"], fill["price"]) == ("BUY", "99", "100")
        assert table.held == 0
        assert (await table.engine.command(ask.Reconcile(by="test", apply=True))).ok
        assert (table.held, status(table, key)) == (99, OrderStatus.FILLED)
        await table.wait(3)
        stops = [o for o in table.venue.orders.values() if o.stop_price]
        assert [(o.quantity, o.status) for o in stops] == [(99, OrderStatus.NEW)]
        found = await table.engine.command(ask.Reconcile(by="test"))
        assert (found.data["differences"], found.data["events"]) == ([], [])

    play(scene)


@pytest.mark.parametrize("quiet", [0, 60])
def test_x52_a_kill_closes_what_the_venue_holds_whatever_is_unknown(quiet: int) -> None:
    async def scene(table: Table) -> None:
        await filled_unseen(table, quiet)
        await table.engine.command(KILL)
        await table.wait(40)
        assert (table.there, table.held, table.venue.sold) == (0, 0, 99)
        assert [event.state for event in table.events(ev.KillProved)][-1] == "VERIFIED"
        told = await table.engine.command(ask.Resume(by="test", confirm="RESUME"))
        assert told.ok, told.error

    play(scene)


@pytest.mark.parametrize("taken", ["apply", "kill"])
def test_rule2_a_fill_that_is_told_after_it_was_taken_over_counts_once(taken: str) -> None:
    async def scene(table: Table) -> None:
        await filled_unseen(table)
        if taken == "kill":
            await table.engine.command(KILL)
            await table.wait(40)
        else:
            await table.engine.command(ask.Reconcile(by="test", apply=True))
        held = table.held
        assert held == table.there
        cash = table.engine.book.account("paper").cash["USD"]
        table.venue.tell_hidden()
        await table.wait(30)
        assert (table.held, table.there) == (held, held)
        assert table.engine.book.account("paper").cash["USD"] == cash == table.venue.cash
        assert table.venue.sold == (99 if taken == "kill" else 0)
        assert "OVERFILL" not in table.alarms()

    play(scene)


def test_x52_a_close_whose_fill_is_missing_is_closed_once() -> None:
    async def scene(table: Table) -> None:
        await table.buy(99)
        await table.wait(20)
        table.venue.hides_fills = True
        await table.engine.command(KILL)
        await table.wait(40)
        assert (table.there, table.held, table.venue.sold) == (0, 0, 99)
        assert [event.state for event in table.events(ev.KillProved)][-1] == "VERIFIED"
        table.venue.tell_hidden()
        await table.wait(30)
        assert (table.there, table.held, table.venue.sold) == (0, 0, 99)

    play(scene)


def test_rule3_a_stop_whose_fill_is_missing_ends_the_position() -> None:
    async def scene(table: Table) -> None:
        await table.buy(99, protect=Decimal(90))
        await table.wait(20)
        table.venue.hides_fills = True
        (stop,) = [o for o in table.venue.orders.values() if o.stop_price]
        table.venue.trade(stop.client_order_id, Decimal(99))
        table.venue.hides_fills = False
        await table.wait(120)
        assert (table.there, table.venue.sold) == (0, 99)
        assert (await table.engine.command(ask.Reconcile(by="test", apply=True))).ok
        assert (table.held, table.there, table.venue.sold) == (0, 0, 99)
        assert status(table, stop.client_order_id) is OrderStatus.FILLED
        purposes = [e.terms.purpose for e in table.events(ev.OrderIntended)]
        assert purposes.count(Purpose.PROTECT) == 1

    play(scene)


def test_u21_a_fill_that_is_only_late_is_waited_for() -> None:
    """Within the venue's seconds nothing is proposed and nothing is taken over."""

    async def scene(table: Table) -> None:
        key = await filled_unseen(table, 0)
        await table.engine.command(ask.Reconcile(by="test", apply=True))
        assert table.held == 0
        table.venue.tell_hidden()
        await table.wait(1)
        assert (table.held, status(table, key)) == (99, OrderStatus.FILLED)

    play(scene)


def test_x52_a_purchase_and_its_sale_that_were_never_told_are_both_taken() -> None:
    async def scene(table: Table) -> None:
        await table.buy(20)
        await table.wait(20)
        bought = await filled_unseen_beside(table)
        table.venue.hides_fills = True
        await table.engine.command(KILL)
        await table.wait(60)
        assert (table.there, table.held, table.venue.sold) == (0, 0, 119)
        assert status(table, bought) is OrderStatus.FILLED
        assert [event.state for event in table.events(ev.KillProved)][-1] == "VERIFIED"

    async def filled_unseen_beside(table: Table) -> str:
        table.venue.hides_fills = True
        done = await table.order(Side.BUY, 99, protect=Decimal(90))
        (key,) = done.data["client_order_ids"]
        await table.wait(1)
        assert (table.there, table.held) == (119, 20)
        return str(key)

    play(scene)


@pytest.mark.parametrize("parts", [(10,), (4, 6)])
def test_rule3_an_order_ends_with_the_last_of_its_fills_however_late_that_is(
    parts: tuple[int, ...],
) -> None:
    """Its cancel was told before what it had filled: what it was for is protected again at once."""

    async def scene(table: Table) -> None:
        await table.buy(99, protect=Decimal(90))
        await table.wait(20)
        limit = {"type": OrderType.LIMIT, "limit_price": Decimal(110)}
        done = await table.order(Side.SELL, 40, **limit)
        (key,) = done.data["client_order_ids"]
        await table.wait(1)
        table.venue.hides_fills = True
        for part in parts:
            table.venue.trade(key, Decimal(part))
        table.venue.hides_fills = False
        assert (await table.engine.command(ask.CancelOrder(by="test", client_order_id=key))).ok
        await table.wait(1)
        assert status(table, key) is OrderStatus.UNKNOWN
        for fill in table.venue.hidden:
            table.venue.fills.append(fill)
            table.venue.tell(
                OrderReport(
                    account=fill.account,
                    client_order_id=key,
                    symbol=fill.symbol,
                    status=OrderStatus.PARTIALLY_FILLED,
                    fill=fill,
                    time=fill.time,
                )
            )
        await table.wait(1)
        assert (table.held, status(table, key)) == (89, OrderStatus.CANCELED)
        stops = [o for o in table.venue.orders.values() if o.stop_price]
        assert [o.quantity for o in stops if not o.status.is_terminal] == [89]

    play(scene)


def test_u21_an_answer_that_denies_what_ended_undoes_no_end() -> None:
    """The venue said FILLED; asked again it says that the order works, and nothing of it filled."""

    async def scene(table: Table) -> None:
        first, venue = table.venue.get_order, table.venue

        async def denied(key: str) -> VenueOrder | None:
            told = await first(key)
            if told is None or told.status is not OrderStatus.FILLED:
                return told
            return msgspec.structs.replace(told, status=OrderStatus.NEW, filled=Decimal(0))

        venue.get_order = denied  # type: ignore[method-assign,assignment]
        key = await filled_unseen(table, 0)
        await table.wait(30)
        assert status(table, key) is OrderStatus.UNKNOWN
        assert (await table.engine.command(ask.Reconcile(by="test", apply=True))).ok
        assert (table.held, status(table, key)) == (99, OrderStatus.FILLED)

    play(scene)
