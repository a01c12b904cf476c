"""A resume looks at every venue itself, and none that is slow makes another's look old (X-69)."""

import asyncio
from random import Random
from typing import Any

import pytest

from engine.domain import commands as ask
from engine.domain.account import VenueOrder
from engine.domain.result import Result
from engine.runtime.clock import VirtualClock
from engine.runtime.virtual_time import VirtualLoop, run_virtual
from tests.configs import from_mapping
from tests.engine.wires import ABLE, TREE, Rig, Wire
from tests.engine.worlds import MIDDAY
from tests.simulation.agenda import Agenda
from tests.simulation.venue import Venue

NAMES = ("b", "c", "d")
CONFIG = from_mapping({**TREE, "brokers": {name: {"kind": "paper"} for name in NAMES}})


class SlowWire(Wire):
    """A venue whose list of orders takes a while."""

    takes = 0.0

    async def get_open_orders(self) -> tuple[VenueOrder, ...]:
        await asyncio.sleep(self.takes)
        return await super().get_open_orders()


def with_looks_of(seconds: dict[str, float], command: Any) -> tuple[Result, float]:
    """The answer to a command after a halt where looks take so long, and after how many seconds."""

    async def main(clock: VirtualClock) -> tuple[Result, float]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        agenda = Agenda(MIDDAY)
        agenda.attach(loop, clock)
        more = tuple(SlowWire(Venue(agenda, Random(8), ABLE), name) for name in NAMES)
        rig = Rig(clock, wire=SlowWire, config=CONFIG, more=more)
        await rig.start()
        try:
            await rig.engine.command(ask.Kill(by="me"))
            await rig.clock.sleep(40)
            for wire in (rig.wire, *more):
                assert isinstance(wire, SlowWire)
                wire.takes = seconds.get(wire.name, 0.0)
            asked = rig.now
            return await rig.engine.command(command), rig.now - asked
        finally:
            await rig.stop()

    return run_virtual(main, MIDDAY, 3600)


RESUME = ask.Resume(by="me", confirm="RESUME")


@pytest.mark.parametrize("name", ["paper", *NAMES])
@pytest.mark.parametrize("seconds", [3.0, 9.0, 11.0, 14.0])
def test_x69_one_that_is_slow_is_waited_for_and_the_halt_is_cleared(
    name: str, seconds: float
) -> None:
    told, took = with_looks_of({name: seconds}, RESUME)
    assert told.ok, told.error
    assert seconds <= took < seconds + 2


def test_x69_where_all_are_slow_they_are_looked_at_together() -> None:
    told, took = with_looks_of(dict.fromkeys(("paper", *NAMES), 4.0), RESUME)
    assert told.ok, told.error
    assert took < 6


def test_x69_one_that_does_not_answer_keeps_the_halt_and_is_named() -> None:
    told, _ = with_looks_of({"c": 3_000.0}, RESUME)
    assert not told.ok
    assert "c could not be read" in told.error


def test_a_comparison_of_all_looks_at_them_together() -> None:
    told, took = with_looks_of(dict.fromkeys(("paper", *NAMES), 4.0), ask.Reconcile(by="me"))
    assert told.ok, told.error
    assert took < 6
