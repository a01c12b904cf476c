"""A command is answered once it is durable; a kill never waits (rule 6, DESIGN Kill)."""

import json
from decimal import Decimal
from typing import Any

import pytest

from console.host.kill_report import KillReport
from console.host.operations import Operations
from console.host.requests import CommandError
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import Command
from engine.domain.instant import rfc3339
from engine.domain.order import OrderType, Purpose, Side
from engine.runtime.clock import VirtualClock
from engine.runtime.journal_watch import DURABLE_SECONDS
from engine.runtime.virtual_time import run_virtual
from tests.engine.wires import PRICE, Rig
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


@pytest.mark.parametrize("seconds", [DURABLE_SECONDS - 1.0, DURABLE_SECONDS + 1.0])
def test_a_disk_that_hangs_keeps_the_answer_for_a_while_and_it_says_so(seconds: float) -> None:
    slow = Slow()

    async def scene(rig: Rig) -> None:
        slow.seconds = seconds
        asked = rig.now
        done = await rig.engine.command(ask.ClosePosition(by="me", symbol="AAA"))
        assert done.ok
        assert rig.now - asked <= DURABLE_SECONDS + 0.1
        assert done.data.get("durable", True) is (seconds < DURABLE_SECONDS)

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


BUY = ask.PlaceOrder(
    by="me", symbol="BBB", side=Side.BUY, quantity=D(1), protect=D(90), intent_id="mine"
)


def test_29_an_order_that_was_not_durable_and_not_sent_is_no_success() -> None:
    """What was done decides: nothing was bought, whichever id the order had got."""

    async def scene(rig: Rig) -> None:
        asked = rig.now
        rig.disk.full = True
        first = await rig.engine.command(BUY)
        again = await rig.engine.command(BUY)
        for told in (first, again):
            assert (told.ok, told.code) == (False, "NOT_SENT")
            assert told.error == "not sent: the journal cannot be written"
        assert "submit MANUAL" not in rig.wire.since(asked)
        rig.disk.full = False

    on_disk(Slow(), scene)


def test_29_a_change_that_adds_and_was_not_durable_is_no_success() -> None:
    async def scene(rig: Rig) -> None:
        key = await rig.rest("BBB")
        rig.disk.full = True
        told = await rig.engine.command(
            ask.ModifyOrder(by="me", client_order_id=key, quantity=D(11))
        )
        assert (told.ok, told.code) == (False, "NOT_SENT")
        assert told.error == "not sent: the journal cannot be written"
        assert rig.venue.orders[key].quantity == 10
        rig.disk.full = False

    on_disk(Slow(), scene)


def test_29_what_reduces_is_done_without_the_disk_and_is_a_success() -> None:
    async def scene(rig: Rig) -> None:
        key = await rig.rest("BBB")
        rig.disk.full = True
        for command in (
            ask.CancelOrder(by="me", client_order_id=key),
            ask.ClosePosition(by="me", symbol="AAA"),
        ):
            told = await rig.engine.command(command)
            assert (told.ok, told.data["durable"]) == (True, False)
        await rig.until(lambda: rig.engine.book.holding("paper", "AAA") is None)
        rig.disk.full = False

    on_disk(Slow(), scene)


def test_29_an_order_that_waits_for_the_disk_has_no_outcome_yet() -> None:
    """It may still leave; asked again with its id it cannot double."""
    slow = Slow()

    async def scene(rig: Rig) -> None:
        slow.seconds = DURABLE_SECONDS + 1.0
        told = await rig.engine.command(BUY)
        assert (told.ok, told.code) == (False, "NO_ANSWER")
        assert told.error == (
            f"not sent within {DURABLE_SECONDS} s: it leaves only once the journal is written"
        )
        slow.seconds = 0.0
        await rig.clock.sleep(2)
        assert (await rig.engine.command(BUY)).ok

    on_disk(slow, scene)


def test_29_a_signal_whose_order_was_not_sent_has_no_verdict_of_acceptance() -> None:
    async def scene(rig: Rig) -> None:
        config = rig.engine.world.config
        desk = Operations(rig.engine, config, KillReport(rig.engine.world))
        rig.disk.full = True
        given = {
            "signal_id": "x", "signal_type": "t", "direction": "long", "ticker": "BBB",
            "timeframe": "5m", "conviction": 80, "entry_price": str(PRICE),
            "stop_loss": str(PRICE - 5), "timestamp": rfc3339(rig.clock.now()), "source": "me",
        }  # fmt: skip
        with pytest.raises(CommandError, match="not sent: the journal cannot be written") as told:
            await desk.serve("signal", {"signal": json.dumps(given), "line": 1, "source": "-"})
        assert told.value.code == "NOT_SENT"
        rig.disk.full = False

    on_disk(Slow(), scene)
