"""A kill closes what is held though its venue cannot be looked at (X-52, rule 3).

One list of the venue, or all of them, answers an error or nothing, while orders and reports work.
What is held here is closed as a person's close does it, once and for no more than the fills say;
nothing is proved before whole looks agree.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.order import OrderStatus, Side
from engine.domain.run import Flatten
from engine.domain.signal import TradeType
from engine.ports import Ambiguous, Capabilities
from tests.engine.liar import PLAIN, Table, play
from tests.engine.worlds import ABLE

LISTS = {"orders": "get_open_orders", "positions": "get_positions", "fills": "get_fills_since"}
UNREAD = pytest.mark.parametrize(
    "lists",
    [("positions",), ("orders",), ("fills",), ("positions", "orders", "fills")],
    ids=["holdings", "orders", "fills", "all"],
)
ABLES = pytest.mark.parametrize("able", [PLAIN, ABLE], ids=["plain", "reduce-only"])

LATER = 60
"""Seconds after a start from which on no earlier process can have sent what is sent now (X-88)."""


def break_lists(table: Table, lists: Sequence[str], how: str = "error") -> None:
    """These lists cannot be read until `mend`: each answers an error, or nothing at all."""

    async def error(*_: Any) -> Any:
        raise Ambiguous("500")

    if how == "silent":
        table.venue.silent = set(lists)
        return
    for name in lists:
        setattr(table.venue, LISTS[name], error)


def mend(table: Table) -> None:
    table.venue.silent = set()
    for name in LISTS.values():
        vars(table.venue).pop(name, None)


def kills() -> ask.Kill:
    return ask.Kill(by="test", flatten=Flatten.DAY)


@UNREAD
@ABLES
@pytest.mark.parametrize("side", [Side.BUY, Side.SELL_SHORT], ids=["long", "short"])
@pytest.mark.parametrize("stop", [True, False], ids=["with a stop", "without"])
def test_x52_a_kill_closes_what_is_held_though_a_list_cannot_be_read(
    lists: Sequence[str], able: Capabilities, side: Side, stop: bool
) -> None:
    async def scene(table: Table) -> None:
        away = Decimal(90) if side is Side.BUY else Decimal(110)
        await table.wait(LATER)
        assert (await table.order(side, 100, **({"protect": away} if stop else {}))).ok
        await table.wait(10)
        moved = table.venue.sold
        break_lists(table, lists)
        await table.engine.command(kills())
        await table.until(lambda: table.there == 0 == table.held, 15)
        await table.wait(60)
        assert table.there == 0
        assert table.venue.sold == (moved + 100 if side is Side.BUY else moved)
        assert all(order.status.is_terminal for order in table.venue.orders.values())
        # What it does not know is told, and nothing is proved.
        assert [proof.state for proof in table.events(ev.KillProved)] == ["DEGRADED"]
        assert table.alarms().count("KILL_UNREAD") == 1
        degraded = [e.text for e in table.events(ev.Alarmed) if e.code == "KILL_DEGRADED"]
        assert "cannot be read" in degraded[0]
        mend(table)
        await table.wait(30)
        assert table.events(ev.KillProved)[-1].state == "VERIFIED"
        assert table.there == 0

    play(scene, able=able)


@pytest.mark.parametrize("lists", [("orders",), ("positions",), ("fills",)])
def test_x52_a_list_that_never_answers_keeps_no_kill_from_closing(lists: Sequence[str]) -> None:
    async def scene(table: Table) -> None:
        await table.wait(LATER)
        await table.buy(100, protect=Decimal(90))
        await table.wait(10)
        break_lists(table, lists, "silent")
        await table.engine.command(kills())
        await table.until(lambda: table.there == 0, 15)
        await table.wait(120)
        assert (table.there, table.venue.sold) == (0, 100)
        assert "VERIFIED" not in [proof.state for proof in table.events(ev.KillProved)]

    play(scene)


def test_x52_errors_that_change_with_each_answer_make_it_wait_no_longer() -> None:
    async def scene(table: Table) -> None:
        await table.wait(LATER)
        await table.buy(100, protect=Decimal(90))
        await table.wait(10)
        count = 0

        async def error() -> Any:
            nonlocal count
            count += 1
            raise Ambiguous(f"request {count} failed")

        table.venue.get_positions = error  # type: ignore[method-assign]
        await table.engine.command(kills())
        await table.until(lambda: table.there == 0, 15)
        assert table.alarms().count("KILL_UNREAD") == 1

    play(scene)


def test_x52_what_a_kill_closes_unread_is_what_is_in_its_scope() -> None:
    async def scene(table: Table) -> None:
        done = await table.order(Side.BUY, 100, hold=TradeType.SWING, protect=Decimal(90))
        assert done.ok, done.error
        await table.wait(10)
        break_lists(table, ("positions",))
        await table.engine.command(kills())
        await table.wait(60)
        assert table.there == 100
        assert [o.status for o in table.venue.orders.values() if o.stop_price] == [OrderStatus.NEW]
        assert "KILL_UNREAD" not in table.alarms()

    play(scene)


def test_fault42_what_was_closed_unread_is_not_sold_again_by_a_list_that_is_behind() -> None:
    async def scene(table: Table) -> None:
        await table.wait(LATER)
        await table.buy(100, protect=Decimal(90))
        await table.wait(10)
        table.venue._shown, table.venue.stands_still = dict(table.venue.held), True
        break_lists(table, ("fills",))
        await table.engine.command(kills())
        await table.until(lambda: table.there == 0, 15)
        mend(table)
        await table.wait(300)
        assert (table.there, table.venue.sold) == (0, 100)
        assert "VERIFIED" not in [proof.state for proof in table.events(ev.KillProved)]

    play(scene)


def test_x52_what_the_last_list_did_not_show_is_not_closed_unread() -> None:
    """Somebody sold it elsewhere: a close would open the other side."""

    async def scene(table: Table) -> None:
        await table.buy(100)
        await table.wait(10)
        table.venue.move("AAA", Decimal(-100))
        await table.engine.command(ask.Reconcile(by="test"))
        break_lists(table, ("positions",))
        await table.engine.command(kills())
        await table.wait(60)
        assert table.there == 0
        assert [proof.state for proof in table.events(ev.KillProved)] == ["DEGRADED"]

    play(scene)


@pytest.mark.parametrize("seconds", [0.5, 2])
def test_x52_a_look_that_fails_for_a_moment_is_waited_for(seconds: float) -> None:
    """The venue's own holdings are better than what is known here: a kill is sized from them."""

    async def scene(table: Table) -> None:
        await table.wait(LATER)
        await table.buy(100, protect=Decimal(90))
        await table.wait(10)
        table.venue.move("AAA", Decimal(-60))  # by hand, elsewhere
        break_lists(table, ("positions",))
        await table.engine.command(kills())
        await table.wait(seconds)
        assert table.venue.sold == 60
        mend(table)
        await table.wait(30)
        assert (table.there, table.venue.sold) == (0, 100)
        assert "KILL_UNREAD" not in table.alarms()

    play(scene)
