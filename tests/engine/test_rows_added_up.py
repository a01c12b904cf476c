"""What a venue lists of one thing in several rows (A-370, C-126, rule 3, faults 42, 46 and 49).

Lots, models and the legs of a hedge are one holding: their sum is compared, guarded and closed. One
order that is listed with two different states is none that can be believed.
"""

from decimal import Decimal

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import UNREADABLE, VenueOrder, VenuePosition
from engine.domain.order import OrderStatus, OrderType, Side
from engine.domain.run import Flatten, KillState, RunState
from engine.domain.signal import TradeType
from engine.runtime.rows import contradicted_orders, net_positions
from tests.engine.liar import Liar, Table, play, somebody_rests
from tests.engine.worlds import BROKER

D = Decimal


def row(quantity: str, price: str = "100", mark: str | None = None) -> VenuePosition:
    return VenuePosition(
        symbol="AAA",
        quantity=D(quantity),
        average_price=D(price),
        mark=None if mark is None else D(mark),
    )


class InRows(Liar):
    """It lists what it holds in rows: so many at the most in the first, the rest in the second."""

    first = D("Infinity")
    hedge = D(0)
    """As much is bought besides in the first row, and sold short in the second."""
    twice: tuple[VenueOrder, ...] = ()
    """Rows beside those of the orders that work."""

    async def get_positions(self) -> tuple[VenuePosition, ...]:
        rows: list[VenuePosition] = []
        for held in await super().get_positions():
            part = min(held.quantity, self.first) + self.hedge
            both = (part, held.quantity - part)
            rows += [msgspec.structs.replace(held, quantity=each) for each in both if each]
        return tuple(rows)

    async def get_open_orders(self) -> tuple[VenueOrder, ...]:
        return (*await super().get_open_orders(), *self.twice)


class RowsTable(Table):
    makes = InRows
    venue: InRows


def stop_of(table: Table) -> VenueOrder:
    (stop,) = [
        order
        for order in table.venue.orders.values()
        if order.type is OrderType.STOP and not order.status.is_terminal
    ]
    return stop


ROWS = pytest.mark.parametrize(
    ("first", "hedge"), [(15, 0), (25, 0), (20, 0), (40, 15)], ids=["low", "high", "half", "hedge"]
)


@ROWS
def test_rule3_the_stop_stays_for_all_that_is_held_in_two_rows(first: int, hedge: int) -> None:
    async def scene(table: Table) -> None:
        assert isinstance(table.venue, InRows)
        await table.buy(40, hold=TradeType.DAY, protect=D(95))
        await table.wait(3)
        table.venue.first, table.venue.hedge = D(first), D(hedge)
        await table.wait(130)
        assert table.held == 40
        assert stop_of(table).quantity == 40
        assert table.engine.book.run_state is RunState.ACTIVE
        assert not table.alarms()

    play(scene, table=RowsTable)


@ROWS
def test_C502_a_kill_closes_what_is_held_in_two_rows(first: int, hedge: int) -> None:
    async def scene(table: Table) -> None:
        assert isinstance(table.venue, InRows)
        await table.buy(40, hold=TradeType.DAY, protect=D(95))
        await table.wait(8)
        table.venue.first, table.venue.hedge = D(first), D(hedge)
        await table.engine.command(ask.Kill(by="test", flatten=Flatten.ALL))
        await table.until(lambda: table.there == 0)
        table.venue.hedge = D(0)
        await table.wait(60)
        assert (table.held, table.there) == (0, 0)
        kill = table.engine.book.account(BROKER).kill
        assert kill is not None
        assert kill.state is KillState.VERIFIED

    play(scene, table=RowsTable)


def test_A370_a_holding_in_two_rows_that_nothing_explains_is_taken_over_whole() -> None:
    async def scene(table: Table) -> None:
        assert isinstance(table.venue, InRows)
        table.venue.first = D(15)
        table.venue.held["AAA"] = D(40)
        table.venue._record()
        await table.wait(130)
        told = table.events(ev.Reconciled)
        found = [d for event in told for d in event.differences if d.symbol == "AAA"]
        assert {difference.venue for difference in found} == {"40"}

    play(scene, table=RowsTable)


def test_an_order_listed_twice_with_different_numbers_is_no_answer() -> None:
    """Which of both is true nobody knows; the list of the next look may say."""

    async def scene(table: Table) -> None:
        assert isinstance(table.venue, InRows)
        somebody_rests(table)
        (order,) = table.venue.orders.values()
        part = msgspec.structs.replace(order, filled=D(1), status=OrderStatus.PARTIALLY_FILLED)
        table.venue.twice = (part,)
        answered = await table.engine.command(ask.Reconcile(by="test"))
        assert answered.ok
        assert not answered.data["clean"]
        assert not answered.data["differences"], "nothing is concluded of its symbol"
        (told,) = [alarm.text for alarm in table.events(ev.Alarmed)]
        assert "order theirs in AAA is listed twice, with filled 0 and 1" in told
        blocked = table.engine.book.account(BROKER).blocked
        assert "is listed twice" in blocked["AAA"][UNREADABLE]
        table.venue.twice = (order,)
        answered = await table.engine.command(ask.Reconcile(by="test"))
        (found,) = answered.data["differences"]
        assert found["client_order_id"] == "theirs", "the same row again says the same"
        assert UNREADABLE not in blocked["AAA"]

    play(scene, table=RowsTable)


# --- the arithmetic -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "net"),
    [
        ([row("40")], row("40")),
        ([row("15"), row("25")], row("40")),
        ([row("10", "90"), row("30", "110")], row("40", "105")),
        ([row("-10", "90"), row("-30", "110")], row("-40", "105")),
        ([row("40", "100"), row("-15", "101")], row("25", "100")),
        ([row("40", "100"), row("-15", "101"), row("-35", "107")], row("-10", "105.2")),
        ([row("40", "100"), row("-40", "101")], row("0", "100")),
        ([row("0", "0"), row("40", "100")], row("40", "100")),
        ([row("15", mark="99"), row("25", mark="98")], row("40", mark="99")),
        ([row("-15", mark="97"), row("5"), row("25", mark="98")], row("15", mark="98")),
        ([row("1", "1"), row("2", "2")], row("3", str(D(5) / 3))),
    ],
)
def test_rows_of_one_symbol_are_one_holding(rows: list[VenuePosition], net: VenuePosition) -> None:
    assert net_positions(rows) == (net,)


def test_rows_of_other_symbols_stay_by_themselves() -> None:
    other = msgspec.structs.replace(row("7"), symbol="BBB")
    assert net_positions([row("15"), other, row("25")]) == (row("40"), other)


def test_orders_that_differ_in_what_tells_them_apart_are_others() -> None:
    first = VenueOrder(
        client_order_id="one",
        venue_order_id="v1",
        symbol="AAA",
        side=Side.BUY,
        type=OrderType.LIMIT,
        quantity=D(5),
        filled=D(0),
        limit_price=D(50),
        status=OrderStatus.NEW,
    )
    other = msgspec.structs.replace(first, venue_order_id="v2", filled=D(1))
    assert not contradicted_orders([first, first, other])
    changed = msgspec.structs.replace(first, quantity=D(4))
    assert contradicted_orders([first, other, changed]).keys() == {"AAA"}
