"""What tells of a split comes in any order: orders, prices, holdings and fills (fault 52, X-93).

An honest venue has new books at once, and tells of them by one list, report or price after the
other, some of which are old. Whatever comes first, nothing more is sold than is held, nothing is
realised that was not, and no limit fires by a price of the other units.
"""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from engine.domain import commands as ask
from engine.domain.instant import NS_PER_SECOND
from engine.domain.market import Quote
from engine.domain.order import OrderStatus, OrderType, Side, TimeInForce
from engine.domain.run import Flatten
from engine.ports import OrderReport
from tests.engine.liar import PRICE, ZERO, play
from tests.engine.test_rests_through_split import (
    A_LOOK,
    ABLES,
    GAP,
    RATIOS,
    Exchange,
    Floor,
    on_the_floor,
)
from tests.engine.worlds import BROKER

CENT = Decimal("0.01")
SIDES = pytest.mark.parametrize("short", [False, True], ids=["long", "short"])
TOLD = pytest.mark.parametrize("told", ["report", "list"])
TEN_MINUTES = 600


async def held_with_stop(table: Floor, *, short: bool) -> str:
    """Twenty at 100 with a stop a tenth away; the id of the stop."""
    side, stop = (Side.SELL_SHORT, PRICE * 11 / 10) if short else (Side.BUY, PRICE * 9 / 10)
    done = await table.order(side, 20, protect=stop)
    assert done.ok, done.error
    await table.wait(7)
    (order,) = table.resting()
    return order.client_order_id


async def orders_first(table: Floor, new: int, old: int, told: str) -> None:
    """In the night the venue has changed what rests, tells it, and lists the holding as before."""
    table.quiet = True
    await table.wait(GAP)
    table.venue.split_what_rests(new, old)
    if told == "report":
        for order in table.resting():
            table.venue.tell_terms(order.client_order_id)
        await table.wait(5)
    else:
        await table.wait(A_LOOK)


def realised(table: Floor) -> Decimal:
    session = table.engine.book.data.session
    assert session is not None
    return session.realized


def is_whole(table: Floor, new: int, old: int, *, short: bool = False) -> None:
    """All of it is held in the new units, with its stop, and nothing was lost or stopped."""
    held = Decimal(20 * new) / old * (-1 if short else 1)
    assert table.held == table.there == held
    (stop,) = table.resting()
    assert stop.quantity == abs(held)
    assert stop.stop_price is not None
    assert abs(stop.stop_price - PRICE * (11 if short else 9) / 10 * old / new) <= CENT
    assert realised(table) == 0
    assert table.engine.book.data.halt is None
    account = table.engine.book.account(BROKER)
    assert not account.suspected
    assert not account.blocked


@ABLES
@TOLD
@SIDES
@RATIOS
def test_x93_a_stop_that_fills_before_the_holding_is_listed_closes_all_of_it(
    new: int, old: int, told: str, able: Any, *, short: bool
) -> None:
    """The market opens beyond the adjusted stop: what that fills is what is held, in new units."""

    async def scene(table: Floor) -> None:
        await held_with_stop(table, short=short)
        await orders_first(table, new, old, told)
        table.venue.split_holding(new, old)
        table.venue.price *= Decimal("1.133" if short else "0.873")
        table.quiet = False
        await table.wait(2)
        assert (table.held, table.there) == (0, 0)
        await table.wait(A_LOOK)
        assert (table.held, table.there) == (0, 0)
        assert table.resting() == []
        assert len(table.venue.orders) == 2, "what opened it, and its stop"
        lost = 20 * PRICE * Decimal("0.133" if short else "0.127")
        assert abs(realised(table) + lost) < Decimal("0.001")
        assert table.engine.book.data.halt is None

    on_the_floor(scene, able=able)


@ABLES
@SIDES
@RATIOS
def test_x93_an_old_report_and_a_list_that_is_behind_take_no_split_back(
    new: int, old: int, able: Any, *, short: bool
) -> None:
    async def scene(table: Floor) -> None:
        key = await held_with_stop(table, short=short)
        before = table.venue.orders[key]
        table.quiet = True
        await table.wait(GAP)
        table.venue.split(new, old, rests="adjusts")
        table.quiet = False
        await table.wait(1.2)
        table.venue.positions_lag = 3
        again = OrderReport(
            account=BROKER,
            client_order_id=key,
            symbol="AAA",
            status=OrderStatus.NEW,
            filled=ZERO,
            quantity=before.quantity,
            stop_price=before.stop_price,
            time=table.clock.now(),
        )
        table.venue.tell(again)
        await table.wait(1)
        table.venue.positions_lag = 0
        await table.wait(A_LOOK)
        is_whole(table, new, old, short=short)

    on_the_floor(scene, able=able)


@ABLES
@pytest.mark.parametrize("seconds", [GAP, 60, 1, 0])
def test_x93_a_price_of_before_the_suspicion_says_nothing_of_it(seconds: int, able: Any) -> None:
    """The feed repeats its last quote, as it does after a reconnect; its time is older, or the
    same."""

    async def scene(table: Floor) -> None:
        await held_with_stop(table, short=False)
        await orders_first(table, 7, 1, "list")
        at = table.engine.book.account(BROKER).suspected["AAA"].at - seconds * NS_PER_SECOND
        for _ in range(3):
            table.feed.put(Quote(symbol="AAA", bid=PRICE, ask=PRICE, last=PRICE, time=at))
            await table.wait(2)
        assert table.engine.book.account(BROKER).suspected
        table.venue.split_holding(7, 1)
        table.quiet = False
        await table.wait(A_LOOK)
        is_whole(table, 7, 1)

    on_the_floor(scene, able=able)


@pytest.mark.parametrize("first", ["order", "price"])
@pytest.mark.parametrize(("apart", "ends"), [(0.0, False), (0.9, False), (1.0, True), (1.1, True)])
def test_x71_one_tick_at_the_price_of_before_ends_no_suspicion(
    first: str, apart: float, *, ends: bool
) -> None:
    """Two of them a second apart do, with none between them that shows the jump."""

    async def scene(table: Floor) -> None:
        await held_with_stop(table, short=False)
        if first == "order":
            await orders_first(table, 7, 1, "list")
        else:
            table.quiet = True
            await table.wait(GAP)
            _tell(table, PRICE / 7)
        await table.wait(1)
        account = table.engine.book.account(BROKER)
        _tell(table, PRICE)
        await table.wait(0.1)
        assert account.suspected
        if apart:
            await table.wait(apart - 0.1)
            _tell(table, PRICE)
            await table.wait(0.05)
        assert bool(account.suspected) is not ends

    on_the_floor(scene)


def _tell(table: Floor, price: Decimal) -> None:
    now = table.clock.now()
    table.feed.put(Quote(symbol="AAA", bid=price, ask=price, last=price, time=now))


@ABLES
@SIDES
@RATIOS
@pytest.mark.parametrize("night", [60, 900])
def test_x93_the_ten_minutes_begin_with_the_first_price_that_shows_it(
    night: int, new: int, old: int, able: Any, *, short: bool
) -> None:
    """What rests was changed in the night; the holding is listed three minutes after the open."""

    async def scene(table: Floor) -> None:
        await held_with_stop(table, short=short)
        await orders_first(table, new, old, "report")
        await table.wait(night)
        table.quiet = False
        await table.wait(180)
        assert table.engine.book.account(BROKER).suspected
        assert abs(table.engine.world.money.daily_pnl) < 1
        table.venue.split_holding(new, old)
        await table.wait(A_LOOK)
        is_whole(table, new, old, short=short)

    on_the_floor(scene, able=able)


def test_x93_after_ten_minutes_of_such_prices_the_price_is_real() -> None:
    """The venue changed the stop by mistake, and the price fell by as much: the loss is one."""

    async def scene(table: Floor) -> None:
        await held_with_stop(table, short=False)
        await orders_first(table, 2, 1, "report")
        await table.wait(900)
        table.quiet = False
        await table.wait(TEN_MINUTES - 60)
        assert table.engine.book.account(BROKER).suspected
        await table.wait(240)
        assert not table.engine.book.account(BROKER).suspected
        assert table.engine.world.money.daily_pnl <= -20 * PRICE / 2

    on_the_floor(scene)


@ABLES
@TOLD
@SIDES
@RATIOS
@pytest.mark.parametrize("sides", ["one", "both"])
def test_x93_a_price_that_shows_it_already_is_not_the_one_before(
    sides: str, new: int, old: int, told: str, able: Any, *, short: bool
) -> None:
    """The first prices are told before the orders: without a gap of a minute, or with one side."""

    async def scene(table: Floor) -> None:
        key = await held_with_stop(table, short=short)
        table.quiet = True
        await table.wait(GAP if sides == "one" else 50)
        table.venue.split_what_rests(new, old)
        price, now = table.venue.price, table.clock.now()
        bid = price if sides == "both" or price > PRICE else None
        ask_ = price if sides == "both" or price < PRICE else None
        # the far side is not there yet
        bid, ask_ = (bid, ask_) if sides == "both" else (ask_, bid)
        table.feed.put(Quote(symbol="AAA", bid=bid, ask=ask_, last=price, time=now))
        await table.wait(0.2)
        if told == "report":
            table.venue.tell_terms(key)
        else:
            await table.engine.command(ask.Reconcile(by="test"))
        await table.wait(0.5)
        table.quiet = False
        await table.wait(5)
        table.venue.split_holding(new, old)
        await table.wait(A_LOOK)
        is_whole(table, new, old, short=short)

    on_the_floor(scene, able=able)


class Halted(Exchange):
    """It holds orders at the market while its symbol is halted."""

    halted = False

    def _fill_rest(self, key: str) -> None:
        if not self.halted:
            super()._fill_rest(key)

    def open_again(self) -> None:
        self.halted = False
        for key, order in tuple(self.orders.items()):
            if not order.status.is_terminal and order.type is OrderType.MARKET:
                super()._fill_rest(key)


class HaltedFloor(Floor):
    makes = Halted
    venue: Halted


@TOLD
@SIDES
@RATIOS
@pytest.mark.parametrize("what", ["close", "part", "kill"])
def test_x93_a_close_that_rests_through_a_split_closes_what_it_was_for(
    what: str, new: int, old: int, told: str, *, short: bool
) -> None:
    """Its symbol is halted; the venue changes it to the new units, and fills it at the opening."""
    asked = {
        "close": ask.ClosePosition(by="test", symbol="AAA"),
        "part": ask.ClosePosition(by="test", symbol="AAA", quantity=Decimal(10)),
        "kill": ask.Kill(by="test", flatten=Flatten.ALL),
    }[what]

    async def scene(table: HaltedFloor) -> None:
        await held_with_stop(table, short=short)
        table.venue.halted = True
        await table.engine.command(asked)
        await table.wait(5)
        await orders_first(table, new, old, told)
        table.venue.split_holding(new, old)
        table.venue.open_again()
        table.quiet = False
        await table.wait(A_LOOK)
        left = Decimal((10 if what == "part" else 0) * new) / old
        assert abs(table.there) == left
        assert table.held == table.there
        assert len(table.venue.orders) == 3, "what opened it, its stop, and the close"
        assert abs(realised(table)) < CENT

    play(scene, table=HaltedFloor)  # type: ignore[arg-type]


class Slow(Exchange):
    """It takes three seconds to cancel."""

    slow = False

    async def cancel_order(self, client_order_id: str) -> None:
        if self.slow:
            await asyncio.sleep(3)
        await super().cancel_order(client_order_id)


class SlowFloor(Floor):
    makes = Slow
    venue: Slow


@SIDES
@RATIOS
def test_x82_an_entry_that_its_venue_has_split_brings_its_stop_and_target_in_the_new_units(
    new: int, old: int, *, short: bool
) -> None:
    """It fills while its cancel is on the way, and what it risks is what was asked for."""
    limit, stop, target = (105, 115, 85) if short else (95, 88, 120)

    async def scene(table: SlowFloor) -> None:
        key = await table.rest(
            Side.SELL_SHORT if short else Side.BUY,
            700,
            type=OrderType.LIMIT,
            limit_price=Decimal(limit),
            protect=Decimal(stop),
            target=Decimal(target),
            time_in_force=TimeInForce.GTC,
        )
        table.quiet = True
        await table.wait(GAP)
        table.venue.split(new, old, rests="adjusts")
        table.venue.slow = True
        table.venue.tell_terms(key)
        await table.wait(1)
        price = table.venue.orders[key].limit_price
        assert price is not None
        table.venue.price = price
        table.venue.match()
        await table.wait(3)
        table.quiet = False
        await table.wait(10)
        held = table.engine.book.holding(BROKER, "AAA")
        assert held is not None
        assert held.stop is not None
        assert held.target is not None
        assert abs(held.stop - Decimal(stop) * old / new) < Decimal("0.0001")
        assert abs(held.target - Decimal(target) * old / new) < Decimal("0.0001")
        risk = abs(held.quantity) * abs(held.stop - held.average_price)
        assert risk <= 700 * (abs(limit - stop) + 1)

    play(scene, table=SlowFloor)  # type: ignore[arg-type]
