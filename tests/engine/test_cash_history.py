"""The history of cash is no sign of life: without it cash is not compared, and that is all (X-75).

A venue that tells its lists and not that history is not silent (X-84), takes entries, and is not
lost (X-53). What a look was without is told once a state, however it flickers (fault 46).
"""

import msgspec
import pytest

from engine.domain import events as ev
from engine.domain.account import CashMovement
from tests.configs import from_mapping
from tests.engine.liar import TREE, Table, play
from tests.engine.test_unreadable_rows import BAD_HISTORY, HISTORY, Odd, Scene, mend, spoil

UNHEARD = {"VENUE_SILENT", "UNUSABLE_ANSWERS", "BROKER_LOST"}


@BAD_HISTORY
def test_x84_a_bad_history_of_cash_keeps_no_entry_away(how: str) -> None:
    async def scene(table: Table) -> None:
        assert isinstance(table, Scene)
        await table.wait(8)
        spoil(table, how)
        for quantity in range(1, 13):
            await table.wait(23)
            done = await table.buys("AAA", quantity)
            assert done.ok, done.error
        assert not UNHEARD & {*table.alarms()}
        assert table.alarms().count("LOOK_INCOMPLETE") == 1

    play(scene, table=Scene, able=HISTORY)


@pytest.mark.parametrize("seconds", [5, 10])
@BAD_HISTORY
def test_x53_a_venue_is_not_lost_for_its_history_of_cash(how: str, seconds: int) -> None:
    async def scene(table: Table) -> None:
        assert isinstance(table, Scene)
        await table.buys("AAA", 40)
        await table.wait(8)
        spoil(table, how)
        await table.wait(300)
        assert table.venue.held["AAA"] == 40
        assert not table.events(ev.TriggerFired)
        assert not UNHEARD & {*table.alarms()}

    able = msgspec.structs.replace(HISTORY, heartbeat_seconds=15)
    config = from_mapping(TREE | {"risk": TREE["risk"] | {"api_timeout_seconds": seconds}})
    play(scene, table=Scene, able=able, config=config)


def test_x84_a_venue_that_stops_to_answer_is_silent_though_its_history_was_so_before() -> None:
    async def scene(table: Table) -> None:
        assert isinstance(table, Scene)
        await table.wait(8)
        spoil(table, "silent")
        await table.wait(100)
        table.venue.silent = {"*"}
        await table.wait(15 + 5.2)
        done = await table.buys("AAA", 1)
        assert (done.ok, done.code) == (False, "NO_ACCOUNT")

    play(scene, table=Scene, able=HISTORY)


class Flickering(Odd):
    """Every second time its history cannot be had."""

    async def get_cash_movements_since(self, since: int) -> tuple[CashMovement, ...]:
        self.fails = not self.fails
        return await super().get_cash_movements_since(since)


class FlickeringScene(Scene):
    makes = Flickering


def test_fault46_a_history_that_flickers_is_one_state_and_told_once() -> None:
    async def scene(table: Table) -> None:
        await table.wait(3_600)
        assert table.alarms().count("LOOK_INCOMPLETE") == 1
        assert not UNHEARD & {*table.alarms()}

    play(scene, table=FlickeringScene, able=HISTORY)


@pytest.mark.parametrize(("whole", "times"), [(240, 1), (600, 2)])
def test_fault46_after_minutes_of_whole_looks_it_is_another_state(whole: int, times: int) -> None:
    async def scene(table: Table) -> None:
        assert isinstance(table, Scene)
        await table.wait(8)
        spoil(table, "error")
        await table.wait(1_800)
        mend(table)
        await table.wait(whole)
        spoil(table, "error")
        await table.wait(130)
        assert table.alarms().count("LOOK_INCOMPLETE") == times

    play(scene, table=Scene, able=HISTORY)
