"""Credentials that a venue does not accept end the entries of that account (C-403).

Other accounts go on. Where none is left, the portfolio only reduces (X-77).
"""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from random import Random

import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.order import OrderTerms, OrderType, Side
from engine.domain.result import Result
from engine.domain.run import RunState
from engine.ports import AuthFailed
from engine.runtime.clock import VirtualClock
from engine.runtime.virtual_time import VirtualLoop, run_virtual
from tests.configs import from_mapping
from tests.engine.wires import ABLE, PRICE, TREE, Rig, Wire
from tests.engine.worlds import MIDDAY
from tests.simulation.agenda import Agenda
from tests.simulation.venue import Venue

CONFIG = from_mapping({**TREE, "brokers": {"second": {"kind": "paper"}}})


class Keyed(Wire):
    """A venue that takes no order while the key is withdrawn."""

    withdrawn = False

    async def submit_order(self, order: OrderTerms) -> None:
        if self.withdrawn:
            await asyncio.sleep(0.05)  # two that leave together are both under way
            raise AuthFailed("the key was withdrawn")
        await super().submit_order(order)


class Desk:
    """An engine with the account `paper` and, where `several`, one called `second`."""

    def __init__(self, clock: VirtualClock, *, several: bool) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        agenda = Agenda(MIDDAY)
        agenda.attach(loop, clock)
        self.far = Venue(agenda, Random(8), ABLE)
        second = Keyed(self.far, "second")
        if several:
            self.rig = Rig(clock, wire=Keyed, config=CONFIG, more=(second,))
        else:
            self.rig = Rig(clock, wire=Keyed)
        first = self.rig.wire
        assert isinstance(first, Keyed)
        self.wires = {"paper": first, "second": second}

    async def buy(self, broker: str, symbol: str = "AAA") -> Result:
        """An order by hand, and the time in which its venue answers."""
        asked = ask.PlaceOrder(
            by="test",
            symbol=symbol,
            side=Side.BUY,
            quantity=Decimal(5),
            protect=PRICE - 10,
            broker=broker,
        )
        done = await self.rig.engine.command(asked)
        await self.rig.clock.sleep(2)
        return done

    async def refuse(self, broker: str, symbol: str = "AAA") -> None:
        """The venue of that account refuses an order for its key."""
        self.wires[broker].withdrawn = True
        assert (await self.buy(broker, symbol)).ok
        self.wires[broker].withdrawn = False

    @property
    def run_state(self) -> RunState:
        return self.rig.engine.book.run_state

    def restrictions(self, broker: str) -> list[str]:
        """Those of an account by itself, as `status` tells them."""
        rows = {row["broker"]: row for row in self.rig.engine.status()["accounts"]}
        return [told["cause"] for told in rows[broker]["restrictions"]]

    def alarms(self) -> list[str]:
        alarms = self.rig.events(ev.Alarmed)
        return [alarm.subject for alarm in alarms if alarm.code == "AUTH_FAILED"]


def played(scene: Callable[[Desk], Awaitable[None]], *, several: bool = True) -> None:
    async def main(clock: VirtualClock) -> None:
        desk = Desk(clock, several=several)
        await desk.rig.start()
        try:
            await scene(desk)
        finally:
            await desk.rig.stop()

    run_virtual(main, MIDDAY, 3600)


def test_c403_one_of_two_takes_no_entries_and_the_other_goes_on() -> None:
    async def scene(desk: Desk) -> None:
        await desk.refuse("second")
        assert desk.run_state is RunState.ACTIVE
        assert desk.restrictions("second") == ["broker_lost"]
        assert desk.restrictions("paper") == []
        assert desk.alarms() == ["second"]
        refused = await desk.buy("second", "BBB")
        assert (refused.ok, refused.code) == (False, "NO_ACCOUNT")
        assert "second takes no entries: its credentials are not accepted." in str(refused.error)
        await desk.rig.clock.sleep(600)
        assert desk.rig.signal("BBB").code != "RUN_STATE"
        assert [terms.account for terms in desk.rig.orders("BBB")] == ["paper"]
        assert (await desk.buy("paper")).ok

    played(scene)


def test_c403_what_is_refused_while_it_stands_is_told_once() -> None:
    """Two orders leave together, and both come back."""

    async def scene(desk: Desk) -> None:
        desk.wires["second"].withdrawn = True
        await asyncio.gather(desk.buy("second", "AAA"), desk.buy("second", "BBB"))
        assert len(desk.rig.events(ev.OrderRejected)) == 2
        assert len(desk.rig.events(ev.Restricted)) == 1
        assert desk.alarms() == ["second"]

    played(scene)


def test_c403_where_no_account_is_left_the_portfolio_only_reduces() -> None:
    async def scene(desk: Desk) -> None:
        await desk.refuse("second")
        await desk.refuse("paper")
        assert desk.run_state is RunState.REDUCE_ONLY
        assert desk.alarms() == ["second", "paper"]
        assert desk.restrictions("second") == desk.restrictions("paper") == ["broker_lost"]
        refused = desk.rig.signal("BBB")
        assert refused.code == "RUN_STATE"
        for name in ("paper", "second"):
            assert f"{name}: its credentials are not accepted" in refused.reason

    played(scene)


def test_x77_one_that_is_lifted_is_enough_for_the_portfolio_to_enter() -> None:
    async def scene(desk: Desk) -> None:
        await desk.refuse("second")
        await desk.refuse("paper")
        await _reconnect(desk)
        assert desk.run_state is RunState.ACTIVE
        assert desk.restrictions("second") == []
        assert desk.restrictions("paper") == ["broker_lost"]

    played(scene)


def test_c403_the_only_account_is_restricted_and_the_portfolio_with_it() -> None:
    async def scene(desk: Desk) -> None:
        await desk.refuse("paper")
        assert desk.run_state is RunState.REDUCE_ONLY
        assert desk.restrictions("paper") == ["broker_lost"]
        told = desk.rig.engine.status()
        assert (told["run_state"], told["accounts"][0]["state"]) == ("REDUCE_ONLY", "REDUCE_ONLY")
        assert desk.alarms() == ["paper"]
        assert "its credentials are not accepted" in desk.rig.signal("BBB").reason
        desk.rig.cut()
        await desk.rig.clock.sleep(1)
        desk.rig.mend()
        await desk.rig.until(lambda: desk.rig.engine.book.account("paper").compared)
        assert (desk.run_state, desk.restrictions("paper")) == (RunState.ACTIVE, [])
        assert (await desk.buy("paper", "BBB")).ok

    played(scene, several=False)


@pytest.mark.parametrize("several", [False, True])
def test_c403_each_try_of_a_close_that_is_refused_tells_nothing_new(several: bool) -> None:
    """An alarm is raised once a state (fault 51): two minutes of tries are one."""

    async def scene(desk: Desk) -> None:
        assert (await desk.buy("paper")).ok
        desk.wires["paper"].withdrawn = True
        await desk.rig.engine.command(ask.ClosePosition(by="ann", symbol="AAA"))
        await desk.rig.clock.sleep(120)
        assert len(desk.rig.events(ev.OrderRejected)) > 3
        assert desk.alarms() == ["paper"]
        assert len(desk.rig.events(ev.Restricted)) == 1
        desk.wires["paper"].withdrawn = False
        await desk.rig.until(lambda: desk.rig.engine.book.holding("paper", "AAA") is None)

    played(scene, several=several)


@pytest.mark.parametrize("several", [False, True])
def test_x77_what_works_there_to_enter_is_cancelled_at_once(several: bool) -> None:
    async def scene(desk: Desk) -> None:
        resting = ask.PlaceOrder(
            by="test",
            symbol="AAA",
            side=Side.BUY,
            quantity=Decimal(5),
            type=OrderType.LIMIT,
            limit_price=PRICE - 3,
            protect=PRICE - 10,
            broker="paper",
        )
        assert (await desk.rig.engine.command(resting)).ok
        await desk.rig.clock.sleep(2)
        await desk.refuse("paper", "BBB")
        (refused,) = (r for r in desk.rig.records if isinstance(r.event, ev.OrderRejected))
        at = [r.time for r in desk.rig.records if isinstance(r.event, ev.CancelRequested)]
        (cancelled,) = desk.rig.events(ev.CancelRequested)
        assert at == [refused.time]
        assert "only reducing is allowed" in cancelled.reason

    played(scene, several=several)


async def _unpause(desk: Desk) -> None:
    assert (await desk.rig.engine.command(ask.Unpause(by="ann"))).ok


async def _reconnect(desk: Desk) -> None:
    desk.far.set_link(up=False)
    await desk.rig.clock.sleep(1)
    assert desk.restrictions("second") == ["broker_lost"]
    desk.far.set_link(up=True)
    await desk.rig.until(lambda: desk.rig.engine.book.account("second").compared)


@pytest.mark.parametrize(("lift", "by"), [(_unpause, "ann"), (_reconnect, "reconnect")])
def test_c403_an_operator_or_a_connection_that_was_accepted_lifts_it(
    lift: Callable[[Desk], Awaitable[None]], by: str
) -> None:
    async def scene(desk: Desk) -> None:
        await desk.refuse("second")
        await lift(desk)
        assert desk.restrictions("second") == []
        (lifted,) = desk.rig.events(ev.Unrestricted)
        assert (lifted.account, lifted.by) == ("second", by)
        assert (await desk.buy("second", "BBB")).ok

    played(scene)


# --- what an operator lifts -----------------------------------------------------------------------


def test_x69_unpause_lifts_nothing_whose_cause_goes_on() -> None:
    """The link of one of two accounts is down: each time he is told so, and nothing changes."""

    async def scene(desk: Desk) -> None:
        desk.far.set_link(up=False)
        await desk.rig.until(lambda: desk.restrictions("second") == ["broker_lost"])
        for _ in range(3):
            told = await desk.rig.engine.command(ask.Unpause(by="ann"))
            assert (told.ok, told.code) == (False, "RUN_STATE")
            assert "second takes no entries: its link is down" in told.error
            assert desk.restrictions("second") == ["broker_lost"]
            await desk.rig.clock.sleep(2)
        assert desk.rig.events(ev.Unrestricted) == []
        assert len(desk.rig.events(ev.Restricted)) == 1
        assert (await desk.buy("paper")).ok
        desk.far.set_link(up=True)
        await desk.rig.until(lambda: desk.rig.engine.book.account("second").compared)
        assert [event.by for event in desk.rig.events(ev.Unrestricted)] == ["reconnect"]
        assert (await desk.rig.engine.command(ask.Unpause(by="ann"))).ok

    played(scene)


def test_x69_what_goes_on_in_one_account_keeps_no_other_from_being_lifted() -> None:
    async def scene(desk: Desk) -> None:
        await desk.refuse("paper")
        desk.far.set_link(up=False)
        await desk.rig.until(lambda: desk.restrictions("second") == ["broker_lost"])
        assert desk.run_state is RunState.REDUCE_ONLY
        assert (await desk.rig.engine.command(ask.Pause(by="ann", reason="lunch"))).ok
        told = await desk.rig.engine.command(ask.Unpause(by="ann"))
        assert "second takes no entries: its link is down" in told.error
        assert desk.restrictions("paper") == []
        assert desk.run_state is RunState.ACTIVE

    played(scene)


@pytest.mark.parametrize("down", [4.9, 5.0])
def test_x77_a_link_that_is_down_and_not_yet_lost_is_no_less_down(down: float) -> None:
    """The key was refused before its link broke: whether it is taken now, nobody can know."""

    async def scene(desk: Desk) -> None:
        await desk.refuse("second")
        desk.far.set_link(up=False)
        await desk.rig.clock.sleep(down)
        told = await desk.rig.engine.command(ask.Unpause(by="ann"))
        assert "second takes no entries: its link is down" in told.error
        assert desk.restrictions("second") == ["broker_lost"]

    played(scene)
