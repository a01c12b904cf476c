"""How far back a look asks for fills while something stands unexplained (X-74, X-91, X-52)."""

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.order import Fill, Side
from engine.domain.run import Flatten, Level
from tests.configs import from_mapping
from tests.engine.liar import TREE, Liar, Table, play
from tests.engine.worlds import BROKER

ALERT = from_mapping(TREE | {"kill": {"broker_lost": "alert", "divergence": "alert"}})

SHORT = 600 + 5 + 60
"""In seconds: the margin, by how much the venue's lists may be behind, and between two looks."""


class Asked(Liar):
    """A venue that notes how far back it was asked for fills."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.since: list[tuple[float, float]] = []
        """When it was asked, and since when, in seconds."""

    async def get_fills_since(self, since: Nanos) -> tuple[Fill, ...]:
        self.since.append((self.clock.now() / NS_PER_SECOND, since / NS_PER_SECOND))
        return await super().get_fills_since(since)


class Counted(Table):
    makes = Asked
    venue: Asked

    async def trade(self, seconds: float) -> None:
        """So long, one is bought every five minutes, and its fill is told."""
        for _ in range(round(seconds / 300)):
            await self.wait(300)
            held = self.held
            done = await self.order(Side.BUY, 1, protect=Decimal(90))
            assert done.ok, done.error
            await self.until(lambda held=held: self.held == held + 1)  # type: ignore[misc]

    def somebody_buys(self) -> Fill:
        """Somebody buys 3 of BBB in the account; the fill, which is in no list and no report."""
        self.venue.move("BBB", Decimal(3))
        return Fill(
            execution_id="theirs",
            client_order_id="their-order",
            account=BROKER,
            symbol="BBB",
            side=Side.BUY,
            quantity=Decimal(3),
            price=self.venue.price,
            time=self.clock.now(),
        )

    def filled(self) -> list[Fill]:
        """The fills that were taken."""
        return [event.fill for event in self.events(ev.OrderFilled)]

    @property
    def other(self) -> Decimal:
        """What the engine believes to hold of BBB."""
        position = self.engine.book.holding(BROKER, "BBB")
        return position.quantity if position else Decimal(0)


def test_x52_a_kill_begins_with_all_fills_that_may_explain_what_differs() -> None:
    """What it takes over without a fill, one that is told later has to be set off against."""

    async def scene(table: Counted) -> None:
        await table.buy(1, protect=Decimal(90))
        await table.wait(120)
        fill = table.somebody_buys()
        await table.trade(3600)
        table.venue.drop()
        await table.wait(1)  # a whole look has just been answered
        before, begun = len(table.venue.since), table.clock.now() / NS_PER_SECOND
        table.venue.fills.append(fill)
        await table.engine.command(
            ask.Kill(by="test", level=Level.KILL, flatten=Flatten.ALL, reason="because")
        )
        await table.wait(20)
        first, *_ = [since for _, since in table.venue.since[before:]]
        assert first < begun - 3600
        assert "their-order" in {f.client_order_id for f in table.filled()}
        assert table.there == table.held == table.other == 0

    play(scene, table=Counted, config=ALERT)  # type: ignore[arg-type]


def test_x91_looks_that_follow_each_other_ask_for_all_fills_once_a_minute() -> None:
    """At least and at most: what is listed late is found, however often it is looked."""

    async def scene(table: Counted) -> None:
        await table.buy(1, protect=Decimal(90))
        await table.wait(120)
        table.somebody_buys()
        await table.trade(3600)
        before, begun = len(table.venue.since), table.clock.now() / NS_PER_SECOND
        for _ in range(60):
            table.venue.drop()
            await table.wait(10)
        asked = table.venue.since[before:]
        assert len(asked) >= 60
        whole = [at for at, since in asked if since < begun - SHORT]
        assert all(60 <= b - a < 71 for a, b in pairwise(whole))
        assert len(whole) >= 8

    play(scene, table=Counted, config=ALERT)  # type: ignore[arg-type]


@pytest.mark.parametrize("seconds", [900, 3600])
def test_x91_a_fill_that_is_listed_late_is_found_while_its_difference_stands(seconds: int) -> None:
    async def scene(table: Counted) -> None:
        await table.buy(1, protect=Decimal(90))
        await table.wait(120)
        fill = table.somebody_buys()
        await table.trade(seconds)
        assert table.other == 0
        table.venue.fills.append(fill)
        await table.wait(130)
        assert table.other == 3
        assert table.engine.book.account(BROKER).reconciled_clean

    play(scene, table=Counted, config=ALERT)  # type: ignore[arg-type]


def test_x91_fills_of_a_time_in_which_no_look_was_answered_are_found() -> None:
    async def scene(table: Counted) -> None:
        await table.buy(1, protect=Decimal(90))
        await table.wait(120)
        table.venue.silent = {"fills"}
        await table.wait(30)
        table.venue.fills.append(table.somebody_buys())
        await table.wait(3600)
        assert table.other == 0
        table.venue.silent = set()
        await table.wait(60)
        assert table.other == 3

    play(scene, table=Counted, config=ALERT)  # type: ignore[arg-type]


def test_an_operator_who_looks_asks_for_everything() -> None:
    async def scene(table: Counted) -> None:
        await table.buy(1, protect=Decimal(90))
        await table.wait(120)
        fill = table.somebody_buys()
        await table.trade(3600)
        await table.engine.command(ask.Reconcile(by="test"))
        table.venue.fills.append(fill)
        await table.engine.command(ask.Reconcile(by="test"))
        assert table.other == 3

    play(scene, table=Counted, config=ALERT)  # type: ignore[arg-type]
