"""Exit 5: a day trade that has come to nothing after two hours is closed (A-164, A-171, X-04)."""

from decimal import Decimal

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.order import OrderType, Purpose, Side
from engine.domain.position import ExitReason
from engine.domain.signal import TradeType
from engine.exits.table import ask_all
from tests.engine.driver import CoreDriver
from tests.engine.worlds import AXION, BROKER, config_of

D = Decimal
HOURS = 2 * 3600.0
SYMBOL = "AAPL"


def held(side: Side = Side.BUY, hold: TradeType = TradeType.DAY, **exits: object) -> CoreDriver:
    """A hundred at 100 that a signal opened just now, without a stop or a target."""
    desk = CoreDriver(config_of(**AXION, exits=exits))
    order = desk.order(SYMBOL, 100, "100", side=side, hold=hold)
    desk.fill(order, None, "100")
    desk.quote(SYMBOL, "100")
    return desk


def reasons(desk: CoreDriver) -> list[ExitReason]:
    return [planned.decision.reason for planned in desk.of(ev.ExitPlanned)]


@pytest.mark.parametrize(("seconds", "closes"), [(-0.001, False), (0, True), (0.001, True)])
def test_a164_after_two_hours_by_the_clock_alone(seconds: float, closes: bool) -> None:
    desk = held()
    desk.tick(HOURS + seconds)
    assert reasons(desk) == [ExitReason.TIME_STOP] * closes
    orders = desk.intended(Purpose.EXIT, SYMBOL)
    assert [(o.quantity, o.type, o.reduce_only) for o in orders] == [
        (100, OrderType.MARKET, True)
    ] * closes


@pytest.mark.parametrize(
    ("side", "price", "closes"),
    [
        (Side.BUY, "100.51", False),
        (Side.BUY, "100.50", True),
        (Side.BUY, "100.49", True),
        (Side.BUY, "95", True),
        (Side.SELL_SHORT, "99.49", False),
        (Side.SELL_SHORT, "99.50", True),
        (Side.SELL_SHORT, "99.51", True),
        (Side.SELL_SHORT, "105", True),
    ],
)
def test_x04_progress_is_more_than_half_a_percent(side: Side, price: str, closes: bool) -> None:
    desk = held(side)
    desk.later(HOURS - 1).quote(SYMBOL, price)
    assert reasons(desk) == []
    desk.tick(1)
    assert reasons(desk) == [ExitReason.TIME_STOP] * closes


def test_a_trade_that_loses_its_progress_later_is_closed_then() -> None:
    desk = held()
    desk.later(60).quote(SYMBOL, "101")
    desk.tick(HOURS)
    desk.later(600).quote(SYMBOL, "100.51")
    assert reasons(desk) == []
    desk.later(1).quote(SYMBOL, "100.50")
    assert reasons(desk) == [ExitReason.TIME_STOP]
    (planned,) = desk.of(ev.ExitPlanned)
    assert planned.decision.priority == 5
    assert (planned.decision.measured, planned.decision.limit) == ("0.005", "0.005")


def test_the_price_that_counts_is_the_one_a_close_would_meet() -> None:
    desk = held()
    desk.later(HOURS - 1).quote(SYMBOL, "100.60", bid="100.50", ask="100.70")
    desk.tick(1)
    assert reasons(desk) == [ExitReason.TIME_STOP]


@pytest.mark.parametrize("hold", [TradeType.SCALP, TradeType.SWING])
def test_x04_it_is_for_day_trades(hold: TradeType) -> None:
    desk = held(hold=hold)
    desk.tick(HOURS)
    assert reasons(desk) == []


def test_both_numbers_are_keys_of_the_config() -> None:
    desk = held(time_stop_minutes=30, time_stop_progress_pct="0.01")
    desk.tick(30 * 60 - 0.001)
    assert reasons(desk) == []
    desk.quote(SYMBOL, "101.01")
    desk.tick(0.001)
    assert reasons(desk) == []
    desk.later(1).quote(SYMBOL, "101")
    assert reasons(desk) == [ExitReason.TIME_STOP]


def test_x80_what_no_signal_opened_is_left_alone() -> None:
    desk = CoreDriver()
    desk.quote(SYMBOL, "100")
    desk.give(ask.PlaceOrder(by="me", symbol=SYMBOL, side=Side.BUY, quantity=D(10)))
    order = desk.last(Purpose.MANUAL, SYMBOL)
    desk.accept(order)
    desk.filled(order, 10, "100")
    desk.tick(HOURS)
    assert reasons(desk) == []


def test_what_was_bought_later_does_not_begin_the_time_anew() -> None:
    desk = held()
    desk.later(HOURS / 2)
    more = desk.order(SYMBOL, 50, "100")
    desk.fill(more, None, "100")
    desk.tick(HOURS / 2)
    assert reasons(desk) == [ExitReason.TIME_STOP]


def test_x71_a_bad_tick_takes_no_progress_away() -> None:
    desk = held()
    for price in ("101", "102", "103", "104", "104"):
        desk.later(60).quote(SYMBOL, price)
    desk.tick(HOURS)
    desk.later(1).quote(SYMBOL, "50")
    assert reasons(desk) == []


def test_a171_it_fires_by_itself_where_no_price_comes() -> None:
    """The calm knows the moment: ticks before it are left out and that one is not."""
    desk = held()
    desk.tick(1)
    assert desk.core.calm_until <= desk.now + (HOURS - 1) * 1e9
    desk.tick(HOURS - 1)
    assert reasons(desk) == [ExitReason.TIME_STOP]


@pytest.mark.parametrize("paid", ["0", "-37"])
def test_what_cost_nothing_or_less_has_no_progress_to_measure(paid: str) -> None:
    desk = held()
    positions = desk.book.data.accounts[BROKER].positions
    positions[SYMBOL] = msgspec.structs.replace(positions[SYMBOL], cost=D(paid) * 100)
    assert ask_all(desk.world, positions[SYMBOL], desk.now + int(HOURS * 1e9)) is None
