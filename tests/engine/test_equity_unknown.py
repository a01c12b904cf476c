"""No limit is judged on an equity that is not known (X-86, A-183, U-53).

An account keeps 100,000 USDT under a portfolio in dollars, whose floor is 5,000. Until a rate says
what a USDT is worth nobody knows what is there: nothing opens, and nothing is lost.
"""

import datetime
from decimal import Decimal
from typing import Any

import pytest

from engine.domain import events as ev
from engine.domain.account import Account, VenueSnapshot
from engine.domain.inputs import LookReason, Ready, SnapshotTaken, Start
from engine.domain.order import Side
from engine.domain.run import LinkState, Trigger
from engine.reference.rates import ReferenceRate
from tests.engine.driver import CoreDriver, kinds
from tests.engine.worlds import ACCOUNT, BROKER, config_of

D = Decimal
OTHER = "other"
LOSSES = {Trigger.MIN_EQUITY, Trigger.DAILY_LOSS, Trigger.DRAWDOWN}


def desk_of(*others: str, base: str = "USD") -> CoreDriver:
    risk: dict[str, Any] = {
        "max_risk_per_trade": "0.01",
        "daily_loss_limit": "0.02",
        "max_concurrent_positions": 5,
        "max_single_stock_exposure": "1",
        "max_sector_exposure": "1",
        "max_gross_exposure": "1",
        "drawdown_limit": "0.05",
        "max_trades_per_day": 100,
        "min_account_equity": "5000",
        "consecutive_loss_threshold": 3,
        "consecutive_loss_pct": "0.03",
        "account_max_age_seconds": 86_400,
        "max_order_notional": "1000000",
    }
    config = config_of(profile="custom", risk=risk, account={"currency": base})
    desk = CoreDriver(config, running=False, others=others)
    accounts = dict.fromkeys((BROKER, *others), ACCOUNT)
    desk.give(Start(version="test", accounts=accounts, config_digest=""))
    for name in accounts:
        desk.event(ev.LinkChanged(account=name, state=LinkState.CONNECTED, detail=""))
    return desk


def rate(desk: CoreDriver, currency: str = "USDT", value: str = "0.999") -> None:
    """As `[data] rates` has it."""
    day = datetime.datetime.fromtimestamp(desk.now // 10**9, datetime.UTC).date()
    given = ReferenceRate(currency=currency, value=D(value), date=day)
    desk.world.rates.take_reference([given])


def look(desk: CoreDriver, *, account: str = BROKER, currency: str = "USDT", **cash: int) -> None:
    """A look at an account, whose cash is `cash` and which states its equity in `currency`."""
    held = {name: D(amount) for name, amount in cash.items()}
    snapshot = VenueSnapshot(
        account=account,
        balances=Account(
            account_id=ACCOUNT,
            currency=currency,
            cash=held.get(currency, D(0)),
            balances=held,
            equity=held.get(currency, D(0)),
            buying_power=held.get(currency, D(0)),
            as_of=desk.now,
        ),
        positions=(),
        orders=(),
        fills=(),
        requested_at=desk.now,
        as_of=desk.now,
    )
    desk.give(SnapshotTaken(snapshot, LookReason.START))


def lost(desk: CoreDriver) -> list[str]:
    """The triggers of losses that fired, each time."""
    return [e.trigger for e in desk.of(ev.TriggerFired) if e.trigger in LOSSES]


def entry_code(desk: CoreDriver, symbol: str = "NVDA") -> str:
    """Why an entry is refused now; empty where it passes."""
    desk.quote(symbol, "100")
    events = desk.place(Side.BUY, 1, symbol=symbol, managed=False)
    return next((str(e.code) for e in events if isinstance(e, ev.OrderRefused)), "")


def starting(desk: CoreDriver) -> Decimal:
    session = desk.book.data.session
    assert session is not None
    return session.starting_equity


def test_X86_a_rate_of_reference_data_counts_from_the_first_look_on() -> None:
    desk = desk_of()
    rate(desk)
    look(desk, USDT=100_000)
    desk.give(Ready())
    assert starting(desk) == desk.world.money.equity == 99_900
    (opened,) = desk.of(ev.SessionOpened)
    assert opened.starting_equity == 99_900
    assert kinds(desk.seen).index("CurrencyValued") < kinds(desk.seen).index("AccountSynced")
    for _ in range(90):
        desk.tick()
    assert not lost(desk)


@pytest.mark.parametrize("seconds", [0, 1, 30, 600])
def test_A183_the_floor_is_not_judged_before_a_quote_tells_the_rate(seconds: int) -> None:
    desk = desk_of()
    look(desk, USDT=100_000)
    desk.give(Ready())
    for _ in range(seconds):
        desk.tick()
    assert not lost(desk)
    assert desk.book.data.halt is None
    assert entry_code(desk) == "NO_RATE"
    desk.quote("USDT-USD", "0.999")
    desk.tick()
    assert not lost(desk)
    assert starting(desk) == desk.world.money.equity == 99_900
    assert desk.world.money.peak_equity == 99_900
    assert entry_code(desk) == ""


@pytest.mark.parametrize(("amount", "trips"), [(5006, False), (5005, True)])
def test_A183_it_is_judged_as_soon_as_the_rate_is_told(amount: int, trips: bool) -> None:
    """5,005 USDT at 0.999 are 4,999.995 dollars."""
    desk = desk_of()
    look(desk, USDT=amount)
    desk.give(Ready())
    desk.quote("USDT-USD", "0.999")
    desk.tick()
    assert (lost(desk) == [Trigger.MIN_EQUITY]) is trips


@pytest.mark.parametrize("money", [0, 10])
def test_X86_a_little_of_the_base_currency_is_not_all_there_is(money: int) -> None:
    """10 dollars and a loss of 1 would be a tenth of what is known, and beyond both limits."""
    desk = desk_of()
    look(desk, USDT=100_000, USD=money)
    desk.give(Ready())
    desk.tick()
    if money:
        look(desk, USDT=100_000, USD=money - 1)
        gone = {"USD": D(-1)}
        taken = ev.CashAdjusted(account=BROKER, amounts=gone, value=D(0), reason="t", by="t")
        desk.event(taken)
    for _ in range(90):
        desk.tick()
    assert not lost(desk)


def test_X86_what_another_account_keeps_is_judged_by_itself() -> None:
    """100,000 dollars are known beside some USDT: what they lose counts."""
    desk = desk_of(OTHER)
    look(desk, USD=100_000, currency="USD")
    look(desk, account=OTHER, USDT=5)
    desk.give(Ready())
    desk.tick()
    desk.filled(order := desk.order("NVDA", 100, "100"), 100, "100")
    assert order.quantity == 100
    for _ in range(3):
        desk.later(1).quote("NVDA", "75")
    assert Trigger.DAILY_LOSS in lost(desk)


@pytest.mark.parametrize(("seconds", "trips"), [(59, False), (60, True)])
def test_A183_for_money_beside_that_of_the_account_the_floor_waits_a_minute(
    seconds: int, trips: bool
) -> None:
    """Euros of an account in dollars: its quote comes with the first ones, or there is none."""
    desk = desk_of()
    look(desk, USD=10, EUR=100_000, currency="USD")
    desk.give(Ready())
    for _ in range(seconds):
        desk.tick()
    assert (lost(desk) == [Trigger.MIN_EQUITY]) is trips


def test_A183_an_account_that_holds_nothing_at_all_is_known() -> None:
    desk = desk_of()
    look(desk, USDT=0)
    desk.give(Ready())
    desk.tick()
    assert lost(desk) == [Trigger.MIN_EQUITY]


def test_X86_what_is_kept_in_the_coin_of_the_portfolio_needs_no_rate() -> None:
    """Dollars do: that a USDT is one is not assumed."""
    desk = desk_of(base="USDT")
    look(desk, USDT=100_000)
    desk.give(Ready())
    desk.tick()
    assert starting(desk) == desk.world.money.equity == 100_000
    assert entry_code(desk, "BTC-USDT") == ""
    assert entry_code(desk, "NVDA") == "NO_RATE"
    desk.quote("USDT-USD", "0.8")
    assert entry_code(desk, "NVDA") == ""
