"""What mode shadow measures of a paper fill beside the real venue's quotes (U-40)."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.analytics.status import status_of
from engine.domain import events as ev
from engine.domain.market import Quote
from engine.domain.order import OrderStatus, OrderTerms, Purpose, Side
from engine.domain.run import Mode
from engine.state.book import Book
from tests.configs import unruled
from tests.engine.driver import CoreDriver, one
from tests.engine.worlds import AXION, BROKER

D = Decimal
SHADOW = unruled({**AXION, "mode": "shadow", "market": {"source": "broker"}})


def quote(bid: str | None, ask: str | None, last: str, time: int) -> Quote:
    return Quote(
        symbol="NVDA",
        bid=None if bid is None else D(bid),
        ask=None if ask is None else D(ask),
        last=D(last),
        time=time,
    )


class Shadow(CoreDriver):
    """The core in mode shadow, at whose paper venue a test fills by hand."""

    def __init__(self) -> None:
        super().__init__(SHADOW)
        self.price("NVDA", "100", bid="99.98", ask="100.02")

    def bought(self, quantity: int) -> OrderTerms:
        self.place(Side.BUY, quantity, protect=D(95))
        order = self.last(Purpose.MANUAL)
        self.accept(order)
        return order

    def fill(self, order: OrderTerms, quantity: Any, price: Any, met: Quote | None) -> Any:  # type: ignore[override]
        """The paper venue fills so much at a price, at that quote; what was measured of it."""
        done = self.current(order).filled + quantity
        whole = done >= order.quantity
        status_ = OrderStatus.FILLED if whole else OrderStatus.PARTIALLY_FILLED
        fill = self.execution(order, quantity, price)
        return one(self.report(order, status_, fill=fill, met=met), ev.ShadowFilled)


def test_a_buy_is_measured_by_what_the_real_book_asked_when_it_filled() -> None:
    desk = Shadow()
    order = desk.bought(10)
    told = desk.fill(order, 10, "100.15", quote("100.06", "100.10", "100.08", desk.now))
    assert told.decided is not None
    assert (told.decided.bid, told.decided.ask) == (D("99.98"), D("100.02"))
    assert (told.price, told.expected) == (D("100.15"), D("100.10"))
    # 5 cents of 100.10 worse than the book, which had moved 8 cents of 100.02 away
    assert told.slippage == D("0.00049950")
    assert told.drift == D("0.00079984")
    assert told.cost == D("0.50")
    assert told.assumed == D("0.0005")


def test_a_sale_is_measured_by_the_bid_and_worse_is_lower() -> None:
    desk = Shadow()
    order = desk.bought(10)
    desk.fill(order, 10, "100.02", quote("99.98", "100.02", "100", desk.now))
    desk.place(Side.SELL, 10)
    sale = desk.last(Purpose.MANUAL)
    desk.accept(sale)
    told = desk.fill(sale, 10, "99.90", quote("99.95", "99.99", "99.97", desk.now))
    assert told.expected == D("99.95")
    assert told.slippage == D("0.00050025")  # 5 cents of 99.95
    assert told.drift == D("0.00030006")  # 3 cents of 99.98
    assert told.cost == D("0.50")


def test_better_than_the_book_is_below_zero_and_without_that_side_its_last_price_counts() -> None:
    desk = Shadow()
    order = desk.bought(10)
    told = desk.fill(order, 4, "100.00", quote("99.98", "100.02", "100", desk.now))
    assert told.slippage < 0
    assert told.cost == D("-0.08")
    told = desk.fill(order, 6, "100.05", quote(None, None, "100.01", desk.now))
    assert told.expected == D("100.01")
    assert told.cost == D("0.24")


def test_a_fill_of_which_no_quote_is_known_is_counted_and_not_measured() -> None:
    desk = Shadow()
    told = desk.fill(desk.bought(10), 10, "100.02", None)
    assert (told.expected, told.slippage, told.drift, told.cost) == (None, None, None, None)
    shown = status_of(desk.world, desk.now)["shadow"]
    assert (shown["fills"], shown["measured"], shown["slippage"]) == (1, 0, None)


def test_status_shows_the_means_and_what_it_costs() -> None:
    desk = Shadow()
    order = desk.bought(10)
    desk.fill(order, 4, "100.10", quote("99.96", "100.00", "99.98", desk.now))
    desk.fill(order, 6, "100.30", quote("99.96", "100.00", "99.98", desk.now))
    shown = status_of(desk.world, desk.now)["shadow"]
    assert shown == {
        "fills": 2,
        "measured": 2,
        "slippage": "0.002",  # (0.1 % and 0.3 %) / 2
        "drift": "-0.00019996",  # from 100.02 to 100.00, twice
        "assumed": {BROKER: "0.0005"},
        "cost": {"USD": "2.2"},  # 4 x 0.10 and 6 x 0.30
    }


def test_what_was_measured_and_the_quote_of_the_decision_outlive_a_restart() -> None:
    desk = Shadow()
    order = desk.bought(10)
    desk.fill(order, 4, "100.10", quote("99.96", "100.00", "99.98", desk.now))
    again = Book.restore(desk.book.snapshot())
    assert again.data.shadow == desk.book.data.shadow
    known = again.order_in(BROKER, order.client_order_id)
    assert known is not None
    assert known.seen is not None
    assert known.seen.ask == D("100.02")


@pytest.mark.parametrize("mode", [Mode.PAPER, Mode.LIVE])
def test_in_another_mode_nothing_is_measured(mode: Mode) -> None:
    desk = Shadow()
    desk.world.config = desk.world.config.model_copy(update={"mode": mode})
    order = desk.bought(10)
    desk.report(
        order,
        OrderStatus.FILLED,
        fill=desk.execution(order, 10, "100.02"),
        met=quote("99.98", "100.02", "100", desk.now),
    )
    assert not desk.of(ev.ShadowQuoted)
    assert not desk.of(ev.ShadowFilled)
    assert status_of(desk.world, desk.now)["shadow"] is None


def test_the_measuring_leaves_what_is_decided_as_it_is() -> None:
    """The same inputs with and without it lead to the same events but for its own."""
    own = (ev.ShadowQuoted, ev.ShadowFilled)
    told: list[list[ev.Event]] = []
    for mode in (Mode.SHADOW, Mode.PAPER):
        desk = Shadow()
        desk.world.config = desk.world.config.model_copy(update={"mode": mode})
        order = desk.bought(10)
        fill = desk.execution(order, 10, "100.02")
        desk.report(order, OrderStatus.FILLED, fill=fill)
        desk.tick()
        told.append([event for event in desk.seen if not isinstance(event, own)])
    with_, without = told
    assert [type(event) for event in with_] == [type(event) for event in without]
    for event, other in zip(with_, without, strict=True):
        if isinstance(event, ev.OrderIntended) and isinstance(other, ev.OrderIntended):
            same = msgspec.structs.replace(event.terms, client_order_id="", intent_id="")
            assert same == msgspec.structs.replace(other.terms, client_order_id="", intent_id="")
