"""A rule that raises ends the engine in order, whoever gave it its input (DESIGN, rule 1)."""

from collections.abc import Callable, Iterator

import pytest

from engine.core import decide as core
from engine.core.driver import RuleFailedError
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import Input, SignalArrived
from engine.domain.instant import Nanos
from engine.domain.run import Phase
from engine.runtime.clock import VirtualClock
from engine.runtime.virtual_time import run_virtual
from engine.world import World
from tests.engine.wires import Rig
from tests.engine.worlds import MIDDAY


def broken(world: World, given: Input, now: Nanos) -> Iterator[ev.Event]:
    raise ZeroDivisionError("a defect")
    yield


@pytest.mark.parametrize(
    ("kind", "give"),
    [
        (SignalArrived, lambda rig: rig.signal()),
        (ask.Pause, lambda rig: rig.engine.step(ask.Pause(by="me"))),
        (ask.Kill, lambda rig: rig.engine.halt(ask.Kill(by="me"))),
    ],
    ids=["signal", "command", "kill"],
)
def test_it_is_raised_to_the_caller_and_the_engine_stops(
    kind: type[Input], give: Callable[[Rig], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main(clock: VirtualClock) -> None:
        rig = Rig(clock)
        await rig.start()
        monkeypatch.setitem(core.RULES, kind, broken)
        with pytest.raises(RuleFailedError, match="ZeroDivisionError: a defect"):
            give(rig)
        await rig.clock.sleep(10)
        with pytest.raises(RuleFailedError, match="ZeroDivisionError: a defect"):
            await rig.stop()
        last = rig.events(ev.PhaseChanged)[-1]
        assert last.phase is Phase.STOPPED
        assert "a defect" in last.reason

    run_virtual(main, MIDDAY, 3600)
