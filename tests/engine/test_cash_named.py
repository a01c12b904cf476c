"""Cash that nothing explains is no clean comparison, and clears no halt (X-69, X-75, I3)."""

from decimal import Decimal

import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.run import Flatten, Level
from tests.engine.test_adoption import buy, identities
from tests.engine.test_odd_balances import Odd, wire
from tests.engine.wires import Rig, play

D = Decimal
LOOK = ask.Reconcile(by="me")
APPLY = ask.Reconcile(by="me", apply=True)
RESUME = ask.Resume(by="me", confirm="RESUME")


def kill(level: Level = Level.HALT) -> ask.Kill:
    return ask.Kill(by="me", level=level, flatten=Flatten.NONE)


@pytest.mark.parametrize("amount", ["-30000", "30000", "0.01", "-0.01"])
def test_x75_cash_that_nothing_explains_is_not_clean_and_is_named(amount: str) -> None:
    async def scene(rig: Rig) -> None:
        await buy(rig, 10)
        rig.venue.cash += D(amount)
        seen = await rig.engine.command(LOOK)
        assert (seen.ok, seen.data["clean"], seen.data["differences"]) == (True, False, [])
        (row,) = seen.data["unexplained"]
        assert (row["broker"], row["symbol"], row["currency"]) == ("paper", "", "USD")
        assert D(row["quantity"]) == D(amount)
        assert [e["type"] for e in seen.data["events"]] == ["CashAdjusted"]
        done = await rig.engine.command(APPLY)
        assert (done.data["clean"], "unexplained" in done.data) == (True, False)
        identities(rig)
        assert (await rig.engine.command(LOOK)).data["clean"]

    play(scene)


@pytest.mark.parametrize("amount", ["0.00999", "-0.00999", "0"])
def test_x75_what_is_below_the_tolerance_stays_clean_and_clears_a_halt(amount: str) -> None:
    async def scene(rig: Rig) -> None:
        await buy(rig, 10)
        rig.venue.cash += D(amount)
        assert (await rig.engine.command(LOOK)).data["clean"]
        await rig.engine.command(kill())
        await rig.clock.sleep(1)
        done = await rig.engine.command(RESUME)
        assert done.ok, done.error

    play(scene)


@pytest.mark.parametrize("level", [Level.HALT, Level.KILL])
@pytest.mark.parametrize("amount", [-30_000, 30_000])
def test_x69_a_halt_is_not_cleared_while_cash_is_unexplained(amount: int, level: Level) -> None:
    """Nor is a resume impossible for it: what came in meanwhile is taken over, and then it is."""

    async def scene(rig: Rig) -> None:
        await buy(rig, 10)
        await rig.engine.command(kill(level))
        await rig.clock.sleep(20)
        rig.venue.cash += amount
        for _ in range(2):
            refused = await rig.engine.command(RESUME)
            assert not refused.ok
            assert f"{amount} USD" in refused.error
            assert "reconcile --apply" in refused.error
            await rig.clock.sleep(1)
        assert rig.engine.book.halted
        assert (await rig.engine.command(APPLY)).data["clean"]
        assert rig.engine.book.halted
        done = await rig.engine.command(RESUME)
        assert done.ok, done.error
        assert rig.engine.book.run_state.value == "PAUSED"
        assert rig.engine.book.data.flows == 0

    play(scene)


def test_x69_a_resume_alone_finds_it_too() -> None:
    """Nobody has compared since it went: the look of the resume is the first to see it."""

    async def scene(rig: Rig) -> None:
        await rig.engine.command(kill())
        await rig.clock.sleep(2)
        rig.venue.cash -= 30_000
        refused = await rig.engine.command(RESUME)
        assert not refused.ok
        assert "-30000 USD" in refused.error

    play(scene)


def test_x75_a_kill_is_proved_flat_whatever_the_cash_is() -> None:
    async def scene(rig: Rig) -> None:
        await rig.clock.sleep(5)
        rig.venue.cash -= 30_000
        await rig.engine.command(ask.Kill(by="me", level=Level.KILL, flatten=Flatten.ALL))
        await rig.clock.sleep(20)
        assert rig.events(ev.KillProved)[-1].state == "VERIFIED"

    play(scene)


def test_x69_balances_that_cannot_be_true_clear_no_halt_either() -> None:
    """They are compared with nothing, so that nobody knows whether the cash is there."""

    async def scene(rig: Rig) -> None:
        await rig.engine.command(kill())
        await rig.clock.sleep(10)
        told = wire(rig)
        told.cash, told.odd_answers = rig.venue.cash - 30_000, 2
        seen = await rig.engine.command(LOOK)
        assert not seen.data["clean"]
        refused = await rig.engine.command(RESUME)
        assert not refused.ok
        assert "contradicts itself" in refused.error
        assert told.odd_answers == 0
        done = await rig.engine.command(RESUME)
        assert done.ok, done.error

    play(scene, wire=Odd)
