"""Parts of an order that works, which fill and are not told before somebody takes the venue's side.

The venue would take a position across zero; what it truly holds is its own book (X-52, rule 2).
"""

from decimal import Decimal

import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.order import OrderType, Side
from engine.domain.run import Flatten, Level
from tests.configs import from_mapping
from tests.engine.liar import TREE, Table, play

QUIET = from_mapping(TREE | {"kill": {"overfill": "alert", "divergence": "alert"}})
KILL = ask.Kill(by="test", level=Level.KILL, flatten=Flatten.ALL)


def covered(table: Table) -> Decimal:
    """How much the stops would sell that work at the venue."""
    stops = [o for o in table.venue.orders.values() if o.type is OrderType.STOP]
    working = (o.quantity - o.filled for o in stops if not o.status.is_terminal)
    return sum(working, start=Decimal(0))


@pytest.mark.parametrize("told", [1, 8, 30])
@pytest.mark.parametrize("parts", [(30,), (30, 20, 9), (30, 69)])
def test_x52_parts_of_a_close_that_are_told_late_are_not_closed_again(
    parts: tuple[int, ...], told: int
) -> None:
    """A kill takes over what its close has done, and the fills of that come afterwards."""

    async def scene(table: Table) -> None:
        await table.buy(99)
        await table.wait(20)
        table.venue.fill_seconds = 600
        table.venue.hides_fills = True
        await table.engine.command(KILL)
        await table.wait(1)
        close = next(k for k, o in table.venue.orders.items() if o.side is Side.SELL)
        for part in parts:
            await table.wait(6)
            table.venue.trade(close, Decimal(part))
        await table.wait(told)
        table.venue.hides_fills = False
        table.venue.tell_hidden()
        for _ in range(40):
            await table.wait(0.5)
            assert table.there >= 0
        left = 99 - sum(parts)
        assert (table.there, table.held) == (left, left)
        assert table.engine.world.money.daily_pnl == 0
        if left:
            table.venue.trade(close, Decimal(left))
        await table.wait(60)
        assert (table.there, table.held) == (0, 0)
        assert table.events(ev.KillProved)[-1].state == "VERIFIED"

    play(scene, config=QUIET)


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_x75_a_part_of_an_order_that_works_is_no_adjustment(side: Side) -> None:
    """An operator applies what the venue holds; the fill is told after that, and counts once."""
    sign = side.sign

    async def scene(table: Table) -> None:
        await table.buy(99)
        await table.wait(20)
        table.venue.hides_fills = True
        price = Decimal(100) - sign
        done = await table.order(side, 40, type=OrderType.LIMIT, limit_price=price)
        (key,) = done.data["client_order_ids"]
        await table.wait(10)
        table.venue.trade(key, Decimal(15))
        await table.wait(10)
        await table.engine.command(ask.Reconcile(by="test", apply=True))
        await table.wait(1)
        assert table.held == table.there == 99 + 15 * sign
        table.venue.hides_fills = False
        table.venue.tell_hidden()
        await table.wait(10)
        assert table.held == table.there == 99 + 15 * sign
        order = table.engine.book.order(key)
        assert order is not None
        assert order.filled == 15
        assert not table.events(ev.PositionAdjusted)
        assert table.engine.book.account("paper").reconciled_clean

    play(scene, config=QUIET)


@pytest.mark.parametrize("how", ["told", "told undated", "applied"])
def test_x85_what_a_late_fill_explains_is_not_taken_off_the_stop_again(how: str) -> None:
    """Looks find it missing, its order is in doubt: it is taken off once, then and afterwards."""

    async def scene(table: Table) -> None:
        await table.buy(99, protect=Decimal(95))
        await table.wait(20)
        done = await table.order(Side.SELL, 40, type=OrderType.LIMIT, limit_price=Decimal(101))
        (key,) = done.data["client_order_ids"]
        await table.wait(5)
        table.venue.hides_fills = True
        table.venue.dated = how != "told undated"
        table.venue.trade(key, Decimal(40))
        table.venue.hides_fills = False
        for _ in range(3):
            await table.wait(15)
            await table.engine.command(ask.Reconcile(by="test"))
        assert covered(table) == table.there == 59
        if how == "applied":
            await table.engine.command(ask.Reconcile(by="test", apply=True))
        else:
            table.venue.tell_hidden()
        await table.wait(5)
        assert covered(table) == table.held == table.there == 59

    play(scene, config=QUIET)


@pytest.mark.parametrize("sold", [5, 99])
@pytest.mark.parametrize("lag", [0, 1.0])
def test_x52_a_kill_sells_no_more_than_is_listed_while_a_stop_is_in_doubt(
    sold: int, lag: float
) -> None:
    """A part was sold elsewhere, and the change of the stop was not answered: the venue's list
    counts all the same."""

    async def scene(table: Table) -> None:
        await table.buy(99, protect=Decimal(95))
        await table.wait(20)
        table.venue.positions_lag = lag
        table.venue.silent = {"modify"}
        await table.engine.command(ask.Protect(by="test", symbol="AAA", price=Decimal(97)))
        table.venue.move("AAA", Decimal(-sold))
        await table.wait(2)
        await table.engine.command(KILL)
        for _ in range(200):
            await table.wait(0.5)
            assert table.there >= 0
        assert (table.there, table.held) == (0, 0)
        assert table.events(ev.KillProved)[-1].state == "VERIFIED"

    play(scene, config=QUIET)


def test_x74_a_stop_that_filled_untold_is_a_loss_at_its_price() -> None:
    """The last price that is known is of before it traded: no stop sells above its own."""

    async def scene(table: Table) -> None:
        await table.buy(99, protect=Decimal(95))
        await table.wait(20)
        table.venue.hides_fills = True
        table.venue.price = Decimal(95)
        stop = next(k for k, o in table.venue.orders.items() if o.type is OrderType.STOP)
        table.venue.trade(stop, Decimal(99))
        await table.wait(1)
        await table.engine.command(KILL)
        await table.wait(30)
        assert table.engine.world.money.daily_pnl == -495
        assert not table.engine.book.account("paper").unexplained.cash

    play(scene, config=QUIET)
