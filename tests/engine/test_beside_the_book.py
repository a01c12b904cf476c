"""What stands beside the book goes with what is held: its value, its extremes, and the evidence of
prices (X-71). Whatever event changed the holding."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.core.decide import RULES
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import Trouble
from engine.domain.instant import Nanos
from engine.domain.order import OrderStatus, Purpose, Side
from engine.domain.position import ExitReason
from engine.domain.run import Trigger
from engine.domain.signal import TradeType
from engine.exits.stops import TRADING_SECONDS
from engine.state import fold
from engine.state.book import Book
from engine.world import World, exposure
from tests.engine.driver import CoreDriver, protected
from tests.engine.worlds import BROKER, signal

D = Decimal

Fold = Callable[[Book, Any, Nanos], None]


# --- evidence of a price (X-71) -------------------------------------------------------------------


def bad_tick(desk: CoreDriver, price: str) -> list[ev.Event]:
    """One price far away; the other side of the quote does not confirm it."""
    return desk.later(0.2).quote("NVDA", price)


def bought_again(desk: CoreDriver) -> None:
    """A signal buys NVDA at 100 again, with its stop at 95 resting."""
    desk.signal(signal("NVDA", signal_id="s-2", entry="100", stop="95", at=desk.now))
    entry = desk.last(Purpose.ENTRY)
    desk.accept(entry)
    desk.filled(entry, entry.quantity, "100")
    desk.accept(desk.last(Purpose.PROTECT))


def sold_by_its_stop(desk: CoreDriver) -> None:
    stop = desk.last(Purpose.PROTECT)
    desk.filled(stop, stop.quantity, "95")


def gone_at_the_venue(desk: CoreDriver) -> None:
    """Somebody sold it by hand at the venue, and the operator takes the venue's view over."""
    stop = desk.last(Purpose.PROTECT)
    desk.snapshot(positions={})
    desk.later(1)
    desk.snapshot(positions={}, reason="operator", apply=True)
    desk.report(stop, OrderStatus.CANCELED)


def one_bad_tick_trips_nothing(desk: CoreDriver) -> None:
    """Nothing is held. What is bought now sees one bad tick, and is still there after it."""
    assert desk.book.holding(BROKER, "NVDA") is None
    desk.later(301).quote("NVDA", "100")
    bought_again(desk)
    bad_tick(desk, "20")
    assert desk.of(ev.TriggerFired) == []
    assert desk.of(ev.ExitPlanned) == []
    assert desk.book.data.halt is None


def test_X71_one_bad_tick_before_and_one_after_a_stop_filled_trip_nothing() -> None:
    desk = protected(149)
    bad_tick(desk, "20")  # beyond the stop, and the day's loss beyond its limit
    sold_by_its_stop(desk.later(5))
    one_bad_tick_trips_nothing(desk)


def test_X71_one_bad_tick_before_and_one_after_a_position_vanished_trip_nothing() -> None:
    desk = protected(40)
    desk.report(desk.last(Purpose.ENTRY), OrderStatus.CANCELED)
    bad_tick(desk, "20")  # beyond the stop
    gone_at_the_venue(desk.later(5))
    one_bad_tick_trips_nothing(desk)


def test_X71_evidence_within_one_holding_still_closes_it_and_kills() -> None:
    desk = protected(149)
    desk.quote("NVDA", "20")
    desk.later(1).quote("NVDA", "20")
    assert [e.trigger for e in desk.of(ev.TriggerFired)] == [Trigger.DAILY_LOSS]
    desk.tick(TRADING_SECONDS)
    assert desk.held().is_closing


def test_X71_evidence_of_the_portfolio_stays_while_something_else_is_held() -> None:
    desk = protected(149).price("AAPL", "100")
    desk.place(Side.BUY, 1, symbol="AAPL", protect=D(90), hold=TradeType.SWING)
    manual = desk.last(Purpose.MANUAL, "AAPL")
    desk.accept(manual)
    desk.filled(manual, 1, "100")
    bad_tick(desk, "20")
    desk.filled(desk.last(Purpose.PROTECT, "AAPL"), 1, "90")
    desk.later(1).quote("NVDA", "20")
    assert [e.trigger for e in desk.of(ev.TriggerFired)] == [Trigger.DAILY_LOSS]


def test_X71_the_evidence_of_a_stop_is_not_that_of_the_position_beyond_a_flip() -> None:
    desk = protected(10)
    bad_tick(desk, "94")
    assert "stop:paper:NVDA" in desk.world.breaches._since
    desk.snapshot(positions={"NVDA": -10})
    desk.later(1)
    desk.snapshot(positions={"NVDA": -10}, reason="operator", apply=True)
    assert desk.held().quantity == -10
    desk.give(ask.Protect(symbol="NVDA", price=D(105), by="me"))
    bad_tick(desk.later(5), "300")
    assert desk.of(ev.ExitPlanned) == []


@pytest.mark.parametrize(
    ("to", "bad", "closes"),
    [
        (93, "92", False),  # 94 was not beyond it: its evidence begins with the next price
        (94, "93", True),
        (96, "94", True),
    ],
)
def test_X71_the_evidence_of_a_stop_is_about_the_stop_in_force(
    to: int, bad: str, closes: bool
) -> None:
    """The price is 94 while the stop is at 95; the stop is moved, and a second later comes another
    price beyond it."""
    desk = protected(149)
    assert desk.quote("NVDA", "94") == []
    desk.give(ask.Protect(symbol="NVDA", price=D(to), by="me"))
    desk.later(1).quote("NVDA", bad)
    assert not desk.of(ev.ExitPlanned), "the stop at the venue has its time to trade (X-78)"
    desk.tick(TRADING_SECONDS)
    assert [e.decision.reason for e in desk.of(ev.ExitPlanned)] == [ExitReason.STOP_LOSS] * closes


# --- extremes -------------------------------------------------------------------------------------


def closed_by_hand(desk: CoreDriver, quantity: int, price: str) -> ev.PositionClosed:
    desk.give(ask.ClosePosition(symbol="NVDA", by="me"))
    close = desk.last(Purpose.EXIT)
    desk.accept(close)
    desk.filled(close, quantity, price)
    return desk.of(ev.PositionClosed)[-1]


def test_A392_the_extremes_of_a_position_that_vanished_are_not_those_of_the_next() -> None:
    desk = protected(149)
    bad_tick(desk, "60")
    gone_at_the_venue(desk.later(6))
    desk.later(5).quote("NVDA", "100")
    desk.snapshot(positions={"NVDA": 10}, reason="operator", apply=True)
    desk.later(1).quote("NVDA", "99")
    desk.later(1).quote("NVDA", "101")
    trade = closed_by_hand(desk, 10, "101").trade
    assert (trade.mae, trade.mfe) == (D("-0.01"), D("0.01"))


def test_A392_a_fill_beyond_flat_ends_the_extremes_of_one_side_and_begins_the_others() -> None:
    desk = protected(10)
    desk.later(1).quote("NVDA", "97")
    desk.later(1).quote("NVDA", "103")
    stop = desk.last(Purpose.PROTECT)
    desk.report(stop, OrderStatus.FILLED, fill=desk.execution(stop, 15, "100"))
    assert desk.held().quantity == -5
    trade = desk.of(ev.PositionClosed)[-1].trade
    assert (trade.mae, trade.mfe) == (D("-0.03"), D("0.03"))
    assert desk.world.market.extremes["NVDA"][BROKER] == (100, 100)


# --- totals, after an event of nobody's but this test's -------------------------------------------


class HoldingSplit(ev.Event, frozen=True, kw_only=True):
    """So many units for each one, at no cost; 0 is none."""

    ratio: Decimal


def _split_held(book: Book, event: HoldingSplit, at: Nanos) -> None:
    position = book.data.accounts[BROKER].positions["NVDA"]
    new = msgspec.structs.replace(position, quantity=position.quantity * event.ratio)
    book.hold(BROKER, "NVDA", new if new.quantity else None)


def _split_amended(book: Book, event: HoldingSplit, at: Nanos) -> None:
    position = book.data.accounts[BROKER].positions["NVDA"]
    book.amend(position, quantity=position.quantity * event.ratio)


def _opened(book: Book, event: HoldingSplit, at: Nanos) -> None:
    """Another position takes its place."""
    position = book.data.accounts[BROKER].positions["NVDA"]
    quantity = position.quantity * event.ratio
    new = msgspec.structs.replace(
        position, position_id="another", seq=book.data.seq, quantity=quantity
    )
    book.hold(BROKER, "NVDA", new)


def after_split(
    patching: pytest.MonkeyPatch, rule: Fold, ratio: int, last: str = "120"
) -> CoreDriver:
    """149 NVDA bought at 100, last at `last`, after the event was folded by `rule`."""

    def splits(world: World, given: Trouble, now: Nanos) -> Iterator[ev.Event]:
        yield HoldingSplit(ratio=D(ratio))

    rules: dict[type[ev.Event], Fold] = {**fold.RULES, HoldingSplit: rule}
    patching.setattr(fold, "RULES", rules)
    patching.setitem(RULES, Trouble, splits)
    desk = protected(149)
    desk.quote("NVDA", last)
    desk.give(Trouble(code="X", subject="X", text="X"))
    return desk


@pytest.mark.parametrize(
    ("rule", "ratio"),
    [(_split_held, 2), (_split_held, 1), (_split_held, 0), (_split_amended, 2), (_opened, 2)],
)
def test_any_event_that_changes_a_holding_leaves_the_totals_right(
    monkeypatch: pytest.MonkeyPatch, rule: Fold, ratio: int
) -> None:
    desk = after_split(monkeypatch, rule, ratio)
    assert exposure.gross(desk.world) == 149 * ratio * 120
    assert desk.world.money.equity == desk.world.money.cash + 149 * ratio * 120
    assert desk.world.money.unrealized == (149 * ratio * 120 - 14_900 if ratio else 0)


@pytest.mark.parametrize(
    ("rule", "ratio", "kept"),
    [
        (_split_held, 2, (94, 100)),
        (_split_amended, 2, (94, 100)),
        (_opened, 2, (100, 100)),
        (_split_held, 0, None),
    ],
)
def test_what_was_seen_goes_with_the_position_whatever_event_ends_it(
    monkeypatch: pytest.MonkeyPatch,
    rule: Fold,
    ratio: int,
    kept: tuple[int, int] | None,
) -> None:
    desk = after_split(monkeypatch, rule, ratio, "94")
    assert desk.world.market.extremes.get("NVDA", {}).get(BROKER) == kept
    desk.later(1).quote("NVDA", "94")
    closes = [e.decision.reason for e in desk.of(ev.ExitPlanned)]
    assert bool(closes) is (kept == (94, 100))
