"""A kill while the list of holdings is empty for a moment (X-52, fault 42).

An empty list is no proof: it drops nothing before lists have agreed on it for as long as anything
is believed that they leave out, nor while the same look contradicts it.
"""

from decimal import Decimal

import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import VenuePosition
from engine.domain.order import OrderStatus, Side
from engine.domain.run import Flatten
from engine.domain.signal import TradeType
from engine.ports import Capabilities
from tests.engine.liar import PLAIN, Liar, Table, play
from tests.engine.worlds import ABLE

ABLES = pytest.mark.parametrize("able", [PLAIN, ABLE], ids=["plain", "reduce-only"])


class Flickering(Liar):
    """Its list of holdings can be empty; everything else it says is true."""

    empty = False

    async def get_positions(self) -> tuple[VenuePosition, ...]:
        listed = await super().get_positions()
        return () if self.empty else listed


class Desk(Table):
    makes = Flickering
    venue: Flickering

    def proofs(self) -> list[tuple[str, Decimal]]:
        return [(proof.state, self.there) for proof in self.events(ev.KillProved)]

    def resting(self) -> list[tuple[Decimal, Decimal | None]]:
        orders = self.venue.orders.values()
        return [(o.quantity, o.stop_price) for o in orders if o.status is OrderStatus.NEW]


async def killed(table: Table, *, hold: TradeType = TradeType.DAY, side: Side = Side.BUY) -> Desk:
    """100 are held under a stop for a minute; from the kill on the list of holdings is empty."""
    assert isinstance(table, Desk)
    away = Decimal(90) if side is Side.BUY else Decimal(110)
    await table.wait(60)
    done = await table.order(side, 100, hold=hold, protect=away)
    assert done.ok, done.error
    await table.wait(60)
    table.venue.empty = True
    await table.engine.command(ask.Kill(by="test", flatten=Flatten.DAY))
    return table


@ABLES
@pytest.mark.parametrize("side", [Side.BUY, Side.SELL_SHORT], ids=["long", "short"])
@pytest.mark.parametrize("seconds", [0.3, 1.2, 2.5, 4, 8])
def test_x52_a_day_trade_that_is_not_listed_for_a_moment_is_closed_and_not_dropped(
    able: Capabilities, side: Side, seconds: float
) -> None:
    async def scene(table: Table) -> None:
        desk = await killed(table, side=side)
        await desk.wait(seconds)
        # Where both could fill, a stop makes way for what no list has shown for 5 s, kill or not.
        assert len(desk.resting()) == (1 if seconds < 5 or able.reduce_only else 0)
        assert desk.held == (100 if side is Side.BUY else -100)
        assert not desk.events(ev.KillProved)
        desk.venue.empty = False
        await desk.wait(30)
        assert (desk.there, desk.held) == (0, 0)
        assert not desk.events(ev.PositionAdjusted)
        assert desk.events(ev.KillProved)[-1].state == "VERIFIED"

    play(scene, table=Desk, able=able)


@ABLES
@pytest.mark.parametrize("stop", [True, False], ids=["its stop rests on", "without a stop"])
def test_x52_what_was_sold_elsewhere_is_believed_in_the_time_of_a_kill(
    able: Capabilities, stop: bool
) -> None:
    """The balances agree with the list: only the stop that rests on speaks against it."""

    async def scene(table: Table) -> None:
        await table.wait(60)
        await table.buy(100, **({"protect": Decimal(90)} if stop else {}))
        await table.wait(60)
        table.venue.move("AAA", Decimal(-100))
        await table.engine.command(ask.Kill(by="test", flatten=Flatten.DAY))
        await table.wait(4)
        assert not table.events(ev.KillProved)
        await table.until(lambda: bool(table.events(ev.KillProved)), 25)
        assert table.events(ev.KillProved)[-1].state == "VERIFIED"
        assert (table.there, table.held) == (0, 0)
        await table.wait(60)
        assert all(order.status.is_terminal for order in table.venue.orders.values())
        assert table.venue.sold == 100

    play(scene, able=able)
