"""Fills are facts: taken once, in any state, never refused (rule 2, X-18, A-360 to A-365, U-21)."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.codes import Outcome
from engine.domain.instant import NS_PER_SECOND
from engine.domain.order import Fill, OrderStatus, OrderType, Purpose, Side
from engine.domain.run import RunState
from engine.state.holdings import OLDEST_FILL
from tests.engine.driver import CoreDriver, kinds, one
from tests.engine.worlds import signal


def entered(quantity: int = 10) -> CoreDriver:
    desk = CoreDriver().price("NVDA", "100")
    desk.signal(signal("NVDA", entry="100", stop="95"))
    desk.accept(desk.last(Purpose.ENTRY))
    return desk


def undated(fill: Fill) -> Fill:
    """The same fill of a venue that gives no time."""
    return msgspec.structs.replace(fill, time=0)


def alarms(events: list[ev.Event]) -> list[str]:
    return [e.code for e in events if isinstance(e, ev.Alarmed)]


def test_u21_the_average_is_the_sum_over_the_fills() -> None:
    desk = entered()
    entry = desk.last(Purpose.ENTRY)
    desk.filled(entry, 50, "100")
    desk.filled(entry, 100, "101.5")
    order = desk.current(entry)
    assert (order.status, order.filled) == (OrderStatus.FILLED, 150)
    assert order.average_price == Decimal("101")


def test_u21_the_same_execution_counts_once() -> None:
    desk = entered()
    entry = desk.last(Purpose.ENTRY)
    fill = desk.execution(entry, 50, "100")
    desk.report(entry, OrderStatus.PARTIALLY_FILLED, fill=fill)
    assert desk.report(entry, OrderStatus.PARTIALLY_FILLED, fill=fill) == []
    position = desk.book.holding("paper", "NVDA")
    assert position is not None
    assert position.quantity == 50


def test_x18_a_fill_after_the_cancel_is_adopted_with_an_alarm_and_protected() -> None:
    desk = entered()
    entry = desk.last(Purpose.ENTRY)
    desk.report(entry, OrderStatus.CANCELED)
    assert desk.of(ev.SignalEnded)[-1].outcome is Outcome.CANCELLED
    events = desk.filled(entry, 50, "100")
    assert "LATE_FILL" in alarms(events)
    assert desk.current(entry).status is OrderStatus.CANCELED
    ended = desk.of(ev.SignalEnded)[-1]
    assert ended.outcome is Outcome.RESIZED  # the worst price made it one share smaller
    assert ended.previous == Outcome.CANCELLED
    assert desk.book.data.outcomes == {Outcome.RESIZED: 1}
    assert desk.last(Purpose.PROTECT).quantity == 50


def test_a365_an_overfill_is_adopted_alarmed_and_restricts() -> None:
    desk = entered()
    entry = desk.last(Purpose.ENTRY)
    events = desk.filled(entry, 160, "100")
    position = desk.book.holding("paper", "NVDA")
    assert position is not None
    assert position.quantity == 160
    assert "OVERFILL" in alarms(events)
    assert desk.book.run_state is RunState.REDUCE_ONLY


def test_a365_a_fill_of_an_order_we_do_not_know_is_adopted_with_an_alarm() -> None:
    desk = entered()
    stranger = desk.execution(desk.last(Purpose.ENTRY), 5, "100")
    other = msgspec.structs.replace(stranger, client_order_id="foreign", symbol="AAPL")
    events = desk.report(desk.last(Purpose.ENTRY), OrderStatus.NEW, fill=other)
    assert "UNKNOWN_ORDER_FILL" in alarms(events)
    held = desk.book.holding("paper", "AAPL")
    assert held is not None
    assert held.quantity == 5


def test_d26_slippage_beyond_two_percent_is_alarmed_and_kept() -> None:
    for price, code in (
        ("101", None),
        ("101.01", "SLIPPAGE"),
        ("102", "SLIPPAGE"),
        ("102.01", "SLIPPAGE_BREACH"),
        ("99", None),
        ("98.99", "SLIPPAGE"),
        ("98", "SLIPPAGE"),
        ("97.99", "SLIPPAGE_BREACH"),
    ):
        desk = entered()
        events = desk.filled(desk.last(Purpose.ENTRY), 150, price)
        assert [c for c in alarms(events) if c.startswith("SLIP")] == ([code] if code else [])
        assert desk.book.holding("paper", "NVDA") is not None


@pytest.mark.parametrize("sign", [1, -1], ids=["worse", "better"])
@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_a363_the_slippage_of_an_order_is_told_once_and_again_once_it_is_a_breach(
    side: Side, sign: int
) -> None:
    """An order that fills in many parts at one price raises no alarm for each (fault 51)."""
    desk = CoreDriver().price("NVDA", "100")
    desk.place(side, 70)
    order = desk.last(Purpose.MANUAL)
    assert order.reference is not None
    told = []
    for percent in ("0.5", "1.02", "1.02", "1.5", "2.1", "2.1", "1.2"):
        price = order.reference * (1 + sign * side.sign * Decimal(percent) / 100)
        found = [e for e in desk.filled(order, 10, price) if isinstance(e, ev.Alarmed)]
        slips = [e for e in found if e.code.startswith("SLIP")]
        assert all(f"% {'worse' if sign > 0 else 'better'} than decided" in e.text for e in slips)
        told.append([e.code for e in slips])
    assert told == [[], ["SLIPPAGE"], [], [], ["SLIPPAGE_BREACH"], [], []]


def test_a363_a_price_on_the_other_side_is_told_only_where_it_is_further_away() -> None:
    desk = CoreDriver().price("NVDA", "100")
    desk.place(Side.BUY, 60)
    order = desk.last(Purpose.MANUAL)
    assert order.reference is not None
    told = []
    for percent in ("1.5", "-1.5", "-1.9", "-2.1", "2.1", "-1.5"):
        price = order.reference * (1 + Decimal(percent) / 100)
        told.append([c for c in alarms(desk.filled(order, 10, price)) if c.startswith("SLIP")])
    assert told == [["SLIPPAGE"], [], [], ["SLIPPAGE_BREACH"], [], []]


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
@pytest.mark.parametrize(("percent", "told"), [("-5", []), ("1", []), ("1.01", ["SLIPPAGE"])])
def test_a363_what_is_better_than_a_persons_limit_is_no_slippage(
    side: Side, percent: str, told: list[str]
) -> None:
    """Such a limit is a bound, and may lie far through the market."""
    desk = CoreDriver().price("NVDA", "100")
    limit = Decimal(100) * (1 + side.sign * Decimal(3) / 100)
    desk.place(side, 10, type=OrderType.LIMIT, limit_price=limit)
    price = limit * (1 + side.sign * Decimal(percent) / 100)
    events = desk.filled(desk.last(Purpose.MANUAL), 10, price)
    assert [c for c in alarms(events) if c.startswith("SLIP")] == told


def test_a363_each_order_tells_its_own_slippage() -> None:
    desk = CoreDriver().price("NVDA", "100")
    for _ in range(2):
        desk.place(Side.BUY, 10)
        events = desk.filled(desk.last(Purpose.MANUAL), 10, "101.5")
        assert "SLIPPAGE" in alarms(events)
        desk.later(60).quote("NVDA", "100")


def test_a_fill_that_is_no_number_blocks_the_symbol_and_changes_no_holding() -> None:
    desk = entered()
    bad = msgspec.structs.replace(
        desk.execution(desk.last(Purpose.ENTRY), 5, "100"), price=Decimal("NaN")
    )
    events = desk.report(desk.last(Purpose.ENTRY), OrderStatus.PARTIALLY_FILLED, fill=bad)
    assert "BAD_FILL" in alarms(events)
    assert desk.book.holding("paper", "NVDA") is None
    assert "bad_fill" in desk.book.account("paper").blocked["NVDA"]


NO_FACTS: dict[str, dict[str, Any]] = {
    "quantity of 1e30": {"quantity": Decimal("1e30")},
    "price of 1e30": {"price": Decimal("1e30")},
    "price of 1e-30": {"price": Decimal("1e-30")},
    "no quantity": {"quantity": Decimal(0)},
    "no price": {"price": Decimal(0)},
    "a float": {"quantity": 5.0},
    "more than a thousand times the order": {"quantity": 1_000 * Decimal(149) + 1},
    "far above the last price": {"price": Decimal("100000000.01")},
    "far below the last price": {"price": Decimal("0.0000999")},
}


@pytest.mark.parametrize("change", NO_FACTS.values(), ids=NO_FACTS)
def test_a_fill_that_cannot_be_freezes_its_symbol_and_changes_nothing(
    change: dict[str, Any],
) -> None:
    """DESIGN, broker port: finite, sign, range; a bad fill is quarantined. What of the order
    filled is then not known, and it keeps its exposure (rule 1)."""
    desk = entered()
    order = desk.last(Purpose.ENTRY)
    assert order.quantity == 149
    cash = desk.book.account("paper").cash
    bad = msgspec.structs.replace(desk.execution(order, 149, "100"), **change)
    events = desk.report(order, OrderStatus.FILLED, fill=bad)
    assert "BAD_FILL" in alarms(events)
    assert "bad_fill" in desk.book.account("paper").blocked["NVDA"]
    assert desk.book.holding("paper", "NVDA") is None
    assert desk.book.account("paper").cash == cash
    assert desk.current(order).status is OrderStatus.UNKNOWN
    assert desk.book.data.halt is None


@pytest.mark.parametrize(
    "change",
    [
        {"quantity": 1_000 * Decimal(149)},
        {"price": Decimal(100_000_000)},
        {"price": Decimal("0.0001")},
        {"commission": Decimal(-5)},
    ],
    ids=str,
)
def test_rule2_a_fill_that_is_only_odd_is_a_fact(change: dict[str, Any]) -> None:
    desk = entered()
    order = desk.last(Purpose.ENTRY)
    odd = msgspec.structs.replace(desk.execution(order, 149, "100"), **change)
    desk.report(order, OrderStatus.FILLED, fill=odd)
    assert "BAD_FILL" not in alarms(desk.seen)
    assert one(desk.seen, ev.OrderFilled).fill == odd


def test_a_price_is_measured_by_what_the_order_was_decided_on_where_none_was_seen_since() -> None:
    desk = entered()
    order = desk.last(Purpose.ENTRY)
    desk.price("NVDA", "1000000000")
    fair = desk.execution(order, 1, "100")
    desk.report(order, OrderStatus.PARTIALLY_FILLED, fill=fair)
    assert "BAD_FILL" not in alarms(desk.seen)


WRONG = "1000000000"
"""A price of NVDA that is wrong by more than a million times, and that stays the newest."""


def test_a_price_is_measured_by_the_prices_of_its_order_too() -> None:
    """A stop has no price at which it was decided: that at which it sells says what can be."""
    desk = entered()
    desk.filled(desk.last(Purpose.ENTRY), 149, "100")
    stop = desk.last(Purpose.PROTECT)
    desk.accept(stop)
    assert stop.reference is None
    desk.price("NVDA", WRONG)
    desk.filled(stop, 149, "94")
    assert "BAD_FILL" not in alarms(desk.seen)
    assert desk.book.holding("paper", "NVDA") is None


def test_a_price_is_measured_by_what_is_held_too() -> None:
    desk = CoreDriver().hold("NVDA", 10, "100")
    desk.price("NVDA", WRONG)
    sold = desk.order("NVDA", 10, "0", side=Side.SELL, reserves=False)
    desk.report(sold, OrderStatus.FILLED, fill=desk.execution(sold, 10, "94"))
    assert "BAD_FILL" not in alarms(desk.seen)
    assert desk.book.holding("paper", "NVDA") is None


def test_a_block_ends_when_the_fill_that_it_is_for_is_taken() -> None:
    desk = entered()
    order = desk.last(Purpose.ENTRY)
    first, second = (desk.execution(order, 5, "100") for _ in range(2))
    blocked = desk.book.account("paper").blocked
    for fill in (first, second):
        bad = msgspec.structs.replace(fill, price=Decimal("1e13"))
        desk.report(order, OrderStatus.PARTIALLY_FILLED, fill=bad)
    desk.report(order, OrderStatus.PARTIALLY_FILLED, fill=first)
    assert "NVDA" in blocked, "the other is in doubt"
    desk.report(order, OrderStatus.PARTIALLY_FILLED, fill=second)
    assert "NVDA" not in blocked
    position = desk.book.holding("paper", "NVDA")
    assert position is not None
    assert position.quantity == 10


def test_a_venue_that_tells_many_bad_fills_blocks_by_no_more_causes_than_a_few() -> None:
    desk = entered()
    order = desk.last(Purpose.ENTRY)
    fills = [desk.execution(order, 1, "100") for _ in range(20)]
    for fill in fills:
        bad = msgspec.structs.replace(fill, price=Decimal("1e13"))
        desk.report(order, OrderStatus.PARTIALLY_FILLED, fill=bad)
    causes = desk.book.account("paper").blocked["NVDA"]
    assert len(causes) == 11
    for fill in fills:
        desk.report(order, OrderStatus.PARTIALLY_FILLED, fill=fill)
    assert set(desk.book.account("paper").blocked["NVDA"]) == {"bad_fill and more"}


def test_X91_a_fill_is_told_by_account_symbol_day_and_id() -> None:
    desk = entered()
    order = desk.last(Purpose.ENTRY)
    first = desk.execution(order, 5, "100")
    desk.report(order, OrderStatus.PARTIALLY_FILLED, fill=first)
    tomorrow = msgspec.structs.replace(first, time=first.time + 24 * 3600 * NS_PER_SECOND)
    for fill, held in ((first, 5), (tomorrow, 10), (tomorrow, 10)):
        desk.report(order, OrderStatus.PARTIALLY_FILLED, fill=fill)
        position = desk.book.holding("paper", "NVDA")
        assert position is not None
        assert position.quantity == held
    assert "BAD_FILL" not in alarms(desk.seen)


@pytest.mark.parametrize(
    "change", [{"quantity": Decimal(6)}, {"price": Decimal("100.01")}, {"side": Side.SELL}]
)
def test_X91_the_same_key_with_other_numbers_is_quarantined_once(change: dict[str, Any]) -> None:
    desk = entered()
    order = desk.last(Purpose.ENTRY)
    first = desk.execution(order, 5, "100")
    desk.report(order, OrderStatus.PARTIALLY_FILLED, fill=first)
    false = msgspec.structs.replace(first, **change)
    events = desk.report(order, OrderStatus.PARTIALLY_FILLED, fill=false)
    assert "BAD_FILL" in alarms(events)
    assert "bad_fill" in desk.book.account("paper").blocked["NVDA"]
    again = desk.report(order, OrderStatus.PARTIALLY_FILLED, fill=false)
    assert "BAD_FILL" not in alarms(again)
    position = desk.book.holding("paper", "NVDA")
    assert position is not None
    assert (position.quantity, position.entry_price) == (5, 100)


def test_t11_a_fill_that_comes_with_the_answer_counts_and_is_told_once() -> None:
    """D-46: the order is registered before it is sent, so a synchronous fill finds it."""
    desk = CoreDriver().price("NVDA", "100")
    desk.signal(signal("NVDA", entry="100", stop="95"))
    entry = desk.last(Purpose.ENTRY)
    events = desk.filled(entry, 150, "100")
    assert kinds(events).count("OrderFilled") == 1
    assert desk.current(entry).status is OrderStatus.FILLED
    metrics = desk.book.data.metrics
    assert (metrics.filled, metrics.fills) == (1, 1)


def test_a_signal_is_executed_from_its_first_fill_on() -> None:
    desk = entered()
    ended = one(desk.filled(desk.last(Purpose.ENTRY), 1, "100"), ev.SignalEnded)
    assert ended.outcome is Outcome.RESIZED
    assert "SignalEnded" not in kinds(desk.filled(desk.last(Purpose.ENTRY), 1, "100"))


@pytest.mark.parametrize(("price", "taken"), [("100", 1), ("100.01", 2)])
def test_X91_a_fill_told_without_a_time_is_the_same_when_it_has_one(price: str, taken: int) -> None:
    """An id that says something else is of another day."""
    desk = CoreDriver()
    desk.quote("NVDA", "100")
    desk.place(Side.BUY, 10)
    order = desk.last(Purpose.MANUAL)
    desk.accept(order)
    fill = desk.execution(order, 4, "100")
    desk.report(order, OrderStatus.PARTIALLY_FILLED, fill=undated(fill))
    later = msgspec.structs.replace(fill, price=Decimal(price))
    desk.report(order, OrderStatus.PARTIALLY_FILLED, fill=later)
    assert len(desk.of(ev.OrderFilled)) == taken


@pytest.mark.parametrize(
    ("told", "opened", "alarm"),
    [
        (lambda now: 0, 0, set()),
        (lambda now: now // 1_000, 0, {"FILL_TIME"}),
        (lambda now: now // 1_000_000, 0, {"FILL_TIME"}),
        (lambda now: now - OLDEST_FILL - 1, 0, {"FILL_TIME"}),
        (lambda now: now - OLDEST_FILL, -OLDEST_FILL, {"STALE_FILL"}),
        (lambda now: now - 300 * NS_PER_SECOND - 1, -300 * NS_PER_SECOND - 1, {"STALE_FILL"}),
        (lambda now: now - 300 * NS_PER_SECOND, -300 * NS_PER_SECOND, set()),
        (lambda now: now + 5 * NS_PER_SECOND, 5 * NS_PER_SECOND, set()),
        (lambda now: now + 5 * NS_PER_SECOND + 1, 0, {"FILL_TIME"}),
    ],
)
def test_X91_our_own_time_counts_where_the_venue_gives_none_that_can_be(
    told: Callable[[int], int], opened: int, alarm: set[str]
) -> None:
    """`opened`: when the position opened, from now. A-364 is of a time that can be, and is old."""
    desk = entered()
    entry = desk.last(Purpose.ENTRY)
    fill = msgspec.structs.replace(desk.execution(entry, 150, "100"), time=told(desk.now))
    events = desk.report(entry, OrderStatus.FILLED, fill=fill)
    assert one(events, ev.OrderFilled).fill.time == fill.time
    assert desk.held().opened_at == desk.now + opened
    assert {"FILL_TIME", "STALE_FILL"} & set(alarms(events)) == alarm


def test_A165_a_day_trade_whose_fill_has_no_time_is_not_left_over() -> None:
    desk = entered()
    entry, out = desk.last(Purpose.ENTRY), desk.now
    desk.report(entry, OrderStatus.FILLED, fill=undated(desk.execution(entry, 150, "100")))
    assert desk.held().trade_type.ends_with_session
    desk.accept(desk.last(Purpose.PROTECT))
    desk.quote("NVDA", "100")
    desk.tick()
    assert not desk.of(ev.ExitPlanned)
    desk.give(ask.ClosePosition(by="me", symbol="NVDA"))
    desk.report(
        desk.last(Purpose.PROTECT), OrderStatus.CANCELED, filled=Decimal(0), text="for the close"
    )
    close = desk.last(Purpose.EXIT)
    desk.accept(close)
    desk.report(close, OrderStatus.FILLED, fill=undated(desk.execution(close, 150, "100")))
    trade = desk.of(ev.PositionClosed)[0].trade
    assert (trade.entry_time, trade.exit_time) == (out, desk.now)
