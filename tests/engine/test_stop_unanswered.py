"""A stop of which nobody knows whether it rests is asked about before its deadline is over.

Its acknowledgement may be lost while it rests: a close because of that would be for nothing (DESIGN
rule 3, C-403).
"""

from collections.abc import Callable
from decimal import Decimal

import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import Sending
from engine.domain.order import OrderStatus, OrderTerms, OrderType, Purpose, Side
from engine.ports import Capabilities
from engine.state.cover import covered
from tests.engine.driver import NO_REDUCE_ONLY, CoreDriver, holding, protected
from tests.engine.worlds import ABLE, BROKER

VENUES = pytest.mark.parametrize("able", [ABLE, NO_REDUCE_ONLY], ids=["joins", "alone"])


def sent(able: Capabilities) -> tuple[CoreDriver, OrderTerms]:
    """A stop was handed over, and the venue has said nothing of it."""
    desk = holding(150, capabilities=able)
    stop = desk.last(Purpose.PROTECT)
    desk.give(Sending(BROKER, stop.client_order_id))
    return desk, stop


def changed(able: Capabilities) -> tuple[CoreDriver, OrderTerms]:
    """One that rests was to be enlarged, and the venue has said nothing of that."""
    desk = protected(50, capabilities=able)
    stop = desk.last(Purpose.PROTECT)
    desk.filled(desk.last(Purpose.ENTRY), 30, "100")
    assert desk.current(stop).status is OrderStatus.PENDING_REPLACE
    return desk, stop


def queried(events: list[ev.Event], order: OrderTerms) -> bool:
    found = [e.client_order_id for e in events if isinstance(e, ev.OrderQueried)]
    return order.client_order_id in found


def rests(desk: CoreDriver, stop: OrderTerms, quantity: int) -> None:
    """The venue's answer to the question."""
    desk.answers(stop, quantity=Decimal(quantity))


@VENUES
@pytest.mark.parametrize("begun", [sent, changed])
def test_a_stop_that_is_not_answered_for_is_asked_about_after_2_s(
    begun: Callable[[Capabilities], tuple[CoreDriver, OrderTerms]], able: Capabilities
) -> None:
    desk, stop = begun(able)
    assert not queried(desk.tick(1.9), stop)
    assert queried(desk.tick(0.1), stop)


@VENUES
def test_one_that_rests_all_the_same_is_no_reason_to_close(able: Capabilities) -> None:
    desk, stop = sent(able)
    for _ in range(20):
        if queried(desk.tick(1), stop):
            rests(desk, stop, 150)
    assert desk.current(stop).status is OrderStatus.NEW
    assert not desk.of(ev.ExitPlanned)


@VENUES
def test_one_that_was_enlarged_all_the_same_is_left_as_it_is(able: Capabilities) -> None:
    desk, stop = changed(able)
    for _ in range(20):
        if queried(desk.tick(1), stop):
            rests(desk, stop, 80)
    assert desk.current(stop).quantity == 80
    assert not desk.of(ev.ExitPlanned)
    assert len(desk.of(ev.ReplaceRequested)) == 1


@VENUES
def test_one_that_nobody_answers_for_is_closed_without_after_5_s(able: Capabilities) -> None:
    desk, _ = sent(able)
    for _ in range(5):
        desk.tick(1)
    assert not desk.of(ev.ExitPlanned)
    desk.tick(1)
    assert desk.of(ev.ExitPlanned)


def test_any_other_order_is_asked_about_after_5_s() -> None:
    desk = protected(150)
    desk.give(ask.ClosePosition(by="me", symbol="NVDA"))
    close = desk.last(Purpose.EXIT)
    desk.give(Sending(BROKER, close.client_order_id))
    assert not queried(desk.tick(4.9), close)
    assert queried(desk.tick(0.1), close)


def cut() -> tuple[CoreDriver, OrderTerms]:
    """One for 150 is to make room for a sale of 60, and the venue has said nothing of that."""
    desk = protected(150, capabilities=NO_REDUCE_ONLY)
    stop = desk.last(Purpose.PROTECT)
    desk.place(Side.SELL, 60, type=OrderType.LIMIT, limit_price=Decimal(110))
    assert desk.current(stop).status is OrderStatus.PENDING_REPLACE
    return desk, stop


def told(desk: CoreDriver) -> list[ev.Unprotected]:
    return desk.of(ev.Unprotected)


def test_what_a_cut_stop_may_no_longer_cover_is_told_after_5_s() -> None:
    """It rests for 90 or for 150, and nobody knows: 60 may be bare, and no order for them works."""
    desk, _ = cut()
    assert covered(desk.book, desk.held()) == 90
    for _ in range(5):
        desk.tick(1)
    assert not told(desk)
    desk.tick(1)
    assert [each.quantity for each in told(desk)] == [60]
    assert not desk.of(ev.ExitPlanned)


def test_a_cut_that_the_venue_confirms_leaves_nothing_bare_beside_the_sale() -> None:
    desk, stop = cut()
    desk.report(stop, OrderStatus.NEW, quantity=Decimal(90))
    sale = desk.last(Purpose.MANUAL)
    desk.accept(sale)
    for _ in range(20):
        desk.tick(1)
    assert covered(desk.book, desk.held()) == 90
    assert not told(desk)
