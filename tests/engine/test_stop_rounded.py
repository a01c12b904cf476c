"""A venue that works a stop at another price than it was asked for (rule 3, fault 51).

It rounds to a grid of its own, or it sets its own price. The holding is never bare for that: what
rests within a rounding of what was asked for is kept, anything else is asked for again after pauses
that grow, and one alarm names both prices.
"""

from collections import Counter
from decimal import Decimal
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import VenueOrder
from engine.domain.order import OrderStatus, OrderTerms, OrderType, Side, TimeInForce
from engine.ports import Capabilities
from tests.engine.liar import Table, play
from tests.engine.test_rests_through_split import ABLES, Exchange

TOLD = pytest.mark.parametrize("told", [True, False], ids=["told", "listed"])


class Rounding(Exchange):
    """It works each stop `off` what it was asked for, and reports that where it `tells` it."""

    off = Decimal(0)
    tells = True

    async def submit_order(self, order: OrderTerms) -> None:
        if order.stop_price is not None:
            order = msgspec.structs.replace(order, stop_price=order.stop_price + self.off)
        await super().submit_order(order)
        if order.stop_price is not None and self.off and self.tells:
            self.tell_terms(order.client_order_id)

    async def modify_order(
        self,
        client_order_id: str,
        quantity: Decimal,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
        time_in_force: TimeInForce | None = None,
    ) -> None:
        if stop_price is not None:
            stop_price += self.off
        await super().modify_order(
            client_order_id, quantity, limit_price, stop_price, time_in_force
        )


class Desk(Table):
    makes = Rounding
    venue: Rounding

    def calls(self) -> Counter[str]:
        return Counter(what for _, what in self.venue.asked)

    def stops(self) -> list[VenueOrder]:
        orders = self.venue.orders.values()
        return [o for o in orders if o.stop_price is not None and o.status is OrderStatus.NEW]

    def moved(self) -> list[str]:
        return [e.text for e in self.events(ev.Alarmed) if e.code == "STOP_MOVED"]

    async def protect(self, price: str) -> None:
        wanted = ask.Protect(by="test", symbol="AAA", price=Decimal(price))
        done = await self.engine.command(wanted)
        assert done.ok, done.error


async def protected(table: Table, off: str, *, tells: bool = True, **fields: Any) -> Desk:
    """100 are held under a stop at 90; from then on each stop is worked so far off."""
    assert isinstance(table, Desk)
    await table.wait(60)
    await table.buy(100, protect=Decimal(90), **fields)
    await table.wait(10)
    table.venue.off, table.venue.tells = Decimal(off), tells
    return table


def tries(desk: Desk, before: Counter[str]) -> int:
    """How often the venue was asked for another stop since then."""
    since = desk.calls() - before
    return since["modify"] + since["submit"]


@ABLES
@TOLD
@pytest.mark.parametrize("off", ["0.02", "-0.02"], ids=["earlier", "later"])
def test_rule3_a_stop_whose_price_is_rounded_rests_as_it_is(
    able: Capabilities, told: bool, off: str
) -> None:
    async def scene(table: Table) -> None:
        desk = await protected(table, off, tells=told)
        before = desk.calls()
        await desk.protect("91.03")
        await desk.wait(300)
        (stop,) = desk.stops()
        assert (stop.quantity, stop.stop_price) == (100, Decimal("91.03") + Decimal(off))
        assert tries(desk, before) == 1
        (text,) = desk.moved()
        assert "91.03" in text
        assert str(stop.stop_price) in text
        assert "UNPROTECTED" not in desk.alarms()
        assert desk.held == 100

    play(scene, table=Desk, able=able)


@ABLES
def test_rule3_the_first_stop_of_an_entry_is_kept_alike(able: Capabilities) -> None:
    async def scene(table: Table) -> None:
        assert isinstance(table, Desk)
        await table.wait(60)
        table.venue.off = Decimal("-0.02")
        await table.buy(100, protect=Decimal("90.07"))
        await table.wait(300)
        assert [(o.quantity, o.stop_price) for o in table.stops()] == [(100, Decimal("90.05"))]
        assert (table.calls()["submit"], table.calls()["modify"]) == (2, 0)
        assert len(table.moved()) == 1

    play(scene, table=Desk, able=able)


@ABLES
@pytest.mark.parametrize(("off", "kept"), [("-0.08", True), ("-0.09", True), ("-0.10", False)])
def test_fault51_what_is_no_rounding_is_asked_for_again_after_pauses_that_grow(
    able: Capabilities, off: str, kept: bool
) -> None:
    """Of 90 a thousandth is 0.09."""

    async def scene(table: Table) -> None:
        assert isinstance(table, Desk)
        await table.wait(60)
        table.venue.off = Decimal(off)
        await table.buy(100, protect=Decimal(90))
        await table.wait(5)
        before, since = table.calls(), table.now
        await table.wait(120)
        how = "modify" if able.native_modify else "submit"
        asked = [at for at, what in table.venue.asked if what == how]
        asked = [at for at in asked if at > since]
        assert bool(asked) is not kept
        assert tries(table, before) <= 8
        gaps = [second - first for first, second in pairwise(asked)]
        assert gaps == sorted(gaps)
        assert len(table.moved()) == 1
        assert [o.quantity for o in table.stops()] == [100]
        table.venue.off = Decimal(0)
        await table.wait(70)
        assert kept or [o.stop_price for o in table.stops()] == [90]

    play(scene, table=Desk, able=able)


@ABLES
def test_x85_another_price_is_asked_for_at_once(able: Capabilities) -> None:
    async def scene(table: Table) -> None:
        desk = await protected(table, "0.02")
        await desk.protect("91.03")
        await desk.wait(60)
        desk.venue.off = Decimal(0)
        await desk.protect("92")
        await desk.wait(2)
        assert [o.stop_price for o in desk.stops()] == [92]

    play(scene, table=Desk, able=able)


@ABLES
def test_rule3_one_that_is_kept_follows_the_size_of_what_is_held(able: Capabilities) -> None:
    async def scene(table: Table) -> None:
        desk = await protected(table, "0.02")
        await desk.protect("91.03")
        await desk.wait(60)
        done = await desk.order(Side.SELL, 40, type=OrderType.MARKET)
        assert done.ok, done.error
        await desk.wait(5)
        assert desk.held == 60
        assert [o.quantity for o in desk.stops()] == [60]
        before = desk.calls()
        await desk.wait(120)
        assert tries(desk, before) == 0
        assert len(desk.moved()) == 1

    play(scene, table=Desk, able=able)
