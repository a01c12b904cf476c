"""An order that the venue acknowledged is not gone by one empty answer (rule 1, rule 3).

For some seconds the order service lists nothing and knows no order, while all of them work, as in a
failover. One look and one answer prove nothing: the venue is asked again, for longer than its lists
may be behind. What such a stop covers is in doubt meanwhile, and told when that lasts.
"""

from decimal import Decimal

import pytest

from engine.domain import events as ev
from engine.domain.account import VenueOrder
from engine.domain.order import OrderStatus, OrderType, Side
from engine.ports import Capabilities
from tests.engine.liar import PLAIN, Table, play
from tests.engine.test_rests_through_split import Exchange
from tests.engine.worlds import ABLE

ABLES = pytest.mark.parametrize("able", [PLAIN, ABLE], ids=["plain", "reduce-only"])
SIDES = pytest.mark.parametrize("side", [Side.BUY, Side.SELL_SHORT], ids=["long", "short"])


class Emptied(Exchange):
    """Its order service can be empty: it lists nothing, and knows no order."""

    emptied = False

    async def get_open_orders(self) -> tuple[VenueOrder, ...]:
        listed = await super().get_open_orders()
        return () if self.emptied else listed

    async def get_order(self, client_order_id: str) -> VenueOrder | None:
        known = await super().get_order(client_order_id)
        return None if self.emptied else known


class Desk(Table):
    makes = Emptied
    venue: Emptied

    def tell_price(self, **sides: Decimal | None) -> None:
        self.venue.match()
        super().tell_price(**sides)

    def resting(self) -> list[VenueOrder]:
        return [o for o in self.venue.orders.values() if o.status is OrderStatus.NEW]

    async def empty_at_next_look(self) -> None:
        """The order service is empty from the next scheduled look on."""

        def looks() -> int:
            return sum(what == "orders" for _, what in self.venue.asked)

        before = looks()
        self.venue.emptied = True
        await self.until(lambda: looks() > before, 120)


async def protected(table: Table, side: Side) -> Desk:
    """100 are held under a stop that has rested for a minute."""
    assert isinstance(table, Desk)
    await table.wait(60)
    away = Decimal(90) if side is Side.BUY else Decimal(110)
    done = await table.order(side, 100, protect=away)
    assert done.ok, done.error
    await table.wait(60)
    return table


@ABLES
@SIDES
@pytest.mark.parametrize("seconds", [0.5, 3, 6])
def test_rule1_a_stop_that_is_not_known_for_a_moment_is_not_doubled(
    able: Capabilities, side: Side, seconds: float
) -> None:
    async def scene(table: Table) -> None:
        desk = await protected(table, side)
        (stop,) = desk.resting()
        await desk.empty_at_next_look()
        await desk.wait(seconds)
        desk.venue.emptied = False
        await desk.wait(10)
        assert [o.client_order_id for o in desk.resting()] == [stop.client_order_id]
        assert len(desk.venue.orders) == 2
        assert desk.alarms().count("UNPROTECTED") == (1 if seconds > 5 else 0)
        desk.venue.price = Decimal(89) if side is Side.BUY else Decimal(111)
        await desk.wait(60)
        assert (desk.there, desk.held) == (0, 0)
        assert len(desk.venue.orders) == 2
        assert not {"REVERSED", "LATE_FILL"}.intersection(desk.alarms())

    play(scene, table=Desk, able=able)


@ABLES
@SIDES
def test_rule3_one_that_stays_unknown_is_placed_again_and_told(
    able: Capabilities, side: Side
) -> None:
    """The venue has lost it, and says so for longer than its lists may be behind."""

    async def scene(table: Table) -> None:
        desk = await protected(table, side)
        (stop,) = desk.resting()
        del desk.venue.orders[stop.client_order_id]
        desk.venue._record()
        await desk.until(lambda: len(desk.resting()) == 1, 100)
        since = desk.events(ev.OrderUnclear)
        assert [event.client_order_id for event in since] == [stop.client_order_id]
        assert desk.alarms().count("UNPROTECTED") == 1
        await desk.wait(60)
        (again,) = desk.resting()
        assert (again.quantity, again.stop_price) == (stop.quantity, stop.stop_price)
        assert abs(desk.there) == 100
        asked = [e.client_order_id for e in desk.events(ev.OrderQueried)]
        assert asked.count(stop.client_order_id) >= 3

    play(scene, table=Desk, able=able)


@ABLES
def test_rule1_an_order_of_a_person_that_is_not_known_for_a_moment_still_works(
    able: Capabilities,
) -> None:
    async def scene(table: Table) -> None:
        desk = await protected(table, Side.BUY)
        done = await desk.order(Side.SELL, 100, type=OrderType.LIMIT, limit_price=Decimal(120))
        await desk.wait(5)
        assert done.ok, done.error
        (key,) = done.data["client_order_ids"]
        before = {o.client_order_id for o in desk.resting()}
        await desk.empty_at_next_look()
        await desk.wait(3)
        desk.venue.emptied = False
        await desk.wait(10)
        assert {o.client_order_id for o in desk.resting()} == before
        assert key in desk.engine.book.account(desk.venue.name).orders

    play(scene, table=Desk, able=able)
