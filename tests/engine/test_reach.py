"""What equity reaches between two marks, a minute apart, counts like any other (X-74, X-71, A-402).

The amounts are worked out by hand: 100,000 at the start, of which a trade holds 500 units.
"""

from typing import Any

import pytest

from engine.core.day import close_day
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import MovementKind
from engine.domain.instant import parse_rfc3339
from engine.domain.order import OrderStatus, Purpose, Side
from engine.domain.run import RunState, Trigger
from engine.domain.signal import TradeType
from tests.brokers.kit import D
from tests.engine.driver import CoreDriver
from tests.engine.worlds import config_of

FALL = {"drawdown_limit": "0.05"}


def desk_of(**risk: str) -> CoreDriver:
    """A desk on which a day's loss is only told; nothing is marked for a minute from now on."""
    limits = {"max_order_notional": "1000000", **risk}
    desk = CoreDriver(config_of(risk=limits, kill={"daily_loss": "alert"})).price("NVDA", "100")
    desk.tick()
    return desk


def hold(desk: CoreDriver, side: Side = Side.BUY, price: str = "100") -> None:
    order = desk.order("NVDA", 500, price, side=side, hold=TradeType.SWING)
    desk.accept(order)
    desk.filled(order, 500, price)


def stays(desk: CoreDriver, price: str) -> None:
    """The price is there for a second and more: it has its evidence."""
    for _ in range(3):
        desk.later(0.6).quote("NVDA", price)


def close(desk: CoreDriver, price: str) -> None:
    desk.give(ask.ClosePosition(by="me", symbol="NVDA"))
    order = desk.last(Purpose.EXIT)
    desk.accept(order)
    desk.report(order, OrderStatus.FILLED, fill=desk.execution(order, 500, price))


def row(desk: CoreDriver) -> ev.SessionClosed:
    """The day's row as it would be written now."""
    (found,) = [e for e in close_day(desk.world, final=False) if isinstance(e, ev.SessionClosed)]
    return found


def marks(desk: CoreDriver) -> list[ev.EquityMarked]:
    return desk.of(ev.EquityMarked)


@pytest.mark.parametrize(
    ("low", "state"),
    [("90.47", RunState.ACTIVE), ("90.46", RunState.HALTED), ("90.45", RunState.HALTED)],
)
def test_x74_a_fall_counts_from_a_high_that_no_mark_saw(low: str, state: RunState) -> None:
    """At 100.49 it was 100,245, which is too little to be marked at once; 5 % less is 95,232.75."""
    desk = desk_of(**FALL)
    hold(desk)
    seen = len(marks(desk))
    stays(desk, "100.49")
    assert len(marks(desk)) == seen
    stays(desk, low)
    assert desk.book.run_state is state


@pytest.mark.parametrize(
    ("low", "state"),
    [("99.51", RunState.ACTIVE), ("99.5", RunState.HALTED), ("99.49", RunState.HALTED)],
)
def test_x74_a_fall_counts_from_a_high_that_was_marked_at_once(low: str, state: RunState) -> None:
    """At 110 it was 105,000; 5 % less is 99,750."""
    desk = desk_of(**FALL)
    hold(desk)
    stays(desk, "110")
    assert desk.book.data.peak_equity == 105_000
    stays(desk, low)
    assert desk.book.run_state is state


@pytest.mark.parametrize(("back", "trips"), [("99.51", False), ("99.5", True)])
def test_x74_so_does_one_of_a_profit_that_was_taken_and_lost_again(back: str, trips: bool) -> None:
    desk = desk_of(**FALL)
    hold(desk)
    close(desk, "110")
    hold(desk, price="110")
    close(desk, back)
    assert (Trigger.DRAWDOWN in [e.trigger for e in desk.of(ev.TriggerFired)]) is trips


@pytest.mark.parametrize(("high", "trips"), [("110.51", False), ("110.5", True)])
def test_x74_a_short_reaches_its_high_as_the_price_falls(high: str, trips: bool) -> None:
    """Short at 100: at 90 it was 105,000. 99,750 is where the price is 100.5."""
    desk = desk_of(**FALL)
    hold(desk, Side.SELL_SHORT)
    stays(desk, "90")
    stays(desk, str(D(211) - D(high)))
    assert (desk.book.run_state is RunState.HALTED) is trips


def test_x71_one_tick_is_no_high() -> None:
    desk = desk_of(**FALL)
    hold(desk)
    stays(desk, "100")
    desk.later(0.6).quote("NVDA", "110")
    stays(desk, "99.5")
    assert desk.world.money.peak_equity == 100_000
    assert desk.book.run_state is RunState.ACTIVE


def test_a402_the_deepest_fall_of_a_day_does_not_become_less() -> None:
    """102,000, then 99,000, then 101,000 again, all within a minute: 3,000 of 102,000."""
    desk = desk_of()
    hold(desk)
    stays(desk, "104")
    stays(desk, "98")
    assert row(desk).max_drawdown == D("0.02941176")
    stays(desk, "102")
    assert row(desk).max_drawdown == D("0.02941176")
    desk.later(60).quote("NVDA", "102")
    desk.tick()
    assert marks(desk)[-1].day_peak == 102_000
    stays(desk, "103")
    assert row(desk).max_drawdown == D("0.02941176")


def test_a402_a_mark_is_made_of_what_was_reached_though_equity_is_what_it_was() -> None:
    desk = desk_of()
    hold(desk)
    stays(desk, "104")
    stays(desk, "100")
    desk.later(60).tick()
    assert marks(desk)[-1].equity == 100_000
    assert (marks(desk)[-1].peak, desk.book.data.peak_equity) == (102_000, 102_000)


def test_x73_an_accepted_fall_counts_from_where_it_was_accepted() -> None:
    desk = desk_of(**FALL)
    hold(desk)
    stays(desk, "110")
    close(desk, "99")  # 99,500: 5,500 below 105,000
    assert desk.book.run_state is RunState.HALTED
    desk.later(1).snapshot()
    more: dict[str, Any] = {"confirm": "RESUME REBASE", "rebase": True}
    desk.give(ask.Resume(by="me", **more))
    (accepted,) = desk.of(ev.LossAccepted)
    assert (accepted.before, accepted.after) == (105_000, 99_500)
    assert desk.world.money.drawdown == 0
    assert desk.book.run_state is RunState.PAUSED


def test_x12_a_new_day_falls_from_its_own_high() -> None:
    desk = desk_of()
    hold(desk)
    stays(desk, "110")
    desk.now = parse_rfc3339("2013-10-08T13:30:00Z")
    desk.tick(0)
    assert desk.world.money.peak_of_day == 105_000
    stays(desk, "104.75")
    assert row(desk).max_drawdown == D("0.025")


def test_x75_what_comes_from_outside_is_no_high() -> None:
    """9,000 are paid in at a high of 105,000, and 9,000 out again: the fall stays what it was."""
    desk = desk_of(**FALL)
    hold(desk)
    stays(desk, "110")
    for amount in (9_000, -9_000):
        moved = ev.CashMoved(
            account="paper",
            movement_id=str(amount),
            kind=MovementKind.TRANSFER,
            currency="USD",
            amount=D(amount),
            rate=D(1),
            time=desk.now,
        )
        desk.event(moved)
        stays(desk, "106")
        assert round(desk.world.money.drawdown * desk.world.money.peak_equity, 6) == 2_000
    assert desk.book.run_state is RunState.ACTIVE
