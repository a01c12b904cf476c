"""A proof of a kill has an age: the first evidence against it ends it (X-52, C-502)."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from console.host.kill_report import KillReport
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.order import OrderStatus
from engine.domain.run import Flatten, Level
from tests.engine.liar import Table, play, somebody_rests

KILL = ask.Kill(by="test", level=Level.KILL, flatten=Flatten.ALL)


async def proved(table: Table) -> KillReport:
    """99 were held, and are closed by a kill that is proved."""
    report = KillReport(table.engine.book)
    table.engine.subscribe(report.observe)
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
