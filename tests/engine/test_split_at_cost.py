"""A split that the exact cost of a holding proves, whatever its price did (X-93).

n new for m old that cost what they cost are a split: nobody buys for nothing. By its price alone
none is suspected that moved by fifteen percent or less. The arithmetic is worked out here.
"""

from decimal import Decimal

import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.order import Side
from tests.engine.driver import CoreDriver
from tests.engine.liar import CASH, PRICE, Table, play
from tests.engine.test_corporate_action import (
    GAP,
    STOCK,
    gap,
    held_with_stop,
    pnl,
    sides,
    stops,
    suspicions,
)
from tests.engine.test_split_listed_late import listed
from tests.engine.worlds import ABLE, BROKER

CENT = Decimal("0.01")
SHORTS = pytest.mark.parametrize("short", [False, True], ids=["long", "short"])
NEAR_ONE = pytest.mark.parametrize(
    ("new", "old"), [(20, 19), (11, 10), (20, 17), (6, 5), (10, 11), (17, 20)]
)
"""The price moves by 5, 9, exactly 15 and 17 percent down; by 10 and 18 percent up."""


async def lists(table: Table, quantity: Decimal | int, cost: Decimal) -> None:
    """The venue lists so much at such a cost each, and is looked at."""
    table.venue.held, table.venue.average = {"AAA": Decimal(quantity)}, cost
    table.venue._record()
    done = await table.engine.command(ask.Reconcile(by="test"))
    assert done.ok, done.error
    await table.wait(5)


@pytest.mark.parametrize("first", ["list", "price"])
@SHORTS
@NEAR_ONE
def test_x93_a_split_close_to_one_is_proved_by_its_exact_cost(
    new: int, old: int, first: str, *, short: bool
) -> None:
    async def scene(table: Table) -> None:
        held, sign = 10 * old, -1 if short else 1
        side, away = (Side.SELL_SHORT, 130) if short else (Side.BUY, 70)
        done = await table.order(side, held, protect=Decimal(away))
        assert done.ok, done.error
        await table.until(lambda: abs(table.held) == held and bool(stops(table)))
        sold = table.venue.sold
        await gap(table)
        if first == "price":
            table.venue.price, table.quiet = PRICE * old / new, False
            await table.wait(5)
        await lists(table, sign * 10 * new, PRICE * old / new)
        (change,) = table.events(ev.PositionAdjusted)
        assert (change.numerator, change.denominator) == (new, old)
        assert table.held == table.there == sign * 10 * new
        table.venue.price, table.quiet = PRICE * old / new, False
        await table.wait(10)
        assert abs(table.engine.world.money.equity - CASH) < CENT
        assert abs(pnl(table)) < CENT
        assert table.engine.book.data.halt is None
        account = table.engine.book.account(BROKER)
        assert (account.suspected, account.blocked) == ({}, {})
        assert table.venue.sold == sold
        ((rests, stop),) = stops(table)
        assert rests == 10 * new
        assert abs((stop or 0) - Decimal(away * old) / new) <= CENT

    play(scene, able=ABLE)


@pytest.mark.parametrize(("price", "looks"), [("85.1", False), ("85", False), ("84.9", True)])
def test_x93_by_its_price_alone_nothing_is_suspected_that_moved_by_fifteen_percent(
    price: str, *, looks: bool
) -> None:
    desk = CoreDriver()
    sides(desk, STOCK, 100)
    desk.hold(STOCK, 20, "100")
    sides(desk.later(GAP), STOCK, price)
    assert bool(desk.book.account(BROKER).suspected) is looks


@pytest.mark.parametrize(
    ("held", "there", "cost", "taken", "why"),
    [
        (15, 16, PRICE * 10 / 11, True, "of sixteen and a half the half was paid out"),
        (15, 17, PRICE * 10 / 11, False, "they are two more, which 11:10 does not give"),
        (10, 11, Decimal(95), False, "somebody bought one at 45, though 20:19 costs 95"),
        (15, 13, Decimal(110), False, "somebody sold two that had cost 35, though 10:11 costs 110"),
        (20, 22, PRICE * 10 / 11 * Decimal("1.0009"), True, "it is rounded"),
        (20, 22, PRICE * 10 / 11 * Decimal("1.0011"), False, "it is another cost"),
        (20, 22, PRICE, False, "somebody bought two at the same price"),
        (20, 18, PRICE, False, "somebody sold two"),
    ],
)
def test_x93_close_to_one_what_came_cost_nothing(
    held: int, there: int, cost: Decimal, why: str, *, taken: bool
) -> None:
    async def scene(table: Table) -> None:
        await held_with_stop(table, held)
        await gap(table)
        await lists(table, there, cost)
        assert bool(table.events(ev.PositionAdjusted)) is taken, why
        assert table.held == (there if taken else held), why

    play(scene)


@SHORTS
@pytest.mark.parametrize(("price", "told"), [("45", "9:4"), ("54", "11:6"), ("10", "10:1")])
def test_x93_the_exact_cost_proves_another_ratio_than_the_price_looks_like(
    price: str, told: str, *, short: bool
) -> None:
    """2:1 makes 50 of 100. A price beside that is one of the new units; 10 is one of 10:1, which
    stands still for its ten minutes."""

    async def scene(table: Table) -> None:
        side = Side.SELL_SHORT if short else Side.BUY
        done = await table.order(side, 20)
        assert done.ok, done.error
        await table.until(lambda: abs(table.held) == 20)
        sold = table.venue.sold
        await gap(table)
        table.venue.price, table.quiet = Decimal(price), False
        await table.wait(3)
        account = table.engine.book.account(BROKER)
        assert account.suspected["AAA"].ratio == told
        sign = -1 if short else 1
        await lists(table, sign * 40, PRICE / 2)
        assert table.held == sign * 40
        assert suspicions(table) >= 1
        worth = sign * 40 * (Decimal(price) - 50)
        if price == "10":
            assert account.suspected
            assert abs(pnl(table)) < CENT
            await table.wait(660)
        assert (account.suspected, account.blocked) == ({}, {})
        assert abs(pnl(table) - worth) < CENT
        assert table.venue.sold == sold

    play(scene)


def test_x93_a_cost_of_before_in_an_option_proves_it_whatever_its_price_looks_like() -> None:
    """Its stock opens at 45; two at 10 are listed as four at 5."""
    desk = CoreDriver()
    call = "NVDA 2013-12-20 100 C"
    sides(desk, STOCK, 100)
    desk.hold(call, 2, "10")
    sides(desk, call, 10)
    sides(desk.later(GAP), STOCK, 45)
    assert set(desk.book.account(BROKER).suspected) == {call}
    desk.give(listed(desk, call, 4, "5"))
    assert desk.held(call).quantity == 4
    assert desk.world.money.equity == 100_000
    for _ in range(3):
        sides(desk.later(1), call, 5)
    assert desk.world.money.equity == 100_000
    assert not desk.book.account(BROKER).suspected
