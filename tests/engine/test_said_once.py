"""No alarm is repeated without a change, and no action faster than its back-off (fault 51)."""

from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.instant import NS_PER_SECOND
from engine.domain.order import OrderStatus, OrderTerms, OrderType, Purpose, Side
from engine.domain.run import Flatten, Trigger
from engine.ports import Ambiguous, AuthFailed, BrokerError, NotSent, OrderReport, Rejected
from tests.configs import from_mapping
from tests.engine.liar import PLAIN, TREE, Liar, Table, play, somebody_rests

ALERT = from_mapping(TREE | {"kill": {"broker_lost": "alert", "overfill": "alert"}})
D = Decimal


class Refusing(Liar):
    """Orders that sell, and cancels, are refused while a test says so."""

    why: Callable[[], BrokerError] | None = None
    of: str = ""

    async def submit_order(self, order: OrderTerms) -> None:
        if self.why is not None and self.of == "submit" and order.side is Side.SELL:
            raise self.why()
        await super().submit_order(order)

    async def cancel_order(self, client_order_id: str) -> None:
        if self.why is not None and self.of == "cancel":
            raise self.why()
        await super().cancel_order(client_order_id)


class Refused(Table):
    makes = Refusing

    def refuse(self, of: str, why: Callable[[], BrokerError]) -> None:
        assert isinstance(self.venue, Refusing)
        self.venue.of, self.venue.why = of, why


def intended(table: Table, purpose: Purpose, since: float) -> list[float]:
    """When orders of a purpose were made, in seconds."""
    start = table.clock.now() - round((table.now - since) * NS_PER_SECOND)
    return [
        (r.time - start) / NS_PER_SECOND
        for r in table.records
        if isinstance(r.event, ev.OrderIntended)
        and r.event.terms.purpose is purpose
        and r.time >= start
    ]


def test_credentials_that_are_refused_are_told_once() -> None:
    async def scene(table: Table) -> None:
        assert isinstance(table, Refused)
        await table.buy(99, protect=D(90))
        await table.wait(10)
        table.refuse("submit", lambda: AuthFailed("the key is revoked"))
        await table.engine.command(ask.ClosePosition(by="test", symbol="AAA"))
        await table.wait(300)
        assert len(intended(table, Purpose.EXIT, 0)) > 3, "it is tried again"
        assert table.alarms().count("AUTH_FAILED") == 1
        restricted = table.events(ev.Restricted)
        assert [event.cause for event in restricted] == [Trigger.BROKER_LOST]

    play(scene, table=Refused, config=ALERT)


@pytest.mark.parametrize("error", [Rejected("NO", "no"), Ambiguous("no answer")])
def test_a_cancel_that_fails_again_and_again_is_told_once(error: BrokerError) -> None:
    async def scene(table: Table) -> None:
        assert isinstance(table, Refused)
        await table.order(Side.BUY, 5, type=OrderType.LIMIT, limit_price=D(98))
        await table.wait(10)
        table.refuse("cancel", lambda: error)
        await table.engine.command(ask.CancelAll(by="test"))
        await table.wait(1.5)
        assert "CANCEL_REFUSED" not in table.alarms(), "twice may be an accident"
        await table.wait(300)
        assert table.alarms().count("CANCEL_REFUSED") == 1

    play(scene, table=Refused, config=ALERT)


def test_rule6_a_close_whose_stop_cannot_be_cancelled_is_told() -> None:
    async def scene(table: Table) -> None:
        assert isinstance(table, Refused)
        await table.buy(99, protect=D(90))
        await table.wait(10)
        table.refuse("cancel", lambda: Rejected("NO", "no"))
        await table.engine.command(ask.ClosePosition(by="test", symbol="AAA"))
        await table.wait(10)
        assert table.alarms().count("CANCEL_REFUSED") == 1
        assert table.held == 99

    play(scene, table=Refused, config=ALERT)


def test_looks_that_fail_in_one_way_are_told_once_whoever_looks() -> None:
    async def scene(table: Table) -> None:
        table.venue.silent = {"positions"}
        await table.wait(130)
        for _ in range(3):
            assert not (await table.engine.command(ask.Reconcile(by="test"))).ok
        await table.engine.command(ask.Kill(by="test"))
        await table.wait(130)
        assert table.alarms().count("RECONCILE_FAILED") == 1
        table.venue.silent = set()
        await table.wait(60)
        table.venue.silent = {"positions"}
        await table.wait(130)
        assert table.alarms().count("RECONCILE_FAILED") == 2, "it had answered in between"

    play(scene, config=ALERT)


@pytest.mark.parametrize("number", ["NaN", "-5"])
def test_a_report_that_is_left_aside_is_told_once_until_one_is_taken(number: str) -> None:
    async def scene(table: Table) -> None:
        done = await table.order(Side.BUY, 5, type=OrderType.LIMIT, limit_price=D(98))
        (key,) = done.data["client_order_ids"]
        await table.wait(1)

        def tell(**fields: Any) -> None:
            report = OrderReport(
                account="paper",
                client_order_id=key,
                symbol="AAA",
                status=OrderStatus.NEW,
                time=table.clock.now(),
            )
            table.venue.tell(msgspec.structs.replace(report, **fields))

        for _ in range(20):
            tell(filled=D(number))
            await table.wait(1)
        assert table.alarms().count("BAD_REPORT") == 1
        tell(filled=D(0))
        tell(filled=D(number))
        await table.wait(1)
        assert table.alarms().count("BAD_REPORT") == 2

    play(scene)


def test_an_order_that_is_not_ours_is_told_once_however_often_it_is_reported() -> None:
    async def scene(table: Table) -> None:
        await table.wait(1)
        somebody_rests(table)
        for _ in range(20):
            table.venue._report("theirs")
            await table.wait(0.1)
        assert table.alarms().count("FOREIGN_ORDER") == 1

    play(scene)


def test_a_stop_that_never_reaches_the_venue_is_placed_again_after_longer_pauses() -> None:
    async def scene(table: Table) -> None:
        assert isinstance(table, Refused)
        await table.buy(99, protect=D(90))
        await table.wait(10)
        table.refuse("submit", lambda: Ambiguous("no answer"))
        await table.engine.command(ask.ClosePosition(by="test", symbol="AAA"))
        await table.wait(600)
        times = intended(table, Purpose.PROTECT, 100)
        gaps = [after - before for before, after in pairwise(times)]
        assert len(gaps) > 3, "it is never given up"
        assert min(gaps) > 5, gaps

    play(scene, table=Refused, config=ALERT)


def test_rule3_a_first_failure_of_a_stop_after_many_that_rested_is_tried_again_at_once() -> None:
    async def scene(table: Table) -> None:
        assert isinstance(table, Refused)
        await table.buy(99, protect=D(90))
        for number in range(10):
            await table.wait(3)
            done = await table.engine.command(
                ask.Protect(by="test", symbol="AAA", price=D(80) + number)
            )
            assert done.ok, done.error
        await table.wait(61)
        before = table.now
        (key,) = [k for k, o in table.venue.orders.items() if not o.status.is_terminal]
        table.refuse("submit", lambda: NotSent("no connection"))
        table.venue._end(key, OrderStatus.CANCELED)
        await table.until(lambda: len(intended(table, Purpose.PROTECT, before)) == 2, 1)
        table.refuse("", lambda: NotSent("no connection"))
        await table.wait(10)
        assert [o.stop_price for o in table.venue.orders.values() if not o.status.is_terminal] == [
            D(89)
        ]
        assert table.held == 99

    play(
        scene, table=Refused, config=ALERT, able=msgspec.structs.replace(PLAIN, native_modify=False)
    )


def test_a_kill_that_waits_writes_less_the_longer_it_waits() -> None:
    async def scene(table: Table) -> None:
        await table.buy(99)
        table.venue.fill_seconds = 10_000
        await table.engine.command(ask.Kill(by="test", flatten=Flatten.ALL))
        await table.until(lambda: "KILL_DEGRADED" in table.alarms())
        await table.wait(600)
        before = len(table.records)
        await table.wait(600)
        assert len(table.records) - before <= 2 * 600 / 60 + 2
        (key,) = [k for k, o in table.venue.orders.items() if not o.status.is_terminal]
        table.venue.trade(key, D(99))
        await table.until(lambda: "KILL_VERIFIED" in table.alarms(), 15)

    play(scene)


def test_x52_a_second_kill_looks_at_once_where_the_first_one_waits() -> None:
    async def scene(table: Table) -> None:
        await table.buy(99)
        table.venue.fill_seconds = 10_000
        await table.engine.command(ask.Kill(by="test", flatten=Flatten.ALL))
        await table.wait(900)
        asked = len(table.venue.asked)
        await table.engine.command(ask.Kill(by="test", flatten=Flatten.ALL))
        await table.wait(0.1)
        assert "positions" in [what for _, what in table.venue.asked[asked:]]

    play(scene)
