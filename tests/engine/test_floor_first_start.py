"""The floor of equity while not every account was seen yet (A-183, X-55): a first start of two.

Both venues hold 100,000 and the floor is 150,000. Until the second account was looked at, what is
known is 100,000, which is no loss of anybody's.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from engine.config import Config
from engine.domain import events as ev
from engine.domain.instant import NS_PER_SECOND
from engine.domain.run import Trigger
from engine.runtime.clock import VirtualClock
from engine.runtime.virtual_time import run_virtual
from tests.configs import from_mapping
from tests.engine.pair import SECOND, Pair
from tests.engine.wires import TREE
from tests.engine.worlds import MIDDAY

FLOORED: dict[str, Any] = {
    **TREE,
    **SECOND,
    "risk": {"max_order_notional": "100000", "min_account_equity": "150000"},
}
FLOOR = from_mapping(FLOORED)
RARELY_SEEN = from_mapping(
    {**FLOORED, "execution": {**FLOORED["execution"], "reconcile_seconds": 300}}
)
"""Between two looks that succeed it is five minutes."""


def played(
    scene: Callable[[Pair], Awaitable[None]],
    config: Config = FLOOR,
    *,
    mute: str = "it answers no look",
    withheld: str = "",
) -> None:
    async def main(clock: VirtualClock) -> None:
        pair = Pair(clock, config)
        pair.wire.mute, pair.wire.withheld = mute, withheld
        await pair.rig.start()
        try:
            await scene(pair)
        finally:
            await pair.rig.stop()

    run_virtual(main, MIDDAY, 3600)


async def second(pair: Pair, number: float) -> None:
    """Until so many seconds after the start."""
    gone = (pair.rig.clock.now() - MIDDAY) / NS_PER_SECOND
    await pair.rig.clock.sleep(number - gone)


def floors(pair: Pair) -> int:
    """How often the floor was found to be passed."""
    fired = (r.event for r in pair.rig.records if isinstance(r.event, ev.TriggerFired))
    return sum(1 for event in fired if event.trigger is Trigger.MIN_EQUITY)


@pytest.mark.parametrize("seconds", [7, 30, 45])
def test_A183_a_floor_waits_for_the_first_look_at_every_account(seconds: float) -> None:
    async def scene(pair: Pair) -> None:
        await second(pair, seconds)
        assert pair.rig.book.account("paper").balances is not None
        assert pair.rig.book.account("second").balances is None
        pair.wire.mute = ""
        await pair.rig.until(lambda: pair.rig.book.account("second").balances is not None, 90)
        await pair.rig.clock.sleep(90)
        assert floors(pair) == 0
        assert pair.rig.book.data.halt is None

    played(scene)


def test_A183_a_venue_that_answers_nothing_takes_the_floor_away_for_a_minute() -> None:
    async def scene(pair: Pair) -> None:
        await second(pair, 59)
        assert floors(pair) == 0
        await second(pair, 70)
        assert floors(pair) == 1
        assert pair.rig.book.data.halt is not None

    played(scene)


def test_A183_the_minute_ends_by_the_clock_where_nothing_else_happens() -> None:
    async def scene(pair: Pair) -> None:
        await second(pair, 59)
        assert pair.rig.book.account("second").balances is None
        assert floors(pair) == 0
        await second(pair, 62)
        assert pair.rig.book.data.halt is not None
        assert floors(pair) == 1

    played(scene, RARELY_SEEN, mute="", withheld="its balances are not for this key")
