"""A line of the cash history that cannot be read stands in nobody's way for ever (X-69, X-75).

While it is listed cash is not compared, and a halt is not cleared. `reconcile --apply` by a person
leaves it out from then on, under its id; what it moved is cash that nothing explains, and is taken
over by the same command.
"""

from decimal import Decimal

import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.result import Result
from engine.domain.run import Flatten
from engine.state.book import Book
from engine.state.fold import apply
from tests.engine.liar import Table, play
from tests.engine.test_unreadable_rows import HISTORY, NO_NUMBER, ROWS, Scene, mend, spoil
from tests.engine.worlds import BROKER

D = Decimal
LINES = pytest.mark.parametrize("how", ROWS)


async def killed(table: Table) -> Scene:
    """All is flat after a kill, so that no fill comes any more."""
    assert isinstance(table, Scene)
    await table.buys("AAA", 10)
    await table.wait(8)
    await table.engine.command(ask.Kill(by="test", flatten=Flatten.ALL))
    await table.wait(60)
    return table


async def compared(table: Table, *, taking: bool) -> Result:
    return await table.engine.command(ask.Reconcile(by="anna", apply=taking))


async def resumed(table: Table) -> Result:
    return await table.engine.command(ask.Resume(by="anna", confirm="RESUME"))


@LINES
def test_x69_a_person_leaves_a_bad_line_out_and_the_halt_is_cleared(how: str) -> None:
    async def scene(told: Table) -> None:
        table = await killed(told)
        spoil(table, how)
        await table.wait(3_600)
        refused = await resumed(table)
        assert not refused.ok
        assert "reconcile --apply" in refused.error
        done = await compared(table, taking=True)
        assert (done.ok, done.data["clean"]) == (True, True)
        assert [("transfer bad" in note, "left out" in note) for note in done.data["notes"]] == [
            (True, True)
        ]
        assert [event["type"] for event in done.data["events"]] == ["CashMovementLeftOut"]
        (left,) = table.events(ev.CashMovementLeftOut)
        assert (left.account, left.movement_id, left.by) == (BROKER, "bad", "anna")
        cleared = await resumed(table)
        assert cleared.ok, cleared.error
        again = await compared(table, taking=True)
        assert (again.data["clean"], "notes" in again.data) == (True, False)
        assert len(table.events(ev.CashMovementLeftOut)) == 1

    play(scene, table=Scene, able=HISTORY)


@LINES
def test_x75_what_a_line_moved_is_taken_over_with_it_and_not_booked_again(how: str) -> None:
    """Also where the venue mends the line afterwards."""

    async def scene(told: Table) -> None:
        table = await killed(told)
        spoil(table, how)
        table.venue.cash -= 40_000
        await table.wait(130)
        account = table.engine.book.account(BROKER)
        assert account.unexplained.is_nothing, "it is not compared"
        done = await compared(table, taking=True)
        assert done.data["clean"]
        taken = [event["type"] for event in done.data["events"]]
        assert taken == ["CashMovementLeftOut", "CashAdjusted"]
        (adjusted,) = table.events(ev.CashAdjusted)
        assert adjusted.amounts == {"USD": D(-40_000)}
        mend(table)
        table.odd.moves("bad", D(-40_000))
        await table.wait(130)
        assert not table.events(ev.CashMoved)
        assert account.cash == {"USD": table.venue.cash}
        assert account.unexplained.is_nothing

    play(scene, table=Scene, able=HISTORY)


def test_x75_without_apply_it_is_proposed_and_nothing_is_left_out() -> None:
    async def scene(told: Table) -> None:
        table = await killed(told)
        spoil(table, "no number")
        seen = await compared(table, taking=False)
        assert not seen.data["clean"]
        assert [event["type"] for event in seen.data["events"]] == ["CashMovementLeftOut"]
        assert not table.events(ev.CashMovementLeftOut)
        assert not (await resumed(table)).ok

    play(scene, table=Scene, able=HISTORY)


def test_x75_another_bad_line_is_another_decision() -> None:
    async def scene(told: Table) -> None:
        table = await killed(told)
        spoil(table, "no number")
        await compared(table, taking=True)
        table.odd.moves("worse", NO_NUMBER)
        table.venue.cash += 500
        await table.wait(130)
        assert table.engine.book.account(BROKER).unexplained.is_nothing
        assert not (await resumed(table)).ok
        done = await compared(table, taking=True)
        assert done.data["clean"]
        (adjusted,) = table.events(ev.CashAdjusted)
        assert adjusted.amounts == {"USD": D(500)}

    play(scene, table=Scene, able=HISTORY)


@pytest.mark.parametrize("how", ["error", "silent"])
def test_x69_a_history_that_cannot_be_had_is_not_left_out(how: str) -> None:
    async def scene(told: Table) -> None:
        table = await killed(told)
        spoil(table, how)
        table.venue.cash += 500
        done = await compared(table, taking=True)
        assert not done.data["clean"]
        assert done.data["events"] == []
        assert not (await resumed(table)).ok

    play(scene, table=Scene, able=HISTORY)


def test_x75_a_kill_leaves_no_line_out() -> None:
    async def scene(table: Table) -> None:
        assert isinstance(table, Scene)
        await table.buys("AAA", 10)
        await table.wait(8)
        spoil(table, "no number")
        await killed(table)
        assert not table.events(ev.CashMovementLeftOut)

    play(scene, table=Scene, able=HISTORY)


def test_x75_a_line_without_an_id_is_left_out_by_what_is_wrong_with_it() -> None:
    async def scene(told: Table) -> None:
        table = await killed(told)
        table.odd.moves("", NO_NUMBER)
        assert (await compared(table, taking=True)).data["clean"]
        assert (await resumed(table)).ok
        table.odd.moves("", D(500))
        table.venue.cash += 500
        await table.wait(130)
        assert len(table.events(ev.CashMoved)) == 1, "another line without an id is another one"

    play(scene, table=Scene, able=HISTORY)


def test_x75_a_line_that_was_left_out_is_so_after_a_restart() -> None:
    """The state that follows from the journal knows it."""

    async def scene(told: Table) -> None:
        table = await killed(told)
        spoil(table, "no number")
        await compared(table, taking=True)
        book = Book()
        for record in table.records:
            apply(book, record)
        assert "bad" in book.account(BROKER).cash_movements

    play(scene, table=Scene, able=HISTORY)
