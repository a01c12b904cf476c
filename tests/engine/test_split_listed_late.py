"""A split that its venue lists after its price was taken for real (X-93).

The price jumps, and ten minutes with an unchanged holding make it real. Where the venue then lists
the holding as n new for m old at the cost of before, that price is one of the new units already:
nothing was lost, nothing was made, and nothing is sold. The arithmetic is worked out here.
"""

import datetime
from decimal import Decimal

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import SnapshotTaken, Start
from engine.domain.order import OrderStatus, OrderType, Side
from engine.domain.run import LinkState
from engine.state.account import LISTED_LATE
from engine.state.book import Book
from engine.state.portfolio import Portfolio, SessionState
from engine.world import World
from tests.configs import from_mapping
from tests.engine.driver import CoreDriver
from tests.engine.liar import CASH, PRICE, TREE, Table, play
from tests.engine.test_corporate_action import (
    CALL,
    GAP,
    NEXT_OPEN,
    STOCK,
    adopts,
    both,
    gap,
    held_with_stop,
    pnl,
    second_look,
    sides,
    stops,
    suspicions,
)
from tests.engine.worlds import ABLE, ACCOUNT, BROKER

CENT = Decimal("0.01")
REAL = 615
"""Seconds after which the price is taken for real, and one more look has passed."""
SPLITS = pytest.mark.parametrize(("new", "old"), [(7, 1), (2, 1), (3, 2), (1, 10)])
SHORTS = pytest.mark.parametrize("short", [False, True], ids=["long", "short"])
LATE = pytest.mark.parametrize("seconds", [REAL, 660, 5400])
NARROW = from_mapping({**TREE, "risk": {**TREE["risk"], "drawdown_limit": "0.0005"}})
"""A fall of 500 from the highest equity trips it."""


async def jumps(table: Table, new: int, old: int, seconds: float = REAL) -> None:
    """The price jumps by the ratio, and the venue lists the holding as before for so long."""
    await gap(table)
    table.venue.price = PRICE * old / new
    table.quiet = False
    await table.wait(seconds)
    assert suspicions(table) == 1
    assert not table.engine.book.account(BROKER).suspected


async def lists(table: Table, new: int, old: int) -> None:
    """The venue lists the holding in the new units, and is looked at."""
    table.venue.held = {s: held * new / old for s, held in table.venue.held.items()}
    table.venue.average = table.venue.average * old / new
    table.venue._record()
    done = await table.engine.command(ask.Reconcile(by="test"))
    assert done.ok, done.error
    await table.wait(5)


def is_whole(table: Table, new: int, old: int, *, short: bool) -> None:
    """Twenty at 100 are worth what they were; nothing stands still, and nothing was tripped."""
    held, money = table.engine.book.holding(BROKER, "AAA"), table.engine.world.money
    assert held is not None
    assert held.quantity == Decimal(20 * new) / old * (-1 if short else 1)
    assert abs(held.average_price - PRICE * old / new) < Decimal("0.000001")
    assert abs(money.equity - CASH) < CENT
    assert abs(pnl(table)) < CENT
    account = table.engine.book.account(BROKER)
    assert (account.suspected, account.blocked) == ({}, {})
    assert table.engine.book.data.halt is None


async def enters(table: Table, *, short: bool) -> None:
    done = await table.order(Side.SELL_SHORT if short else Side.BUY, 20)
    assert done.ok, done.error
    await table.until(lambda: abs(table.held) == 20)


@LATE
@SHORTS
@SPLITS
def test_x93_the_price_that_was_taken_for_real_is_that_of_the_new_units(
    new: int, old: int, seconds: int, *, short: bool
) -> None:
    async def scene(table: Table) -> None:
        await enters(table, short=short)
        sold = table.venue.sold
        await jumps(table, new, old, seconds)
        false = (-20 if short else 20) * (PRICE * old / new - PRICE)
        assert abs(pnl(table) - false) < CENT
        await lists(table, new, old)
        is_whole(table, new, old, short=short)
        assert suspicions(table) == 2
        await table.wait(700)
        is_whole(table, new, old, short=short)
        assert suspicions(table) == 2
        (change,) = table.events(ev.PositionAdjusted)
        assert (change.numerator, change.denominator) == (new, old)
        assert table.venue.sold == sold
        assert table.engine.world.money.proved.whole == table.engine.world.money.equity

    play(scene)


@pytest.mark.parametrize(("new", "old", "short"), [(1, 10, False), (7, 1, True), (3, 2, True)])
def test_x93_a_profit_that_was_never_made_is_no_peak_to_fall_from(
    new: int, old: int, *, short: bool
) -> None:
    """Twenty at 100 that counted 20,000 for a while, and are worth 2,000: nothing is halted."""

    async def scene(table: Table) -> None:
        await enters(table, short=short)
        await jumps(table, new, old, 700)
        money = table.engine.world.money
        assert money.peak_equity > CASH + 600
        await lists(table, new, old)
        is_whole(table, new, old, short=short)
        await table.wait(130)
        assert table.engine.book.data.halt is None
        assert abs(money.peak_equity - CASH) < CENT
        assert money.peak_of_day is not None
        assert abs(money.peak_of_day - CASH) < CENT

    play(scene, config=NARROW)


def test_x93_a_peak_of_before_the_jump_stays_where_a_loss_was_false() -> None:
    """Twenty at 100 were at 104, and fall to 100 with the split: that fall is one."""

    async def scene(table: Table) -> None:
        await enters(table, short=False)
        table.venue.price = PRICE * 104 / 100
        await table.wait(70)
        assert table.engine.world.money.peak_equity == CASH + 80
        await jumps(table, 2, 1)
        await lists(table, 2, 1)
        is_whole(table, 2, 1, short=False)
        assert table.engine.world.money.peak_equity == CASH + 80

    play(scene)


def test_x93_a_peak_of_before_the_jump_stays_where_a_profit_was_false() -> None:
    """Twenty that were sold at 100 were at 96, and rise to 100 with the split."""

    async def scene(table: Table) -> None:
        await enters(table, short=True)
        table.venue.price = PRICE * 96 / 100
        await table.wait(70)
        assert table.engine.world.money.peak_equity == CASH + 80
        await jumps(table, 2, 1, 700)
        assert table.engine.world.money.peak_equity == CASH + 1_000
        await lists(table, 2, 1)
        is_whole(table, 2, 1, short=True)
        assert table.engine.world.money.peak_equity == CASH + 80

    play(scene)


@pytest.mark.parametrize(("price", "new_units"), [("57.4", True), ("57.6", False)])
def test_x93_a_price_moves_beside_its_split(price: str, *, new_units: bool) -> None:
    """50 is what 2:1 makes of 100, and 57.5 is fifteen percent from it."""
    desk = real_in_one_account(price)
    desk.give(listed(desk, STOCK, 40, "50"))
    assert desk.held().quantity == 40
    assert bool(desk.book.account(BROKER).suspected) is not new_units


@pytest.mark.parametrize("again", [None, "950"])
def test_x93_a_stop_of_after_the_jump_is_of_the_new_units_already(again: str | None) -> None:
    """One of before is not: 90 for twenty of them is 900 for two."""

    async def scene(table: Table) -> None:
        await held_with_stop(table, 20)
        await jumps(table, 1, 10)
        if again is not None:
            done = await table.engine.command(
                ask.Protect(by="test", symbol="AAA", price=Decimal(again))
            )
            assert done.ok, done.error
            await table.wait(5)
        sold = table.venue.sold
        await lists(table, 1, 10)
        await table.wait(60)
        is_whole(table, 1, 10, short=False)
        assert table.venue.sold == sold
        assert stops(table) == [(2, Decimal(again or 900))]

    play(scene, able=ABLE)


def test_x93_a_stop_by_which_a_person_ended_the_suspicion_is_of_the_new_units() -> None:
    async def scene(table: Table) -> None:
        await held_with_stop(table, 20)
        await gap(table)
        table.venue.price = PRICE * 10
        table.quiet = False
        await table.wait(3)
        done = await table.engine.command(ask.Protect(by="test", symbol="AAA", price=Decimal(950)))
        assert done.ok, done.error
        await table.wait(30)
        sold = table.venue.sold
        await lists(table, 1, 10)
        is_whole(table, 1, 10, short=False)
        assert (table.venue.sold, stops(table)) == (sold, [(2, Decimal(950))])

    play(scene, able=ABLE)


@SPLITS
def test_x93_a_person_takes_the_price_for_real_and_its_split_is_listed_later(
    new: int, old: int
) -> None:
    async def scene(table: Table) -> None:
        await enters(table, short=False)
        await gap(table)
        table.venue.price, table.quiet = PRICE * old / new, False
        await table.wait(3)
        await adopts(table)
        await table.wait(30)
        assert not table.engine.book.account(BROKER).suspected
        await lists(table, new, old)
        is_whole(table, new, old, short=False)

    play(scene)


def test_x93_what_rests_since_the_jump_is_of_the_new_units_and_stays() -> None:
    async def scene(table: Table) -> None:
        await enters(table, short=False)
        old = await table.order(Side.SELL, 10, type=OrderType.LIMIT, limit_price=Decimal(1200))
        await jumps(table, 1, 10)
        new = await table.order(Side.SELL, 1, type=OrderType.LIMIT, limit_price=Decimal(1100))
        (before,), (since,) = old.data["client_order_ids"], new.data["client_order_ids"]
        await table.wait(2)
        await lists(table, 1, 10)
        await table.wait(30)
        is_whole(table, 1, 10, short=False)
        orders = table.venue.orders
        assert (orders[since].limit_price, orders[since].quantity) == (Decimal(1100), Decimal(1))
        assert orders[since].status is OrderStatus.NEW
        assert (orders[before].limit_price, orders[before].quantity) == (Decimal(12_000), 1)

    play(scene, able=ABLE)


@pytest.mark.parametrize(("side", "quantity"), [(Side.BUY, 5), (Side.BUY, 20), (Side.SELL, 5)])
def test_x93_what_was_traded_between_is_of_other_units_and_a_person_decides(
    side: Side, quantity: int
) -> None:
    """20 and 20 more at 14.29 that are listed as 160 are no split 4:1, though they cost as much."""

    async def scene(table: Table) -> None:
        await enters(table, short=False)
        await jumps(table, 7, 1)
        done = await table.order(side, quantity)
        assert done.ok, done.error
        here = 20 + quantity * side.sign
        await table.until(lambda: table.held == here)
        there = 140 + quantity * side.sign
        cost = 140 * PRICE / 7 + quantity * side.sign * PRICE / 7
        table.venue.held, table.venue.average = {"AAA": Decimal(there)}, cost / there
        table.venue._record()
        for _ in range(2):
            await table.engine.command(ask.Reconcile(by="test"))
            await table.wait(5)
        assert table.held == here
        assert not table.events(ev.PositionAdjusted)
        account = table.engine.book.account(BROKER)
        assert account.blocked
        assert not account.suspected
        assert table.engine.world.prices.believed("AAA") == table.venue.price
        await adopts(table)
        await table.wait(5)
        assert table.held == table.there == there
        assert not account.blocked

    play(scene)


def test_x93_a_price_that_came_back_since_is_one_of_the_old_units() -> None:
    """It was real, and is gone; the split that is listed now is one that no price shows yet."""

    async def scene(table: Table) -> None:
        await enters(table, short=False)
        await jumps(table, 2, 1)
        table.venue.price = PRICE
        await table.wait(5)
        table.quiet = True
        await lists(table, 2, 1)
        assert table.held == 40
        assert abs(pnl(table)) < CENT
        assert table.engine.book.account(BROKER).suspected
        table.venue.price, table.quiet = PRICE / 2, False
        await table.wait(5)
        is_whole(table, 2, 1, short=False)

    play(scene)


def test_x93_another_ratio_is_another_split() -> None:
    """The price halved, and that was real; the venue lists 7:1 before a price shows it."""

    async def scene(table: Table) -> None:
        await enters(table, short=False)
        await jumps(table, 2, 1)
        table.quiet = True
        await lists(table, 7, 1)
        assert table.held == 140
        assert table.engine.book.account(BROKER).suspected
        assert abs(pnl(table) + 1_000) < CENT
        table.venue.price, table.quiet = PRICE / 14, False
        await table.wait(5)
        assert not table.engine.book.account(BROKER).suspected
        assert abs(pnl(table) + 1_000) < CENT

    play(scene)


@pytest.mark.parametrize(("more", "taken"), [(-1, True), (0, True), (1, False)])
def test_x93_after_a_week_the_price_that_was_real_is_one_of_before(
    more: int, *, taken: bool
) -> None:
    """A split that is listed then is another one, which no price shows yet."""
    desk = real_in_one_account("50")
    desk.now = _real_since(desk) + LISTED_LATE + more
    desk.give(listed(desk, STOCK, 40, "50"))
    assert desk.held().quantity == 40
    assert bool(desk.book.account(BROKER).suspected) is not taken


# --- one input at a time -----------------------------------------------------------------------


def real_in_one_account(price: str, symbol: str = STOCK) -> CoreDriver:
    """Twenty at 100, whose price went there across a gap, which was taken for real."""
    desk = CoreDriver()
    sides(desk, symbol, 100)
    desk.hold(symbol, 20, "100")
    sides(desk, symbol, 100)
    sides(desk.later(GAP), symbol, price)
    assert desk.book.account(BROKER).suspected
    _becomes_real(desk, symbol, price, {symbol: 20})
    assert not desk.book.account(BROKER).suspected
    return desk


def _becomes_real(desk: CoreDriver, symbol: str, price: str, holds: dict[str, int | str]) -> None:
    """Ten minutes pass with such prices and an unchanged holding; equity is marked."""
    for _ in range(12):
        sides(desk.later(55), symbol, price)
        desk.tick(0)
    desk.snapshot(positions=holds)
    desk.tick(61)


def _real_since(desk: CoreDriver) -> int:
    return desk.book.account(BROKER).taken_for_real[STOCK].at


def listed(desk: CoreDriver, symbol: str, quantity: int | str, price: str) -> SnapshotTaken:
    """A look at the venue, which lists so much at such a cost each."""
    view = desk.view(positions={symbol: quantity})
    (held,) = view.positions
    there = msgspec.structs.replace(held, average_price=Decimal(price))
    return SnapshotTaken(msgspec.structs.replace(view, positions=(there,)), "scheduled")


@pytest.mark.parametrize("hours", [1, 3])
@pytest.mark.parametrize(("new", "old", "price"), [(5, 1, "20"), (1, 10, "1000")])
def test_x93_listed_hours_later_it_is_worth_what_it_was(
    new: int, old: int, price: str, hours: int
) -> None:
    desk = real_in_one_account(price)
    for _ in range(hours * 60):
        sides(desk.later(60), STOCK, price)
        desk.tick(0)
    desk.give(listed(desk, STOCK, 20 * new // old, price))
    money = desk.world.money
    assert (money.equity, money.daily_pnl, money.drawdown) == (100_000, 0, 0)
    assert money.proved.whole == money.equity
    assert not desk.book.account(BROKER).suspected


@pytest.mark.parametrize("quoted", [True, False], ids=["priced", "before a price"])
@pytest.mark.parametrize(("new", "old", "price"), [(5, 1, "20"), (1, 10, "1000")])
def test_x93_after_a_restart_it_is_worth_what_it_was(
    new: int, old: int, price: str, *, quoted: bool
) -> None:
    desk = real_in_one_account(price)
    again = CoreDriver(running=False)
    again.now = desk.later(120).now
    again.book = Book.restore(desk.book.snapshot())
    again.world = World(again.book, desk.world.config, {BROKER: ABLE}, home_calendar="XNYS")
    again.core.world = again.world
    again.give(Start(version="test", accounts={BROKER: ACCOUNT}, config_digest=""))
    again.snapshot(reason="start", positions={STOCK: 20})
    if quoted:
        sides(again, STOCK, price)
    again.later(60).give(listed(again, STOCK, 20 * new // old, price))
    money = again.world.money
    assert again.held().quantity == 20 * new // old
    assert (money.equity, money.daily_pnl, money.drawdown) == (100_000, 0, 0)
    sides(again.later(2), STOCK, price)
    assert (money.equity, money.daily_pnl, money.drawdown) == (100_000, 0, 0)
    assert not again.book.account(BROKER).suspected


@pytest.mark.parametrize(("new", "old", "price"), [(5, 1, "20"), (1, 10, "1000")])
def test_x93_listed_on_another_day_it_is_neither_profit_nor_loss_of_that_day(
    new: int, old: int, price: str
) -> None:
    """The day began with what it counted for by mistake; that is put right where it began."""
    desk = real_in_one_account(price)
    desk.now = NEXT_OPEN
    desk.tick(0)
    sides(desk, STOCK, price)
    money = desk.world.money
    assert (money.daily_pnl, desk.book.data.session is not None) == (0, True)
    desk.give(listed(desk, STOCK, 20 * new // old, price))
    assert (money.equity, money.daily_pnl, money.drawdown) == (100_000, 0, 0)
    assert money.peak_of_day == money.peak_equity == 100_000
    sides(desk.later(1), STOCK, Decimal(price) * 9 / 10)
    assert money.daily_pnl == -200


@pytest.mark.parametrize("quoted", [True, False], ids=["quoted", "not quoted since"])
def test_x93_an_option_on_it_is_worth_what_it_was(*, quoted: bool) -> None:
    """Two at 10 become ten at 2; where the option has no price since, its last one is of before."""
    desk = CoreDriver()
    sides(desk, STOCK, 100)
    desk.hold(CALL, 2, "10")
    sides(desk, CALL, 10)
    sides(desk.later(GAP), STOCK, 20)
    if quoted:
        sides(desk, CALL, 2)
    assert set(desk.book.account(BROKER).suspected) == {CALL}
    _becomes_real(desk, STOCK, "20", {CALL: 2})
    assert not desk.book.account(BROKER).suspected
    desk.give(listed(desk, CALL, 10, "2"))
    money = desk.world.money
    assert desk.held(CALL).quantity == 10
    assert (money.equity, money.daily_pnl) == (100_000, 0)
    sides(desk.later(2), CALL, 2)
    sides(desk.later(2), CALL, 2)
    assert (money.equity, money.daily_pnl) == (100_000, 0)
    assert not desk.book.account(BROKER).suspected


def in_two_accounts() -> CoreDriver:
    """Fourteen at 100 in one account, and twenty-eight in another."""
    desk = CoreDriver(others=("second",))
    sides(desk, STOCK, 100)
    desk.fill(desk.order(STOCK, 14, "100"), None, "100")
    desk.event(ev.EngineStarted(**both()))
    for name in ("paper", "second"):
        desk.event(ev.LinkChanged(account=name, state=LinkState.CONNECTED, detail=""))
    desk.give(second_look(desk, 28))
    sides(desk, STOCK, 100)
    return desk


def cheaper(view: SnapshotTaken, price: int) -> SnapshotTaken:
    held = view.snapshot.positions
    there = tuple(msgspec.structs.replace(p, average_price=Decimal(price)) for p in held)
    return SnapshotTaken(msgspec.structs.replace(view.snapshot, positions=there), view.reason)


@pytest.mark.parametrize("first", ["priced", "before a price"])
def test_x93_one_venue_lists_it_at_once_and_the_other_late(first: str) -> None:
    desk = in_two_accounts()
    money, accounts = desk.world.money, [desk.book.account(name) for name in ("paper", "second")]
    before = money.equity
    desk.later(GAP)
    if first == "priced":
        sides(desk, STOCK, 20)
    desk.give(listed(desk, STOCK, 70, "20"))
    for _ in range(13):
        sides(desk.later(55), STOCK, 20)
        desk.tick(0)
    desk.give(second_look(desk, 28))
    assert [account.suspected for account in accounts] == [{}, {}]
    assert money.equity == before - 28 * 80, "the price is real in the other one"
    desk.later(3_000)
    desk.give(cheaper(second_look(desk, 140), 20))
    assert money.equity == money.proved.whole == before
    assert [account.suspected or account.blocked for account in accounts] == [{}, {}]
    sides(desk.later(1), STOCK, 20)
    assert money.equity == before


def test_x93_both_venues_list_it_late_one_after_the_other() -> None:
    desk = in_two_accounts()
    money, accounts = desk.world.money, [desk.book.account(name) for name in ("paper", "second")]
    before = money.equity
    sides(desk.later(GAP), STOCK, 20)
    for _ in range(13):
        sides(desk.later(55), STOCK, 20)
        desk.tick(0)
    desk.snapshot(positions={STOCK: 14})
    desk.give(second_look(desk, 28))
    assert [account.suspected for account in accounts] == [{}, {}]
    seen = desk.later(600).give(listed(desk, STOCK, 70, "20"))
    assert "second" in {e.account for e in seen if isinstance(e, ev.SnapshotRequested)}
    assert [account.suspected for account in accounts] == [{}, {}]
    assert money.equity == before - 28 * 80
    desk.give(cheaper(second_look(desk, 140), 20))
    assert money.equity == money.proved.whole == before
    assert [account.suspected or account.blocked for account in accounts] == [{}, {}]


@pytest.mark.parametrize("written", [False, True])
@pytest.mark.parametrize(
    ("value", "peak"), [(-20, 130), (-49, 101), (-50, 100), (-51, 100), (20, 150)]
)
def test_x93_a_correction_takes_no_more_off_a_peak_than_was_added(
    value: int, peak: int, *, written: bool
) -> None:
    """It was 100 when the price was taken for real, and 150 since; 7 came in meanwhile. A later day
    began at 100, whose row was written or not."""
    desk = real_in_one_account("50")
    known = msgspec.structs.replace(
        desk.book.account(BROKER).taken_for_real[STOCK],
        peak=Decimal(100 - 93),
        date=datetime.date(2013, 1, 2),
    )
    session = SessionState(
        date=datetime.date(2013, 1, 3),
        starting_equity=Decimal(100),
        written=written,
        peak_equity=Decimal(110),
    )
    data = Portfolio(
        starting_equity=Decimal(86),
        flows=Decimal(7),
        peak_equity=Decimal(150),
        session=session,
    )
    data.restate(Decimal(value), known)
    assert data.peak_equity == peak
    begins = 100 if written else 100 + value
    assert (session.starting_equity, session.peak_equity) == (begins, 110 + value)
    assert session.brought == 100 + value, "what equity changes by is no profit of the day"
    assert data.adjustments == 0
