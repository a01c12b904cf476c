"""The order of an id at the venue and the one of that id here: what tells them apart (rule 1)."""

from typing import Any

import msgspec
import pytest

from engine.core.driver import Step
from engine.domain.account import VenueOrder
from engine.domain.inputs import Input, QueryAnswered, QueryFailed
from engine.domain.order import Fill, OrderTerms, Purpose, Side
from engine.ports import Capabilities
from engine.runtime.account_link import AccountLink
from engine.runtime.clock import SteadyTime, VirtualClock
from engine.runtime.outside import Outside
from engine.runtime.send_gate import SendGate
from engine.runtime.virtual_time import run_virtual
from tests.engine.driver import CoreDriver
from tests.engine.worlds import ABLE, AXION, BROKER, config_of

SHORTS = msgspec.structs.replace(ABLE, shorting=True, deduplicates=True)


class Knows:
    """A venue that knows one order."""

    name = BROKER

    def __init__(self, able: Capabilities, order: VenueOrder) -> None:
        self.capabilities = able
        self._order = order

    async def connect(self) -> None:
        """It can be reached."""

    async def get_order(self, client_order_id: str) -> VenueOrder | None:
        return self._order

    async def get_fills_since(self, since: int) -> tuple[Fill, ...]:
        """Nothing was filled."""
        return ()


def placed(side: Side) -> tuple[CoreDriver, OrderTerms]:
    desk = CoreDriver(config_of(**AXION), capabilities=SHORTS)
    desk.quote("NVDA", "100")
    desk.place(side, 20, managed=False)
    order = desk.last(Purpose.MANUAL)
    assert order.side is side
    return desk, order


def looked_up(desk: CoreDriver, order: OrderTerms, **said: Any) -> Input:
    """What the core is told where the venue states its order of that id like this."""
    told: list[Input] = []

    def step(given: Input) -> Step:
        told.append(given)
        return Step([], [])

    async def live(clock: VirtualClock) -> None:
        venue: Any = Knows(SHORTS, desk.works(order, **said))
        link = AccountLink(
            venue,
            desk.book,
            gate=SendGate(),
            clock=clock,
            time=SteadyTime(clock),
            step=step,
            spawn=lambda work: work.close(),
            outside=Outside(str),
            resiliency=desk.world.config.resiliency,
        )
        assert await link.open() is None
        told.clear()
        assert not await link.is_new(order)

    run_virtual(live, desk.now, 60)
    (answer,) = [given for given in told if isinstance(given, QueryAnswered | QueryFailed)]
    return answer


@pytest.mark.parametrize(
    ("here", "there", "same"),
    [
        (Side.SELL_SHORT, Side.SELL_SHORT, True),
        (Side.SELL_SHORT, Side.SELL, True),
        (Side.SELL_SHORT, Side.BUY, False),
        (Side.BUY, Side.BUY, True),
        (Side.BUY, Side.SELL, False),
        (Side.BUY, Side.SELL_SHORT, False),
    ],
)
def test_A245_a_venue_that_knows_one_kind_of_sell_knows_an_order_that_opens_a_short(
    here: Side, there: Side, same: bool
) -> None:
    desk, order = placed(here)
    answer = looked_up(desk, order, side=there)
    if same:
        assert isinstance(answer, QueryAnswered)
        assert answer.order is not None
    else:
        assert isinstance(answer, QueryFailed)
        assert f"{there} NVDA has the id of {here} NVDA" in str(answer.error)


def test_rule1_an_order_of_another_symbol_is_another_one() -> None:
    desk, order = placed(Side.SELL_SHORT)
    answer = looked_up(desk, order, symbol="AAPL", side=Side.SELL)
    assert isinstance(answer, QueryFailed)
