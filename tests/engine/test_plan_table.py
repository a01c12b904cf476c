"""The table of the plans: one that never comes to an end stops no other (DESIGN, Kill)."""

from collections.abc import Iterator

import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.instant import Nanos
from engine.domain.order import OrderStatus, Purpose
from engine.domain.run import Flatten
from engine.plans import table
from engine.plans.table import MOST_STEPS, PLANS, Plan
from engine.world import World
from tests.engine.driver import CoreDriver, protected
from tests.engine.worlds import BROKER


def taking(steps: int) -> Plan:
    """A plan that has so many steps to take, whatever happens."""
    left = [steps]

    def advance(world: World, account: str, symbol: str, now: Nanos) -> Iterator[ev.Event]:
        if left[0]:
            left[0] -= 1
            yield ev.OrderQueried(account=account, client_order_id="x", reason="step")

    return Plan("counting", advance)


@pytest.mark.parametrize(
    ("steps", "taken", "told"),
    [
        (MOST_STEPS - 1, MOST_STEPS - 1, False),
        (MOST_STEPS, MOST_STEPS, False),
        (MOST_STEPS + 1, MOST_STEPS, True),
        (10**9, MOST_STEPS, True),
    ],
)
def test_a_plan_takes_so_many_steps_at_a_place_and_is_told_by_name(
    steps: int, taken: int, told: bool
) -> None:
    desk = CoreDriver()
    events = list(table.advance(desk.world, BROKER, "NVDA", desk.now, (taking(steps),)))
    assert len([e for e in events if isinstance(e, ev.OrderQueried)]) == taken
    alarms = [e for e in events if isinstance(e, ev.Alarmed)]
    assert [(a.code, a.subject) for a in alarms] == [("PLAN_REPEATS", "NVDA")] * told
    assert all("the plan 'counting' has taken 64 steps in NVDA in paper" in a.text for a in alarms)


@pytest.mark.parametrize("first", [True, False])
def test_a_plan_that_repeats_itself_keeps_no_kill_from_closing(
    first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = taking(10**9)
    monkeypatch.setattr(table, "PLANS", (endless, *PLANS) if first else (*PLANS, endless))
    desk = protected(149)
    desk.give(ask.Kill(by="test", flatten=Flatten.ALL))
    desk.later(1)
    desk.snapshot(positions={"NVDA": 149}, reason="kill")
    exit_ = desk.last(Purpose.FLATTEN)
    desk.accept(exit_)
    desk.filled(exit_, 149, "100")
    assert desk.current(exit_).status is OrderStatus.FILLED
    assert desk.book.holding(BROKER, "NVDA") is None
