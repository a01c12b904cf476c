"""Where only reducing is allowed, entries that work are cancelled (X-77, U-42)."""

from decimal import Decimal
from typing import Any

import pytest

from engine.core.withdraw import withholding
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.codes import Verdict
from engine.domain.inputs import JournalFailed
from engine.domain.order import OrderStatus, OrderType, Side
from engine.domain.run import RunState, Trigger
from engine.runtime.clock import VirtualClock
from engine.runtime.virtual_time import run_virtual
from tests.engine.driver import CoreDriver
from tests.engine.pair import Pair
from tests.engine.wires import Rig, play
from tests.engine.worlds import BROKER, MIDDAY

D = Decimal
S = OrderStatus


def resting(desk: CoreDriver, symbol: str = "NVDA") -> Any:
    desk.price(symbol, "100")
    desk.place(Side.BUY, 10, symbol=symbol, type=OrderType.LIMIT, limit_price=D(98), protect=D(90))
    order = next(iter(desk.book.account(BROKER).orders.values()))
    desk.accept(order.terms)
    return order


def restrict(desk: CoreDriver, cause: Trigger) -> None:
    """As a trigger does whose action is reduce_only."""
    if cause is Trigger.JOURNAL:
        desk.give(JournalFailed("the disk is full"))
    else:
        desk.event(ev.Restricted(cause=cause, reason="because"))
        desk.tick()


@pytest.mark.parametrize("cause", [Trigger.DAILY_LOSS, Trigger.LOSS_STREAK, Trigger.DIVERGENCE])
def test_x77_a_restriction_cancels_entries_and_keeps_them_cancelled(cause: Trigger) -> None:
    desk = CoreDriver()
    order = resting(desk)
    restrict(desk, cause)
    assert desk.book.run_state in (RunState.REDUCE_ONLY, RunState.COOLDOWN)
    assert desk.current(order).status is S.PENDING_CANCEL
    desk.report(order, S.CANCELED, text="on request")
    assert str(cause) in desk.current(order).reason


def test_x77_one_cause_that_begins_as_another_ends_is_a_new_one() -> None:
    """Counted they would be as many as before, and entries of that account would rest."""
    desk = CoreDriver()
    desk.event(ev.Restricted(cause=Trigger.DAILY_LOSS, reason="because"))
    before = withholding(desk.world)
    assert withholding(desk.world) == before
    desk.event(ev.Unrestricted(cause=Trigger.DAILY_LOSS, by="me"))
    assert not withholding(desk.world) - before
    desk.event(ev.Restricted(cause=Trigger.DAILY_LOSS, reason="because", account=BROKER))
    assert withholding(desk.world) - before == {(BROKER, Trigger.DAILY_LOSS)}


def test_x77_a_pause_leaves_them_and_to_rest() -> None:
    desk = CoreDriver()
    order = resting(desk)
    desk.give(ask.Pause(by="me"))
    desk.tick(10)
    assert desk.current(order).status is S.NEW


def test_x77_what_reduces_goes_on() -> None:
    desk = CoreDriver().price("NVDA", "100")
    desk.fill(desk.order("NVDA", 10, "100"), None, "100")
    desk.place(Side.SELL, 4, type=OrderType.LIMIT, limit_price=D(110))
    order = next(iter(desk.book.account(BROKER).orders.values()))
    desk.accept(order.terms)
    restrict(desk, Trigger.DAILY_LOSS)
    assert desk.current(order).status is S.NEW


def test_x77_one_that_turns_up_later_is_cancelled_too() -> None:
    desk = CoreDriver()
    restrict(desk, Trigger.DAILY_LOSS)
    order = desk.order("NVDA", 10, "98", limit="98")
    desk.accept(order)
    desk.tick()
    assert desk.current(order).status is S.PENDING_CANCEL


# --- a link that is lost --------------------------------------------------------------------------


def state_of(rig: Rig, name: str = BROKER) -> str:
    accounts = rig.engine.status()["accounts"]
    return str(next(a["state"] for a in accounts if a["broker"] == name))


def test_x77_a_link_that_is_down_for_less_than_5_s_changes_nothing() -> None:
    async def scene(rig: Rig) -> None:
        key = await rig.rest()
        rig.cut()
        await rig.clock.sleep(2)
        rig.mend()
        await rig.until(lambda: rig.is_compared)
        await rig.clock.sleep(5)
        assert rig.status(key) is S.NEW

    play(scene)


def test_x77_one_that_is_lost_is_reduce_only_and_its_entries_are_cancelled_first() -> None:
    async def scene(rig: Rig) -> None:
        key = await rig.rest()
        rig.cut()
        await rig.clock.sleep(7)
        assert rig.engine.book.run_state is RunState.REDUCE_ONLY
        assert rig.signal().code == "RUN_STATE"
        assert rig.engine.status()["run_state"] == "REDUCE_ONLY"
        assert state_of(rig) == "LOST"
        assert rig.status(key) is S.PENDING_CANCEL
        back = rig.now
        rig.mend()
        await rig.until(lambda: rig.is_compared)
        await rig.until(lambda: rig.status(key) is S.CANCELED)
        assert rig.wire.since(back)[0] == "cancel"
        assert rig.engine.book.run_state is RunState.ACTIVE
        assert state_of(rig) == "READY"
        assert rig.signal().verdict is not Verdict.REJECTED

    play(scene)


def test_x77_the_portfolio_goes_on_while_another_account_can_enter() -> None:
    async def main(clock: VirtualClock) -> None:
        pair = Pair(clock)
        await pair.rig.start()
        try:
            await pair.hold()
            pair.cut()
            await pair.rig.clock.sleep(8)
            assert (state_of(pair.rig, "second"), state_of(pair.rig)) == ("LOST", "READY")
            assert pair.rig.engine.book.run_state is RunState.ACTIVE
            left = {o.account for o in pair.rig.engine.book.orders() if o.adds_exposure}
            ending = [o for o in pair.rig.engine.book.orders() if o.cancel_wanted]
            assert left == {"paper", "second"}
            assert {o.account for o in ending} == {"second"}
            pair.rig.cut()
            await pair.rig.clock.sleep(8)
            assert pair.rig.engine.book.run_state is RunState.REDUCE_ONLY
            pair.mend()
            await pair.rig.until(lambda: pair.rig.engine.book.account("second").compared)
            assert pair.rig.engine.book.run_state is RunState.ACTIVE
        finally:
            await pair.rig.stop()

    run_virtual(main, MIDDAY, 3600)


def test_x77_a_pause_answers_how_many_entries_stay() -> None:
    async def scene(rig: Rig) -> None:
        await rig.rest()
        done = await rig.engine.command(ask.Pause(by="me"))
        assert done.data == {"entries_working": 1}

    play(scene)
