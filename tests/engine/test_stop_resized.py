"""A venue that works a stop for another quantity than it was asked for (rule 3, fault 51).

It is asked again after pauses that grow, and at once where another quantity is wanted, or the same
one after another was. One that is for less than is held leaves a part without a stop, which is
closed in the time of rule 3.
"""

from decimal import Decimal
from itertools import pairwise

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain.account import VenueOrder
from engine.domain.order import OrderStatus, OrderTerms, OrderType, Side, TimeInForce
from engine.ports import Capabilities
from tests.engine.liar import PLAIN, Table, play
from tests.engine.test_rests_through_split import ABLES, STIFF, Exchange
from tests.engine.worlds import ABLE, BROKER

EVERY = pytest.mark.parametrize(
    "able",
    [PLAIN, ABLE, STIFF, msgspec.structs.replace(STIFF, reduce_only=True)],
    ids=["plain", "able", "stiff", "stiff that reduces only"],
)


class Resizing(Exchange):
    """It works each stop for `more` than it was asked for, and says so."""

    more = Decimal(0)
    tells = True
    """It says so when it is made; else only its lists show it."""
    cuts = False
    """Before something is sold it cuts the stop to what will be left, and tells that first."""

    def trade(self, key: str, quantity: Decimal) -> None:
        order = self.orders[key]
        if self.cuts and order.side is Side.SELL and order.stop_price is None:
            self.cut(self.held[order.symbol] - quantity)
        super().trade(key, quantity)

    def cut(self, quantity: Decimal) -> None:
        """Work the stop that rests for so much from now on, and say so, though nobody asked."""
        (key,) = (k for k, o in self.orders.items() if o.stop_price and not o.status.is_terminal)
        self.orders[key] = msgspec.structs.replace(self.orders[key], quantity=quantity)
        self.tell_terms(key)

    def drop_stop(self) -> None:
        """End the stop that rests, though nobody asked."""
        (key,) = (k for k, o in self.orders.items() if o.stop_price and not o.status.is_terminal)
        self._end(key, OrderStatus.CANCELED)

    async def submit_order(self, order: OrderTerms) -> None:
        resized = order.stop_price is not None and bool(self.more)
        if resized:
            order = msgspec.structs.replace(order, quantity=order.quantity + self.more)
        await super().submit_order(order)
        if resized and self.tells:
            self.tell_terms(order.client_order_id)

    async def modify_order(
        self,
        client_order_id: str,
        quantity: Decimal,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
        time_in_force: TimeInForce | None = None,
    ) -> None:
        await super().modify_order(
            client_order_id, quantity + self.more, limit_price, stop_price, time_in_force
        )


class Desk(Table):
    makes = Resizing
    venue: Resizing

    def stops(self) -> list[VenueOrder]:
        orders = self.venue.orders.values()
        return [o for o in orders if o.stop_price is not None and o.status is OrderStatus.NEW]

    def asked(self, since: float) -> list[float]:
        """When the venue was asked for another stop since then."""
        calls = ("modify", "submit")
        return [at for at, what in self.venue.asked if what in calls and at > since]


async def held(table: Table, more: int) -> Desk:
    """100 are held under a stop at 90 that the venue works for so much more, from the first on."""
    assert isinstance(table, Desk)
    await table.wait(60)
    table.venue.more = Decimal(more)
    await table.buy(100, protect=Decimal(90))
    return table


@ABLES
def test_fault51_a_size_that_is_not_worked_is_asked_for_again_after_pauses_that_grow(
    able: Capabilities,
) -> None:
    async def scene(table: Table) -> None:
        desk = await held(table, 10)
        since = desk.now
        await desk.wait(120)
        asked = desk.asked(since)
        assert 3 <= len(asked) <= 12
        # Where the venue lets both fill, a change that changed nothing is replaced 2 s later.
        rounds = [at for before, at in pairwise(asked) if at - before > 2.5]
        gaps = [second - first for first, second in pairwise(rounds)]
        assert len(gaps) >= 2
        assert gaps == sorted(gaps)
        assert gaps[-1] > 30
        assert [o.quantity for o in desk.stops()] == [110]
        assert desk.held == 100
        desk.venue.more = Decimal(0)
        await desk.wait(70)
        assert [o.quantity for o in desk.stops()] == [100]
        # That is over, and the next correction waits for nothing.
        desk.venue.more = Decimal(10)
        done = await desk.engine.command(ask.Protect(by="test", symbol="AAA", price=Decimal(91)))
        assert done.ok, done.error
        desk.venue.more = Decimal(0)
        await desk.wait(2)
        assert [(o.quantity, o.stop_price) for o in desk.stops()] == [(100, 91)]

    play(scene, table=Desk, able=able)


@ABLES
def test_x85_another_size_and_another_price_are_asked_for_at_once(able: Capabilities) -> None:
    async def scene(table: Table) -> None:
        desk = await held(table, 10)
        await desk.wait(60)
        desk.venue.more = Decimal(0)
        done = await desk.order(Side.SELL, 40, type=OrderType.MARKET)
        assert done.ok, done.error
        await desk.wait(3)
        assert desk.held == 60
        assert [o.quantity for o in desk.stops()] == [60]
        desk.venue.more = Decimal(10)
        await desk.engine.command(ask.Protect(by="test", symbol="AAA", price=Decimal(91)))
        await desk.wait(60)
        desk.venue.more = Decimal(0)
        await desk.engine.command(ask.Protect(by="test", symbol="AAA", price=Decimal(92)))
        await desk.wait(2)
        assert [(o.quantity, o.stop_price) for o in desk.stops()] == [(60, 92)]

    play(scene, table=Desk, able=able)


@ABLES
@pytest.mark.parametrize("less", [1, 40])
def test_rule3_a_stop_for_less_than_is_held_ends_in_a_close_and_not_in_a_loop(
    able: Capabilities, less: int
) -> None:
    async def scene(table: Table) -> None:
        desk = await held(table, -less)
        since = desk.now
        await desk.wait(30)
        assert desk.alarms().count("UNPROTECTED") == 1
        assert (desk.held, desk.there) == (0, 0)
        assert len(desk.asked(since)) <= 6
        assert not desk.stops()

    play(scene, table=Desk, able=able)


async def is_protected(desk: Desk) -> None:
    """All of 100 has its stop within two seconds, and nothing is closed."""
    await desk.wait(2)
    assert [(o.quantity, o.filled) for o in desk.stops()] == [(100, 0)]
    await desk.wait(20)
    assert (desk.held, desk.there) == (100, 100)
    assert "UNPROTECTED" not in desk.alarms()


@EVERY
@pytest.mark.parametrize("renewed", ["dropped", "moved", "as it was"])
def test_rule3_a_size_is_asked_for_at_once_that_is_held_again(
    renewed: str, able: Capabilities
) -> None:
    """Of 100 were 40 sold, and the venue had cut the stop to 60 by itself before it told that."""

    async def scene(table: Table) -> None:
        desk = await held(table, 0)
        await desk.wait(10)
        desk.venue.cuts = True
        done = await desk.order(Side.SELL, 40, type=OrderType.MARKET)
        assert done.ok, done.error
        await desk.wait(600)
        assert [o.quantity for o in desk.stops()] == [60]
        position = desk.engine.book.holding(BROKER, "AAA")
        assert position is not None
        assert position.stop_resized is None
        if renewed == "dropped":
            desk.venue.drop_stop()
        elif renewed == "moved":
            await desk.engine.command(ask.Protect(by="test", symbol="AAA", price=Decimal(91)))
        await desk.wait(5)
        assert [o.quantity for o in desk.stops()] == [60]
        done = await desk.order(Side.BUY, 40, type=OrderType.MARKET)
        assert done.ok, done.error
        await desk.until(lambda: desk.held == 100)
        await is_protected(desk)

    play(scene, table=Desk, able=able)


@EVERY
def test_rule3_a_size_is_asked_for_at_once_that_another_stop_need_not_cover_any_more(
    able: Capabilities,
) -> None:
    """Our stop was cut once and corrected. Then a person's covered 40 of 100 for a while."""

    async def scene(table: Table) -> None:
        desk = await held(table, 0)
        await desk.wait(10)
        desk.venue.cut(Decimal(60))
        await desk.wait(600)
        assert [o.quantity for o in desk.stops()] == [100]
        done = await desk.order(Side.SELL, 40, type=OrderType.STOP, stop_price=Decimal(95))
        assert done.ok, done.error
        await desk.wait(5)
        assert sorted(o.quantity for o in desk.stops()) == [40, 60]
        (theirs,) = done.data["client_order_ids"]
        done = await desk.engine.command(ask.CancelOrder(by="test", client_order_id=theirs))
        assert done.ok, done.error
        await desk.until(lambda: theirs not in {o.client_order_id for o in desk.stops()})
        await is_protected(desk)

    play(scene, table=Desk, able=able)


@EVERY
def test_rule3_a_stop_that_was_worked_as_asked_is_corrected_at_once_when_it_is_cut_again(
    able: Capabilities,
) -> None:
    async def scene(table: Table) -> None:
        desk = await held(table, 0)
        await desk.wait(10)
        for _ in range(3):
            desk.venue.cut(Decimal(60))
            await is_protected(desk)
            await desk.wait(600)

    play(scene, table=Desk, able=able)


@EVERY
def test_rule3_a_stop_for_less_that_only_lists_show_ends_in_a_close(able: Capabilities) -> None:
    """It is never seen with the size that it was made with."""

    async def scene(table: Table) -> None:
        assert isinstance(table, Desk)
        table.venue.tells = False
        desk = await held(table, -40)
        await desk.until(lambda: not desk.held, 1000)
        assert desk.alarms().count("UNPROTECTED") == 1
        assert desk.there == 0

    play(scene, table=Desk, able=able)
