"""A fill that was assumed and is told later brings its commission, like any other (rule 2, X-86).

Every expected amount is worked out by hand in the comment beside it.
"""

from decimal import Decimal

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.order import OrderStatus, OrderTerms, Side
from engine.domain.run import Severity
from engine.state.fold import apply
from engine.state.touched import DayTotals
from tests.engine.driver import CoreDriver, one
from tests.engine.test_commission import cash, desk_with, held, total
from tests.engine.worlds import BROKER

D = Decimal


def resolved(desk: CoreDriver, order: OrderTerms, quantity: int) -> None:
    """An operator resolved an order for so many as filled at 100 for ten of them."""
    desk.accept(order)
    desk.report(order, OrderStatus.FILLED, filled=D(quantity))
    assert desk.current(order).status is OrderStatus.UNKNOWN
    decided = ask.ResolveOrder(
        by="me",
        client_order_id=order.client_order_id,
        decision="filled",
        quantity=D(10),
        price=D(100),
        confirm="RESOLVE",
    )
    assert one(desk.give(decided), ev.OrderFilled).fill.is_assumed


def told(
    desk: CoreDriver, commission: object, asset: str = "", *, quantity: int = 10, price: str = "100"
) -> list[ev.Event]:
    """10 NVDA were bought, which an operator resolved as filled at 100; now their fill is told."""
    order = desk.order("NVDA", quantity, "100", limit="100", order_id="entry")
    resolved(desk, order, quantity)
    desk.later(30)
    late = msgspec.structs.replace(
        desk.execution(order, quantity, price), commission=commission, commission_currency=asset
    )
    return desk.report(order, OrderStatus.FILLED, fill=late)


def codes(events: list[ev.Event]) -> list[str]:
    return [event.code for event in events if isinstance(event, ev.Alarmed)]


@pytest.mark.parametrize(
    ("commission", "believed"),
    [
        ("999.99", True),
        ("1000", True),
        ("1000.01", False),
        ("-1000", True),
        ("-1000.01", False),
        ("1000000", False),
        ("NaN", False),
        ("Infinity", False),
    ],
)
def test_rule2_a_commission_beyond_its_trade_is_left_aside(commission: str, believed: bool) -> None:
    desk = desk_with(USD="100000")
    events = told(desk, D(commission))
    assert held(desk, "NVDA") == 10
    paid = D(commission) if believed else D(0)
    # 100000 - 10 x 100 less the commission
    assert cash(desk) == {"USD": D(99_000) - paid}
    data = desk.book.data
    assert data.session is not None
    assert (data.session.fees, data.commission, data.metrics.commission) == (paid, paid, paid)
    found = [event for event in events if isinstance(event, ev.Alarmed) and event.code == "BAD_FEE"]
    assert [alarm.severity for alarm in found] == ([] if believed else [Severity.CRITICAL])
    assert ("bad_fee" in desk.book.account(BROKER).blocked.get("NVDA", {})) is not believed
    desk.tick()
    assert desk.world.money.daily_pnl == -paid


def test_x86_it_comes_out_of_the_coins_that_are_held() -> None:
    desk = desk_with(USD="50000").hold("BNB-USD", 10, "300", mark="320")
    events = told(desk, D("0.05"), "BNB")
    assert held(desk, "BNB-USD") == D("9.95")
    # 50000 - 10 x 300 - 10 x 100
    assert cash(desk) == {"USD": D(46_000)}
    taken = one(events, ev.CommissionTaken)
    assert (taken.symbol, taken.quantity, taken.price) == ("BNB-USD", D("0.05"), D(320))
    # 0.05 x 320
    assert desk.book.data.commission == 16
    # 46000 + 9.95 x 320 + 10 x 100
    assert desk.world.money.equity == 50_184


@pytest.mark.parametrize(("has", "owed"), [("0.04", "-0.01"), ("0.05", "0"), ("0.06", "0")])
def test_x86_what_the_coins_do_not_cover_is_owed(has: str, owed: str) -> None:
    desk = desk_with(USD="50000").hold("BNB-USD", has, "300", mark="320")
    told(desk, D("0.05"), "BNB")
    assert held(desk, "BNB-USD") == max(D(has) - D("0.05"), D(0))
    assert cash(desk).get("BNB", D(0)) == D(owed)


def test_x79_coins_that_pay_it_give_no_buying_power() -> None:
    """The venue's number, which was told before, had none of it taken off here."""
    desk = desk_with(USD="50000").hold("BNB-USD", 10, "300", mark="320")
    one(told(desk, D("0.05"), "BNB"), ev.CommissionTaken)
    free = desk_with(USD="50000").hold("BNB-USD", 10, "300", mark="320")
    told(free, D(0))
    assert desk.book.account(BROKER).buying_power == free.book.account(BROKER).buying_power


def test_x86_one_in_an_asset_without_a_rate_is_named_and_counts_once_that_is_known() -> None:
    desk = desk_with(USD="50000")
    events = told(desk, D("0.5"), "XYZ")
    assert cash(desk) == {"USD": D(49_000), "XYZ": D("-0.5")}
    alarms = [e for e in events if isinstance(e, ev.Alarmed) and e.code == "FEE_WITHOUT_RATE"]
    assert [alarm.subject for alarm in alarms] == ["XYZ"]
    assert total(desk) == (D(50_000), ["XYZ"])
    assert desk.book.data.commission == 0
    before = desk.world.money.daily_pnl
    desk.quote("XYZ-USD", "40")
    desk.tick()
    # 0.5 x 40 are owed
    assert desk.world.money.equity == 49_980
    assert desk.world.money.daily_pnl == before - 20
    assert desk.book.data.commission == 20


def test_rule2_what_is_more_than_was_assumed_is_charged_once() -> None:
    """15 filled, of which 10 were assumed: one commission for all of it."""
    desk = desk_with(USD="100000")
    events = told(desk, D(7), quantity=15, price="101")
    assert codes(events).count("FILL_MATCHED") == 1
    assert held(desk, "NVDA") == 15
    # 100000 - 15 x 101 - 7
    assert cash(desk) == {"USD": D(98_478)}
    assert desk.book.data.commission == 7


def test_a392_it_is_in_the_round_trip_of_what_it_bought() -> None:
    desk = desk_with(USD="100000")
    told(desk, D(7))
    sale = desk.order("NVDA", 10, "110", side=Side.SELL, reserves=False)
    desk.accept(sale)
    desk.filled(sale, 10, "110")
    trade = one(desk.seen, ev.PositionClosed).trade
    # 10 x 10 gained, less 7
    assert (trade.fees, trade.pnl) == (7, 93)


def test_a392_it_is_in_no_round_trip_but_that() -> None:
    """What was bought then was sold before its fill was told; what is held now is another trade."""
    desk = desk_with(USD="100000")
    order = desk.order("NVDA", 10, "100", limit="100", order_id="entry")
    resolved(desk, order, 10)
    for side, price in ((Side.SELL, "110"), (Side.BUY, "105")):
        next_order = desk.order("NVDA", 10, price, side=side, reserves=side is Side.BUY)
        desk.accept(next_order)
        desk.filled(next_order, 10, price)
    late = msgspec.structs.replace(desk.execution(order, 10, "100"), commission=D(7))
    desk.report(order, OrderStatus.FILLED, fill=late)
    assert desk.book.data.commission == 7
    assert desk.held().commission == 0


def test_x74_it_is_in_the_row_of_the_day_that_goes_on() -> None:
    desk = desk_with(USD="100000")
    events = told(desk, D(7))
    desk.book.data.keeps_day = True
    again = msgspec.structs.replace(one(events, ev.FillMatched), quantity=D(0))
    rows = apply(desk.book, ev.Record(desk.book.data.seq + 1, desk.now, again))
    days = [touched.value.event for touched in rows if isinstance(touched.value, DayTotals)]
    assert [day.fees for day in days] == [14]
