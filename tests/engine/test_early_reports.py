"""What a venue reports before the first look of a process is part of that look (X-78)."""

import asyncio
from decimal import Decimal

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import VenuePosition
from engine.domain.order import Fill, Side
from engine.runtime.clock import VirtualClock
from engine.runtime.virtual_time import run_virtual
from tests.engine.wires import Rig, Wire
from tests.engine.worlds import MIDDAY

D = Decimal


class Trades(Wire):
    """The stop trades during the first look, and the list of executions does not show it yet."""

    traded = False

    async def get_positions(self) -> tuple[VenuePosition, ...]:
        if not self.traded:
            self.traded = True
            (stop,) = (w for w in self._venue.open.values() if w.order.is_protective)
            self._venue._fill(stop, D(20), D(90))
            await asyncio.sleep(0.5)
        return await super().get_positions()

    async def get_fills_since(self, since: int) -> tuple[Fill, ...]:
        return ()


def test_x78_what_a_stop_traded_before_the_first_look_ended_is_known_in_it() -> None:
    async def main(clock: VirtualClock) -> None:
        first = Rig(clock)
        await first.start()
        done = await first.engine.command(
            ask.PlaceOrder(by="me", symbol="AAA", side=Side.BUY, quantity=D(50), protect=D(90))
        )
        assert done.ok, done.error
        await first.until(lambda: bool(first.venue.open) and "AAA" in first.venue.positions)
        await first.clock.sleep(3)
        await first.stop()
        rig = Rig(clock, wire=Trades, after=first)
        await rig.start()
        try:
            events = [record.event for record in rig.records]
            traded = next(e for e in events if isinstance(e, ev.OrderFilled))
            look = next(e for e in events if isinstance(e, ev.Reconciled))
            assert (traded.fill.side, traded.fill.quantity) == (Side.SELL, 20)
            assert events.index(traded) < events.index(look)
            assert look.differences == ()
        finally:
            await rig.stop()

    run_virtual(main, MIDDAY, 3600)
