"""How far equity went between two marks, and a process that ends there (X-73, X-74, A-402).

What goes beyond the newest mark by a twentieth of the drawdown limit is marked at once, so that a
later process measures from a peak that is lower by no more than that.
"""

from decimal import Decimal

import pytest

from engine.domain import events as ev
from engine.domain.inputs import Start
from engine.domain.run import Trigger
from engine.domain.signal import TradeType
from engine.state.book import Book
from engine.world import World
from tests.brokers.kit import D
from tests.engine.driver import CoreDriver
from tests.engine.worlds import ABLE, ACCOUNT, BROKER, config_of

CASH = D(100_000)
CONFIG = config_of(risk={"max_order_notional": "1000000"}, kill={"daily_loss": "alert"})
"""Of the conservative profile, whose drawdown limit is a tenth."""


def holder() -> CoreDriver:
    """A thousand at 100 are held, a swing without a stop, and equity was marked just now."""
    desk = CoreDriver(CONFIG).price("NVDA", "100")
    order = desk.order("NVDA", 1_000, "100", hold=TradeType.SWING)
    desk.accept(order)
    desk.filled(order, 1_000, "100")
    stands_at(desk, "100")
    desk.tick(60)
    return desk


def stands_at(desk: CoreDriver, price: str) -> None:
    """A price with its evidence."""
    for _ in range(2):
        desk.later(2).quote("NVDA", price)


def after_crash(desk: CoreDriver) -> CoreDriver:
    """Another process, which knows what was recorded and nothing else."""
    again = CoreDriver(running=False)
    again.now = desk.now
    again.book = Book.restore(desk.book.snapshot())
    again.world = World(again.book, desk.world.config, {BROKER: ABLE}, home_calendar="XNYS")
    again.core.world = again.world
    again.give(Start(version="test", accounts={BROKER: ACCOUNT}, config_digest=""))
    return again


def marks(desk: CoreDriver) -> int:
    return len(desk.of(ev.EquityMarked))


@pytest.mark.parametrize(
    ("price", "marked"),
    [("100.49", False), ("100.5", True), ("100.51", True), ("99.51", False), ("99.49", True)],
)
def test_a402_equity_that_goes_far_is_marked_at_once(price: str, *, marked: bool) -> None:
    """A thousand at 100: each half is half a percent of what the account is worth."""
    desk = holder()
    before = marks(desk)
    stands_at(desk, price)
    assert (marks(desk) > before) is marked


def test_x73_a_peak_outlives_the_process_that_saw_it() -> None:
    desk = holder()
    stands_at(desk, "108")
    stands_at(desk, "100")
    again = after_crash(desk)
    assert again.world.money.peak_equity == CASH + 8_000
    assert again.world.money.drawdown == D(8_000) / 108_000


def test_x74_the_limit_trips_by_a_peak_of_before_the_crash() -> None:
    """108 and then 97.2: a tenth below the highest, 2.8 % below what was held at."""
    desk = holder()
    stands_at(desk, "108")
    again = after_crash(desk)
    again.snapshot(reason="start", positions={"NVDA": 1_000}, cash=CASH - 100_000)
    again.quote("NVDA", "97.3")
    again.tick()
    stands_at(again, "97.3")
    assert again.book.data.halt is None
    stands_at(again, "97.2")
    assert again.of(ev.TriggerFired)[-1].trigger is Trigger.DRAWDOWN
    assert again.book.data.halt is not None


def test_a407_the_days_low_outlives_the_process_that_saw_it() -> None:
    desk = holder()
    stands_at(desk, "95")
    stands_at(desk, "100")
    again = after_crash(desk)
    session = again.book.data.session
    assert session is not None
    assert session.max_drawdown == D("0.05")


def test_a402_a_long_way_in_small_steps_is_marked_seldom() -> None:
    desk, price, before = holder(), Decimal(100), 0
    before = marks(desk)
    for _ in range(200):
        price += Decimal("0.05")
        desk.later(0.2).quote("NVDA", price)
    assert 10 <= marks(desk) - before <= 21
    assert desk.world.money.peak_equity - desk.book.data.peak_equity < 550


def test_x71_one_absurd_price_is_no_reason_to_mark() -> None:
    desk = holder()
    before = marks(desk)
    desk.later(2).quote("NVDA", "900")
    assert marks(desk) == before
