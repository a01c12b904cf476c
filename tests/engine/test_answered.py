"""A command is answered once it is durable; a kill never waits (rule 6, DESIGN Kill)."""

from decimal import Decimal
from typing import Any

import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import Command
from engine.domain.order import OrderType, Purpose, Side
from engine.runtime.clock import VirtualClock
from engine.runtime.journal_watch import ANSWER_SECONDS
from engine.runtime.virtual_time import run_virtual
from tests.engine.wires import Rig
from tests.engine.worlds import MIDDAY

D = Decimal


class Slow:
    """Seconds that a commit takes."""

    seconds = 0.0


def on_disk(slow: Slow, scene: Any) -> None:
    async def main(clock: VirtualClock) -> None:
        rig = Rig(clock, commit_seconds=lambda: slow.seconds)
        await rig.start()
        try:
            rig.signal()
            await rig.until(lambda: rig.engine.book.holding("paper", "AAA") is not None)
            await rig.clock.sleep(3)
            await scene(rig)
            slow.seconds = 0.0
        finally:
            await rig.stop()

    run_virtual(main, MIDDAY, 3600)


LIMIT = ask.PlaceOrder(
    by="me",
    symbol="BBB",
    side=Side.BUY,
    quantity=D(1),
    type=OrderType.LIMIT,
    limit_price=D(98),
    protect=D(90),
)
COMMANDS = pytest.mark.parametrize(
    "command",
    [
        ask.ClosePosition(by="me", symbol="AAA"),
        ask.CloseAll(by="me"),
        ask.Pause(by="me"),
        ask.Protect(by="me", symbol="AAA", price=D(96)),
        LIMIT,
    ],
    ids=lambda command: type(command).__name__,
)


@COMMANDS
def test_the_answer_to_a_command_waits_for_the_disk(command: Command) -> None:
    slow = Slow()

    async def scene(rig: Rig) -> None:
        slow.seconds = 0.8
        asked = rig.now
        done = await rig.engine.command(command)
        assert done.ok, done.error
        assert rig.now - asked >= 0.8
        durable = [r for r in rig.disk.rows if "OperatorActed" in str(r)]
        assert durable, "what was asked is there"

    on_disk(slow, scene)


def test_but_what_reduces_is_sent_meanwhile() -> None:
    slow = Slow()

    async def scene(rig: Rig) -> None:
        slow.seconds = 0.8
        asked = rig.now
        await rig.engine.command(ask.ClosePosition(by="me", symbol="AAA"))
        sent = [at for what, at in rig.wire.asked if what == f"submit {Purpose.EXIT}"]
        assert [at - asked < 0.1 for at in sent] == [True]

    on_disk(slow, scene)


@pytest.mark.parametrize("seconds", [ANSWER_SECONDS - 1.0, ANSWER_SECONDS + 1.0])
def test_a_disk_that_hangs_keeps_the_answer_for_a_while_and_it_says_so(seconds: float) -> None:
    slow = Slow()

    async def scene(rig: Rig) -> None:
        slow.seconds = seconds
        asked = rig.now
        done = await rig.engine.command(ask.ClosePosition(by="me", symbol="AAA"))
        assert done.ok
        assert rig.now - asked <= ANSWER_SECONDS + 0.1
        assert done.data.get("durable", True) is (seconds < ANSWER_SECONDS)

    on_disk(slow, scene)


def test_a_kill_is_answered_at_once() -> None:
    slow = Slow()

    async def scene(rig: Rig) -> None:
        slow.seconds = 3.0
        asked = rig.now
        assert (await rig.engine.command(ask.Kill(by="me"))).ok
        assert rig.now - asked < 0.1
        assert rig.events(ev.Halted)

    on_disk(slow, scene)


def test_what_a_comparison_has_taken_over_is_durable_too() -> None:
    slow = Slow()

    async def scene(rig: Rig) -> None:
        rig.venue.positions["BBB"], rig.venue.costs["BBB"] = D(5), D(100)
        slow.seconds = 3.0
        asked = rig.now
        done = await rig.engine.command(ask.Reconcile(by="me", apply=True))
        assert done.ok, done.error
        assert rig.events(ev.PositionAdjusted)
        assert rig.now - asked >= 3.0
        assert done.data.get("durable", True)
        assert any("PositionAdjusted" in str(row) for row in rig.disk.rows)

    on_disk(slow, scene)
