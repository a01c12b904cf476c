"""What is at risk once all that works has filled, under a stop that only a working entry brings too
(X-82): in whichever order they fill, no more than a trade may risk is lost at the one stop."""

from typing import Any

import pytest

from engine.analytics.open_risk import open_risk
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.order import OrderTerms, OrderType, Purpose, Side
from engine.domain.signal import TradeType
from tests.brokers.kit import D
from tests.engine.driver import CoreDriver
from tests.engine.worlds import BROKER, config_of, signal

RISK: dict[str, Any] = {
    "max_risk_per_trade": "0.01",
    "max_single_stock_exposure": "1",
    "max_sector_exposure": "1",
    "max_gross_exposure": "1",
    "max_order_notional": "1000000",
    "price_collar_pct": "0.5",
    "daily_loss_limit": "0.5",
    "drawdown_limit": "0.5",
    "max_concurrent_positions": 5,
    "max_trades_per_day": 100,
    "min_account_equity": "0",
    "consecutive_loss_threshold": 9,
    "consecutive_loss_pct": "0.9",
    "account_max_age_seconds": 86_400,
}
LONG, SHORT = Side.BUY, Side.SELL_SHORT


def desk() -> CoreDriver:
    """100,000 dollars, of which a trade may risk 1000; NVDA is at 100, and nothing slips."""
    config = config_of(
        profile="custom",
        risk=RISK,
        execution={"slippage_buffer": "0", "dedup_window_seconds": 0},
    )
    return CoreDriver(config).price("NVDA", "100")


def mirrored(side: Side, price: str) -> str:
    """A price as far on the other side of 100 for a short."""
    return price if side is LONG else str(200 - D(price))


def place(at: CoreDriver, side: Side, quantity: int, **more: Any) -> list[ev.Event]:
    """A person's order, at the market or with a `limit`, with or without a stop (`protect`)."""
    asked: dict[str, Any] = {"hold": TradeType.SWING} | more
    if "protect" in more:
        asked["protect"] = D(mirrored(side, more["protect"]))
    if "limit" in more:
        limit = D(mirrored(side, asked.pop("limit")))
        asked |= {"type": OrderType.LIMIT, "limit_price": limit}
    return at.place(side, quantity, **asked)


def works(at: CoreDriver, side: Side, quantity: int, **more: Any) -> OrderTerms:
    place(at, side, quantity, **more)
    order = at.last(Purpose.MANUAL)
    assert order.quantity == quantity, at.seen[-1]
    at.accept(order)
    return order


def refusal(events: list[ev.Event]) -> str:
    """Why the last order, or change of one, was refused for its risk; "" where it was not."""
    for event in events:
        if isinstance(event, ev.OrderRefused | ev.CommandRefused):
            assert event.code == "INVALID_STOP", event
            return event.reason
    return ""


def change(at: CoreDriver, order: OrderTerms, **wanted: Any) -> str:
    key = order.client_order_id
    prices: dict[str, Any] = {name: D(value) for name, value in wanted.items()}
    return refusal(at.give(ask.ModifyOrder(by="me", client_order_id=key, **prices)))


def lost(at: CoreDriver) -> Any:
    """What the position loses at its stop."""
    held = at.held()
    assert held.stop is not None
    return (held.average_price - held.stop) * held.quantity


@pytest.mark.parametrize("side", [LONG, SHORT])
@pytest.mark.parametrize(
    ("limit", "most"), [("98.5", 11), ("99", 11), ("100", 10), (None, 10)], ids=str
)
def test_x82_an_order_without_a_stop_counts_at_that_of_an_entry_that_works(
    side: Side, limit: str | None, most: int
) -> None:
    """The entry risks 900 from 99 to 90; what is left of the 1000 is for what goes with it."""
    more = {} if limit is None else {"limit": limit}
    for quantity in (most, most + 1, 99):
        at = desk()
        works(at, side, 100, limit="99", protect="90")
        said = refusal(place(at, side, quantity, **more))
        assert bool(said) is (quantity > most), said
        assert not said or f"At most {most} would fit" in said
        assert not said or f"the stop of a working entry, {mirrored(side, '90')};" in said


@pytest.mark.parametrize("side", [LONG, SHORT])
@pytest.mark.parametrize("first", [0, 1])
def test_x82_in_whichever_order_both_fill_the_limit_holds(side: Side, first: int) -> None:
    at = desk()
    both = [
        works(at, side, 100, limit="99", protect="90"),
        works(at, side, 11, limit="98.5"),
    ]
    for order in (both[first], both[1 - first]):
        price = order.limit_price
        assert price is not None
        at.filled(order, order.quantity, price)
    assert 0 < lost(at) <= 1000


@pytest.mark.parametrize(("quantity", "passes"), [(17, True), (18, False)])
def test_x82_so_is_it_where_the_one_without_a_stop_works_first(quantity: int, passes: bool) -> None:
    """99 from 98.5 to 90 are 841.50, and each of the other would lose 9 more."""
    at = desk()
    works(at, LONG, 99, limit="98.5")
    said = refusal(place(at, LONG, quantity, limit="99", protect="90"))
    assert (said == "") is passes


@pytest.mark.parametrize(
    ("wanted", "passes"),
    [
        ({"quantity": "11"}, True),
        ({"quantity": "12"}, False),
        ({"quantity": "200"}, False),
        ({"quantity": "11", "limit_price": "99"}, True),
        ({"quantity": "11", "limit_price": "99.1"}, False),
        ({"quantity": "4"}, True),
    ],
)
def test_x82_a_change_of_one_counts_likewise(wanted: dict[str, str], passes: bool) -> None:
    at = desk()
    small = works(at, LONG, 5, limit="98.5")
    works(at, LONG, 100, limit="99", protect="90")
    assert (change(at, small, **wanted) == "") is passes


@pytest.mark.parametrize("stops", [("90", "98"), ("98", "90")])
@pytest.mark.parametrize(("quantity", "passes"), [(11, True), (12, False)])
def test_x82_of_several_stops_the_loosest_counts(
    stops: tuple[str, str], quantity: int, passes: bool
) -> None:
    """Any of them may fill first, or be the only one that does."""
    at = desk()
    for units, stop in zip((40, 60), stops, strict=True):
        works(at, LONG, units, limit="99", protect=stop)
    said = refusal(place(at, LONG, quantity, limit="98.5"))
    assert (said == "") is passes


@pytest.mark.parametrize(("quantity", "passes"), [(37, True), (38, False)])
def test_x82_what_is_held_without_a_stop_counts_at_that_of_an_entry_too(
    quantity: int, passes: bool
) -> None:
    """50 from 100 and 20 from 99, to 90: 680. Each of the new ones would lose 8.50 more."""
    at = desk()
    at.filled(works(at, LONG, 50), 50, "100")
    works(at, LONG, 20, limit="99", protect="90")
    said = refusal(place(at, LONG, quantity, limit="98.5"))
    assert (said == "") is passes


def test_x82_a_managed_order_counts_at_the_stop_of_a_signal_s_entry() -> None:
    at = desk()
    at.signal(signal("NVDA", conviction=60, entry="99", stop="95", at=at.now))
    entry = at.last(Purpose.ENTRY)
    at.accept(entry)
    left = 1000 - entry.quantity * 4
    most = int(left / D("3.5"))
    for quantity in (most + 1, most):
        said = refusal(place(at, LONG, quantity, limit="98.5", managed=True))
        assert bool(said) is (quantity > most), said


def test_x82_where_no_stop_is_to_come_nothing_is_asked() -> None:
    at = desk()
    works(at, LONG, 100, limit="99")
    assert refusal(place(at, LONG, 300, limit="98.5")) == ""


# --- a stop that an order has brought is the operator's to move -----------------------------------


def part_filled(at: CoreDriver) -> OrderTerms:
    """100 at 100 with a stop at 95, of which 5 have filled; the stop rests."""
    order = works(at, LONG, 100, limit="100", protect="95")
    at.filled(order, 5, "100")
    at.accept(at.last(Purpose.PROTECT))
    return order


@pytest.mark.parametrize(("quantity", "passes"), [(111, True), (112, False), (200, False)])
def test_x82_after_the_stop_was_loosened_the_rest_of_its_order_counts_there(
    quantity: int, passes: bool
) -> None:
    """The order brought its stop with its first fill: what fills later is under the moved one."""
    at = desk()
    order = part_filled(at)
    assert refusal(at.give(ask.Protect(by="me", symbol="NVDA", price=D(91)))) == ""
    risk = open_risk(at.world)
    assert (risk.at_stops, risk.entries) == (5 * 9, 95 * 9)
    assert (change(at, order, quantity=str(quantity)) == "") is passes


def test_x82_once_the_stop_was_taken_away_its_order_brings_it_no_more() -> None:
    at = desk()
    order = part_filled(at)
    at.give(ask.Protect(by="me", symbol="NVDA", price=None, confirm="UNPROTECT"))
    risk = open_risk(at.world)
    assert (risk.at_stops, risk.entries, risk.unprotected) == (0, 0, ("NVDA",))
    assert refusal(place(at, LONG, 300, limit="98.5")) == ""
    at.filled(order, 95, "100")
    assert at.held().stop is None


def test_x82_the_rest_of_an_order_whose_position_was_closed_brings_its_stop_again() -> None:
    """What fills then opens another position, whose stop is that of the order."""
    at = desk()
    order = part_filled(at)
    stop = at.last(Purpose.PROTECT)
    at.filled(stop, 5, "95")
    assert at.book.holding(BROKER, "NVDA") is None
    assert open_risk(at.world).entries == at.current(order).leaves * 5
