"""A venue uses an execution id a second time within a day (X-91, rules 1 and 2).

The key of a fill is its account, symbol, day and execution id. A second fill under the same key
that is of another order, of another time, or says something else, is neither dropped as the first
told again nor counted: it is named, and what the venue says of the order and the holding decides.
"""

from decimal import Decimal

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import VenueOrder
from engine.domain.inputs import QueryAnswered
from engine.domain.order import Fill, OrderStatus, OrderTerms, Purpose, Side
from engine.domain.run import Flatten, Level, RunState, Trigger
from tests.engine.driver import CoreDriver, protected
from tests.engine.liar import Table, play
from tests.engine.worlds import BROKER

S = OrderStatus
DAILY_LOSS = Trigger.DAILY_LOSS
KILL = ask.Kill(by="test", level=Level.KILL, flatten=Flatten.ALL)


def bad(desk: CoreDriver) -> int:
    """How many alarms of a fill that cannot be taken there were."""
    return [alarm.code for alarm in desk.of(ev.Alarmed)].count("BAD_FILL")


def blocked(desk: CoreDriver) -> bool:
    return "bad_fill" in desk.book.account(BROKER).blocked.get("NVDA", {})


def two_orders() -> tuple[CoreDriver, Fill, OrderTerms]:
    """5 of a first order are held; the fill of them, and a second order of 5 that works."""
    desk = CoreDriver().price("NVDA", "100")
    desk.place(Side.BUY, 5)
    first = desk.of(ev.OrderIntended)[-1].terms
    desk.accept(first)
    fill = desk.execution(first, 5, "100")
    desk.report(first, S.FILLED, fill=fill, filled=Decimal(5))
    desk.later(60)
    desk.price("NVDA", "100")
    desk.place(Side.BUY, 5)
    second = desk.of(ev.OrderIntended)[-1].terms
    assert second.client_order_id != first.client_order_id
    desk.accept(second)
    return desk, fill, second


def test_x91_a_used_id_of_another_order_is_named_and_not_counted() -> None:
    desk, fill, second = two_orders()
    again = msgspec.structs.replace(fill, client_order_id=second.client_order_id, time=desk.now)
    desk.report(second, S.FILLED, fill=again, filled=Decimal(5))
    assert (desk.held().quantity, bad(desk), blocked(desk)) == (5, 1, True)
    assert desk.current(second).status is S.UNKNOWN
    # Every look brings it again; it is named once.
    desk.later(30)
    desk.snapshot(positions={"NVDA": 10}, fills=(fill, again))
    assert (desk.held().quantity, bad(desk)) == (5, 1)


@pytest.mark.parametrize("symbol", ["nvda", "NVDA.US"])
def test_x91_a_fill_told_again_with_its_symbol_written_otherwise_is_named_and_not_counted(
    symbol: str,
) -> None:
    """It names its order, which is in another symbol, and was counted for that."""
    desk, fill, _ = two_orders()
    other = msgspec.structs.replace(fill, symbol=symbol)
    filled = len(desk.of(ev.OrderFilled))
    desk.snapshot(positions={"NVDA": 5}, fills=(other,))
    assert len(desk.of(ev.OrderFilled)) == filled
    assert desk.book.holding(BROKER, symbol) is None
    assert (desk.held().quantity, bad(desk)) == (5, 1)
    assert "bad_fill" in desk.book.account(BROKER).blocked.get(symbol, {})


def test_x91_a_fill_of_an_order_in_another_symbol_that_was_not_told_is_a_fact() -> None:
    """Rule 2: whatever was traded there is held, and somebody looks at it."""
    desk, fill, _ = two_orders()
    other = msgspec.structs.replace(fill, symbol="AMD", execution_id="another")
    desk.price("AMD", "100")
    desk.snapshot(positions={"NVDA": 5, "AMD": 5}, fills=(other,))
    held = desk.book.holding(BROKER, "AMD")
    assert held is not None
    assert (held.quantity, bad(desk)) == (5, 0)


@pytest.mark.parametrize("turned", [False, True])
def test_x91_a_list_that_does_not_name_the_order_tells_the_same_fill(turned: bool) -> None:
    desk, fill, _ = two_orders()
    other = desk.of(ev.OrderIntended)[0].terms
    nameless = msgspec.structs.replace(fill, client_order_id="")
    if turned:
        desk = CoreDriver().price("NVDA", "100")
        desk.place(Side.BUY, 5)
        other = desk.of(ev.OrderIntended)[-1].terms
        desk.accept(other)
        fill = desk.execution(other, 5, "100")
        nameless = msgspec.structs.replace(fill, client_order_id="")
        desk.snapshot(positions={"NVDA": 5}, fills=(nameless,))
        desk.report(other, S.FILLED, fill=fill, filled=Decimal(5))
    else:
        desk.snapshot(positions={"NVDA": 5}, fills=(nameless,))
    assert (len(desk.of(ev.OrderFilled)), bad(desk)) == (1, 0)


@pytest.mark.parametrize(("seconds", "told"), [(0, 0), (4, 0), (30, 1), (3600, 1)])
def test_x91_a_used_id_of_another_time_of_the_same_order_is_named(seconds: int, told: int) -> None:
    """Clocks differ by less than 5 s; the same numbers later are another fill."""
    desk = CoreDriver().price("NVDA", "100")
    desk.place(Side.BUY, 10)
    order = desk.of(ev.OrderIntended)[-1].terms
    desk.accept(order)
    fill = desk.execution(order, 5, "100")
    desk.report(order, S.PARTIALLY_FILLED, fill=fill, filled=Decimal(5))
    desk.later(seconds)
    again = msgspec.structs.replace(fill, time=desk.now)
    desk.report(order, S.PARTIALLY_FILLED, fill=again)
    assert (desk.held().quantity, bad(desk)) == (5, told)


def test_x91_an_answer_counts_only_the_fills_that_were_counted_of_that_order() -> None:
    """Else the order would be settled as filled while nothing of it is held."""
    desk, fill, second = two_orders()
    again = msgspec.structs.replace(fill, client_order_id=second.client_order_id, time=desk.now)
    there = VenueOrder(
        client_order_id=second.client_order_id,
        venue_order_id="v",
        symbol="NVDA",
        side=Side.BUY,
        type=second.type,
        quantity=Decimal(5),
        filled=Decimal(5),
        status=S.FILLED,
    )
    desk.give(
        QueryAnswered(
            account=BROKER,
            client_order_id=second.client_order_id,
            order=there,
            fills=(fill, again),
            asked_at=desk.now,
        )
    )
    assert (desk.held().quantity, bad(desk)) == (5, 1)
    assert desk.current(second).status is S.UNKNOWN
    assert desk.current(second).filled == 0


def test_x91_the_venue_is_looked_at_as_soon_as_a_used_id_is_told() -> None:
    desk = protected(100)
    stop = desk.last(Purpose.PROTECT)
    desk.later(60)
    (first,) = [event.fill for event in desk.of(ev.OrderFilled)]
    sold = msgspec.structs.replace(desk.execution(stop, 100, "95"), execution_id=first.execution_id)
    seen = desk.report(stop, S.FILLED, fill=sold, filled=Decimal(100))
    assert [event.account for event in seen if isinstance(event, ev.SnapshotRequested)] == [BROKER]


# --- at a venue --------------------------------------------------------------------------------


def fired(table: Table) -> list[Trigger]:
    return [event.trigger for event in table.events(ev.TriggerFired)]


async def bought_twice(table: Table) -> str:
    """Twice 50 were bought at one price, both under one id; the second order's id."""
    table.venue.next_ids = ["r1"]
    await table.buy(50)
    await table.wait(61)
    table.venue.next_ids = ["r1"]
    done = await table.order(Side.BUY, 50)
    await table.wait(1)
    (key,) = done.data["client_order_ids"]
    return str(key)


def test_rule1_an_operator_takes_what_was_bought_under_a_used_id() -> None:
    async def scene(table: Table) -> None:
        key = await bought_twice(table)
        assert (table.there, table.held) == (100, 50)
        assert "BAD_FILL" in table.alarms()
        await table.wait(60)
        assert (await table.engine.command(ask.Reconcile(by="test", apply=True))).ok
        order = table.engine.book.order(key)
        assert order is not None
        assert (table.held, order.status) == (100, S.FILLED)
        await table.wait(60)
        found = await table.engine.command(ask.Reconcile(by="test"))
        assert (found.data["differences"], found.data["events"]) == ([], [])
        assert table.held == table.there == 100
        assert table.engine.book.account(BROKER).cash["USD"] == table.venue.cash
        assert table.alarms().count("BAD_FILL") == 1

    play(scene)


def test_x52_a_kill_closes_what_was_bought_under_a_used_id_and_no_more() -> None:
    async def scene(table: Table) -> None:
        await bought_twice(table)
        await table.engine.command(KILL)
        await table.wait(60)
        assert (table.there, table.held, table.venue.sold) == (0, 0, 100)
        assert table.events(ev.KillProved)[-1].state == "VERIFIED"

    play(scene)


@pytest.mark.parametrize("sells", ["person", "stop"])
def test_x74_a_holding_that_was_sold_under_a_used_id_loses_nothing_when_its_price_falls(
    sells: str,
) -> None:
    """1,400 were bought and sold at 100. Their price falls by 75; a day may lose 100,000."""

    async def scene(table: Table) -> None:
        table.venue.next_ids = ["r1"]
        await table.buy(1_400, protect=Decimal(90))
        await table.wait(20)
        table.venue.next_ids = ["r1"]
        if sells == "person":
            await table.engine.command(ask.ClosePosition(by="test", symbol="AAA"))
        else:
            (stop,) = [o for o in table.venue.orders.values() if o.stop_price]
            table.venue.trade(stop.client_order_id, Decimal(1_400))
        await table.until(lambda: table.there == 0)
        await table.wait(10)
        assert "BAD_FILL" in table.alarms()
        for price in (80, 60, 45, 35, 25):
            table.venue.price = Decimal(price)
            await table.wait(20)
        assert table.engine.book.run_state is not RunState.HALTED
        assert DAILY_LOSS not in fired(table)
        assert (await table.engine.command(ask.Reconcile(by="test", apply=True))).ok
        await table.wait(20)
        assert (table.held, table.there) == (0, 0)
        assert table.engine.book.run_state is not RunState.HALTED
        assert abs(table.engine.world.money.daily_pnl) < 1

    play(scene)


def test_x74_what_somebody_sold_loses_nothing_once_two_looks_agree() -> None:
    async def scene(table: Table) -> None:
        await table.buy(1_400)
        await table.wait(20)
        table.venue.move("AAA", Decimal(-1_400))
        await table.wait(130)
        table.venue.price = Decimal(25)
        await table.wait(130)
        assert DAILY_LOSS not in fired(table)
        assert table.held == 1_400, "an operator decides what becomes of it"

    play(scene)


def test_x74_what_is_there_after_all_loses_what_its_price_says() -> None:
    """A list of holdings that is empty for a while excuses no loss once it shows them again."""

    async def scene(table: Table) -> None:
        await table.buy(1_400)
        await table.wait(20)
        held, table.venue.held = table.venue.held, {}
        table.venue._record()
        await table.wait(130)
        table.venue.price = Decimal(25)
        await table.wait(10)
        assert DAILY_LOSS not in fired(table)
        table.venue.held = held
        table.venue._record()
        await table.wait(70)
        assert DAILY_LOSS in fired(table)

    play(scene)
