"""Faults of structure that hid a wrong number: what is counted is taken off as it was counted, what
belongs to one account is not changed by another, and a recorded cause is the true one."""

from collections.abc import Iterator
from decimal import Decimal

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import Account, VenueOrder
from engine.domain.codes import Code
from engine.domain.inputs import (
    CancelFailed,
    GateClosed,
    ModifyFailed,
    QueryAnswered,
    QueryFailed,
    Start,
)
from engine.domain.instant import Nanos
from engine.domain.order import (
    Fill,
    OrderStatus,
    OrderTerms,
    OrderType,
    Purpose,
    Side,
    TimeInForce,
)
from engine.domain.run import Flatten
from engine.domain.signal import TradeType
from engine.plans import table
from engine.plans.table import PLANS, Plan
from engine.ports import Ambiguous, BrokerError, NotSent, Throttled
from engine.state.fold import apply
from engine.world import World, exposure
from tests.engine.driver import CoreDriver, one
from tests.engine.worlds import ABLE, ACCOUNT, BROKER, signal

D = Decimal
OPTION = "AAPL 2026-12-18 200 C"


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
    assert desk.book.reservations.by_symbol[OPTION] == 2 * 5 * 100
    order = desk.book.order("theirs")
    assert order is not None
    desk.filled(order.terms, 2, "5")
    assert not desk.book.reservations.by_symbol
    assert not any(desk.book.reservations.by_currency.values())
    assert not any(desk.book.reservations.by_account.values())


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
    seen.see("stop:paper:AAPL", breached=True, at=1, told_at=1, traded_both_sides=True)
    seen.forget("stop:paper:A")
    assert seen.confirmed("stop:paper:AAPL")


def test_a_second_fill_of_the_same_moment_keeps_the_extremes() -> None:
    desk = CoreDriver()
    bought(desk, 10)
    desk.quote("NVDA", "105")
    later = desk.now
    desk.now = desk.held().opened_at
    desk.place(Side.BUY, 5, hold=TradeType.SWING)
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
    desk.place(Side.BUY, 1)
    key = desk.last(Purpose.MANUAL).client_order_id
    why = "not sent: the journal cannot be written"
    found = one(desk.give(GateClosed("paper", key, halted=halted, reason=why)), ev.OrderRejected)
    assert (found.code, found.text) == (code, why)


def test_X85_a_kill_leaves_the_operators_stop_where_the_position_stays() -> None:
    desk = CoreDriver()
    bought(desk, 10)
    desk.place(Side.SELL, 10, type=OrderType.STOP, stop_price=D(95), time_in_force=TimeInForce.GTC)
    stop = desk.last(Purpose.MANUAL)
    desk.accept(stop)
    desk.give(ask.CancelAll(by="me"))
    desk.give(ask.Kill(by="me", flatten=Flatten.DAY))
    assert desk.current(stop).status is OrderStatus.NEW
    desk.give(ask.Kill(by="me", flatten=Flatten.ALL))
    desk.snapshot(positions={"NVDA": 10}, orders=(desk.works(stop),), reason="kill")
    assert desk.held().exiting is not None


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
    desk.place(Side.BUY, 1)
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
    assert desk.world.prices.mark("NVDA") == 100
    desk.quote("NVDA", "101")
    assert desk.world.prices.mark("NVDA") == 101
    assert one(desk.quote("NVDA", last), ev.Alarmed).code == "BAD_QUOTE"


def test_a_side_that_is_not_there_may_be_written_as_nothing() -> None:
    desk = CoreDriver()
    desk.quote("NVDA", "100", bid="0", ask="101")
    assert desk.world.prices.mark("NVDA") == 100


# --- what a hostile venue does --------------------------------------------------------------------


def changing(desk: CoreDriver, side: Side, quantity: int, price: str, to: str) -> OrderTerms:
    """A limit order that the venue works and that is to become another, by cancel."""
    desk.place(side, quantity, type=OrderType.LIMIT, limit_price=D(price), hold=TradeType.SWING)
    order = desk.last(Purpose.MANUAL)
    desk.accept(order)
    desk.give(ask.ModifyOrder(by="me", client_order_id=order.client_order_id, limit_price=D(to)))
    return order


def slow() -> CoreDriver:
    """A venue that changes no order and joins none."""
    return CoreDriver(
        capabilities=msgspec.structs.replace(ABLE, native_modify=False, deduplicates=False)
    )


def test_rule1_what_takes_an_orders_place_is_asked_about_before_it_is_sent_by_another_process() -> (
    None
):
    desk = slow()
    bought(desk, 10)
    order = changing(desk, Side.SELL, 10, "105", "104")
    desk.restart(positions={"NVDA": 10})
    there = msgspec.structs.replace(desk.works(order), status=OrderStatus.CANCELED)
    desk.give(QueryAnswered(order.account, order.client_order_id, there, (), desk.now))
    desk.tick()
    new = desk.last(Purpose.MANUAL)
    assert new.orig_client_order_id == order.client_order_id
    assert new.check_first


def test_rule1_a_fill_of_what_an_earlier_process_sent_in_its_place_counts_for_it() -> None:
    desk = slow()
    bought(desk, 10)
    order = changing(desk, Side.SELL, 10, "105", "104")
    pending = desk.current(order).pending
    assert pending is not None
    key = pending.new_client_order_id
    sent = msgspec.structs.replace(order, client_order_id=key, orig_client_order_id="x")
    fill = msgspec.structs.replace(desk.execution(order, 10, "104"), client_order_id=key)
    desk.restart()
    desk.report(sent, OrderStatus.FILLED, fill=fill, filled=D(10))
    found = desk.book.order(key)
    assert found is not None
    assert (found.orig_client_order_id, found.filled) == (order.client_order_id, 10)
    there = msgspec.structs.replace(desk.works(order), status=OrderStatus.CANCELED)
    desk.give(QueryAnswered(order.account, order.client_order_id, there, (), desk.now))
    desk.tick()
    assert [e.terms.client_order_id for e in desk.of(ev.OrderIntended)].count(key) == 0
    assert "UNKNOWN_ORDER_FILL" not in [alarm.code for alarm in desk.of(ev.Alarmed)]


@pytest.mark.parametrize("command", [ask.CancelAll(by="me"), ask.CloseAll(by="me")])
def test_nothing_takes_the_place_of_an_order_in_doubt_after_everything_was_cancelled(
    command: ask.CancelAll | ask.CloseAll,
) -> None:
    desk = slow()
    bought(desk, 10)
    order = changing(desk, Side.BUY, 5, "99", "98")
    desk.give(CancelFailed(order.account, order.client_order_id, Ambiguous("no answer")))
    desk.give(QueryFailed(order.account, order.client_order_id, Ambiguous("no answer")))
    assert desk.current(order).status is OrderStatus.UNKNOWN
    desk.give(command)
    there = msgspec.structs.replace(desk.works(order), status=OrderStatus.CANCELED)
    before = len(desk.intended(Purpose.MANUAL))
    desk.give(QueryAnswered(order.account, order.client_order_id, there, (), desk.now))
    desk.tick()
    assert len(desk.intended(Purpose.MANUAL)) == before


def test_x85_a_first_stop_behind_one_that_covers_all_closes_nothing() -> None:
    desk = CoreDriver()
    bought(desk, 10)
    desk.place(Side.SELL, 10, type=OrderType.STOP, stop_price=D(95))
    desk.accept(desk.last(Purpose.MANUAL))
    desk.give(ask.Protect(by="me", symbol="NVDA", price=D(90)))
    for _ in range(10):
        desk.quote("NVDA", "100")
        desk.tick()
    assert desk.held().exiting is None


def test_x85_two_stops_of_a_person_cover_no_more_than_is_held() -> None:
    desk = CoreDriver()
    bought(desk, 90)
    for quantity, allowed in ((40, True), (51, False), (50, True)):
        desk.later(61)
        desk.quote("NVDA", "100")
        events = desk.place(Side.SELL, quantity, type=OrderType.STOP, stop_price=D(95))
        assert any(isinstance(e, ev.OrderIntended) for e in events) is allowed, quantity
        if allowed:
            desk.accept(desk.last(Purpose.MANUAL))


def test_rule3_a_close_that_is_refused_is_said_once_for_each_reason() -> None:
    desk = CoreDriver()
    bought(desk, 10)
    desk.give(ask.ClosePosition(by="me", symbol="NVDA"))
    for code in ("A", "A", "B"):
        exit_ = desk.last(Purpose.EXIT)
        desk.accept(exit_)
        desk.report(exit_, OrderStatus.REJECTED, code=code, text="no")
        for _ in range(20):
            desk.tick()
    told = [alarm.code for alarm in desk.of(ev.Alarmed)]
    assert told.count("EXIT_REFUSED") == 2


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-5", "0", "1e15", "1e30"])
def test_a_report_with_no_number_is_left_aside_and_asked_about(number: str) -> None:
    desk = CoreDriver()
    desk.quote("NVDA", "100")
    desk.place(Side.BUY, 10, type=OrderType.LIMIT, limit_price=D(99))
    order = desk.last(Purpose.MANUAL)
    desk.accept(order)
    events = desk.report(order, OrderStatus.NEW, quantity=D(number))
    assert one(events, ev.Alarmed).code == "BAD_REPORT"
    assert one(events, ev.OrderQueried).client_order_id == order.client_order_id
    assert desk.current(order).quantity == 10


@pytest.mark.parametrize("number", ["NaN", "-5"])
def test_rule2_a_fill_is_taken_although_the_report_around_it_is_left_aside(number: str) -> None:
    desk = CoreDriver()
    desk.quote("NVDA", "100")
    desk.place(Side.BUY, 10)
    order = desk.last(Purpose.MANUAL)
    desk.accept(order)
    fill = desk.execution(order, 4, "100")
    events = desk.report(order, OrderStatus.PARTIALLY_FILLED, fill=fill, filled=D(number))
    assert one(events, ev.OrderFilled).fill == fill
    assert "BAD_REPORT" in [e.code for e in events if isinstance(e, ev.Alarmed)]
    assert desk.held().quantity == 4


@pytest.mark.parametrize("error", [NotSent("far is down"), Throttled("later", 1)])
def test_a_stop_whose_change_did_not_leave_rests_as_it_was_and_is_asked_again(
    error: BrokerError,
) -> None:
    desk = CoreDriver()
    bought(desk, 10)
    desk.give(ask.Protect(by="me", symbol="NVDA", price=D(90)))
    stop = desk.last(Purpose.PROTECT)
    desk.accept(stop)
    desk.give(ask.Protect(by="me", symbol="NVDA", price=D(95)))
    events = desk.give(ModifyFailed(stop.account, stop.client_order_id, error))
    assert not [e for e in events if isinstance(e, ev.CancelRequested | ev.ReplaceRequested)]
    assert desk.current(stop).status is OrderStatus.NEW
    asked = [e for e in desk.tick() + desk.tick() if isinstance(e, ev.ReplaceRequested)]
    assert [e.stop_price for e in asked] == [95]


@pytest.mark.parametrize(("target", "passes"), [("99", False), ("100", False), ("101", True)])
def test_x96_a_target_lies_on_the_winning_side(target: str, passes: bool) -> None:
    desk = CoreDriver()
    desk.quote("NVDA", "100")
    desk.signal(signal(entry="100", stop="95", target=target))
    found = desk.of(ev.SignalDecided)[-1]
    assert (found.code == "INVALID_TARGET") is not passes


def test_x13_an_account_that_is_left_out_is_a_transfer_and_no_loss() -> None:
    desk = CoreDriver()
    desk.give(Start(version="t", accounts={BROKER: ACCOUNT, "other": "o"}, config_digest=""))
    money = Account(
        account_id="o", cash=D(50_000), equity=D(50_000), buying_power=D(0), as_of=desk.now
    )
    desk.event(ev.AccountSynced(account="other", balances=money))
    before = desk.world.money.daily_pnl
    assert desk.world.money.equity == 150_000
    desk.give(Start(version="t", accounts={BROKER: ACCOUNT}, config_digest=""))
    assert desk.world.money.equity == 100_000
    assert desk.world.money.daily_pnl == before
    assert desk.book.data.peak_equity == 100_000
    desk.give(Start(version="t", accounts={BROKER: ACCOUNT, "other": "o"}, config_digest=""))
    assert desk.world.money.equity == 150_000
    assert desk.world.money.daily_pnl == before


def test_x13_what_an_account_holds_leaves_and_comes_back_with_it() -> None:
    """10 bought at 98 are worth 1,000 at 100, then 900 at 90 while nobody looks after them."""
    desk = CoreDriver()
    both = {BROKER: ACCOUNT, "other": "o"}
    desk.give(Start(version="t", accounts=both, config_digest=""))
    money = Account(
        account_id="o", cash=D(50_000), equity=D(50_000), buying_power=D(0), as_of=desk.now
    )
    desk.event(ev.AccountSynced(account="other", balances=money))
    desk.quote("NVDA", "100")
    desk.event(
        ev.OrderFilled(
            account="other",
            fill=Fill(
                execution_id="x1",
                client_order_id="theirs",
                account="other",
                symbol="NVDA",
                side=Side.BUY,
                quantity=D(10),
                price=D(98),
                time=desk.now,
            ),
            multiplier=D(1),
            cumulative=D(10),
            average_price=D(98),
        )
    )
    desk.world.prices.revalue("NVDA")
    assert (desk.world.money.equity, desk.world.money.daily_pnl) == (150_020, 20)
    desk.give(Start(version="t", accounts={BROKER: ACCOUNT}, config_digest=""))
    assert (desk.world.money.equity, desk.world.money.daily_pnl) == (100_000, 20)
    assert not exposure.gross(desk.world)
    desk.quote("NVDA", "90")
    assert (desk.world.money.equity, desk.world.money.daily_pnl) == (100_000, 20)
    desk.give(Start(version="t", accounts=both, config_digest=""))
    assert (desk.world.money.equity, desk.world.money.daily_pnl) == (149_920, 20)
