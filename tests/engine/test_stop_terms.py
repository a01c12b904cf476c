"""A protective stop is of a type, and stands as long, as its venue takes it (rule 3, C-131).

Where a venue takes orders of a kind of instrument, or of parts, for the day only, the stop is
placed again for the next session; one that a closed market does not take waits for the open.
"""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import Sending, SubmitFailed
from engine.domain.instant import NS_PER_SECOND, parse_rfc3339
from engine.domain.instrument import AssetClass
from engine.domain.order import OrderStatus, OrderTerms, OrderType, Purpose, Side, TimeInForce
from engine.domain.signal import TradeType
from engine.ports import Capabilities, MarketClosed, Rejected, Taken
from tests.engine.driver import NO_REDUCE_ONLY, CoreDriver

D = Decimal
S, T, F = OrderStatus, OrderType, TimeInForce

CLOSE = parse_rfc3339("2013-10-07T20:00:00Z")
OPEN = parse_rfc3339("2013-10-08T13:30:00Z")

ALL_TYPES, ALL_TIMES = frozenset(OrderType), frozenset(TimeInForce)
FOR_THE_DAY = Taken(ALL_TYPES, frozenset({F.DAY}))
NO_STOPS = Taken(frozenset({T.MARKET, T.LIMIT, T.STOP_LIMIT}), frozenset({F.GTC, F.IOC}))
BASE = msgspec.structs.replace(NO_REDUCE_ONLY, native_modify=False, fractional=True)


def able(**more: Any) -> Capabilities:
    return msgspec.structs.replace(BASE, **more)


def held(capabilities: Capabilities, quantity: str = "99", symbol: str = "NVDA") -> CoreDriver:
    """So much is bought, and its stop is decided."""
    desk = CoreDriver(capabilities=capabilities).price(symbol, "100")
    desk.place(Side.BUY, quantity, symbol=symbol, protect=D(95), hold=TradeType.SWING)
    entry = desk.last(Purpose.MANUAL, symbol)
    desk.accept(entry)
    desk.filled(entry, D(quantity), "100")
    return desk


def stops(desk: CoreDriver, symbol: str = "NVDA") -> list[OrderTerms]:
    return desk.intended(Purpose.PROTECT, symbol)


def closes(desk: CoreDriver) -> list[OrderTerms]:
    return desk.intended(Purpose.EXIT)


# --- which terms ----------------------------------------------------------------------------------


def test_a_kind_takes_what_its_venue_says_and_all_that_it_takes_where_it_says_nothing() -> None:
    parts = dict.fromkeys((AssetClass.STOCK, AssetClass.ETF), NO_STOPS)
    one = able(by_kind={AssetClass.OPTION: FOR_THE_DAY}, of_parts=parts)
    whole = Taken(one.order_types, one.times_in_force)
    assert one.takes(AssetClass.OPTION, D(2)) == FOR_THE_DAY
    assert one.takes(AssetClass.STOCK, D(2)) == whole
    assert one.takes(AssetClass.STOCK, D("2.5")) == NO_STOPS
    assert one.takes(AssetClass.ETF, D("0.5")) == NO_STOPS
    # parts are parts of shares: coins and pairs have lots of their own
    assert one.takes(AssetClass.CRYPTO, D("0.5")) == whole
    assert able().takes(AssetClass.STOCK, D("2.5")) == whole


@pytest.mark.parametrize(
    ("kind", "quantity", "expected"),
    [({}, "99", F.GTC), ({AssetClass.STOCK: FOR_THE_DAY}, "99", F.DAY), ({}, "99.5", F.DAY)],
)
def test_a_stop_is_good_till_cancelled_where_that_is_taken_and_for_the_day_where_not(
    kind: dict[AssetClass, Taken], quantity: str, expected: TimeInForce
) -> None:
    desk = held(able(by_kind=kind, of_parts={AssetClass.STOCK: FOR_THE_DAY}), "99")
    if quantity != "99":
        desk = held_part(able(by_kind=kind, of_parts={AssetClass.STOCK: FOR_THE_DAY}))
    (stop,) = stops(desk)
    assert (stop.type, stop.time_in_force) == (T.STOP, expected)
    assert stop.quantity == D(quantity)
    assert not closes(desk)


def held_part(capabilities: Capabilities) -> CoreDriver:
    """99.5 are held, as after an order of a part at the venue's own screen."""
    desk = CoreDriver(capabilities=capabilities).price("NVDA", "100")
    desk.hold("NVDA", D("99.5"), "100")
    desk.snapshot(positions={"NVDA": "99.5"})
    desk.give(ask.Protect(by="me", symbol="NVDA", price=D(95)))
    return desk


def test_where_no_plain_stop_is_taken_it_has_a_limit_far_beyond_it() -> None:
    """5 % beyond: once triggered it fills like one at the market unless the price jumps further,
    and then the engine's own copy closes (X-78)."""
    desk = held(able(by_kind={AssetClass.STOCK: NO_STOPS}))
    (stop,) = stops(desk)
    assert (stop.type, stop.time_in_force) == (T.STOP_LIMIT, F.GTC)
    assert (stop.stop_price, stop.limit_price) == (D(95), D("90.25"))


def test_where_neither_is_taken_the_venue_is_asked_for_a_plain_one_and_says_no() -> None:
    none = Taken(frozenset({T.MARKET, T.LIMIT}), frozenset({F.GTC}))
    desk = held(able(by_kind={AssetClass.STOCK: none}))
    (stop,) = stops(desk)
    assert stop.type is T.STOP


# --- a stop for the day ---------------------------------------------------------------------------


def for_the_day() -> CoreDriver:
    desk = held(able(by_kind={AssetClass.STOCK: FOR_THE_DAY}))
    desk.accept(stops(desk)[-1])
    desk.tick(60)
    return desk


def expire(desk: CoreDriver) -> None:
    """The session ends, and the stop with it."""
    desk.now = CLOSE
    desk.report(stops(desk)[-1], S.EXPIRED)


def closed(desk: CoreDriver) -> None:
    """The venue does not take the newest stop at this hour."""
    order = stops(desk)[-1]
    desk.give(Sending(order.account, order.client_order_id))
    desk.give(SubmitFailed(order.account, order.client_order_id, MarketClosed("not now")))


def test_one_that_ends_with_the_session_is_placed_again_at_once() -> None:
    """Its venue keeps it for the next session."""
    desk = for_the_day()
    expire(desk)
    assert len(stops(desk)) == 2
    desk.accept(stops(desk)[-1])
    for _ in range(30):
        desk.tick(1)
    assert len(stops(desk)) == 2
    assert not closes(desk)
    assert not desk.of(ev.Unprotected)


def test_one_that_a_closed_market_does_not_take_waits_for_the_open_and_is_told() -> None:
    desk = for_the_day()
    expire(desk)
    closed(desk)
    assert [a.code for a in desk.of(ev.Alarmed) if a.code.startswith("STOP")] == ["STOP_WAITS"]
    desk.tick(1)
    while desk.now < OPEN - 60 * NS_PER_SECOND:
        desk.tick(600 if desk.now < OPEN - 1200 * NS_PER_SECOND else 10)
    assert (len(stops(desk)), closes(desk)) == (2, [])
    desk.now = OPEN - 1
    desk.tick(0)
    assert len(stops(desk)) == 2
    desk.now = OPEN
    desk.tick(0)
    assert len(stops(desk)) == 3
    desk.accept(stops(desk)[-1])
    for _ in range(30):
        desk.tick(1)
    assert (len(stops(desk)), closes(desk)) == (3, [])
    assert not desk.of(ev.Unprotected)


def test_one_that_is_not_acknowledged_within_five_seconds_of_the_open_closes_the_position() -> None:
    desk = for_the_day()
    expire(desk)
    closed(desk)
    desk.now = OPEN
    desk.tick(0)
    order = stops(desk)[-1]
    desk.give(Sending(order.account, order.client_order_id))
    desk.tick(5)
    assert desk.held().exiting is None
    desk.tick(0.001)
    assert desk.held().exiting is not None


def test_one_that_is_refused_for_another_reason_in_a_closed_market_closes_the_position() -> None:
    desk = for_the_day()
    expire(desk)
    order = stops(desk)[-1]
    desk.give(Sending(order.account, order.client_order_id))
    desk.give(SubmitFailed(order.account, order.client_order_id, Rejected("FUNDS", "no")))
    assert desk.held().exiting is not None


def test_one_that_is_not_taken_while_the_calendar_is_open_closes_the_position() -> None:
    desk = held(able(by_kind={AssetClass.STOCK: FOR_THE_DAY}))
    closed(desk)
    assert desk.held().exiting is not None


def test_a_stop_with_such_a_limit_protects_as_a_plain_one_does() -> None:
    desk = held(able(by_kind={AssetClass.STOCK: NO_STOPS}))
    desk.accept(stops(desk)[-1])
    for _ in range(30):
        desk.tick(1)
    assert desk.current(stops(desk)[-1]).covers == 99
    assert (len(stops(desk)), desk.held().exiting, desk.of(ev.Unprotected)) == (1, None, [])


def test_what_jumps_over_such_a_limit_is_closed_once_the_stop_has_had_its_seconds() -> None:
    desk = held(able(by_kind={AssetClass.STOCK: NO_STOPS}))
    stop = stops(desk)[-1]
    desk.accept(stop)
    for _ in range(3):
        desk.later(0.2)
        desk.quote("NVDA", "85", bid="85", ask="85.1", trade=True)
    for _ in range(5):
        desk.tick(1)
        desk.quote("NVDA", "85", bid="85", ask="85.1", trade=True)
    assert desk.current(stop).status is S.NEW
    desk.tick(1)
    assert desk.current(stop).status is S.PENDING_CANCEL
    desk.report(stop, S.CANCELED)
    (out,) = closes(desk)
    assert (out.type, out.side, out.quantity) == (T.MARKET, Side.SELL, D(99))
