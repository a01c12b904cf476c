"""What sells of a position and is not its close is in the way of the close (rule 3, Kill)."""

from decimal import Decimal

import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import VenueOrder
from engine.domain.order import OrderStatus, OrderType, Purpose, Side
from engine.domain.position import ExitReason
from engine.domain.run import Flatten
from engine.exits.stops import TRADING_SECONDS
from tests.engine.driver import NO_REDUCE_ONLY, CoreDriver, protected
from tests.engine.worlds import ABLE, BROKER

D = Decimal
S = OrderStatus

THEIRS = "theirs"


def of_nobody(
    quantity: int = 100,
    *,
    price: int | str | None = 150,
    reduce_only: bool = True,
    side: Side = Side.SELL,
) -> VenueOrder:
    """An order of nobody here, for the market where it has no price."""
    return VenueOrder(
        client_order_id=THEIRS,
        venue_order_id="v9",
        symbol="NVDA",
        side=side,
        type=OrderType.MARKET if price is None else OrderType.LIMIT,
        quantity=D(quantity),
        filled=D(0),
        limit_price=None if price is None else D(price),
        stop_price=None,
        status=S.NEW,
        reduce_only=reduce_only,
    )


def beside(found: VenueOrder, *, start: bool = True, joins: bool = True) -> CoreDriver:
    """A hundred are held with their stop, and a look at the venue takes over what it lists."""
    desk = protected(100, capabilities=ABLE if joins else NO_REDUCE_ONLY)
    desk.report(desk.last(Purpose.ENTRY), S.CANCELED)
    orders = (desk.works(desk.last(Purpose.PROTECT)), found)
    if start:
        desk.restart(positions={"NVDA": 100}, orders=orders)
    else:
        desk.later(2)
        desk.snapshot(positions={"NVDA": 100}, orders=orders, reason="operator", apply=True)
    return desk


def theirs(desk: CoreDriver) -> OrderStatus:
    order = desk.book.order(THEIRS)
    assert order is not None
    return order.status


def gone(desk: CoreDriver) -> None:
    """The venue proves the end of the order that was in the way."""
    order = desk.book.order(THEIRS)
    assert order is not None
    desk.report(order.terms, S.CANCELED)


LOOKS = pytest.mark.parametrize("start", [True, False], ids=["a start", "reconcile --apply"])


@LOOKS
@pytest.mark.parametrize("quantity", [99, 100, 101])
def test_rule3_an_order_that_rests_far_away_is_not_the_close(quantity: int, start: bool) -> None:
    """However much of what is held it would sell: all of it is no less in the way."""
    desk = beside(of_nobody(quantity), start=start)
    desk.give(ask.ClosePosition(by="me", symbol="NVDA"))
    assert theirs(desk) is S.PENDING_CANCEL
    gone(desk)
    (close,) = desk.intended(Purpose.EXIT)
    assert (close.type, close.quantity) == (OrderType.MARKET, 100)


@LOOKS
def test_rule3_a_stop_loss_is_not_kept_from_its_close_by_it(start: bool) -> None:
    desk = beside(of_nobody(), start=start)
    for _ in range(4 + TRADING_SECONDS):
        desk.quote("NVDA", "94", trade=True)
        desk.tick()
    assert theirs(desk) is S.PENDING_CANCEL
    gone(desk)
    (close,) = desk.intended(Purpose.EXIT)
    assert (close.reason, close.quantity) == (ExitReason.STOP_LOSS, 100)


@LOOKS
@pytest.mark.parametrize("closing", [False, True])
def test_x52_a_kill_cancels_it_and_closes(closing: bool, start: bool) -> None:
    """Also while the position is being closed: it is no close under way (D-53)."""
    desk = beside(of_nobody(), start=start)
    if closing:
        desk.give(ask.ClosePosition(by="me", symbol="NVDA", quantity=D(40)))
    desk.give(ask.Kill(by="me", flatten=Flatten.ALL))
    assert theirs(desk) is S.PENDING_CANCEL
    gone(desk)
    desk.tick()
    rests = (desk.works(desk.last(Purpose.PROTECT)),)
    desk.snapshot(reason="kill", positions={"NVDA": 100}, orders=rests)
    for part in desk.intended(Purpose.EXIT):
        desk.report(part, S.CANCELED)
    (close,) = desk.intended(Purpose.FLATTEN)
    assert close.quantity == 100


def test_x52_a_kill_cancels_it_where_only_a_look_during_the_close_shows_it() -> None:
    desk = protected(100, capabilities=NO_REDUCE_ONLY)
    desk.report(desk.last(Purpose.ENTRY), S.CANCELED)
    desk.give(ask.Kill(by="me", flatten=Flatten.ALL))
    desk.later(1)
    orders = (desk.works(desk.last(Purpose.PROTECT)), of_nobody())
    desk.snapshot(reason="kill", positions={"NVDA": 100}, orders=orders)
    desk.tick()
    assert theirs(desk) is S.PENDING_CANCEL
    desk.report(desk.last(Purpose.PROTECT), S.CANCELED)
    assert not desk.intended(Purpose.FLATTEN)
    gone(desk)
    assert desk.last(Purpose.FLATTEN).quantity == 100


def test_rule3_what_it_sells_is_not_counted_for_the_part_that_is_being_closed() -> None:
    desk = beside(of_nobody(50, price=150))
    desk.give(ask.ClosePosition(by="me", symbol="NVDA", quantity=D(40)))
    order = desk.book.order(THEIRS)
    assert order is not None
    desk.filled(order.terms, 10, "150")
    held = desk.book.holding(BROKER, "NVDA")
    assert held is not None
    assert held.exiting is not None
    assert (held.quantity, held.exiting.quantity) == (90, 40)


@pytest.mark.parametrize("status", [S.NEW, S.UNKNOWN])
def test_rule3_the_close_that_an_earlier_process_sent_is_the_close(status: OrderStatus) -> None:
    """Its id comes from durable facts: it goes on, and no second one is sent beside it."""
    before = protected(100)
    before.report(before.last(Purpose.ENTRY), S.CANCELED)
    before.give(ask.ClosePosition(by="me", symbol="NVDA"))
    lost = before.works(before.last(Purpose.EXIT))
    desk = beside(lost)
    if status is S.UNKNOWN:
        desk.event(
            ev.OrderUnclear(account=BROKER, client_order_id=lost.client_order_id, reason="test")
        )
    desk.give(ask.ClosePosition(by="me", symbol="NVDA"))
    desk.tick(5)
    desk.give(ask.Kill(by="me", flatten=Flatten.ALL))
    desk.tick()
    assert lost.client_order_id not in {e.client_order_id for e in desk.of(ev.CancelRequested)}


@pytest.mark.parametrize("proof", [S.CANCELED, S.FILLED])
def test_rule3_where_both_would_fill_the_close_waits_for_a_sale_without_the_flag(
    proof: OrderStatus,
) -> None:
    """A venue that has no flag lists what a person sells there without one."""
    desk = beside(of_nobody(price="100.5", reduce_only=False), joins=False)
    desk.give(ask.ClosePosition(by="me", symbol="NVDA"))
    desk.report(desk.last(Purpose.PROTECT), S.CANCELED)
    assert theirs(desk) is S.PENDING_CANCEL
    assert not desk.intended(Purpose.EXIT)
    order = desk.book.order(THEIRS)
    assert order is not None
    if proof is S.FILLED:
        desk.filled(order.terms, 100, "100.5")
        assert not desk.intended(Purpose.EXIT)
        assert desk.book.holding(BROKER, "NVDA") is None
        return
    desk.filled(order.terms, 30, "100.5")
    gone(desk)
    assert desk.last(Purpose.EXIT).quantity == 70


def test_rule3_a_sale_without_the_flag_that_is_in_doubt_keeps_the_close_waiting() -> None:
    desk = beside(of_nobody(price="100.5", reduce_only=False), joins=False)
    desk.give(ask.ClosePosition(by="me", symbol="NVDA"))
    desk.report(desk.last(Purpose.PROTECT), S.CANCELED)
    desk.event(ev.OrderUnclear(account=BROKER, client_order_id=THEIRS, reason="test"))
    for _ in range(5):
        desk.tick()
    assert not desk.intended(Purpose.EXIT)
    gone(desk)
    assert desk.last(Purpose.EXIT).quantity == 100


@pytest.mark.parametrize("joins", [True, False])
def test_rule3_the_close_does_not_wait_for_what_buys(joins: bool) -> None:
    desk = beside(of_nobody(price=90, reduce_only=False, side=Side.BUY), joins=joins)
    desk.give(ask.ClosePosition(by="me", symbol="NVDA"))
    desk.report(desk.last(Purpose.PROTECT), S.CANCELED)
    assert theirs(desk) is S.PENDING_CANCEL
    assert desk.last(Purpose.EXIT).quantity == 100
