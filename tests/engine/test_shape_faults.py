"""Faults of structure that hid a wrong number: what is counted is taken off as it was counted, what
belongs to one account is not changed by another, and a recorded cause is the true one."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import VenueOrder
from engine.domain.codes import Code
from engine.domain.inputs import GateClosed
from engine.domain.instant import Nanos
from engine.domain.order import OrderStatus, OrderType, Purpose, Side, TimeInForce
from engine.domain.run import Flatten
from engine.domain.signal import TradeType
from engine.plans import table
from engine.plans.table import PLANS, Plan
from engine.state.fold import apply
from engine.state.position import Position
from engine.world import World
from tests.engine.driver import CoreDriver, one
from tests.engine.worlds import BROKER

D = Decimal
OPTION = "AAPL 2026-12-18 200 C"


def held(desk: CoreDriver, symbol: str = "NVDA") -> Position:
    found = desk.book.holding(BROKER, symbol)
    assert found is not None
    return found


def foreign(symbol: str, kind: OrderType, price: str | None) -> VenueOrder:
    return VenueOrder(
        client_order_id="theirs",
        venue_order_id="v9",
        symbol=symbol,
        side=Side.BUY,
        type=kind,
        quantity=D(2),
        filled=D(0),
        limit_price=None if price is None else D(price),
        status=OrderStatus.NEW,
    )


def bought(desk: CoreDriver, quantity: int) -> None:
    desk.quote("NVDA", "100")
    command = ask.PlaceOrder(
        by="me", symbol="NVDA", side=Side.BUY, quantity=D(quantity), hold=TradeType.SWING
    )
    desk.give(command)
    entry = desk.last(Purpose.MANUAL)
    desk.accept(entry)
    desk.filled(entry, quantity, "100")


def test_U51_what_an_adopted_contract_reserves_is_gone_once_nothing_works() -> None:
    desk = CoreDriver()
    desk.snapshot(orders=(foreign(OPTION, OrderType.LIMIT, "5"),), reason="operator", apply=True)
    assert desk.book.reserved[OPTION] == 2 * 5 * 100
    order = desk.book.order("theirs")
    assert order is not None
    desk.filled(order.terms, 2, "5")
    assert not desk.book.reserved
    assert not any(desk.book.reserved_total.values())
    assert not any(desk.book.reserved_of.values())


@pytest.mark.parametrize("priced", [True, False])
def test_U51_an_adopted_order_without_a_price_adds_exposure(priced: bool) -> None:
    desk = CoreDriver()
    if priced:
        desk.quote("NVDA", "100")
    desk.snapshot(orders=(foreign("NVDA", OrderType.MARKET, None),), reason="operator", apply=True)
    order = desk.book.order("theirs")
    assert order is not None
    assert order.reserved == (100 if priced else D("0.01"))
    events = desk.give(ask.Kill(by="me", flatten=Flatten.NONE))
    assert "theirs" in {e.client_order_id for e in events if isinstance(e, ev.CancelRequested)}


def test_evidence_of_one_symbol_is_not_dropped_with_another_that_begins_like_it() -> None:
    desk = CoreDriver()
    seen = desk.world.breaches
    seen.see("stop:paper:AAPL", breached=True, at=1, traded_both_sides=True)
    seen.forget("stop:paper:A")
    assert seen.confirmed("stop:paper:AAPL")


def test_a_second_fill_of_the_same_moment_keeps_the_extremes() -> None:
    desk = CoreDriver()
    bought(desk, 10)
    desk.quote("NVDA", "105")
    later = desk.now
    desk.now = held(desk).opened_at
    desk.give(
        ask.PlaceOrder(by="me", symbol="NVDA", side=Side.BUY, quantity=D(5), hold=TradeType.SWING)
    )
    order = desk.last(Purpose.MANUAL)
    desk.accept(order)
    desk.filled(order, 5, "101")
    desk.now = later
    assert desk.world.market.extremes["NVDA"][BROKER] == (100, 105)


def test_extremes_of_one_account_are_not_those_of_another() -> None:
    market = CoreDriver().world.market
    market.watch("a", "NVDA", D(100))
    market.watch("b", "NVDA", D(103))
    market.unwatch("b", "NVDA")
    assert market.extremes["NVDA"] == {"a": (100, 100)}


@pytest.mark.parametrize(("halted", "code"), [(True, Code.KILL_SWITCH), (False, Code.NOT_SENT)])
def test_what_kept_an_order_back_is_told_as_it_was(halted: bool, code: Code) -> None:
    desk = CoreDriver()
    desk.quote("NVDA", "100")
    desk.give(ask.PlaceOrder(by="me", symbol="NVDA", side=Side.BUY, quantity=D(1)))
    key = desk.last(Purpose.MANUAL).client_order_id
    why = "not sent: the journal cannot be written"
    found = one(desk.give(GateClosed(key, halted=halted, reason=why)), ev.OrderRejected)
    assert (found.code, found.text) == (code, why)


def test_X85_a_kill_leaves_the_operators_stop_where_the_position_stays() -> None:
    desk = CoreDriver()
    bought(desk, 10)
    desk.give(
        ask.PlaceOrder(
            by="me",
            symbol="NVDA",
            side=Side.SELL,
            quantity=D(10),
            type=OrderType.STOP,
            stop_price=D(95),
            time_in_force=TimeInForce.GTC,
        )
    )
    stop = desk.last(Purpose.MANUAL)
    desk.accept(stop)
    desk.give(ask.CancelAll(by="me"))
    desk.give(ask.Kill(by="me", flatten=Flatten.DAY))
    assert desk.current(stop).status is OrderStatus.NEW
    desk.give(ask.Kill(by="me", flatten=Flatten.ALL))
    desk.snapshot(positions={"NVDA": 10}, orders=(desk.works(stop),), reason="kill")
    assert held(desk).exiting is not None


def test_a_plan_that_waits_for_time_is_asked_although_nothing_is_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Nanos] = []

    def waits(world: World, account: str, symbol: str, now: Nanos) -> Iterator[ev.Event]:
        asked.append(now)
        yield from ()

    monkeypatch.setattr(table, "PLANS", (*PLANS, Plan("waits", waits)))
    desk = CoreDriver()
    desk.quote("NVDA", "100")
    desk.give(ask.PlaceOrder(by="me", symbol="NVDA", side=Side.BUY, quantity=D(1)))
    terms = desk.last(Purpose.MANUAL)
    opened = ev.IntentOpened(intent_id="i9", plan="waits", legs=(terms,))
    apply(desk.book, ev.Record(desk.book.data.seq + 1, desk.now, opened))
    asked.clear()
    for _ in range(60):
        desk.tick()
    assert len(asked) >= 60


@pytest.mark.parametrize("last", ["NaN", "Infinity", "0", "-1"])
def test_a_quote_that_is_no_price_is_left_aside_and_told_once(last: str) -> None:
    desk = CoreDriver()
    bought(desk, 10)
    events = desk.quote("NVDA", last)
    assert one(events, ev.Alarmed).code == "BAD_QUOTE"
    assert desk.quote("NVDA", last) == []
    assert desk.world.mark("NVDA") == 100
    desk.quote("NVDA", "101")
    assert desk.world.mark("NVDA") == 101
    assert one(desk.quote("NVDA", last), ev.Alarmed).code == "BAD_QUOTE"


def test_a_side_that_is_not_there_may_be_written_as_nothing() -> None:
    desk = CoreDriver()
    desk.quote("NVDA", "100", bid="0", ask="101")
    assert desk.world.mark("NVDA") == 100
