"""The exits of this slice and their order (A-160 to A-165, A-494, D-10, D-11, X-01, X-71)."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from engine.domain import events as ev
from engine.domain.instant import parse_rfc3339
from engine.domain.money import plain
from engine.domain.order import Purpose
from engine.domain.position import ExitReason
from engine.domain.signal import TradeType
from engine.exits import rules
from engine.exits.rules import EXITS, Exit, ExitRule, ask_all
from engine.world import World
from tests.engine.driver import CoreDriver
from tests.engine.worlds import MIDDAY, Built


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
        desk.price("AAPL", "180")
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
    assert reason(desk) is None, "the market is closed"
    desk.now = parse_rfc3339("2013-10-08T13:30:00Z")
    desk.tick(0)
    assert reason(desk) is ExitReason.EOD


def test_d10_a_moved_stop_does_not_move_the_target() -> None:
    import msgspec

    desk = long()
    data = desk.book.data
    data.accounts["paper"].positions["AAPL"] = msgspec.structs.replace(
        data.accounts["paper"].positions["AAPL"], stop=Decimal("180.18")
    )
    assert rules.target_price(desk.world, data.accounts["paper"].positions["AAPL"]) == 190


@pytest.mark.parametrize(
    ("held", "price", "stop", "target"),
    [
        # the risk is 3.33, and twice that lies on the tick of a cent
        (100, "180", "176.67", "186.66"),
        # below, at and above a tick: 186.665, 186.67 and 186.675, never short of it
        (100, "180.005", "176.675", "186.67"),
        (100, "180.01", "176.68", "186.67"),
        (100, "180.015", "176.685", "186.68"),
        # a short one is met going down
        (-100, "180", "183.33", "173.34"),
        (-100, "180.005", "183.335", "173.34"),
        (-100, "180.01", "183.34", "173.35"),
    ],
)
def test_the_default_target_lies_on_the_tick_and_never_short_of_it_A163_U01(
    held: int, price: str, stop: str, target: str
) -> None:
    built = Built().hold("AAPL", held, price, mark=price)
    position = built.world.book.account("paper").positions["AAPL"]
    position = replace(position, initial_stop=Decimal(stop))
    assert built.world.config.exits.reward_to_risk_target == 2
    assert rules.target_price(built.world, position) == Decimal(target)


def test_the_default_target_of_an_average_price_has_the_digits_of_the_tick_A163() -> None:
    """Three at 100 and four at 100.01 cost 100.00571428571…: the target is still a price."""
    built = Built().hold("AAPL", 3, "100", mark="100").hold("AAPL", 4, "100.01")
    position = built.world.book.account("paper").positions["AAPL"]
    position = replace(position, initial_stop=Decimal(98))
    assert plain(rules.target_price(built.world, position) or Decimal(0)) == "104.02"


def test_a_target_that_was_given_is_not_moved_to_the_tick_A163() -> None:
    built = Built().hold("AAPL", 100, "180", mark="180")
    position = built.world.book.account("paper").positions["AAPL"]
    position = replace(position, initial_stop=Decimal(170), target=Decimal("190.005"))
    assert rules.target_price(built.world, position) == Decimal("190.005")


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
    monkeypatch.setattr(rules, "EXITS", (*EXITS, row))
    desk.quote("AAPL", "180")
    assert reason(desk) is ExitReason.TIME_STOP
    assert desk.last(Purpose.EXIT, "AAPL").reduce_only
