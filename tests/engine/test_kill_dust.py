"""A kill is proved though something is left that is too small for any order (X-52, C-154).

A fee in the bought coin leaves less than a lot, or less than the venue's smallest amount. Nobody
can sell that: it is named, and nothing is tried again and again.
"""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from console.host.kill_report import KillReport
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.instrument import Instrument, default_instrument
from engine.domain.order import OrderTerms, OrderType, Side
from engine.domain.run import Flatten
from engine.domain.signal import TradeType
from engine.ports import MarketClosed, Rejected
from tests.engine.liar import PLAIN, Liar, Table, play

D = Decimal
LOTS = msgspec.structs.replace(PLAIN, odd_lots=False)
JOINS = msgspec.structs.replace(LOTS, reduce_only=True)
ABLES = pytest.mark.parametrize("able", [LOTS, JOINS], ids=["joins nothing", "joins"])
LATER = 60
"""Seconds after a start from which on no earlier process can have sent what is sent now (X-88)."""


def kills(flatten: Flatten = Flatten.ALL) -> ask.Kill:
    return ask.Kill(by="test", flatten=flatten)


def row(table: Table) -> tuple[str, list[str], list[str]]:
    """What `kill --json` says: the state, what is left and what is kept."""
    told = KillReport(table.engine.world).brokers()["paper"]
    return told["state"], told["left"], told["kept"]


def steps(table: Table, since: float) -> list[str]:
    """What the plan that closes has done from that second on."""
    kinds = (ev.ExitPlanned, ev.ExitAbandoned, ev.OrderIntended, ev.Unprotected)
    return [type(event).__name__ for kind in kinds for event in table.events(kind, since)]


@ABLES
@pytest.mark.parametrize("protect", [None, D(90)], ids=["without a stop", "with a stop"])
def test_x52_less_than_a_lot_is_named_and_the_kill_is_proved(able: Any, protect: Any) -> None:
    async def scene(table: Table) -> None:
        await table.wait(LATER)
        await table.buy(99, protect=protect)
        table.venue.move("AAA", D("0.4"))
        await table.wait(10)
        await table.engine.command(kills())
        await table.until(lambda: bool(table.events(ev.KillProved)), 25)
        assert row(table) == ("VERIFIED", [], ["AAA 0.4 too small to sell"])
        assert (table.there, table.venue.sold) == (D("0.4"), 99)
        (account,) = table.engine.status()["accounts"]
        assert account["kill"]["left"] == []
        assert account["kill"]["kept"] == ["AAA 0.4 too small to sell"]
        (text,) = [e.text for e in table.events(ev.Alarmed) if e.code == "KILL_VERIFIED"]
        assert text.endswith("0 left, 0 unknown; AAA 0.4 too small to sell")
        proved = table.now
        await table.wait(300)
        assert steps(table, proved) == []
        assert [e.state for e in table.events(ev.KillProved)] == ["VERIFIED"]
        assert "UNPROTECTED" not in table.alarms()
        assert "KILL_REOPENED" not in table.alarms()

    play(scene, able=able)


def test_x52_what_only_is_too_small_is_named_at_once() -> None:
    """Nothing was held that an order could close: nothing is planned at all."""

    async def scene(table: Table) -> None:
        table.venue.move("AAA", D("0.4"))
        await table.engine.command(kills())
        await table.until(lambda: bool(table.events(ev.KillProved)), 25)
        await table.wait(120)
        assert row(table) == ("VERIFIED", [], ["AAA 0.4 too small to sell"])
        assert steps(table, 0) == []

    play(scene, able=LOTS)


@pytest.mark.parametrize("flatten", Flatten)
def test_x52_it_is_told_in_any_scope_and_is_not_called_bare(flatten: Flatten) -> None:
    """No stop could cover it: that it lacks one is no news."""

    async def scene(table: Table) -> None:
        table.venue.move("AAA", D("0.4"))
        await table.engine.command(kills(flatten))
        await table.until(lambda: bool(table.events(ev.KillProved)), 25)
        await table.wait(120)
        assert row(table) == ("VERIFIED", [], ["AAA 0.4 too small to sell"])

    play(scene, able=LOTS)


def test_x52_of_a_short_it_says_that_it_cannot_be_bought_back() -> None:
    async def scene(table: Table) -> None:
        table.venue.move("AAA", D("-0.4"))
        await table.engine.command(kills())
        await table.until(lambda: bool(table.events(ev.KillProved)), 25)
        assert row(table) == ("VERIFIED", [], ["AAA -0.4 too small to buy back"])

    play(scene, able=LOTS)


@pytest.mark.parametrize(("odd_lots", "left"), [(True, D(0)), (False, D("0.4"))])
def test_x52_where_the_venue_takes_odd_lots_all_of_it_is_closed(odd_lots: bool, left: D) -> None:
    async def scene(table: Table) -> None:
        table.venue.move("AAA", D("99.4"))
        await table.engine.command(kills())
        await table.until(lambda: bool(table.events(ev.KillProved)), 25)
        assert (row(table)[:2], table.there) == (("VERIFIED", []), left)

    play(scene, able=msgspec.structs.replace(LOTS, odd_lots=odd_lots))


@pytest.mark.parametrize(("more", "sold"), [("0.5", 0), ("0.7", 1), ("5", 5)])
def test_x52_what_grows_back_to_a_lot_is_closed_again(more: str, sold: int) -> None:
    async def scene(table: Table) -> None:
        table.venue.move("AAA", D("0.4"))
        await table.engine.command(kills())
        await table.until(lambda: row(table)[0] == "VERIFIED", 25)
        table.venue.move("AAA", D(more))
        await table.wait(120)
        assert table.venue.sold == sold
        assert table.alarms().count("KILL_REOPENED") == 1
        there = D("0.4") + D(more) - sold
        assert row(table) == ("VERIFIED", [], [f"AAA {there} too small to sell"])

    play(scene, able=LOTS)


def test_x52_what_the_scope_leaves_is_kept_for_that_reason() -> None:
    async def scene(table: Table) -> None:
        done = await table.order(Side.BUY, 99, hold=TradeType.SWING, protect=D(90))
        assert done.ok
        await table.wait(10)
        await table.engine.command(kills(Flatten.DAY))
        await table.until(lambda: bool(table.events(ev.KillProved)), 25)
        assert row(table) == ("VERIFIED", [], ["AAA 99"])

    play(scene, able=LOTS)


# --- worth less than the smallest amount of an order ---------------------------------------------

LEAST = D(500)


class Demanding(Liar):
    """It refuses what is worth less than 500, and says so in the facts of the instrument."""

    refusal: Exception = Rejected("-1013", "Filter failure: NOTIONAL")
    submits = 0

    async def submit_order(self, order: OrderTerms) -> None:
        self.submits += 1
        if order.quantity * self.price < LEAST:
            await self._answer("submit")
            raise self.refusal
        await super().submit_order(order)


class Shop(Table):
    makes = Demanding

    @staticmethod
    def facts(symbol: str) -> Instrument:
        return msgspec.structs.replace(default_instrument(symbol, "SIM"), min_notional=LEAST)


async def small(table: Table, quantity: int = 3, **fields: Any) -> Demanding:
    """99 were bought, and so many are left of them."""
    venue = table.venue
    assert isinstance(venue, Demanding)
    await table.wait(LATER)
    await table.buy(99, **fields)
    await table.wait(5)
    venue.move("AAA", D(quantity - 99))
    await table.wait(1)
    venue.submits = 0
    return venue


@ABLES
@pytest.mark.parametrize("protect", [None, D(90)], ids=["without a stop", "with a stop"])
def test_x52_what_is_worth_too_little_is_tried_once_and_named(able: Any, protect: Any) -> None:
    async def scene(table: Table) -> None:
        venue = await small(table, protect=protect)
        await table.engine.command(kills())
        await table.until(lambda: row(table)[0] == "VERIFIED", 25)
        assert row(table) == ("VERIFIED", [], ["AAA 3 too small to sell"])
        flattens = [e for e in table.events(ev.OrderIntended) if e.terms.type is OrderType.MARKET]
        assert len([e for e in flattens if e.terms.reduce_only]) == 1
        proved = table.now
        await table.wait(300)
        assert steps(table, proved) == []
        assert "KILL_REOPENED" not in table.alarms()
        assert table.alarms().count("UNPROTECTED") == 0
        venue.price = D(167)
        await table.until(lambda: table.there == 0, 30)
        await table.until(lambda: row(table) == ("VERIFIED", [], []), 30)

    play(scene, table=Shop, able=able)


@pytest.mark.parametrize("quantity", [5, 6])
def test_x52_what_is_worth_the_smallest_amount_is_closed(quantity: int) -> None:
    async def scene(table: Table) -> None:
        await small(table, quantity)
        await table.engine.command(kills())
        await table.until(lambda: row(table) == ("VERIFIED", [], []), 25)
        assert table.there == 0

    play(scene, table=Shop, able=LOTS)


def test_x92_a_market_that_is_closed_makes_nothing_too_small() -> None:
    async def scene(table: Table) -> None:
        venue = await small(table)
        venue.refusal = MarketClosed("not now")
        await table.engine.command(kills())
        await table.wait(120)
        assert row(table) == ("DEGRADED", ["AAA 3"], [])
        assert venue.submits > 1

    play(scene, table=Shop, able=LOTS)


@pytest.mark.parametrize("protect", [None, D(90)], ids=["without a stop", "with a stop"])
def test_rule6_a_person_is_told_that_it_is_too_small_and_it_is_tried_each_time(
    protect: Any,
) -> None:
    async def scene(table: Table) -> None:
        venue = await small(table, protect=protect)
        await table.engine.command(ask.Reconcile(by="test", apply=True))
        await table.wait(30)
        for _ in range(2):
            before = venue.submits
            await table.engine.command(ask.ClosePosition(by="test", symbol="AAA"))
            await table.wait(120)
            assert venue.submits == before + 1
        ends = [event.detail for event in table.events(ev.ExitAbandoned)]
        assert ends[-1] == (
            "less than the smallest amount of an order is left, which the venue does not take"
        )

    play(scene, table=Shop, able=LOTS)


def test_c403_a_rule_does_not_try_at_every_price_to_close_what_is_worth_too_little() -> None:
    """Its stop is refused too, and its price is below that for a minute."""

    async def scene(table: Table) -> None:
        venue = await small(table, protect=D(90))
        await table.engine.command(ask.Reconcile(by="test", apply=True))
        await table.wait(10)
        venue.price = D(80)
        await table.wait(120)
        assert venue.submits <= 4
        begun = table.now
        await table.wait(300)
        assert steps(table, begun) == []

    play(scene, table=Shop, able=LOTS)
