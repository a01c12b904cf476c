"""One symbol held in two accounts before either was known, while nothing has a price (X-75).

XXX trades at 100 from the first quote on. Sums are worked out by hand.
"""

import asyncio
from decimal import Decimal
from random import Random

import msgspec
import pytest

from engine.domain import events as ev
from engine.domain.account import VenuePosition
from engine.domain.market import Quote
from engine.runtime.clock import VirtualClock
from engine.runtime.virtual_time import VirtualLoop, run_virtual
from tests.engine.pair import CONFIG
from tests.engine.wires import ABLE, PRICE, Rig, Wire
from tests.engine.worlds import MIDDAY
from tests.simulation.agenda import Agenda
from tests.simulation.venue import Venue

D = Decimal


class Holds(Wire):
    """Holds XXX at an average of its own; what else it holds has two signs, so that its equity
    says nothing of any price."""

    states_marks = False

    def __init__(self, venue: Venue, name: str, quantity: int, average: int) -> None:
        super().__init__(venue, name)
        venue.prices["XXX"] = venue.prices["YYY"] = PRICE
        for symbol, held in (("XXX", quantity), ("YYY", -10)):
            venue.positions[symbol] = D(held)
            venue.costs[symbol] = D(average) if symbol == "XXX" else PRICE

    async def get_positions(self) -> tuple[VenuePosition, ...]:
        listed = await super().get_positions()
        mark = PRICE if self.states_marks else None
        return tuple(msgspec.structs.replace(held, mark=mark) for held in listed)


class States(Holds):
    """The same, and the venue says what it values each at."""

    states_marks = True


def told(rig: Rig, venues: list[Venue], symbol: str, price: Decimal) -> None:
    quote = Quote(symbol=symbol, bid=price, ask=price, last=price, time=rig.clock.now())
    for venue in venues:
        venue.on_price(quote)
    rig.feed.put(quote)


@pytest.mark.parametrize("second", [Holds, States])
@pytest.mark.parametrize("averages", [(120, 60), (60, 120), (100, 100), (90, 70)])
def test_an_estimate_of_one_account_is_no_price_for_another(
    averages: tuple[int, int], second: type[Holds]
) -> None:
    """Neither before the first quote nor after it has the day made or lost anything."""

    async def main(clock: VirtualClock) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        agenda = Agenda(MIDDAY)
        agenda.attach(loop, clock)
        far = Venue(agenda, Random(8), ABLE)

        class First(Holds):
            def __init__(self, venue: Venue) -> None:
                super().__init__(venue, "paper", 50, averages[0])

        rig = Rig(clock, config=CONFIG, wire=First, more=(second(far, "second", 80, averages[1]),))
        await rig.start()
        world = rig.engine.world
        assert len(rig.engine.book.held("XXX")) == 2
        assert world.money.daily_pnl == 0
        for _ in range(3):
            for symbol in ("XXX", "YYY"):
                told(rig, [rig.venue, far], symbol, PRICE)
            await clock.sleep(1.1)
            assert world.money.daily_pnl == 0
        # What both have in cash, 50 and 80 at 100, less ten each.
        there = rig.venue.cash + far.cash + 130 * 100 - 20 * 100
        session = rig.engine.book.data.session
        assert session is not None
        assert session.starting_equity + session.adjustments == world.money.equity == there
        assert rig.events(ev.TriggerFired) == []
        # A loss from here on is one: 130 at 99.
        told(rig, [rig.venue, far], "XXX", PRICE - 1)
        await clock.sleep(0.1)
        assert world.money.daily_pnl == -130
        await rig.stop()

    run_virtual(main, MIDDAY, 3600)
