"""The fallback's own venue is asked for its facts of what may go there (A-240, U-10)."""

import asyncio
from decimal import Decimal
from random import Random

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.market import Quote
from engine.domain.order import OrderTerms, Side
from engine.ports import NotSent, Rejected
from engine.runtime.clock import VirtualClock
from engine.runtime.virtual_time import VirtualLoop, run_virtual
from tests.configs import from_mapping
from tests.engine.test_instruments_told import STATES, Stating, stated
from tests.engine.wires import PRICE, TREE, Rig
from tests.engine.worlds import MIDDAY
from tests.simulation.agenda import Agenda
from tests.simulation.venue import Venue

CONFIG = from_mapping(
    {
        **TREE,
        "market": {"symbols": ["AAA", "BBB"]},
        "account": {"fallback": "second"},
        "brokers": {"second": {"kind": "paper"}},
        "resiliency": {"max_retries": 0},
    }
)


class Unreached(Stating):
    """Nothing that adds exposure ever leaves for it."""

    async def submit_order(self, order: OrderTerms) -> None:
        if order.adds_exposure:
            raise NotSent("connect refused")
        await super().submit_order(order)


def test_A240_the_fallback_is_held_to_its_own_lot_and_gets_nothing_that_it_does_not_trade() -> None:
    async def main(clock: VirtualClock) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        agenda = Agenda(MIDDAY)
        agenda.attach(loop, clock)
        far = Venue(agenda, Random(8), STATES)
        other = Stating(far, "second")
        other.facts = {"AAA": stated("AAA", lot="4"), "BBB": Rejected("SYMBOL", "not here")}
        rig = Rig(clock, config=CONFIG, wire=Unreached, able=STATES, more=(other,))
        await rig.start()
        assert {what for what, _ in other.asked} >= {"instrument AAA", "instrument BBB"}

        async def buy(symbol: str, quantity: int) -> list[OrderTerms]:
            far.on_price(
                Quote(symbol=symbol, bid=PRICE, ask=PRICE, last=PRICE, time=rig.clock.now())
            )
            await rig.engine.command(
                ask.PlaceOrder(
                    by="t",
                    symbol=symbol,
                    side=Side.BUY,
                    quantity=Decimal(quantity),
                    protect=PRICE - 10,
                )
            )
            await rig.clock.sleep(1)
            entries = [order for order in rig.orders(symbol) if order.adds_exposure]
            return [order for order in entries if order.account == "second"]

        assert await buy("AAA", 5) == [], "the primary's lot is 5, the fallback's is 4"
        assert len(await buy("AAA", 20)) == 1, "both take 20"
        assert await buy("BBB", 5) == []
        refused = [e.text for e in rig.events(ev.Alarmed) if e.code == "FALLBACK_REFUSED"]
        assert ["BAD_LOT" in refused[0], "NO_CONTRACT" in refused[1]] == [True, True]
        await rig.stop()

    run_virtual(main, MIDDAY, 3600)
