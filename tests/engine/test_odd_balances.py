"""Balances that contradict themselves are compared with nothing, and named (U-53, X-75, fault 46).

The equity of an account is its cash and what it holds. One answer that says something else is no
number to take over, by a kill least of all; a venue that goes on saying so counts in another way.
"""

from decimal import Decimal

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import Account, VenuePosition
from engine.domain.run import Flatten, Level
from engine.runtime.answers import balance_fault
from tests.engine.test_adoption import buy, identities
from tests.engine.test_answers import ACCOUNT
from tests.engine.wires import Rig, Wire, play
from tests.simulation.venue import Venue

D = Decimal
KILL = ask.Kill(by="me", level=Level.KILL, flatten=Flatten.ALL)
LOOK = ask.Reconcile(by="me", apply=True)


class Odd(Wire):
    """Some of its answers about the account say another `cash`, and nothing else differs."""

    def __init__(self, venue: Venue, name: str = "paper") -> None:
        super().__init__(venue, name)
        self.odd_answers = 0
        self.cash = D(0)

    async def get_account(self) -> Account:
        told = await super().get_account()
        if not self.odd_answers:
            return told
        self.odd_answers -= 1
        return msgspec.structs.replace(told, cash=self.cash, balances={})


def wire(rig: Rig) -> Odd:
    assert isinstance(rig.wire, Odd)
    return rig.wire


def alarms(rig: Rig) -> list[str]:
    return [event.code for event in rig.events(ev.Alarmed)]


@pytest.mark.parametrize("held", [0, 50])
@pytest.mark.parametrize("asked", [KILL, LOOK])
def test_x75_one_answer_whose_cash_is_not_in_its_equity_is_not_adopted(
    asked: ask.Kill | ask.Reconcile, held: int
) -> None:
    async def scene(rig: Rig) -> None:
        if held:
            await buy(rig, held)
        await rig.clock.sleep(10)
        wire(rig).odd_answers = 1
        await rig.engine.command(asked)
        await rig.clock.sleep(20)
        assert wire(rig).odd_answers == 0
        assert rig.events(ev.CashAdjusted) == []
        assert rig.events(ev.UnexplainedChanged) == []
        assert alarms(rig).count("BAD_BALANCES") == 1
        identities(rig)
        assert rig.engine.book.data.adjustments == 0

    play(scene, wire=Odd)


def test_x52_a_kill_is_proved_all_the_same() -> None:
    async def scene(rig: Rig) -> None:
        await buy(rig, 50)
        await rig.clock.sleep(10)
        wire(rig).odd_answers = 1_000
        await rig.engine.command(KILL)
        await rig.clock.sleep(9)
        assert rig.events(ev.KillProved)[-1].state == "VERIFIED"
        assert rig.events(ev.CashAdjusted) == []

    play(scene, wire=Odd)


def test_x75_a_venue_that_goes_on_saying_so_counts_in_another_way() -> None:
    """After ten seconds the difference is named, and an operator may take it over."""

    async def scene(rig: Rig) -> None:
        await rig.clock.sleep(10)
        told = wire(rig)
        told.cash, told.odd_answers = rig.venue.cash - 5_000, 1_000
        for _ in range(3):
            await rig.engine.command(ask.Reconcile(by="me"))
            await rig.clock.sleep(6)
        assert "CASH_UNEXPLAINED" in alarms(rig)
        assert alarms(rig).count("BAD_BALANCES") == 1
        await rig.engine.command(LOOK)
        (taken,) = rig.events(ev.CashAdjusted)
        assert taken.value == -5_000

    play(scene, wire=Odd)


def test_x75_cash_that_came_in_is_in_the_equity_too_and_is_told() -> None:
    async def scene(rig: Rig) -> None:
        await rig.clock.sleep(10)
        rig.venue.cash += 7_000
        await rig.engine.command(ask.Reconcile(by="me"))
        await rig.clock.sleep(1)
        assert "CASH_UNEXPLAINED" in alarms(rig)
        assert "BAD_BALANCES" not in alarms(rig)

    play(scene, wire=Odd)


HELD = VenuePosition(symbol="AAA", quantity=D(100), average_price=D(90))


@pytest.mark.parametrize(
    ("equity", "fits"),
    [
        # The cash is 1,000 and what is held 10,000: a hundredth of the equity, and three tenths of
        # what is held, may be between.
        ("11000", True),
        ("14140", True),
        ("14150", False),
        ("7930", True),
        ("7880", False),
        ("1000", False),
        ("81840", False),
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_the_equity_is_the_cash_and_what_is_held(equity: str, fits: bool, sign: int) -> None:
    cash = D(1_000) if sign > 0 else D(21_000)
    told = msgspec.structs.replace(
        ACCOUNT, currency="USD", balances={}, cash=cash, equity=D(equity)
    )
    assert (balance_fault(told, sign * D(10_000), D(10_000)) == "") is fits
