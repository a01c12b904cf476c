"""A venue says that an order has filled, and the fill is never told (fault 44, rule 3).

What it bought is held there without a stop: that is told within five seconds and once, status names
it, and the account is looked at when nothing of it can be on its way any more.
"""

from decimal import Decimal

import msgspec
import pytest

from engine.domain import events as ev
from engine.domain.order import OrderStatus, Purpose, Side
from engine.domain.run import LinkState
from engine.ports import LinkReport
from tests.engine.driver import protected
from tests.engine.liar import PLAIN, Table, play

LATEST = pytest.mark.parametrize("late", [0, 1, 5, 30])


def able(late: float) -> object:
    return msgspec.structs.replace(PLAIN, late_execution_seconds=late)


async def filled_unseen(table: Table, *, protect: int = 90) -> float:
    """99 are bought and held there, and no fill of them is told; when the venue said so."""
    table.venue.hides_fills = True
    done = await table.order(Side.BUY, 99, protect=Decimal(protect))
    assert done.ok
    await table.until(lambda: bool(table.events(ev.OrderUnclear)))
    table.venue.hides_fills = False
    return table.now


def told(table: Table, code: str = "FILL_MISSING") -> list[float]:
    """When an alarm of that code was raised, in seconds since the start."""
    start = table.clock.now() / 1e9 - table.now
    return [
        record.time / 1e9 - start
        for record in table.records
        if isinstance(record.event, ev.Alarmed) and record.event.code == code
    ]


def unprotected(table: Table) -> list[str]:
    found: list[str] = table.engine.status()["open_risk"]["unprotected"]
    return found


@LATEST
def test_rule3_that_a_fill_is_missing_is_told_within_five_seconds_and_once(late: float) -> None:
    async def scene(table: Table) -> None:
        await table.wait(8)
        since = await filled_unseen(table)
        await table.wait(600)
        (at,) = told(table)
        assert since < at <= since + 5
        (alarm,) = [e for e in table.events(ev.Alarmed) if e.code == "FILL_MISSING"]
        assert alarm.subject == "AAA"
        assert "99" in alarm.text
        assert "no stop covers" in alarm.text

    play(scene, able=able(late))


def test_rule3_status_names_what_has_filled_untold_as_unprotected() -> None:
    async def scene(table: Table) -> None:
        await table.wait(8)
        assert unprotected(table) == []
        await filled_unseen(table)
        assert unprotected(table) == ["AAA"]
        await table.wait(30)
        assert unprotected(table) == ["AAA"]
        table.venue.tell_hidden()
        await table.until(lambda: table.held == 99)
        await table.wait(3)
        assert unprotected(table) == []

    play(scene)


@LATEST
def test_fault44_it_is_looked_at_once_nothing_can_be_on_its_way(late: float) -> None:
    """No scheduled look is due for a minute."""

    async def scene(table: Table) -> None:
        await table.wait(8)
        since = await filled_unseen(table)
        bound = max(5, late)
        await table.wait(bound + 3)
        looks = [event.reason for event in table.events(ev.SnapshotRequested, since)]
        assert looks == ["fills missing"] * (2 if late < 5 else 1)
        (found,) = table.engine.book.account("paper").differences
        assert (found.symbol, found.kind, found.venue) == ("AAA", "BROKER_ONLY", "99")
        await table.wait(20)
        assert len(table.events(ev.SnapshotRequested, since)) == len(looks)

    play(scene, able=able(late))


def test_u21_a_fill_that_is_told_a_moment_later_is_no_alarm() -> None:
    async def scene(table: Table) -> None:
        await table.wait(8)
        await filled_unseen(table)
        await table.wait(3)
        table.venue.tell_hidden()
        await table.wait(40)
        assert table.held == 99
        assert table.alarms() == []
        assert "fills missing" not in {e.reason for e in table.events(ev.SnapshotRequested)}

    play(scene)


def test_rule3_each_order_whose_fill_is_missing_is_told() -> None:
    async def scene(table: Table) -> None:
        await table.wait(8)
        await filled_unseen(table)
        await table.wait(20)
        table.venue.tell_hidden()
        await table.until(lambda: table.held == 99)
        await table.wait(120)
        (stop,) = [o for o in table.venue.orders.values() if not o.status.is_terminal]
        table.venue.hides_fills = True
        table.venue.trade(stop.client_order_id, Decimal(99))
        await table.wait(5)
        texts = [e.text for e in table.events(ev.Alarmed) if e.code == "FILL_MISSING"]
        assert len(texts) == 2
        assert "no stop covers" not in texts[1]

    play(scene)


def test_x77_nothing_is_asked_while_the_link_is_down() -> None:
    """The comparison after the reconnect tells it; the alarm does not wait for that."""

    async def scene(table: Table) -> None:
        await table.wait(8)
        since = await filled_unseen(table)
        table.venue.silent = {"connect"}
        table.venue.tell(
            LinkReport(account="paper", state=LinkState.DISCONNECTED, time=table.clock.now())
        )
        await table.wait(20)
        assert len(told(table)) == 1
        assert not table.events(ev.SnapshotRequested, since)

    play(scene)


@pytest.mark.parametrize("filled", [None, 0, 149, 150])
def test_u21_an_order_that_has_filled_is_not_believed_to_have_filled_with_nothing(
    filled: int | None,
) -> None:
    """FILLED beside 0 filled contradicts itself: with the stop taken for gone, and what it sold for
    held, another stop would be sent and turn the position round."""
    desk = protected(150)
    stop = desk.last(Purpose.PROTECT)
    told = None if filled is None else Decimal(filled)
    desk.report(stop, OrderStatus.FILLED, filled=told)
    assert desk.current(stop).status is OrderStatus.UNKNOWN
    assert desk.current(stop).told_filled == Decimal(filled or 150)
    desk.tick(1)
    assert desk.intended(Purpose.PROTECT) == [stop]


def test_u21_nor_where_the_venue_answers_so() -> None:
    desk = protected(150)
    stop = desk.last(Purpose.PROTECT)
    desk.report(stop, OrderStatus.FILLED)
    desk.later(1)
    desk.answers(stop, status=OrderStatus.FILLED, filled=Decimal(0))
    assert desk.current(stop).status is OrderStatus.UNKNOWN
    desk.tick(1)
    assert desk.intended(Purpose.PROTECT) == [stop]
