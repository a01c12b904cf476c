"""A kill of two accounts while one venue cannot be reached (X-52, C-502, C-441, DESIGN Kill).

Each account is proved by itself, and nothing is told twice while nothing changes.
"""

from collections.abc import Awaitable, Callable

from engine.config import Config
from engine.domain import events as ev
from engine.runtime.clock import VirtualClock
from engine.runtime.virtual_time import run_virtual
from tests.configs import from_mapping
from tests.engine.pair import CONFIG, SECOND, Pair
from tests.engine.wires import TREE
from tests.engine.worlds import MIDDAY

ALERT = from_mapping({**TREE, **SECOND, "kill": {"broker_lost": "alert"}})
LONG = 1_200
"""Seconds for which a venue stays away."""


def played(scene: Callable[[Pair], Awaitable[None]], config: Config = CONFIG) -> None:
    async def main(clock: VirtualClock) -> None:
        pair = Pair(clock, config)
        await pair.rig.start()
        try:
            await pair.hold()
            await scene(pair)
        finally:
            await pair.rig.stop()

    run_virtual(main, MIDDAY, 3600)


def test_c502_one_is_verified_the_other_degraded_and_status_says_both() -> None:
    async def scene(pair: Pair) -> None:
        pair.cut()
        await pair.kill()
        await pair.rig.until(lambda: pair.state("paper") == "VERIFIED", 20)
        assert pair.state("second") == "WORKING"
        assert pair.told["second"]["state"] == "WORKING"
        await pair.rig.until(lambda: pair.state("second") == "DEGRADED", 40)
        assert pair.state("paper") == "VERIFIED"
        assert pair.told["paper"]["state"] == "VERIFIED"
        assert pair.told["paper"]["left"] == []
        assert pair.told["second"]["state"] == "DEGRADED"
        assert "AAA 6" in pair.told["second"]["left"]
        assert not pair.rig.venue.positions
        assert pair.far.positions["AAA"] == 6

    played(scene)


def test_c441_it_becomes_verified_by_itself_once_the_venue_is_back() -> None:
    async def scene(pair: Pair) -> None:
        pair.cut()
        await pair.kill()
        await pair.rig.clock.sleep(LONG)
        assert (pair.state("paper"), pair.state("second")) == ("VERIFIED", "DEGRADED")
        looks = len(pair.rig.wire.since(0))
        pair.mend()
        for _ in range(60):
            pair.price()
            await pair.rig.clock.sleep(0.5)
        assert pair.state("second") == "VERIFIED"
        assert pair.told["second"] == {
            "state": "VERIFIED",
            "left": [],
            "unknown": [],
            "vanished": [],
            "kept": [],
        }
        assert not pair.far.positions
        assert not pair.far.open
        # The account that is proved is let alone but for its own comparisons.
        assert "submit FLATTEN" not in pair.rig.wire.since(0)[looks:]

    played(scene)


def test_while_the_venue_stays_away_nothing_is_told_twice() -> None:
    """What is awaited is written once, and once more when something changes."""

    async def scene(pair: Pair) -> None:
        pair.cut()
        await pair.kill()
        await pair.rig.clock.sleep(60)
        assert pair.state("second") == "DEGRADED"
        settled = pair.rig.now
        await pair.rig.clock.sleep(LONG)
        assert pair.counted(settled) == {}
        pair.mend()
        for _ in range(60):
            pair.price()
            await pair.rig.clock.sleep(0.5)
        assert pair.state("second") == "VERIFIED"

    played(scene)


def test_while_a_venue_answers_no_look_its_failure_is_told_once() -> None:
    """The connection stands and every look fails: one alarm, and another once it has changed."""

    async def scene(pair: Pair) -> None:
        pair.wire.mute = "it is silent"
        await pair.kill()
        await pair.rig.clock.sleep(60)
        assert pair.state("second") == "DEGRADED"
        settled = pair.rig.now
        before = len(pair.wire.since(0))
        await pair.rig.clock.sleep(LONG)
        assert pair.counted(settled) == {}
        # It goes on asking all the same.
        assert len(pair.wire.since(0)) - before > LONG / 60
        pair.wire.mute = ""
        for _ in range(120):
            pair.price()
            await pair.rig.clock.sleep(0.5)
        assert pair.state("second") == "VERIFIED"

    played(scene)


def test_a_look_that_fails_in_another_way_is_told_again_and_no_kill_is_needed_for_that() -> None:
    async def scene(pair: Pair) -> None:
        start = pair.rig.now
        pair.wire.mute = "it is silent"
        await pair.rig.clock.sleep(LONG)
        told = {"Alarmed": 2, "Reconciled": 1, "SnapshotRequested": 2, "VenueSilent": 1}
        assert pair.counted(start) == told
        pair.wire.mute = "it is closed"
        await pair.rig.clock.sleep(LONG)
        again = {"Alarmed": 3, "Reconciled": 2, "SnapshotRequested": 3, "VenueSilent": 1}
        assert pair.counted(start) == again
        pair.wire.mute = ""
        await pair.rig.clock.sleep(10)
        looks = [e for e in pair.rig.events(ev.Reconciled) if e.account == "second"]
        assert not looks[-1].failed

    played(scene, ALERT)
