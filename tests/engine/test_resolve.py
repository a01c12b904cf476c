"""`resolve`: the operator's recorded decision on an order that is UNKNOWN (rule 1, INTERFACE)."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.order import OrderStatus, OrderType, Side
from engine.domain.result import Result
from tests.engine.liar import PLAIN, Table, play

D = Decimal


async def unknown(table: Table, filled: int = 99, seen: int = 0) -> str:
    """An entry for 99 that is UNKNOWN, though the venue says FILLED, or CANCELED after so much."""
    done = await table.order(Side.BUY, 99, type=OrderType.LIMIT, limit_price=D(98), protect=D(90))
    (key,) = done.data["client_order_ids"]
    await table.wait(1)
    if seen:
        table.venue.trade(key, D(seen))
        await table.wait(0.1)
    table.venue.hides_fills = True
    if filled > seen:
        table.venue.trade(key, D(filled - seen))
    if filled < 99:
        table.venue._end(key, OrderStatus.CANCELED)
    table.venue.hides_fills = False
    await table.wait(2)
    assert status(table, key) is OrderStatus.UNKNOWN
    return str(key)


def status(table: Table, key: str) -> OrderStatus:
    order = table.engine.book.order(key)
    assert order is not None
    return order.status


async def decide(table: Table, key: str, decision: Any, **fields: Any) -> Result:
    fields = {"confirm": "RESOLVE"} | fields
    return await table.engine.command(
        ask.ResolveOrder(by="me", client_order_id=key, decision=decision, **fields)
    )


def test_rule1_filled_as_the_operator_says_is_held_and_protected() -> None:
    async def scene(table: Table) -> None:
        key = await unknown(table)
        done = await decide(table, key, "filled", quantity=D(99), price=D("97.5"))
        assert done.ok, done.error
        assert (table.held, status(table, key)) == (99, OrderStatus.FILLED)
        position = table.engine.book.holding("paper", "AAA")
        assert position is not None
        assert position.average_price == D("97.5")
        await table.wait(2)
        assert [o.quantity for o in table.venue.orders.values() if o.stop_price] == [99]
        (acted,) = [e for e in table.events(ev.OperatorActed) if e.command == "ResolveOrder"]
        assert (acted.by, acted.args["decision"]) == ("me", "filled")
        table.venue.tell_hidden()
        await table.wait(10)
        assert (table.held, table.there) == (99, 99)
        assert table.engine.book.account("paper").cash["USD"] == table.venue.cash

    play(scene)


@pytest.mark.parametrize(
    ("filled", "seen", "end"), [(99, 0, "FILLED"), (60, 20, "CANCELED"), (60, 0, "CANCELED")]
)
def test_rule1_venue_takes_what_the_venue_says(filled: int, seen: int, end: str) -> None:
    async def scene(table: Table) -> None:
        key = await unknown(table, filled, seen)
        assert (await decide(table, key, "venue")).ok
        assert (table.held, table.there) == (filled, filled)
        assert status(table, key).value == end
        table.venue.tell_hidden()
        await table.wait(10)
        assert (table.held, status(table, key).value) == (filled, end)

    play(scene)


def test_rule2_more_that_fills_than_was_decided_counts_beside_it() -> None:
    async def scene(table: Table) -> None:
        key = await unknown(table)
        table.venue.silent = {"query"}
        assert (await decide(table, key, "filled", quantity=D(40), price=D(100))).ok
        assert (table.held, status(table, key)) == (40, OrderStatus.CANCELED)
        table.venue.silent = set()
        table.venue.tell_hidden()
        await table.wait(10)
        assert (table.held, table.there) == (99, 99)

    play(scene)


@pytest.mark.parametrize(
    ("decision", "fields", "words"),
    [
        ("canceled", {}, "the venue says FILLED, 99 filled"),
        ("filled", {"quantity": D(50), "price": D(100)}, "the venue says FILLED, 99 filled"),
        ("filled", {"quantity": D(99)}, "needs --quantity and --price"),
        ("filled", {"price": D(99)}, "needs --quantity and --price"),
        ("filled", {"quantity": D(100), "price": D(100)}, "above 0 up to 99"),
        ("filled", {"quantity": D(0), "price": D(100)}, "needs --quantity and --price"),
        ("filled", {"quantity": D(99), "price": D("NaN")}, "needs --quantity and --price"),
        ("filled", {"quantity": D("1e308"), "price": D(100)}, "needs --quantity and --price"),
        ("filled", {"quantity": D(99), "price": D("1e308")}, "needs --quantity and --price"),
        ("filled", {"quantity": D(99), "price": D("1e-400")}, "needs --quantity and --price"),
        ("filled", {"quantity": D(99), "price": D(100_000_001)}, "the last price"),
        ("venue", {"confirm": "resolve"}, "type 'RESOLVE'"),
    ],
)
def test_rule1_what_is_refused_changes_nothing(
    decision: str, fields: dict[str, Any], words: str
) -> None:
    async def scene(table: Table) -> None:
        key = await unknown(table)
        told = await decide(table, key, decision, **fields)
        assert (told.ok, words in told.error) == (False, True), told.error
        assert (table.held, status(table, key)) == (0, OrderStatus.UNKNOWN)

    play(scene)


def test_rule1_a_venue_that_does_not_answer_leaves_the_decision_to_the_operator() -> None:
    async def scene(table: Table) -> None:
        key = await unknown(table)
        table.venue.silent = {"query"}
        assert "does not answer" in (await decide(table, key, "venue")).error
        assert (await decide(table, key, "canceled")).ok
        assert (table.held, status(table, key)) == (0, OrderStatus.CANCELED)

    play(scene)


def test_rule1_an_order_that_may_still_arrive_is_not_called_canceled() -> None:
    async def scene(table: Table) -> None:
        table.venue.silent = {"submit"}
        done = await table.order(Side.BUY, 99, protect=D(90))
        (key,) = done.data["client_order_ids"]
        await table.until(lambda: status(table, key) is OrderStatus.UNKNOWN, 40)
        table.venue.silent = set()
        told = await decide(table, key, "canceled")
        assert "may still arrive" in told.error
        assert "does not know the order" in (await decide(table, key, "venue")).error

    play(scene, able=msgspec.structs.replace(PLAIN, late_arrival_seconds=120))


def test_rule1_only_an_order_that_is_unknown_is_resolved() -> None:
    async def scene(table: Table) -> None:
        key = await table.buy(10)
        assert "is FILLED" in (await decide(table, key, "canceled")).error
        assert "no order has the id" in (await decide(table, "nobody", "canceled")).error

    play(scene)


def test_x91_what_is_assumed_is_dated_when_the_order_became_unknown() -> None:
    """The venue said FILLED then; the operator decides two minutes later."""

    async def scene(table: Table) -> None:
        key = await unknown(table)
        order = table.engine.book.order(key)
        assert order is not None
        lost = order.unclear_at
        await table.wait(120)
        done = await decide(table, key, "filled", quantity=D(99), price=D("97.5"))
        assert done.ok, done.error
        (taken,) = table.events(ev.OrderFilled)
        assert taken.fill.time == lost < table.clock.now() - 100_000_000_000
        position = table.engine.book.holding("paper", "AAA")
        assert position is not None
        assert position.opened_at == lost

    play(scene)
