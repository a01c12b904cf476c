"""What somebody else took off while no process ran leaves at a price of then (X-74, X-75).

The journal knows a price of before. Until one is told to the process that finds it gone, nobody
knows what it was worth when it left: what was earned on it up to then is profit, what came after is
not.
"""

from decimal import Decimal

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import Ready, SnapshotTaken
from engine.domain.market import Quote
from engine.domain.order import OrderStatus, Side
from engine.domain.run import Flatten, Level, Trigger
from tests.engine.driver import CoreDriver, one
from tests.engine.test_restart import restarted

D = Decimal


def away(quantity: int = 100, entry: str = "100") -> CoreDriver:
    """So many NVDA were bought at that price, below 0 sold short, and the process ended there."""
    desk = CoreDriver()
    side = Side.BUY if quantity > 0 else Side.SELL_SHORT
    desk.fill(desk.order("NVDA", abs(quantity), entry, side=side), None, entry)
    assert desk.world.money.daily_pnl == 0
    return restarted(desk.later(60))


def gone(desk: CoreDriver, left: int = 0, *, before: int = 100, apply: bool = True) -> Decimal:
    """The first look of the new process finds so many, paid for at 104, and what it shows is taken
    over where `apply` says so; the day's profit then."""
    cash = desk.book.account("paper").cash["USD"] + (before - left) * 104
    view = desk.view(positions={"NVDA": left} if left else {}, cash=cash)
    if apply:
        desk.give(SnapshotTaken(view, "operator"))
    desk.give(SnapshotTaken(view, "operator", apply, "me"))
    return desk.world.money.daily_pnl


@pytest.mark.parametrize("price", ["90", "110"])
@pytest.mark.parametrize("quantity", [100, -100])
def test_x75_what_was_held_counts_until_it_was_found_gone(quantity: int, price: str) -> None:
    desk = away(quantity)
    assert gone(desk, before=quantity) == 0
    desk.later(1)
    equity = desk.world.money.equity
    found = one(desk.quote("NVDA", price), ev.HoldingPriced)
    assert (found.left, found.price) == (-quantity, D(price))
    assert desk.world.money.daily_pnl == quantity * (D(price) - 100)
    assert desk.world.money.equity == equity
    # It is no holding any more: what its price does from then on is nobody's.
    desk.later(1)
    assert not [e for e in desk.quote("NVDA", "150") if isinstance(e, ev.HoldingPriced)]
    assert desk.world.money.daily_pnl == quantity * (D(price) - 100)


def test_x75_of_a_part_that_is_gone_that_part_alone_counts_at_it() -> None:
    desk = away()
    gone(desk, 40)
    desk.later(1)
    desk.quote("NVDA", "110")
    assert desk.world.money.daily_pnl == 1_000
    desk.later(1)
    desk.quote("NVDA", "120")
    assert desk.world.money.daily_pnl == 1_000 + 40 * 10


@pytest.mark.parametrize(("left", "profit"), [(0, 1_000), (20, 1_000), (50, 1_000)])
def test_x75_what_is_found_gone_at_two_looks_counts_for_both(left: int, profit: int) -> None:
    """Fifty of a hundred are gone at the first look and more at the next, before any price."""
    desk = away()
    gone(desk, 50)
    desk.later(30)
    gone(desk, left, before=50)
    desk.later(1)
    equity = desk.world.money.equity
    desk.quote("NVDA", "110")
    assert desk.world.money.daily_pnl == profit
    assert desk.world.money.equity == equity + left * 10


def test_x75_what_is_found_gone_counts_though_more_is_held_at_the_next_look() -> None:
    desk = away()
    gone(desk, 50)
    desk.later(30)
    gone(desk, 80, before=50)
    desk.later(1)
    found = one(desk.quote("NVDA", "110"), ev.HoldingPriced)
    assert (found.left, found.value) == (-50, -500)


def test_x75_a_price_of_before_that_was_still_on_its_way_is_none_of_then() -> None:
    desk = away()
    early = Quote(symbol="NVDA", last=D(70), bid=None, ask=None, time=desk.now - 1)
    gone(desk)
    desk.give(early)
    assert desk.world.money.daily_pnl == 0
    desk.later(1)
    desk.quote("NVDA", "110")
    assert desk.world.money.daily_pnl == 1_000


def test_x71_a_bad_tick_is_none_of_then() -> None:
    desk = away()
    gone(desk)
    desk.later(1)
    desk.quote("NVDA", "1")
    assert desk.world.money.daily_pnl == 0
    desk.later(1)
    desk.quote("NVDA", "110")
    assert desk.world.money.daily_pnl == 1_000


def test_x75_a_price_that_was_told_before_it_was_found_gone_stands() -> None:
    desk = away()
    desk.quote("NVDA", "110")
    assert gone(desk) == 1_000
    desk.later(1)
    assert not [e for e in desk.quote("NVDA", "130") if isinstance(e, ev.HoldingPriced)]
    assert desk.world.money.daily_pnl == 1_000


def test_x75_a_trade_tells_the_price_as_a_quote_does() -> None:
    desk = away()
    gone(desk)
    desk.later(1)
    order = desk.order("NVDA", 10, "110")
    seen = desk.report(order, OrderStatus.FILLED, fill=desk.execution(order, 10, "110"))
    assert one(seen, ev.HoldingPriced).left == -100
    assert desk.world.money.daily_pnl == 1_000


def test_x74_a_loss_that_it_had_made_by_then_trips_the_limit() -> None:
    """1,000 bought at 100 are gone, and the first price is 85: 15 % of 100,000 are lost."""
    desk = away(1_000)
    gone(desk, before=1_000)
    desk.give(Ready())
    desk.later(1)
    fired = desk.quote("NVDA", "85") + desk.tick(1)
    assert Trigger.DAILY_LOSS in {e.trigger for e in fired if isinstance(e, ev.TriggerFired)}


@pytest.mark.parametrize("trade", [False, True])
def test_x71_a_price_far_away_counts_once_it_has_evidence(trade: bool) -> None:
    """1,000 bought at 100 are gone, and the market is at 60: 40,000 are lost. Prices that agree for
    a second are evidence, and a trade with the offer below it is at once."""
    desk = away(1_000)
    gone(desk, before=1_000)
    desk.give(Ready())
    desk.later(1)
    fired = desk.quote("NVDA", "60", bid="59.9", ask="60", trade=trade)
    assert bool(desk.world.money.daily_pnl) is trade
    desk.later(1)
    fired += desk.quote("NVDA", "60", bid="59.9", ask="60", trade=trade) + desk.tick(1)
    assert [found.price for found in desk.of(ev.HoldingPriced)] == [D(60)]
    assert desk.world.money.daily_pnl == -40_000
    assert Trigger.DAILY_LOSS in {e.trigger for e in fired if isinstance(e, ev.TriggerFired)}


def test_x75_a_kill_takes_it_over_alike() -> None:
    desk = away()
    desk.give(ask.Kill(by="me", level=Level.KILL, flatten=Flatten.ALL))
    for _ in range(6):  # lists that agree for 5 s are believed
        assert desk.world.book.held("NVDA")
        desk.later(1)
        view = desk.view(cash=desk.book.account("paper").cash["USD"] + 10_400)
        desk.give(SnapshotTaken(view, "kill"))
    assert not desk.world.book.held("NVDA")
    desk.later(1)
    desk.quote("NVDA", "110")
    assert desk.world.money.daily_pnl == 1_000


def test_x93_what_left_before_a_split_has_lost_nothing_by_it() -> None:
    """Fifty of a hundred are gone at the first look, and the rest is split 5:1 before any price."""
    desk = away()
    gone(desk, 50)
    desk.later(30)
    view = desk.view(positions={"NVDA": 250})
    held = tuple(msgspec.structs.replace(p, average_price=D(20)) for p in view.positions)
    desk.give(SnapshotTaken(msgspec.structs.replace(view, positions=held), "scheduled"))
    assert desk.held().quantity == 250
    for _ in range(3):
        desk.later(1)
        desk.quote("NVDA", "20", bid="20", ask="20", trade=True)
    assert desk.world.money.daily_pnl == 0
    assert not desk.book.account("paper").left
