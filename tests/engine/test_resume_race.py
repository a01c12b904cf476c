"""What was checked is of the halt that stood then: a later one survives a resume (X-69, C-503)."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import LatchFound
from engine.domain.result import Result
from engine.domain.run import Flatten, Halt, Level, Trigger
from tests.engine.liar import Table, play

RESUME = ask.Resume(by="test", confirm="RESUME")


def kill(level: Level, flatten: Flatten = Flatten.NONE) -> ask.Kill:
    return ask.Kill(by="test", level=level, flatten=flatten)


def found(level: Level) -> LatchFound:
    return LatchFound(
        Halt(
            reason="by hand",
            at=1,
            by="file",
            level=level,
            trigger=Trigger.LATCH,
            flatten=Flatten.NONE,
            epoch=0,
        )
    )


async def resumed_while(table: Table, given: Any) -> Result:
    """A resume, in whose look at the venue something else happens."""
    asked = len(table.venue.asked)
    running = asyncio.create_task(table.engine.command(RESUME))
    await table.until(lambda: len(table.venue.asked) > asked)
    given()
    return await running


@pytest.mark.parametrize("second", [Level.HALT, Level.KILL])
@pytest.mark.parametrize("first", [Level.HALT, Level.KILL])
def test_c503_a_halt_that_is_pressed_while_a_resume_asks_the_venue_stands(
    first: Level, second: Level
) -> None:
    async def scene(table: Table) -> None:
        await table.buy(99, protect=Decimal(90))
        await table.wait(20)
        await table.engine.command(kill(first))
        await table.wait(20)
        told = await resumed_while(table, lambda: table.engine.halt(kill(second)))
        assert not told.ok
        assert "meanwhile" in told.error
        halt = table.engine.book.data.halt
        assert halt is not None
        assert halt.level is max(first, second, key=[Level.HALT, Level.KILL].index)
        assert table.gate.closed
        assert table.disk.latch is not None
        await table.wait(20)
        assert (await table.engine.command(RESUME)).ok
        assert table.engine.book.run_state.value == "PAUSED"

    play(scene)


@pytest.mark.parametrize("level", [Level.HALT, Level.KILL])
def test_c503_so_does_one_that_a_file_or_another_process_sets(level: Level) -> None:
    async def scene(table: Table) -> None:
        await table.engine.command(kill(Level.KILL))
        await table.wait(20)
        told = await resumed_while(table, lambda: table.engine.step(found(level)))
        assert not told.ok
        assert table.engine.book.data.halt is not None
        assert table.gate.closed

    play(scene)


def test_c503_and_one_that_a_thread_asks_for_and_the_loop_has_not_heard_of() -> None:
    async def scene(table: Table) -> None:
        await table.engine.command(kill(Level.KILL))
        await table.wait(20)
        told = await resumed_while(table, lambda: table.gate.ask("a kill in another thread"))
        assert not told.ok
        assert table.engine.book.data.halt is not None

    play(scene)


@pytest.mark.parametrize("shown", [1, 2, None], ids=["the first", "the second", "none"])
def test_c503_a_resume_clears_the_halt_that_was_looked_at_and_no_later_one(
    shown: int | None,
) -> None:
    """A halt is looked at, and a script's kill comes before the word is typed (fault 43)."""

    async def scene(table: Table) -> None:
        await table.engine.command(kill(Level.HALT))
        await table.wait(20)
        await table.engine.command(
            ask.Kill(by="script", level=Level.KILL, flatten=Flatten.NONE, reason="it went wrong")
        )
        await table.wait(60)
        resume = RESUME if shown is None else ask.Resume(by="test", confirm="RESUME", epoch=shown)
        told = await table.engine.command(resume)
        halt = table.engine.book.data.halt
        if shown != 1:
            assert (told.ok, halt) == (True, None), told.error
            return
        assert not told.ok
        for words in ("epoch 1", "epoch 2", "script", "it went wrong"):
            assert words in told.error
        assert halt is not None
        assert halt.epoch == 2
        assert table.gate.closed
        acted = [e for e in table.events(ev.OperatorActed) if e.command == "Resume"]
        assert [e.args["epoch"] for e in acted] == [1]

    play(scene)


def test_c503_a_halt_that_was_looked_at_and_is_cleared_clears_nothing_more() -> None:
    """Somebody else resumed, and another halt came after that: it is not the one looked at."""

    async def scene(table: Table) -> None:
        await table.engine.command(kill(Level.KILL))
        await table.wait(20)
        assert (await table.engine.command(RESUME)).ok
        late = ask.Resume(by="test", confirm="RESUME", epoch=1)
        assert "nothing is halted" in (await table.engine.command(late)).error
        await table.engine.command(kill(Level.HALT))
        await table.wait(20)
        assert not (await table.engine.command(late)).ok
        assert table.engine.book.data.halt is not None

    play(scene)


def test_x69_without_one_it_clears_the_halt() -> None:
    async def scene(table: Table) -> None:
        await table.engine.command(kill(Level.KILL))
        await table.wait(20)
        told = await resumed_while(table, lambda: None)
        assert told.ok, told.error
        await table.until(lambda: not table.gate.closed)
        (acted,) = [e for e in table.events(ev.OperatorActed) if e.command == "Resume"]
        assert acted.args == {"confirm": "RESUME", "note": "", "rebase": False}

    play(scene)


def test_u71_a_latch_that_cannot_be_cleared_refuses_the_resume_and_says_why() -> None:
    async def scene(table: Table) -> None:
        await table.engine.command(kill(Level.HALT))
        await table.wait(20)
        standing = found(Level.HALT).halt
        table.disk.latch = standing
        told = await table.engine.command(RESUME)
        assert (told.ok, standing.reason in told.error) == (False, True)
        assert table.engine.book.run_state.value == "HALTED"
        assert not table.events(ev.HaltCleared)
        table.disk.latch = None
        assert (await table.engine.command(RESUME)).ok

    play(scene)


@pytest.mark.parametrize("flatten", [Flatten.DAY, Flatten.ALL])
def test_rule5_a_kill_that_is_still_at_work_is_not_cleared(flatten: Flatten) -> None:
    async def scene(table: Table) -> None:
        await table.buy(99, protect=Decimal(90))
        table.venue.fill_seconds = 10
        table.engine.halt(kill(Level.KILL, flatten))
        await table.wait(1)
        for _ in range(5):
            told = await table.engine.command(RESUME)
            assert (told.ok, "still at work" in told.error) == (False, True), told.error
            await table.wait(1)
        await table.until(lambda: "KILL_VERIFIED" in table.alarms())
        assert table.there == 0
        await table.wait(6)
        assert (await table.engine.command(RESUME)).ok

    play(scene)


def test_rule5_one_that_could_not_be_proved_in_its_time_may_be_cleared() -> None:
    async def scene(table: Table) -> None:
        await table.buy(99)
        table.venue.fill_seconds = 100
        table.engine.halt(kill(Level.KILL, Flatten.DAY))
        await table.until(lambda: "KILL_DEGRADED" in table.alarms())
        told = await table.engine.command(RESUME)
        assert told.ok, told.error

    play(scene)


def test_x69_a_holding_that_differs_while_something_is_in_flight_is_no_clean_comparison() -> None:
    async def scene(table: Table) -> None:
        await table.buy(50)
        await table.wait(10)
        await table.engine.command(kill(Level.HALT))
        table.venue.move("AAA", Decimal(7))
        table.venue.silent = {"submit"}
        await table.engine.command(ask.ClosePosition(by="test", symbol="AAA"))
        await table.wait(0.1)
        told = await table.engine.command(RESUME)
        assert not told.ok
        assert "AAA" in told.error
        seen = await table.engine.command(ask.Reconcile(by="test"))
        assert (seen.data["clean"], seen.data["differences"]) == (False, [])
        (row,) = seen.data["doubted"]
        assert (row["symbol"], row["local"], row["venue"]) == ("AAA", "50", "57")

    play(scene)
