"""Lists of a venue that are behind its own fills, and what a kill makes of them (X-52, A-373)."""

from decimal import Decimal

import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import SnapshotTaken
from engine.domain.order import OrderType, Side
from engine.domain.run import Flatten, Level
from tests.engine.driver import CoreDriver, one
from tests.engine.liar import Table, play

LAGS = (0.3, 1.0, 3.0)


def kill(flatten: Flatten = Flatten.ALL) -> ask.Kill:
    return ask.Kill(by="test", level=Level.KILL, flatten=flatten)


@pytest.mark.parametrize("lag", LAGS)
def test_x52_a_kill_sells_once_what_a_late_list_still_shows(lag: float) -> None:
    async def scene(table: Table) -> None:
        table.venue.positions_lag = lag
        await table.buy(99)
        await table.wait(20)
        await table.engine.command(kill())
        await table.wait(40)
        assert (table.there, table.venue.sold) == (0, 99)
        proved = table.events(ev.KillProved)
        assert [event.state for event in proved] == ["VERIFIED"]

    play(scene)


@pytest.mark.parametrize("lag", LAGS)
def test_x52_what_was_closed_just_before_a_kill_is_not_closed_again(lag: float) -> None:
    async def scene(table: Table) -> None:
        table.venue.positions_lag = lag
        await table.buy(99)
        await table.wait(20)
        await table.engine.command(ask.ClosePosition(by="test", symbol="AAA"))
        await table.until(lambda: table.there == 0)
        await table.engine.command(kill())
        await table.wait(40)
        assert (table.there, table.venue.sold) == (0, 99)

    play(scene)


@pytest.mark.parametrize("lag", LAGS)
def test_x52_what_was_bought_just_before_a_kill_is_closed_though_no_list_shows_it(
    lag: float,
) -> None:
    async def scene(table: Table) -> None:
        table.venue.positions_lag = lag
        await table.buy(99)
        await table.engine.command(kill())
        await table.wait(40)
        assert (table.there, table.venue.sold) == (0, 99)

    play(scene)


def test_x52_a_list_that_never_follows_makes_no_kill_sell_more_than_was_held() -> None:
    """The kill stays DEGRADED and says what the list shows."""

    async def scene(table: Table) -> None:
        await table.buy(99)
        await table.wait(20)
        await table.engine.command(ask.Reconcile(by="test"))
        table.venue.stands_still = True
        await table.engine.command(kill())
        await table.wait(600)
        assert (table.there, table.venue.sold) == (0, 99)
        assert [event.state for event in table.events(ev.KillProved)] == ["DEGRADED"]
        assert "KILL_UNEXPLAINED" in table.alarms()
        assert table.alarms().count("KILL_UNEXPLAINED") == 1

    play(scene)


def test_x52_what_the_venue_holds_beyond_the_journal_is_closed_by_a_kill_at_once() -> None:
    async def scene(table: Table) -> None:
        await table.buy(99)
        await table.wait(20)
        table.venue.move("AAA", Decimal(51))
        await table.engine.command(kill())
        await table.wait(5)
        assert (table.there, table.venue.sold) == (0, 150)

    play(scene)


def test_x52_the_answer_to_a_look_of_a_kill_that_was_cleared_takes_nothing_over() -> None:
    desk = CoreDriver().hold("NVDA", 10, "100").later(30)
    desk.give(kill(Flatten.NONE))
    for _ in range(2):
        desk.later(1).snapshot(positions={"NVDA": 10}, reason="kill")
    desk.give(ask.Resume(by="test", confirm="RESUME"))
    assert desk.book.data.halt is None
    events = desk.later(1).snapshot(positions={"NVDA": 7}, reason="kill")
    assert desk.held().quantity == 10
    assert [d.venue for d in one(events, ev.Reconciled).differences] == ["7"]
    desk.give(kill(Flatten.NONE))
    late = desk.view(positions={"NVDA": 7}, asked=-1)
    desk.give(SnapshotTaken(late, "kill"))
    assert desk.held().quantity == 10
    desk.give(SnapshotTaken(desk.view(positions={"NVDA": 7}), "kill"))
    assert desk.held().quantity == 7


@pytest.mark.parametrize(("seconds", "found"), [(4.999999999, []), (5, []), (5.000000001, ["0"])])
def test_a373_a_list_may_be_behind_a_fill_for_the_venues_seconds(
    seconds: float, found: list[str]
) -> None:
    desk = CoreDriver().hold("NVDA", 10, "100").later(seconds)
    events = desk.snapshot(positions={})
    assert [d.venue or "0" for d in one(events, ev.Reconciled).differences] == found


@pytest.mark.parametrize("there", [-1, 11])
def test_a373_what_no_fill_in_that_time_explains_is_a_difference_at_once(there: int) -> None:
    desk = CoreDriver().hold("NVDA", 10, "100").later(0.5)
    events = desk.snapshot(positions={"NVDA": there})
    assert [d.venue for d in one(events, ev.Reconciled).differences] == [str(there)]


@pytest.mark.parametrize("lag", LAGS)
def test_a373_fills_that_a_list_does_not_show_yet_are_no_difference(lag: float) -> None:
    async def scene(table: Table) -> None:
        table.venue.positions_lag = table.venue.orders_lag = lag
        key = await table.buy(99, protect=Decimal(90))
        await table.wait(0.2)
        done = await table.engine.command(ask.Reconcile(by="test", apply=True))
        assert done.ok
        assert done.data["differences"] == []
        assert table.held == 99
        await table.wait(20)
        await table.engine.command(ask.ClosePosition(by="test", symbol="AAA"))
        await table.until(lambda: table.held == 0)
        done = await table.engine.command(ask.Reconcile(by="test", apply=True))
        assert (done.data["differences"], table.held) == ([], 0)
        assert not table.engine.book.account("paper").blocked
        assert key

    play(scene)


@pytest.mark.parametrize("lag", LAGS)
def test_x88_a_list_that_is_behind_does_not_undo_a_change_that_was_confirmed(lag: float) -> None:
    async def scene(table: Table) -> None:
        table.venue.orders_lag = lag
        done = await table.order(
            Side.BUY, 10, type=OrderType.LIMIT, limit_price=Decimal(98), protect=Decimal(90)
        )
        (key,) = done.data["client_order_ids"]
        await table.wait(20)
        asked = await table.engine.command(
            ask.ModifyOrder(by="test", client_order_id=key, quantity=Decimal(20))
        )
        assert asked.ok, asked.error
        await table.wait(0.2)
        await table.engine.command(ask.Reconcile(by="test", apply=True))
        order = table.engine.book.order(key)
        assert order is not None
        assert order.quantity == 20
        await table.wait(20)
        await table.engine.command(ask.Reconcile(by="test"))
        order = table.engine.book.order(key)
        assert order is not None
        assert (order.quantity, len(table.events(ev.OrderReplaced))) == (20, 1)

    play(scene)
