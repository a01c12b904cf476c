"""The exits of this slice and their order (A-160 to A-165, A-494, D-10, D-11, X-01, X-71)."""

from decimal import Decimal

import pytest

from engine.domain import events as ev
from engine.domain.instant import parse_rfc3339
from engine.domain.order import Purpose
from engine.domain.position import ExitReason
from engine.domain.signal import TradeType
from engine.exits import table
from engine.exits.answer import Exit, ExitRule
from engine.exits.table import EXITS, ask_all
from engine.exits.target import target_price
from engine.world import World
from tests.engine.driver import CoreDriver
from tests.engine.worlds import MIDDAY


def long(stop: str = "175", target: str | None = None, *, entry: str = "180") -> CoreDriver:
    desk = CoreDriver()
    order = desk.order("AAPL", 100, entry, stop=stop)
    desk.fill(order, None, entry)
    desk.price("AAPL", entry)
    return desk


def reason(desk: CoreDriver) -> ExitReason | None:
    planned = desk.of(ev.ExitPlanned)
    return planned[-1].decision.reason if planned else None


@pytest.mark.parametrize(("last", "closes"), [("189.99", False), ("190", True), ("190.01", True)])
def test_a163_target_is_twice_the_initial_risk(last: str, closes: bool) -> None:
    desk = long()
    desk.quote("AAPL", last)
    assert (reason(desk) is ExitReason.TARGET) is closes


def test_a163_the_price_that_counts_is_the_one_a_close_would_meet() -> None:
    desk = long()
    desk.quote("AAPL", "190.05", bid="189.99", ask="190.10")
    assert reason(desk) is None


@pytest.mark.parametrize(("last", "closes"), [("175.01", False), ("175", True), ("170", True)])
def test_a160_a494_hard_stop_touched_and_confirmed(last: str, closes: bool) -> None:
    desk = long()
    desk.quote("AAPL", last)
    assert reason(desk) is None, "one tick proves nothing (X-71)"
    desk.later(1)
    desk.quote("AAPL", last)
    assert (reason(desk) is ExitReason.STOP_LOSS) is closes


def test_x71_a_trade_that_the_other_side_confirms_is_enough() -> None:
    desk = long()
    desk.quote("AAPL", "174", bid="173.9", ask="174", trade=True)
    assert reason(desk) is ExitReason.STOP_LOSS


def test_x71_one_bad_tick_between_good_ones_trips_nothing() -> None:
    desk = long()
    for last in ("180", "100", "180", "100", "180"):
        desk.later(1)
        desk.quote("AAPL", last)
    assert reason(desk) is None


def test_d11_scalps_and_day_trades_are_flat_before_the_close() -> None:
    for hold, closes in ((TradeType.SCALP, 1), (TradeType.DAY, 1), (TradeType.SWING, 0)):
        desk = CoreDriver()
        desk.fill(desk.order("AAPL", 10, "180", hold=hold), None, "180")
        desk.price("AAPL", "182")  # that is progress
        desk.now = parse_rfc3339("2013-10-07T19:54:59.999Z")
        desk.tick(0)
        assert reason(desk) is None
        desk.tick(0.001)
        assert len(desk.intended(Purpose.EXIT, "AAPL")) == closes


def test_a165_early_closes_count() -> None:
    desk = CoreDriver(now=parse_rfc3339("2026-11-27T16:00:00Z"))
    desk.fill(desk.order("AAPL", 10, "180"), None, "180")
    desk.price("AAPL", "180")
    desk.now = parse_rfc3339("2026-11-27T17:55:00Z")
    desk.tick(0)
    assert reason(desk) is ExitReason.EOD


def test_a_day_trade_left_over_is_closed_in_the_next_session() -> None:
    desk = CoreDriver()
    desk.fill(desk.order("AAPL", 10, "180"), None, "180")
    desk.price("AAPL", "180")
    desk.now = parse_rfc3339("2013-10-08T12:00:00Z")
    desk.tick(0)
    assert not desk.intended(Purpose.EXIT, "AAPL"), "the market is closed"
    desk.now = parse_rfc3339("2013-10-08T13:30:00Z")
    desk.tick(0)
    assert reason(desk) is ExitReason.EOD
    assert [order.quantity for order in desk.intended(Purpose.EXIT, "AAPL")] == [10]


def test_d10_a_moved_stop_does_not_move_the_target() -> None:
    import msgspec

    desk = long()
    data = desk.book.data
    data.accounts["paper"].positions["AAPL"] = msgspec.structs.replace(
        data.accounts["paper"].positions["AAPL"], stop=Decimal("180.18")
    )
    assert target_price(desk.world, data.accounts["paper"].positions["AAPL"]) == 190


def test_all_true_at_once_the_stop_wins() -> None:
    desk = long()
    position = desk.book.holding("paper", "AAPL")
    assert position is not None
    every = tuple(
        ExitRule(reason=r, priority=p, config_key="", ask=lambda *_: Exit(measured="1", limit="1"))
        for p, r in ((6, ExitReason.EOD), (4, ExitReason.TARGET), (1, ExitReason.STOP_LOSS))
    )
    decided = ask_all(desk.world, position, MIDDAY, every)
    assert decided is not None
    assert decided.reason is ExitReason.STOP_LOSS
    decided = ask_all(desk.world, position, MIDDAY, every[:2])
    assert decided is not None
    assert decided.reason is ExitReason.TARGET


def test_a_new_exit_is_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that closes whatever is held turns into a reduce-only order, nothing else touched."""

    def always(world: World, position: object, now: int) -> Exit:
        return Exit(measured="now", limit="never")

    row = ExitRule(
        reason=ExitReason.TIME_STOP, priority=5, config_key="exits.time_stop_minutes", ask=always
    )
    desk = long()
    monkeypatch.setattr(table, "EXITS", (*EXITS, row))
    desk.later(1).quote("AAPL", "180")
    assert reason(desk) is ExitReason.TIME_STOP
    assert desk.last(Purpose.EXIT, "AAPL").reduce_only
