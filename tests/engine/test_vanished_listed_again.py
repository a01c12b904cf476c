"""What is listed again after a kill, or an operator, took its absence over (X-52, X-75, rule 3).

Within the time that late lists may take it is what it was: its trade type, its stop and its target,
protected again, and in the scope of the kill.
"""

from decimal import Decimal

import pytest

from engine.domain.order import Side
from engine.domain.signal import TradeType
from engine.ports import Capabilities
from tests.engine.liar import Table, play
from tests.engine.test_kill_flicker import ABLES, Desk, killed
from tests.engine.worlds import BROKER


@ABLES
@pytest.mark.parametrize("side", [Side.BUY, Side.SELL_SHORT], ids=["long", "short"])
def test_x52_a_day_trade_that_is_listed_again_after_it_was_dropped_is_closed(
    able: Capabilities, side: Side
) -> None:
    async def scene(table: Table) -> None:
        desk = await killed(table, side=side)
        await desk.until(lambda: not desk.held, 60)
        await desk.wait(60)
        desk.venue.empty = False
        await desk.wait(120)
        assert (desk.there, desk.held) == (0, 0)
        assert desk.proofs()[-1] == ("VERIFIED", 0)
        assert desk.resting() == []

    play(scene, table=Desk, able=able)


@ABLES
def test_rule3_what_a_kill_keeps_is_protected_again_once_it_is_listed_again(
    able: Capabilities,
) -> None:
    async def scene(table: Table) -> None:
        desk = await killed(table, hold=TradeType.SWING)
        before = desk.engine.book.holding(BROKER, "AAA")
        assert before is not None
        await desk.until(lambda: not desk.held, 60)
        await desk.wait(60)
        desk.venue.empty = False
        await desk.until(lambda: desk.held == 100, 120)
        await desk.wait(5)
        after = desk.engine.book.holding(BROKER, "AAA")
        assert after is not None
        for name in ("trade_type", "stop", "target", "managed", "signal_id", "opened_at"):
            assert getattr(after, name) == getattr(before, name), name
        assert after.position_id != before.position_id
        assert desk.resting() == [(100, 90)]
        assert desk.there == 100

    play(scene, table=Desk, able=able)


@pytest.mark.parametrize(
    ("moves", "after"), [(50, 60), (-200, 60), (0, 1200)], ids=["more", "the other side", "later"]
)
def test_x75_what_is_listed_later_or_in_another_way_is_somebody_elses(
    moves: int, after: int
) -> None:
    async def scene(table: Table) -> None:
        desk = await killed(table)
        await desk.until(lambda: not desk.held, 60)
        desk.venue.move("AAA", Decimal(moves))
        await desk.wait(after)
        desk.venue.empty = False
        await desk.until(lambda: desk.held == 100 + moves, 120)
        found = desk.engine.book.holding(BROKER, "AAA")
        assert found is not None
        assert (found.trade_type, found.stop, found.origin) == (TradeType.SWING, None, "venue")

    play(scene, table=Desk)
