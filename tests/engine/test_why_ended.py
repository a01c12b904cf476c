"""Why an order ended, and what it is, read the same wherever it is read (U-20, U-30, C-304)."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import VenueOrder
from engine.domain.inputs import CancelFailed, QueryAnswered, Stop
from engine.domain.order import OrderStatus, OrderType, Purpose, Side
from engine.exits.hard_stop import is_beyond
from engine.exits.stops import breach_key
from engine.ports import Ambiguous
from tests.engine.driver import CoreDriver
from tests.engine.worlds import BROKER, signal
from tests.storage.test_tables import Tables

D = Decimal
S = OrderStatus

VENUES_WORDS = "cancelled by the exchange"


def entered() -> CoreDriver:
    """A signal's entry rests."""
    desk = CoreDriver().price("NVDA", "100")
    desk.signal(signal("NVDA", conviction=60, entry="100", stop="95"))
    desk.accept(desk.last(Purpose.ENTRY))
    return desk


def time_out(desk: CoreDriver) -> None:
    desk.tick(desk.last(Purpose.ENTRY).timeout_seconds or 0)


def by_hand(desk: CoreDriver) -> None:
    desk.give(ask.CancelOrder(by="ann", client_order_id=desk.last(Purpose.ENTRY).client_order_id))


def shut_down(desk: CoreDriver) -> None:
    desk.give(Stop("the end"))


def at_the_venue(desk: CoreDriver) -> None:
    """Nobody here asked for it."""


REASONS = pytest.mark.parametrize(
    ("act", "reason", "code"),
    [
        (time_out, "ORDER_TIMEOUT", "ORDER_TIMEOUT"),
        (by_hand, "ann", ""),
        (shut_down, "shutdown", ""),
        (at_the_venue, VENUES_WORDS, ""),
    ],
)


@REASONS
@pytest.mark.parametrize("doubt", [False, True])
def test_u30_who_ended_an_order_is_told_whatever_the_venue_calls_it(
    act: Any, reason: str, code: str, doubt: bool
) -> None:
    desk = entered()
    entry = desk.last(Purpose.ENTRY)
    act(desk)
    if doubt and act is not at_the_venue:
        desk.give(CancelFailed(entry.account, entry.client_order_id, Ambiguous("a reset")))
        desk.tick(5)
        desk.tick(5)
    desk.report(entry, S.CANCELED, text=VENUES_WORDS)
    assert desk.current(entry).reason == reason
    (ended,) = desk.of(ev.SignalEnded)
    assert (ended.outcome, ended.code, ended.reason) == ("CANCELLED", code, reason)


@REASONS
def test_u30_also_where_the_venue_is_asked_and_says_that_it_ended(
    act: Any, reason: str, code: str
) -> None:
    desk = entered()
    entry = desk.last(Purpose.ENTRY)
    act(desk)
    there = VenueOrder(
        client_order_id=entry.client_order_id,
        venue_order_id="v",
        symbol=entry.symbol,
        side=entry.side,
        type=entry.type,
        quantity=entry.quantity,
        filled=D(0),
        status=S.CANCELED,
        limit_price=entry.limit_price,
    )
    desk.give(QueryAnswered(entry.account, entry.client_order_id, there, (), desk.now))
    expected = "as the venue says" if act is at_the_venue else reason
    assert desk.current(entry).reason == expected


@pytest.mark.parametrize(("to", "status"), [(20, S.PENDING_REPLACE), (9, S.FILLED)])
def test_u20_a_fill_while_an_order_is_changed_is_in_every_table_what_it_is_here(
    to: int, status: OrderStatus
) -> None:
    desk = CoreDriver().price("NVDA", "100")
    desk.place(Side.BUY, 10, type=OrderType.LIMIT, limit_price=D(98), protect=D(90))
    order = desk.last(Purpose.MANUAL)
    desk.accept(order)
    desk.give(ask.ModifyOrder(by="me", client_order_id=order.client_order_id, quantity=D(to)))
    desk.report(order, S.PARTIALLY_FILLED, fill=desk.execution(order, 10, "98"), filled=D(10))
    assert desk.current(order).status is status
    tables = Tables()
    seen = [ev.Record(n, desk.now, event) for n, event in enumerate(desk.seen, start=1)]
    tables.write(seen)
    row = tables.one("orders", f"client_order_id = '{order.client_order_id}'")
    folded = tables.book.order(order.client_order_id)
    assert folded is not None
    assert (row["status"], row["filled"]) == (status.value, "10")
    assert folded.status is status


@pytest.mark.parametrize(("closed", "other"), [("A", "AAPL"), ("AAPL", "A"), ("AA", "AAPL")])
def test_x71_the_end_of_one_position_leaves_the_evidence_about_another(
    closed: str, other: str
) -> None:
    """Their names begin alike."""
    desk = CoreDriver()
    for symbol in (closed, other):
        desk.hold(symbol, 10, "100")
        desk.give(ask.Protect(by="me", symbol=symbol, price=D(95)))
        desk.quote(symbol, "94")
    position = desk.held(other)
    assert is_beyond(position, D(94))
    desk.give(ask.ClosePosition(by="me", symbol=closed))
    out = desk.last(Purpose.EXIT, closed)
    desk.accept(out)
    desk.filled(out, 10, "94")
    assert desk.book.holding(BROKER, closed) is None
    desk.later(1).quote(other, "94")
    assert desk.world.breaches.confirmed(breach_key(BROKER, other))


def filled_of(desk: CoreDriver, filled: int) -> Any:
    """So much of 10 fills before the order ends at the venue."""
    desk.price("NVDA", "100")
    desk.place(Side.BUY, 10, type=OrderType.LIMIT, limit_price=D(98), protect=D(90))
    order = desk.last(Purpose.MANUAL)
    desk.accept(order)
    if filled:
        desk.filled(order, filled, "98")
    desk.report(order, S.CANCELED, filled=D(filled))
    desk.report(order, S.CANCELED, filled=D(filled))
    return order


@pytest.mark.parametrize(("filled", "warned"), [(0, 0), (4, 1), (5, 0), (6, 0), (10, 0)])
def test_a362_an_entry_that_ends_below_half_is_told_once(filled: int, warned: int) -> None:
    desk = CoreDriver()
    filled_of(desk, filled)
    told = [a for a in desk.of(ev.Alarmed) if a.code == "PARTIAL_FILL"]
    assert len(told) == warned
    if warned:
        assert "4 of 10 NVDA" in told[0].text
    held = desk.book.holding(BROKER, "NVDA")
    assert (held.quantity if held else 0) == filled


def test_a362_so_is_one_of_which_the_venue_says_so_when_it_is_asked() -> None:
    desk = entered()
    entry = desk.last(Purpose.ENTRY)
    desk.filled(entry, 1, "100")
    shut_down(desk)
    there = msgspec.structs.replace(desk.works(entry), status=S.CANCELED, filled=D(1))
    for _ in range(2):
        desk.give(QueryAnswered(entry.account, entry.client_order_id, there, (), desk.now))
    assert [a.code for a in desk.of(ev.Alarmed)].count("PARTIAL_FILL") == 1
