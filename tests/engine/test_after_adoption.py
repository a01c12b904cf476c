"""What is done with a holding that was taken over from the venue: added to, closed (X-75, X-82).

A real engine in virtual time at a venue behind the broker port; AAA trades at 100 all the time.
"""

from decimal import Decimal

import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.order import OrderType, Side
from engine.domain.signal import TradeType
from tests.engine.driver import CoreDriver
from tests.engine.test_adoption import hold, status
from tests.engine.wires import Rig, Wire, play
from tests.simulation.venue import Venue

D = Decimal


class Long(Wire):
    """100 AAA were bought at 80 before the account was first looked at."""

    def __init__(self, venue: Venue, name: str = "paper") -> None:
        super().__init__(venue, name)
        hold(venue, 100, 80)


class Short(Wire):
    """100 AAA were sold short at 120 before."""

    def __init__(self, venue: Venue, name: str = "paper") -> None:
        super().__init__(venue, name)
        hold(venue, -100, 120)


SIDES = [(Long, Side.BUY, "long"), (Short, Side.SELL, "short")]
QUIET_START = 6
"""Seconds after which nothing of a former process can still be on its way."""


async def traded(rig: Rig, side: Side, quantity: int, protect: str | None) -> None:
    """So many more, at the market of 100, with a stop behind them or without."""
    await rig.clock.sleep(QUIET_START)
    done = await rig.engine.command(
        ask.PlaceOrder(
            by="me",
            symbol="AAA",
            side=side,
            quantity=D(quantity),
            type=OrderType.MARKET,
            protect=None if protect is None else D(protect),
            hold=TradeType.SWING,
        )
    )
    assert done.ok, done.error
    await rig.clock.sleep(QUIET_START)


@pytest.mark.parametrize(
    ("wire", "side", "stop"), [(Long, Side.BUY, "95"), (Short, Side.SELL, "105")]
)
def test_x82_an_add_brings_its_stop_to_what_was_taken_over(
    wire: type[Wire], side: Side, stop: str
) -> None:
    """The first stop protects all of it, as after any other add."""

    async def scene(rig: Rig) -> None:
        await traded(rig, side, 10, stop)
        (position,) = status(rig)["positions"]
        assert abs(D(position["quantity"])) == 110
        assert (position["stop"], position["protected"]) == (stop, "110")
        resting = [o for o in rig.engine.book.orders() if o.is_protective]
        assert [(o.leaves, o.stop_price) for o in resting] == [(110, D(stop))]

    play(scene, wire=wire)


@pytest.mark.parametrize(("wire", "side", "direction"), SIDES)
@pytest.mark.parametrize("added", [0, 10])
def test_a392_the_trade_of_what_was_taken_over_says_which_way_it_was(
    wire: type[Wire], side: Side, direction: str, added: int
) -> None:
    """Long at 80 or short at 120, closed at 100: a profit either way."""

    async def scene(rig: Rig) -> None:
        if added:
            await traded(rig, side, added, None)
        await rig.engine.command(ask.ClosePosition(by="me", symbol="AAA"))
        await rig.until(lambda: not rig.engine.book.holding("paper", "AAA"))
        (closed,) = rig.events(ev.PositionClosed)
        assert (closed.trade.direction, closed.trade.quantity) == (direction, 100 + added)
        assert closed.trade.pnl > 0

    play(scene, wire=wire)


@pytest.mark.parametrize("price", [98, 102])
def test_x75_the_first_price_of_what_was_adopted_later_moves_no_start(price: int) -> None:
    """What an operator took over since is no part of what the day began with: the adoption is worth
    what the first price says."""
    desk = CoreDriver()
    desk.later(60).snapshot(positions={"NVDA": 50}, reason="operator", apply=True)
    session = desk.book.data.session
    assert session is not None
    began, held = session.starting_equity, desk.world.money.equity
    assert session.adjustments == 50 * 100
    desk.later(1).quote("NVDA", price)
    assert session.starting_equity == desk.book.data.starting_equity == began
    assert session.adjustments == 50 * price
    assert desk.world.money.equity == held + 50 * (price - 100)
    assert desk.world.money.daily_pnl == 0
    assert session.loss_basis == began + 50 * price
