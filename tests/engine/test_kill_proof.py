"""A proof of a kill has an age: the first evidence against it ends it (X-52, C-502)."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from console.host.kill_report import KillReport
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import VenuePosition
from engine.domain.order import OrderStatus, OrderType, Side
from engine.domain.run import Flatten, Level
from engine.domain.signal import TradeType
from engine.ports import Rejected
from tests.engine.liar import Table, play, somebody_rests

KILL = ask.Kill(by="test", level=Level.KILL, flatten=Flatten.ALL)


async def proved(table: Table) -> KillReport:
    """99 were held, and are closed by a kill that is proved."""
    report = KillReport(table.engine.world)
    await table.buy(99)
    await table.wait(20)
    await table.engine.command(KILL)
    await table.until(lambda: bool(table.events(ev.KillProved)))
    await table.wait(10)
    assert (told(report), report.verified) == (("VERIFIED", []), True)
    return report


def told(report: KillReport) -> tuple[str, Any]:
    row = report.brokers()["paper"]
    return row["state"], row["left"]


def test_x52_what_the_venue_shows_later_ends_the_proof() -> None:
    async def scene(table: Table) -> None:
        report = await proved(table)
        table.venue.move("AAA", Decimal(-150))
        await table.until(lambda: told(report)[0] == "DEGRADED", 70)
        assert not report.verified
        assert table.alarms().count("KILL_REOPENED") == 1
        await table.until(lambda: told(report) == ("VERIFIED", []), 20)
        assert table.there == 0

    play(scene)


def test_x52_a_second_kill_asks_the_venue_again_and_says_what_is_true_then() -> None:
    async def scene(table: Table) -> None:
        report = await proved(table)
        table.venue.move("AAA", Decimal(-150))
        somebody_rests(table)
        await table.engine.command(KILL)
        assert not report.verified
        assert await report.proof(table.clock, 30) == report.document()
        assert (table.there, table.venue.orders["theirs"].status) == (0, OrderStatus.CANCELED)
        assert told(report) == ("VERIFIED", [])

    play(scene)


def test_x52_a_second_kill_is_not_proved_while_the_venue_does_not_answer() -> None:
    async def scene(table: Table) -> None:
        report = await proved(table)
        table.venue.silent = {"*"}
        await table.engine.command(KILL)
        found = await report.proof(table.clock, 30)
        assert found["brokers"]["paper"]["state"] == "DEGRADED"

    play(scene)


def test_x52_a_fill_after_the_proof_ends_it_at_once() -> None:
    async def scene(table: Table) -> None:
        report = await proved(table)
        somebody_rests(table)
        table.venue.trade("theirs", Decimal(5))
        await table.until(lambda: told(report)[0] == "DEGRADED", 3)
        await table.until(lambda: told(report) == ("VERIFIED", []), 30)
        assert table.there == 0

    play(scene)


def test_x52_a_clean_look_leaves_a_proof_as_it_is() -> None:
    async def scene(table: Table) -> None:
        report = await proved(table)
        await table.wait(200)
        assert (told(report), len(table.events(ev.KillProved))) == (("VERIFIED", []), 1)
        assert "KILL_REOPENED" not in table.alarms()

    play(scene)


@pytest.mark.parametrize("same", [True, False])
def test_x52_a_kill_of_another_process_asks_again_and_the_latch_that_stands_does_not(
    same: bool,
) -> None:
    async def scene(table: Table) -> None:
        report = await proved(table)
        halt = table.engine.book.data.halt
        assert halt is not None
        again = halt if same else msgspec.structs.replace(halt, reason="again", epoch=0)
        table.engine.latch_found(again)
        assert report.verified is same

    play(scene)


@pytest.mark.parametrize("flatten", Flatten)
@pytest.mark.parametrize("listed", [None, "0", "-1", "-150"])
def test_x52_one_list_that_shows_nothing_of_what_is_held_takes_no_stop_and_proves_nothing(
    flatten: Flatten, listed: str | None
) -> None:
    """Nothing tells of a sale, and the next list shows all of it again."""

    async def scene(table: Table) -> None:
        venue = table.venue
        once: list[str | None] = []
        await table.buy(99, protect=Decimal(90), hold=TradeType.SWING)
        await table.wait(20)
        first = venue.get_positions

        async def positions() -> tuple[VenuePosition, ...]:
            told = await first()
            if not table.engine.book.halted or once:
                return told
            once.append(listed)
            if listed is None:
                return ()
            return tuple(msgspec.structs.replace(p, quantity=Decimal(listed)) for p in told)

        venue.get_positions = positions  # type: ignore[method-assign]
        await table.engine.command(ask.Kill(by="test", level=Level.KILL, flatten=flatten))
        await table.until(lambda: bool(table.events(ev.KillProved)))
        await table.wait(10)
        assert once
        closes = flatten is Flatten.ALL
        assert (table.there, table.held, venue.sold) == ((0, 0, 99) if closes else (99, 99, 0))
        resting = [o.quantity for o in venue.orders.values() if not o.status.is_terminal]
        assert resting == ([] if closes else [99])
        assert [event.state for event in table.events(ev.KillProved)] == ["VERIFIED"]

    play(scene)


@pytest.mark.parametrize("flatten", Flatten)
def test_x52_what_the_next_list_does_not_show_either_is_gone(flatten: Flatten) -> None:
    """Somebody sold it, and nothing tells of that: nothing is sold, and its stop goes."""

    async def scene(table: Table) -> None:
        await table.buy(99, protect=Decimal(90), hold=TradeType.SWING)
        await table.wait(20)
        table.venue.move("AAA", Decimal(-99))
        await table.engine.command(ask.Kill(by="test", level=Level.KILL, flatten=flatten))
        await table.until(lambda: bool(table.events(ev.KillProved)))
        await table.wait(10)
        assert (table.there, table.held, table.venue.sold) == (0, 0, 99)
        assert [o for o in table.venue.orders.values() if not o.status.is_terminal] == []
        assert [event.state for event in table.events(ev.KillProved)] == ["VERIFIED"]

    play(scene)


def test_x52_an_order_whose_cancel_is_refused_is_left_at_every_moment() -> None:
    async def scene(table: Table) -> None:
        rests = await table.order(
            Side.BUY, 10, type=OrderType.LIMIT, limit_price=Decimal(98), protect=Decimal(90)
        )
        (key,) = rests.data["client_order_ids"]
        await table.wait(2)

        async def refused(*asked: Any, **named: Any) -> None:
            raise Rejected("NOT_NOW", "the order is locked")

        table.venue.cancel_order = refused  # type: ignore[method-assign]
        report = KillReport(table.engine.world)
        await table.engine.command(KILL)
        for _ in range(90):
            await table.wait(0.5)
            assert told(report) == ("DEGRADED", [key])
        assert [e.state for e in table.events(ev.KillProved)] == ["DEGRADED"]
        known_elsewhere = KillReport(table.engine.world)
        assert told(known_elsewhere) == ("DEGRADED", [key])

    play(scene)
