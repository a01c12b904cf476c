"""What an apply takes over was shown before: one list takes no holding from a person either (X-75,
fault 42).

A list may have a hole. What it shows as gone, or on the other side, is recorded as a difference and
said; once the next comparison shows the same, an operator may take it over.
"""

from decimal import Decimal

import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import VenuePosition
from engine.domain.order import OrderStatus, Purpose, Side
from engine.domain.run import Flatten, Level
from tests.engine.driver import CoreDriver, protected
from tests.engine.liar import Liar, Table, play

APPLY = ask.Reconcile(by="me", apply=True)
LOOK = ask.Reconcile(by="me")
D = Decimal


class Holed(Liar):
    """So many lists of holdings that come next have a hole: they leave AAA out."""

    holes = 0

    async def get_positions(self) -> tuple[VenuePosition, ...]:
        told = await super().get_positions()
        if not self.holes:
            return told
        self.holes -= 1
        return tuple(position for position in told if position.symbol != "AAA")


class Holes(Table):
    makes = Holed
    venue: Holed


def alone(scene: object) -> None:
    play(scene, table=Holes)  # type: ignore[arg-type]


def stops(table: Table) -> int:
    """So many stops rest at the venue."""
    return sum(not order.status.is_terminal for order in table.venue.orders.values())


def adjusted(table: Table) -> list[Decimal]:
    return [event.quantity for event in table.events(ev.PositionAdjusted)]


async def hold(table: Table, quantity: int) -> None:
    """So many are held under a stop, and a person is shown that nothing differs."""
    await table.buy(quantity, protect=D(90))
    await table.wait(20)
    shown = await table.engine.command(LOOK)
    assert (shown.data["clean"], shown.data["events"]) == (True, [])


def test_x75_a_hole_that_only_the_apply_sees_takes_nothing_over() -> None:
    async def scene(table: Holes) -> None:
        await hold(table, 50)
        table.venue.holes = 1
        told = await table.engine.command(APPLY)
        assert told.ok
        assert (told.data["clean"], told.data["events"]) == (False, [])
        (note,) = told.data["notes"]
        assert "AAA" in note
        assert "0 now" in note
        assert "50 a moment ago" in note
        await table.wait(120)
        assert (table.held, table.there, stops(table)) == (50, 50, 1)
        assert not adjusted(table)
        assert not table.engine.book.account("paper").blocked

    alone(scene)


def test_x75_what_two_comparisons_show_is_taken_over() -> None:
    """Somebody sold them at the venue; the cash goes with them, and both come at once."""

    async def scene(table: Holes) -> None:
        await hold(table, 50)
        table.venue.held["AAA"] = D(0)
        table.venue.cash += 5_000
        table.venue._record()
        first = await table.engine.command(APPLY)
        assert first.data["notes"]
        assert table.held == 50
        assert not table.events(ev.CashAdjusted)
        second = await table.engine.command(APPLY)
        assert "notes" not in second.data
        assert [e["type"] for e in second.data["events"]] == ["PositionAdjusted", "CashAdjusted"]
        assert second.data["clean"]
        assert table.held == 0

    alone(scene)


def test_x75_what_was_shown_before_is_taken_over_at_once() -> None:
    async def scene(table: Holes) -> None:
        await hold(table, 50)
        table.venue.held["AAA"] = D(0)
        table.venue._record()
        shown = await table.engine.command(LOOK)
        assert [e["type"] for e in shown.data["events"]] == ["PositionAdjusted"]
        done = await table.engine.command(APPLY)
        assert "notes" not in done.data
        assert table.held == 0

    alone(scene)


def test_x75_what_is_not_contradicted_is_applied_all_the_same() -> None:
    async def scene(table: Holes) -> None:
        await hold(table, 50)
        table.venue.move("BBB", D(7))
        table.venue.holes = 1
        done = await table.engine.command(APPLY)
        assert [(e["type"], e["data"]["symbol"]) for e in done.data["events"]] == [
            ("PositionAdjusted", "BBB")
        ]
        assert [("AAA" in note, "BBB" in note) for note in done.data["notes"]] == [(True, False)]
        other = table.engine.book.holding("paper", "BBB")
        assert other is not None
        assert (table.held, other.quantity) == (50, 7)

    alone(scene)


@pytest.mark.parametrize("held", [0, -150, -1], ids=["gone", "turned", "a short"])
def test_x75_the_other_side_is_shown_first_too(held: int) -> None:
    desk = protected(150).later(60)
    desk.snapshot(positions={"NVDA": 150}, orders=(desk.works(desk.last(Purpose.PROTECT)),))
    works = (desk.works(desk.last(Purpose.PROTECT)),)
    desk.later(1)
    desk.snapshot(positions={"NVDA": held}, orders=works, reason="operator", apply=True)
    assert desk.held().quantity == 150
    assert desk.current(desk.last(Purpose.PROTECT)).status is OrderStatus.NEW
    assert "COMPARE_AGAIN" in [alarm.code for alarm in desk.of(ev.Alarmed)]
    desk.later(1)
    desk.snapshot(positions={"NVDA": held}, orders=works, reason="operator", apply=True)
    taken = desk.book.holding("paper", "NVDA")
    assert (taken.quantity if taken else 0) == held


@pytest.mark.parametrize("held", [149, 1, 200])
def test_x75_another_quantity_of_the_same_side_is_taken_over_at_once(held: int) -> None:
    desk = protected(150).later(60)
    works = (desk.works(desk.last(Purpose.PROTECT)),)
    desk.snapshot(positions={"NVDA": held}, orders=works, reason="operator", apply=True)
    assert desk.held().quantity == held


def test_x75_two_lists_that_say_different_things_agree_on_nothing() -> None:
    desk = protected(150).later(60)
    works = (desk.works(desk.last(Purpose.PROTECT)),)
    for there in (0, -150, 0, -150):
        desk.later(1)
        desk.snapshot(positions={"NVDA": there}, orders=works, reason="operator", apply=True)
        assert desk.held().quantity == 150


# --- balances that say otherwise ------------------------------------------------------------------


def test_x75_holdings_that_the_venues_equity_denies_are_not_taken_over() -> None:
    """The equity has 20,000 more than the cash, and the list shows nothing: one of them is wrong.
    A venue that goes on saying so for ten seconds counts in another way."""

    async def scene(table: Holes) -> None:
        await hold(table, 200)
        table.venue.holes = 1_000
        for _ in range(3):
            done = await table.engine.command(APPLY)
            assert any("AAA" in note for note in done.data["notes"])
            await table.wait(1)
        assert (table.held, stops(table)) == (200, 1)
        await table.wait(10)
        done = await table.engine.command(APPLY)
        assert "notes" not in done.data
        assert table.held == 0

    alone(scene)


def test_x52_a_kill_takes_no_holding_for_gone_that_the_equity_shows() -> None:
    """The list has a hole for some seconds: what is held is found again, and closed."""

    async def scene(table: Holes) -> None:
        await hold(table, 200)
        table.venue.holes = 12
        kill = ask.Kill(by="me", level=Level.KILL, flatten=Flatten.ALL)
        await table.engine.command(kill)
        await table.wait(40)
        assert (table.there, table.venue.sold) == (0, 200)
        assert [event.state for event in table.events(ev.KillProved)][-1] == "VERIFIED"

    alone(scene)


def test_x75_an_order_that_may_explain_it_is_asked_about_first_and_that_is_said() -> None:
    desk = CoreDriver().hold("NVDA", 100, "100").later(60)
    sale = desk.order(
        "NVDA", 40, "101", side=Side.SELL, purpose=Purpose.MANUAL, limit="101", reserves=False
    )
    desk.accept(sale)
    desk.later(60).snapshot(positions={"NVDA": 60}, reason="operator", apply=True)
    assert desk.held().quantity == 100
    (again,) = [alarm for alarm in desk.of(ev.Alarmed) if alarm.code == "COMPARE_AGAIN"]
    assert "NVDA" in again.text
    assert "asked" in again.text
