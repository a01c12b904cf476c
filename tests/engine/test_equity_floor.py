"""The equity that the floor is asked of: the same for its trigger, its check and `status` (A-183).

What nothing explains at the venue is part of it (X-75), once looks agree on it; nor does one bad
tick trip it (X-71). The floor is 95,000 and everything begins with 100,000.
"""

from decimal import Decimal
from typing import Any

import pytest

from engine.analytics.status import Extras, status_of
from engine.domain import events as ev
from engine.domain.order import Side
from engine.domain.run import RunState, Trigger
from engine.domain.signal import TradeType
from engine.world import World
from tests.engine.driver import CoreDriver
from tests.engine.worlds import BROKER, config_of

D = Decimal
FLOOR = D(95_000)


def desk_of(**kill: str) -> CoreDriver:
    """A desk whose only near limit is the floor of equity."""
    risk: dict[str, Any] = {
        "max_risk_per_trade": "0.01",
        "daily_loss_limit": "0.9",
        "max_concurrent_positions": 5,
        "max_single_stock_exposure": "1",
        "max_sector_exposure": "1",
        "max_gross_exposure": "1",
        "drawdown_limit": "0.9",
        "max_trades_per_day": 100,
        "min_account_equity": f"{FLOOR}",
        "consecutive_loss_threshold": 3,
        "consecutive_loss_pct": "0.03",
        "account_max_age_seconds": 86_400,
        "max_order_notional": "1000000",
    }
    config = config_of(profile="custom", risk=risk, kill={"divergence": "alert"} | kill)
    return CoreDriver(config).price("NVDA", "100").price("AAPL", "200")


def buy(desk: CoreDriver, quantity: int) -> None:
    """A swing of NVDA at 100."""
    order = desk.order("NVDA", quantity, "100", hold=TradeType.SWING)
    desk.accept(order)
    desk.filled(order, quantity, "100")


def prices(desk: CoreDriver, price: str, symbol: str = "NVDA") -> None:
    """A price with evidence: two of them, a second apart."""
    for _ in range(2):
        desk.later(1).quote(symbol, price)


def row(desk: CoreDriver) -> str:
    """What `status` measures against the floor."""
    status = status_of(desk.world, desk.now, Extras(running=True))
    rows = {row["name"]: row["measured"] for row in status["limits"]}
    return str(rows["min_account_equity"])


def entry_code(desk: CoreDriver) -> str:
    """Why an entry is refused now, empty where it passes."""
    desk.price("AAPL", "200")
    desk.place(Side.BUY, 1, symbol="AAPL", managed=False)
    return next((str(e.code) for e in desk.seen[-3:] if isinstance(e, ev.OrderRefused)), "")


def fired(desk: CoreDriver) -> list[str]:
    """What the floor's trigger measured, each time that it fired."""
    floor = Trigger.MIN_EQUITY
    return [e.measured for e in desk.of(ev.TriggerFired) if e.trigger is floor]


# --- what nothing explains is part of it ----------------------------------------------------------


@pytest.mark.parametrize(
    ("cash", "trips"), [("95000.01", False), ("95000", False), ("94999.99", True)]
)
def test_A183_cash_that_is_gone_counts_once_looks_agree(cash: str, trips: bool) -> None:
    desk = desk_of()
    for _ in range(2):
        desk.later(5).snapshot(cash=D(cash))
    desk.tick()
    assert row(desk) == cash
    assert bool(fired(desk)) is trips
    assert (desk.book.run_state is RunState.HALTED) is trips


def test_A183_trigger_and_gate_measure_what_status_shows() -> None:
    desk = desk_of(min_equity="alert")
    for _ in range(2):
        desk.later(5).snapshot(cash=D(84_000))
    desk.tick()
    assert entry_code(desk) == "MIN_EQUITY"
    assert {*fired(desk), desk.of(ev.OrderRefused)[-1].measured, row(desk)} == {"84000"}


def test_X75_what_the_venue_has_more_keeps_equity_above_the_floor() -> None:
    """50 of AAPL that nobody here bought are worth 10,000; 150 of NVDA lose 6,000 of 100,000."""
    desk = desk_of()
    buy(desk, 150)
    for _ in range(3):
        desk.later(5).snapshot(positions={"NVDA": 150, "AAPL": 50})
    prices(desk, "60")
    assert desk.world.money.equity == 104_000
    assert fired(desk) == []
    assert D(row(desk)) == 104_000


def test_A183_what_the_venue_has_more_counts_at_its_price_and_trips_as_it_falls() -> None:
    """The same, and then the price of AAPL falls to 19.99."""
    desk = desk_of()
    buy(desk, 150)
    for _ in range(3):
        desk.later(5).snapshot(positions={"NVDA": 150, "AAPL": 50})
    prices(desk, "60")
    prices(desk, "20", "AAPL")
    assert fired(desk) == []
    prices(desk, "19.99", "AAPL")
    assert fired(desk) == ["94999.5"]


def test_X75_what_is_unexplained_is_still_no_loss_of_the_day_and_no_drawdown() -> None:
    desk = desk_of(min_equity="alert")
    for _ in range(3):
        desk.later(5).snapshot(cash=D(84_000))
    assert (desk.world.money.daily_pnl, desk.world.money.drawdown) == (0, 0)


# --- on what evidence -----------------------------------------------------------------------------


def test_X71_one_bad_tick_of_what_the_venue_has_more_trips_nothing() -> None:
    desk = desk_of()
    buy(desk, 150)
    for _ in range(3):
        desk.later(5).snapshot(positions={"NVDA": 150, "AAPL": 50})
    prices(desk, "60")
    desk.later(5).quote("AAPL", "1")
    desk.tick()
    assert fired(desk) == []
    desk.later(1).quote("AAPL", "1")
    assert fired(desk) == ["94050"]


def test_X71_one_look_that_finds_cash_gone_trips_nothing() -> None:
    desk = desk_of()
    desk.later(60).snapshot(cash=D(10_000))
    for _ in range(20):
        desk.tick()
    assert fired(desk) == []
    assert entry_code(desk) == "MIN_EQUITY", "the gate stays shut on the newest word"
    desk.later(60).snapshot()
    desk.tick()
    assert fired(desk) == []
    assert entry_code(desk) == ""


@pytest.mark.parametrize(("apart", "trips"), [(4.999, False), (5, True), (5.001, True)])
def test_X71_looks_that_agree_lie_five_seconds_apart(apart: float, trips: bool) -> None:
    desk = desk_of()
    desk.later(60).snapshot(cash=D(84_000))
    desk.later(apart).snapshot(cash=D(84_000))
    desk.tick()
    assert bool(fired(desk)) is trips


def test_X71_two_looks_prove_the_smaller_loss_of_both() -> None:
    desk = desk_of()
    desk.later(60).snapshot(cash=D(98_000))
    desk.later(60).snapshot(cash=D(10_000))
    desk.tick()
    assert fired(desk) == []
    desk.later(60).snapshot(cash=D(94_000))
    desk.tick()
    assert fired(desk) == ["94000"]


def test_X71_a_look_that_finds_too_much_hides_a_breach_no_longer_than_it_stands() -> None:
    desk = desk_of()
    buy(desk, 150)
    desk.later(60).snapshot(positions={"NVDA": 150}, cash=D(105_000))
    prices(desk, "60")
    assert fired(desk) == []
    desk.later(60).snapshot(positions={"NVDA": 150}, cash=D(85_000))
    desk.tick()
    assert fired(desk) == ["94000"]


def test_X71_what_one_look_found_is_still_in_doubt_after_a_restart() -> None:
    desk = desk_of()
    desk.later(60).snapshot(cash=D(10_000))
    after = World(desk.book, desk.world.config, {BROKER: desk.world.able(BROKER)})
    assert (after.money.newest.whole, after.money.proved.whole) == (10_000, 100_000)


def test_X71_a_fill_does_not_prove_what_one_look_found() -> None:
    desk = desk_of()
    order = desk.order("NVDA", 10, "100", hold=TradeType.SWING)
    desk.accept(order)
    desk.later(60).snapshot(orders=(desk.works(order),), cash=D(10_000))
    desk.filled(order, 10, "100")
    desk.tick()
    assert fired(desk) == []


def test_X75_an_adoption_of_what_looks_agreed_on_leaves_the_measure_where_it_was() -> None:
    desk = desk_of()
    for _ in range(3):
        desk.later(5).snapshot(positions={"AAPL": 50})
    assert desk.world.money.proved.whole == 110_000
    desk.later(5).snapshot(positions={"AAPL": 50}, apply=True)
    assert desk.world.money.proved.whole == 110_000
    assert desk.world.money.proved.unexplained == 0


def test_X71_what_two_looks_found_gone_and_a_third_finds_again_is_no_loss() -> None:
    desk = desk_of(min_equity="alert")
    for cash in ("90000", "90000", "100000", "100000"):
        desk.later(60).snapshot(cash=D(cash))
    desk.tick()
    assert desk.world.money.proved == desk.world.money.newest
    desk.later(60).snapshot(cash=D(10_000))
    assert desk.world.money.proved.whole == 100_000
