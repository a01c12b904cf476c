"""A day's row and a life's sums add up to the cent while rates move (X-75, A-407).

Equity is 100,000 dollars. Every amount is worked out by hand, from fills and rates alone.
"""

import datetime
from decimal import Decimal

import pytest

from engine.core.day import close_day
from engine.domain import events as ev
from engine.domain.account import MovementKind
from engine.domain.instant import parse_rfc3339
from engine.domain.instrument import Facts, instrument_of
from engine.domain.order import Purpose, Side
from engine.state.day import so_far
from tests.engine.driver import CoreDriver, one
from tests.engine.worlds import BROKER, config_of

D = Decimal
SAP = instrument_of("SAP", Facts(currency="EUR", calendar="24/7"))


def desk_at(rate: str, price: str = "100") -> CoreDriver:
    desk = CoreDriver(config_of(profile="axion_aggressive", risk={"max_order_notional": "1000000"}))
    desk.quote("EUR_USD", rate)
    desk.event(ev.InstrumentLearned(instrument=SAP))
    desk.quote("SAP", price)
    return desk


def bought(desk: CoreDriver, quantity: int, price: str) -> None:
    order = desk.order("SAP", quantity, price)
    desk.filled(order, quantity, price)


def sold(desk: CoreDriver, quantity: int, price: str) -> None:
    order = desk.order("SAP", quantity, price, side=Side.SELL, purpose=Purpose.EXIT, reserves=False)
    desk.filled(order, quantity, price)


def row_of(desk: CoreDriver) -> ev.SessionClosed:
    (row,) = close_day(desk.world, final=False)
    assert isinstance(row, ev.SessionClosed)
    return row


def adds_up(desk: CoreDriver, row: ev.SessionClosed, equity: Decimal) -> None:
    """`equity` is what the account is worth, as the test works it out."""
    assert (row.ending_equity, desk.world.money.equity) == (equity, equity)
    explained = row.starting_equity + row.realized_pnl + row.unrealized_pnl
    assert row.ending_equity == explained + row.flows + row.adjustment
    daily = row.ending_equity - row.starting_equity - row.flows - row.adjustment
    assert desk.world.money.daily_pnl == daily


def test_x75_what_a_rate_makes_of_cash_is_in_the_days_row() -> None:
    desk = desk_at("1.25")
    bought(desk, 100, "100")
    sold(desk, 100, "102")
    desk.quote("EUR_USD", "1.30")
    row = row_of(desk)
    # 200 euros were gained at 1.25 and are worth 1.30 now
    assert (row.realized_pnl, row.unrealized_pnl) == (250, 10)
    adds_up(desk, row, D(100_260))


def test_x75_what_a_rate_makes_of_what_is_held_and_owed_is_in_it() -> None:
    desk = desk_at("1.25")
    bought(desk, 100, "100")
    desk.quote("EUR_USD", "1.20")
    desk.quote("SAP", "103")
    row = row_of(desk)
    # 10,300 euros held, 10,000 owed
    assert (row.realized_pnl, row.unrealized_pnl) == (0, 360)
    adds_up(desk, row, D(100_360))
    sold(desk, 40, "103")
    desk.quote("EUR_USD", "1.10")
    row = row_of(desk)
    # 120 euros gained at 1.20; 60 x 3 of unrealised at 1.10, and the 120 fell by 0.10 each
    assert (row.realized_pnl, row.unrealized_pnl) == (144, 198 - 12)
    adds_up(desk, row, D(100_330))


def test_x75_each_day_has_its_own_share_and_a_life_has_all() -> None:
    desk = desk_at("1.25")
    bought(desk, 100, "100")
    desk.quote("SAP", "103")
    desk.quote("EUR_USD", "1.20")
    desk.now = parse_rfc3339("2013-10-08T13:30:00Z")
    first = one(desk.tick(0), ev.SessionClosed)
    assert first.final
    adds = first.starting_equity + first.realized_pnl + first.unrealized_pnl
    assert first.ending_equity == adds == 100_360
    sold(desk, 100, "104")
    desk.quote("EUR_USD", "1.50")
    second = row_of(desk)
    assert (second.date, second.starting_equity) == (datetime.date(2013, 10, 8), 100_360)
    # 400 euros in cash at 1.50
    adds_up(desk, second, D(100_600))
    data = desk.book.data
    earned = data.realized - data.commission + desk.world.money.unrealized_ever
    assert data.starting_equity is not None
    assert data.starting_equity + earned + data.flows + data.adjustments == 100_600


@pytest.mark.parametrize("rate", ["1.10", "1.25", "1.40"])
def test_x75_an_adoption_in_another_currency_moves_no_profit(rate: str) -> None:
    desk = desk_at("1.25")
    bought(desk, 100, "100")
    desk.quote("EUR_USD", rate)
    before = desk.world.money.daily_pnl
    # 40 were sold elsewhere, the euros came in dollars
    dollars = desk.book.account(BROKER).cash["USD"] + 5_000
    for apply in (False, True):
        desk.later(61).snapshot(positions={"SAP": 60}, cash=dollars, apply=apply, reason="operator")
        assert desk.world.money.daily_pnl == before
        row = row_of(desk)
        adds_up(desk, row, desk.world.money.equity)
    held = desk.book.holding(BROKER, "SAP")
    assert held is not None
    assert held.quantity == 60
    desk.quote("EUR_USD", "1.50")
    adds_up(desk, row_of(desk), desk.world.money.equity)


def moved(desk: CoreDriver, number: str, amount: int, rate: str) -> None:
    """Euros come to the account, or go, by a transfer."""
    desk.event(
        ev.CashMoved(
            account=BROKER,
            movement_id=number,
            kind=MovementKind.TRANSFER,
            currency="EUR",
            amount=D(amount),
            rate=D(rate),
            time=desk.now,
        )
    )


def rises(desk: CoreDriver, *rates: str) -> None:
    """The euro is quoted at these, each twice, so that it has its evidence."""
    for rate in (rate for rate in rates for _ in range(2)):
        desk.later(2)
        desk.quote("EUR_USD", rate)


@pytest.mark.parametrize("left", [0, 1, 999])
def test_x75_what_a_rate_made_stays_in_the_day_once_its_currency_is_gone(left: int) -> None:
    desk = desk_at("1.25")
    moved(desk, "in", 1_000, "1.25")
    rises(desk, "1.30", "1.35", "1.40", "1.45", "1.50")
    desk.tick(61)
    moved(desk, "out", left - 1_000, "1.50")
    desk.tick(61)
    row = row_of(desk)
    # 1,000 euros became 0.25 dearer; 1,250 came and 1.50 for each that is not left went
    assert (row.realized_pnl, row.unrealized_pnl) == (0, 250)
    adds_up(desk, row, D(100_000) + D("1.50") * left)
    assert row.flows == 1_250 - D("1.50") * (1_000 - left)
    assert desk.world.money.unrealized_ever == 250
    assert so_far(desk.book) == row


def test_x90_the_row_that_goes_on_is_the_row_that_is_written() -> None:
    """At the end, and after each thing that moves the day, where prices and rates are the same."""
    desk = desk_at("1.25")
    bought(desk, 100, "100")
    sold(desk, 40, "102")
    desk.quote("SAP", "102")
    desk.tick(61)
    assert so_far(desk.book) == row_of(desk)
    rises(desk, "1.30")
    desk.tick(61)
    row = row_of(desk)
    # 80 euros gained at 1.25; 60 x 2 of unrealised at 1.30, and the 80 rose by 0.05 each
    assert (row.realized_pnl, row.unrealized_pnl) == (100, 156 + 4)
    assert so_far(desk.book) == row
    dollars = desk.book.account(BROKER).cash["USD"] + 5_000
    desk.later(61).snapshot(positions={"SAP": 60}, cash=dollars)
    desk.later(61).snapshot(positions={"SAP": 60}, cash=dollars)
    desk.tick(61)
    # 5,000 dollars are too many, and the 5,920 euros that are owed here are nowhere there
    assert desk.world.money.unexplained == 5_000 + D("1.30") * 5_920
    assert so_far(desk.book) == row_of(desk)
    assert row_of(desk).unrealized_pnl == 160
