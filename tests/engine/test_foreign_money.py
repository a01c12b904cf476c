"""An instrument that is paid in another currency than the base: limits, size and profit (X-86).

Equity is 100,000 dollars and a euro is worth 1.25 of them; amounts are worked out by hand.
"""

import datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import Account
from engine.domain.instrument import Facts, Instrument, instrument_of
from engine.domain.order import OrderType, Purpose, Side
from engine.reference.rates import ReferenceRate
from tests.engine.driver import CoreDriver, one
from tests.engine.worlds import BROKER, config_of, signal

D = Decimal
SAP = instrument_of("SAP", Facts(currency="EUR", calendar="24/7"))
DAX = instrument_of("FDAX 2013-12", Facts(multiplier=D(25), currency="EUR", calendar="24/7"))


def desk_with(instrument: Instrument, price: str, **risk: str) -> CoreDriver:
    limits = {"max_order_notional": "1000000", **risk}
    desk = CoreDriver(config_of(profile="axion_aggressive", risk=limits))
    desk.quote("EUR_USD", "1.25")
    desk.event(ev.InstrumentLearned(instrument=instrument))
    desk.quote(instrument.symbol, price)
    return desk


def ordered(desk: CoreDriver, symbol: str, quantity: str, limit: str) -> str:
    """The code that a person's limit order is refused with; "" where it is sent."""
    limited: dict[str, Any] = {"type": OrderType.LIMIT, "limit_price": D(limit)}
    events = desk.place(Side.BUY, quantity, symbol=symbol, **limited)
    return "".join(event.code for event in events if isinstance(event, ev.OrderRefused))


@pytest.mark.parametrize(
    # 10 x 9.99 are 99.90 euros and 124.875 dollars
    ("limit", "code"),
    [("9.99", "BAD_LOT"), ("10.00", ""), ("10.01", "")],
)
def test_the_smallest_order_is_counted_in_what_it_is_paid_in(limit: str, code: str) -> None:
    least = msgspec.structs.replace(SAP, min_notional=D(100))
    assert ordered(desk_with(least, "10"), "SAP", "10", limit) == code


@pytest.mark.parametrize(
    # 10,000 dollars are 8,000 euros
    ("quantity", "code"),
    [("799", ""), ("800", ""), ("801", "MAX_NOTIONAL")],
)
def test_the_largest_order_is_counted_in_the_base_currency(quantity: str, code: str) -> None:
    desk = desk_with(SAP, "10", max_order_notional="10000")
    assert ordered(desk, "SAP", quantity, "10") == code


@pytest.mark.parametrize(
    # a contract is 25 x 10 euros, 312.50 dollars; 0.1 of equity are 32
    ("quantity", "code"),
    [("31", ""), ("32", ""), ("33", "SINGLE_EXPOSURE")],
)
def test_the_share_of_a_future_counts_multiplier_and_rate(quantity: str, code: str) -> None:
    desk = desk_with(DAX, "10", max_single_stock_exposure="0.1")
    assert ordered(desk, DAX.symbol, quantity, "10") == code


@pytest.mark.parametrize(
    # 1 % of 80,000 euros are 800; 1.59, 1.60 and 1.61 a unit are 39.75, 40 and 40.25 a contract
    ("stop", "quantity"),
    [("8.41", 20), ("8.40", 20), ("8.39", 19)],
)
def test_a_size_is_what_the_stop_may_cost_at_the_rate(stop: str, quantity: int) -> None:
    desk = desk_with(DAX, "10", max_risk_per_trade="0.01")
    desk.signal(signal(DAX.symbol, entry="10", stop=stop, at=desk.now))
    assert desk.last(Purpose.ENTRY, DAX.symbol).quantity == quantity


def test_profit_is_in_its_own_currency_and_the_day_in_the_base() -> None:
    desk = desk_with(DAX, "10")
    bought = desk.order(DAX.symbol, 4, "10")
    desk.filled(bought, 4, "10")
    desk.quote(DAX.symbol, "12")
    # 4 x 2 x 25 euros
    assert (desk.world.money.unrealized, desk.world.money.equity) == (250, 100_250)
    sold = desk.order(DAX.symbol, 4, "12", side=Side.SELL, purpose=Purpose.EXIT, reserves=False)
    trade = one(desk.filled(sold, 4, "12"), ev.PositionClosed).trade
    assert (trade.pnl, trade.instrument_type) == (200, "future")
    assert desk.world.money.daily_pnl == 250
    # 200 euros of cash, valued at a rate that moves on
    assert desk.book.account(BROKER).cash["EUR"] == 200
    desk.quote("EUR_USD", "1.30")
    assert desk.world.money.equity == 100_260
    assert desk.book.data.session is not None
    assert desk.book.data.session.date == datetime.date(2013, 10, 7)


@pytest.mark.parametrize("rate", [None, "1.25"])
def test_U53_a_stop_is_not_loosened_while_nobody_knows_what_it_would_risk(
    rate: str | None,
) -> None:
    desk = CoreDriver()
    if rate is not None:
        desk.quote("EUR_USD", rate)
    desk.event(ev.InstrumentLearned(instrument=DAX))
    desk.filled(desk.order(DAX.symbol, 4, "10", stop="9.50"), 4, "10")
    desk.quote(DAX.symbol, "10")

    def moved(price: str) -> list[ev.Event]:
        return desk.give(ask.Protect(by="t", symbol=DAX.symbol, price=D(price)))

    # 4 x 0.60 x 25 euros would be far below what a trade may risk
    looser = [e for e in moved("9.40") if isinstance(e, ev.CommandRefused)]
    assert bool(looser) is (rate is None)
    assert all("nothing tells what one EUR is worth" in event.reason for event in looser)
    tighter = one(moved("9.60"), ev.StopMoved)
    assert tighter.after == D("9.60")


def test_a_gap_in_the_quotes_of_a_pair_is_no_loss_and_no_rate_to_enter_on() -> None:
    """10,000 euros at 1.25 are 12,500 dollars; at 1.10, the rate of the day before, 1,500 less.

    That would be 1.3 % of 112,500: above the 1 % that a day may lose.
    """
    desk = CoreDriver(config_of(profile="axion_aggressive", risk={"daily_loss_limit": "0.01"}))
    day = datetime.datetime.fromtimestamp(desk.now // 10**9, datetime.UTC).date()
    before = day - datetime.timedelta(days=1)
    desk.world.rates.take_reference([ReferenceRate(currency="EUR", value=D("1.10"), date=before)])
    desk.quote("EUR_USD", "1.25")
    told = Account(
        account_id="t",
        cash=D(100_000),
        equity=D(100_000),
        buying_power=D(100_000),
        balances={"USD": D(100_000), "EUR": D(10_000)},
        as_of=desk.now,
    )
    desk.event(ev.AccountSynced(account=BROKER, balances=told))
    desk.session(desk.world.money.equity)
    desk.event(ev.InstrumentLearned(instrument=SAP))
    assert desk.world.money.equity == 112_500
    for _ in range(20):
        desk.quote("SAP", "10")
        desk.tick()
    assert desk.world.money.equity == 112_500
    assert desk.book.data.halt is None
    assert desk.world.currencies.unvalued(desk.now) == ["EUR"]
    assert ordered(desk, "SAP", "10", "10") == "NO_RATE"
    desk.quote("EUR_USD", "1.25")
    assert ordered(desk, "SAP", "10", "10") == ""
