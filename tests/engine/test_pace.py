"""A venue that asks to wait is not looked at before, and looks starve nothing (X-52, C-403)."""

from decimal import Decimal
from typing import Any

import pytest

from console.host.kill_report import KillReport
from engine.domain import commands as ask
from engine.domain.account import VenuePosition
from engine.domain.instant import NS_PER_SECOND
from engine.domain.order import OrderType, Side
from engine.domain.run import Flatten
from engine.plans.kill import UNREAD
from engine.ports import Ambiguous, Throttled
from engine.runtime.clock import VirtualClock
from engine.runtime.pace import CALM, FIRST_GAP, LONGEST_GAP, Pace
from engine.runtime.virtual_time import run_virtual
from tests.engine.liar import Liar, Table, play
from tests.engine.worlds import MIDDAY

KILL = ask.Kill(by="test", flatten=Flatten.ALL)
LATER = 60
"""Seconds after a start from which on no earlier process can have sent what is sent now (X-88)."""


class Metered(Liar):
    """It answers `allowed` requests in any `window` seconds, and asks to wait for the rest."""

    allowed: float = float("inf")
    window = 10.0
    refused: list[tuple[float, str, float]]

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._answered: list[float] = []
        self.refused = []
        """When it asked to wait, what was asked, and until when it asked to wait."""

    def meter(self, allowed: int) -> None:
        self.allowed = allowed
        self._answered = []

    async def _answer(self, what: str) -> None:
        now = (self.clock.now() - MIDDAY) / NS_PER_SECOND
        self._answered = [at for at in self._answered if at > now - self.window]
        if len(self._answered) >= self.allowed:
            wait = self._answered[0] + self.window - now
            self.asked.append((now, what))
            self.refused.append((now, what, now + wait))
            raise Throttled("too many requests", wait)
        self._answered.append(now)
        await super()._answer(what)


class MeteredTable(Table):
    makes = Metered


def metered(table: Table) -> Metered:
    assert isinstance(table.venue, Metered)
    return table.venue


LOOKS = {"orders", "positions", "account", "fills"}


def report(table: Table) -> tuple[str, list[str]]:
    told = KillReport(table.engine.world).brokers()["paper"]
    return told["state"], told["left"]


def looks(table: Table, since: float) -> list[float]:
    """When looks began, in seconds since the start."""
    return [at for at, what in table.venue.asked if what == "orders" and at >= since]


@pytest.mark.parametrize("seconds", [1.0, 7.5, 45.0])
@pytest.mark.parametrize("part", ["get_open_orders", "get_positions", "get_account"])
def test_x52_a_kill_looks_again_no_sooner_than_it_was_asked_to(part: str, seconds: float) -> None:
    async def scene(table: Table) -> None:
        await table.wait(LATER)
        asked: list[float] = []
        usual = getattr(table.venue, part)

        async def waits() -> Any:
            asked.append(table.now)
            if len(asked) == 1:
                raise Throttled("slow down", seconds)
            return await usual()

        setattr(table.venue, part, waits)
        begun = table.now
        await table.engine.command(KILL)
        await table.until(lambda: report(table)[0] == "VERIFIED", seconds + 60)
        again = [at for at in looks(table, begun) if at > asked[0]]
        if part == "get_account":
            return  # a kill does without balances, and its look has not failed
        assert again[0] >= asked[0] + seconds

    play(scene)


def test_x52_every_reason_to_look_waits_as_long() -> None:
    """A look at the interval, one of a connection that came back, and one of a kill."""

    async def scene(table: Table) -> None:
        await table.wait(LATER)
        usual, asked = table.venue.get_positions, []

        async def waits() -> tuple[VenuePosition, ...]:
            asked.append(table.now)
            if len(asked) == 1:
                raise Throttled("slow down", 40.0)
            return await usual()

        table.venue.get_positions = waits  # type: ignore[method-assign]
        await table.until(lambda: bool(asked), 120)
        table.venue.drop()
        await table.engine.command(KILL)
        await table.wait(39)
        assert len(asked) == 1
        await table.until(lambda: report(table)[0] == "VERIFIED", 60)

    play(scene)


@pytest.mark.parametrize("orders", [0, 8])
def test_x52_looks_starve_neither_closes_nor_cancels_and_the_proof_comes(orders: int) -> None:
    """10 requests in 10 s are allowed; a look takes four."""

    async def scene(table: Table) -> None:
        venue = metered(table)
        await table.wait(LATER)
        await table.buy(99)
        for n in range(orders):
            done = await table.order(
                Side.BUY,
                1,
                type=OrderType.LIMIT,
                limit_price=98 - Decimal(n) / 10,
                protect=Decimal(90),
            )
            assert done.ok, done.error
        await table.wait(20)
        venue.meter(10)
        begun = table.now
        await table.engine.command(KILL)
        await table.until(lambda: table.there == 0, 15)
        await table.until(
            lambda: all(order.status.is_terminal for order in venue.orders.values()), 25
        )
        await table.until(lambda: report(table) == ("VERIFIED", []), 60)
        assert venue.refused, "nothing was too much"
        await table.wait(60)
        for at, _, until in venue.refused:
            between = [when for when in looks(table, at) if at < when < until]
            assert between == []
        assert len([what for at, what, _ in venue.refused if at >= begun and what in LOOKS]) <= 6

    play(scene, table=MeteredTable)


def test_x52_a_close_that_is_asked_to_wait_puts_the_looks_off_too() -> None:
    async def scene(table: Table) -> None:
        await table.wait(LATER)
        await table.buy(99)
        await table.wait(10)
        usual, asked = table.venue.submit_order, []

        async def waits(order: Any) -> None:
            asked.append(table.now)
            if len(asked) == 1:
                raise Throttled("slow down", 5.0)
            await usual(order)

        table.venue.submit_order = waits  # type: ignore[method-assign]
        await table.engine.command(KILL)
        await table.until(lambda: table.there == 0, 20)
        first, second = asked
        assert second >= first + 5
        assert [at for at in looks(table, first) if first + 0.1 < at < second] == []
        await table.until(lambda: report(table) == ("VERIFIED", []), 30)

    play(scene)


def test_x52_an_entry_that_is_asked_to_wait_puts_no_look_off() -> None:
    """Venues limit orders by themselves: a kill reads what is there all the same."""

    async def scene(table: Table) -> None:
        await table.wait(LATER)
        usual = table.venue.submit_order

        async def waits(order: Any) -> None:
            if order.adds_exposure:
                raise Throttled("no more orders for now", 25.0)
            await usual(order)

        table.venue.submit_order = waits  # type: ignore[method-assign]
        assert (await table.order(Side.BUY, 1, protect=Decimal(90))).ok
        at = table.now
        await table.engine.command(KILL)
        await table.until(lambda: report(table) == ("VERIFIED", []), 10)
        assert len(looks(table, at)) >= 2

    play(scene)


def test_x52_a_venue_that_asks_to_wait_long_keeps_no_kill_from_closing() -> None:
    """Only the lists are limited: what is held here is closed, and proved once it can be read."""

    async def scene(table: Table) -> None:
        await table.wait(LATER)
        await table.buy(100)
        await table.wait(10)
        usual, until = table.venue.get_positions, table.now + 90

        async def waits() -> tuple[VenuePosition, ...]:
            if table.now < until:
                raise Throttled("slow down", until - table.now)
            return await usual()

        table.venue.get_positions = waits  # type: ignore[method-assign]
        await table.engine.command(KILL)
        await table.until(lambda: table.there == 0, 15)
        assert table.alarms().count("KILL_UNREAD") == 1
        await table.until(lambda: report(table) == ("VERIFIED", []), 120)
        assert table.venue.sold == 100

    play(scene)


def test_x52_where_nothing_is_asked_to_wait_a_kill_looks_as_often_as_ever() -> None:
    async def scene(table: Table) -> None:
        await table.wait(LATER)
        await table.buy(99)
        table.venue.fill_seconds = 20
        begun = table.now
        await table.engine.command(KILL)
        await table.wait(10)
        assert len(looks(table, begun)) >= 18

    play(scene)


# --- the pace by itself ---------------------------------------------------------------------------


def paced(scene: Any) -> None:
    async def main(clock: VirtualClock) -> None:
        await scene(clock, Pace(clock))

    run_virtual(main, MIDDAY, 7200)


def test_a_gap_is_shorter_than_what_makes_a_venue_unread() -> None:
    assert LONGEST_GAP < UNREAD


def test_the_gap_grows_with_each_wait_and_shrinks_while_none_is_asked_for() -> None:
    async def scene(clock: VirtualClock, pace: Pace) -> None:
        async def gap() -> float:
            pace.began()
            return pace.wait()

        assert await gap() == 0
        for wanted in (1, 2, 4, 4):
            pace.heard(Throttled("slow down", 2.0))
            assert pace.wait() == 2 + wanted
            await clock.sleep(2 + wanted)
            assert await gap() == wanted
            await clock.sleep(wanted)
        await clock.sleep(CALM / NS_PER_SECOND - 10)
        assert await gap() == 4
        for wanted in (2, 1, 0):
            await clock.sleep(CALM / NS_PER_SECOND)
            assert await gap() == wanted

    paced(scene)


def test_requests_that_are_refused_together_count_once() -> None:
    async def scene(clock: VirtualClock, pace: Pace) -> None:
        for seconds in (3.0, 1.0, 5.0):
            pace.heard(Throttled("slow down", seconds))
        assert pace.wait() == 5 + FIRST_GAP / NS_PER_SECOND

    paced(scene)


def test_what_asks_for_no_wait_puts_nothing_off() -> None:
    async def scene(clock: VirtualClock, pace: Pace) -> None:
        pace.heard(Ambiguous("500"))
        assert pace.wait() == 0

    paced(scene)
