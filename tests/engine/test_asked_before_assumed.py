"""A fill that no venue told is assumed only once its venue was asked (X-75, rule 1).

A process ends in the moment before it sends a close, and somebody else sells a part. The list shows
less than is held, as it would if the close had filled; the venue knows that it never had it.
"""

from decimal import Decimal

import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import QueryAnswered, QueryFailed
from engine.domain.order import OrderStatus, OrderTerms, Purpose
from engine.domain.run import Flatten, Level
from engine.ports import Ambiguous, Capabilities
from tests.engine.driver import NO_REDUCE_ONLY, CoreDriver, protected
from tests.engine.worlds import ABLE, BROKER

VENUES = pytest.mark.parametrize("able", [ABLE, NO_REDUCE_ONLY], ids=["joins", "alone"])
LOOK = 0.5
"""Seconds between two looks of a kill."""
BOUND = ABLE.longest_under_way / 1e9


def unsent(able: Capabilities) -> tuple[CoreDriver, OrderTerms]:
    """150 are held, and a process was killed before it sent the close of a kill; another has
    started, and the list says that 100 are left."""
    desk = protected(150, capabilities=able)
    stop = desk.last(Purpose.PROTECT)
    desk.later(60)
    desk.give(ask.Kill(by="me", level=Level.KILL, flatten=Flatten.ALL))
    desk.later(LOOK).snapshot(positions={"NVDA": 150}, orders=(desk.works(stop),), reason="kill")
    if desk.current(stop).status is OrderStatus.PENDING_CANCEL:
        desk.report(stop, OrderStatus.CANCELED)
    close = desk.last(Purpose.FLATTEN)
    desk.restart(positions={"NVDA": 100})
    assert desk.current(close).status is OrderStatus.UNKNOWN
    return desk, close


def look(desk: CoreDriver, held: int = 100) -> list[str]:
    """A look of the kill; the orders that the venue is asked about after it."""
    desk.later(LOOK)
    positions: dict[str, int | str] = {"NVDA": held} if held else {}
    events = desk.snapshot(positions=positions, reason="kill")
    for order in tuple(desk.book.account(BROKER).orders.values()):
        if order.status is OrderStatus.PENDING_CANCEL:
            desk.report(order, OrderStatus.CANCELED)
    return [e.client_order_id for e in events if isinstance(e, ev.OrderQueried)]


def until_asked(desk: CoreDriver, close: OrderTerms, held: int = 100) -> None:
    """Looks without the timer, until one asks about the close."""
    for _ in range(int(BOUND / LOOK) + 4):
        if close.client_order_id in look(desk, held):
            return
    raise AssertionError("nobody asked")


def answered(desk: CoreDriver, close: OrderTerms) -> list[ev.Event]:
    """The venue does not know the close."""
    return desk.give(QueryAnswered(BROKER, close.client_order_id, None, (), desk.now))


def assumed(desk: CoreDriver) -> list[Decimal]:
    return [e.fill.quantity for e in desk.of(ev.OrderFilled) if e.fill.is_assumed]


@VENUES
def test_rule1_the_venue_is_asked_before_a_fill_is_assumed(able: Capabilities) -> None:
    desk, close = unsent(able)
    until_asked(desk, close)
    assert not assumed(desk)
    answered(desk, close)
    assert desk.current(close).reject_code == "NOT_SENT"
    for _ in range(3):
        look(desk)
    assert not assumed(desk)


def test_x52_once_it_is_known_that_it_was_never_sent_the_kill_closes_what_is_there() -> None:
    desk, close = unsent(ABLE)
    until_asked(desk, close)
    answered(desk, close)
    for _ in range(3):
        look(desk)
    assert desk.held().quantity == 100
    assert [o.quantity for o in desk.intended(Purpose.FLATTEN)] == [150, 100]


@VENUES
def test_rule1_one_question_is_enough(able: Capabilities) -> None:
    desk, close = unsent(able)
    until_asked(desk, close)
    assert close.client_order_id not in look(desk)


@VENUES
@pytest.mark.parametrize("how", ["silent", "failed"])
def test_x52_a_venue_that_does_not_answer_it_holds_a_kill_up_for_a_second(
    able: Capabilities, how: str
) -> None:
    """Reducing is always possible: then the list decides, as it does where nobody can be asked."""
    desk, close = unsent(able)
    until_asked(desk, close)
    if how == "failed":
        desk.give(QueryFailed(BROKER, close.client_order_id, Ambiguous("no answer")))
    look(desk)
    assert not assumed(desk)
    look(desk)
    assert assumed(desk) == [50]
    assert desk.held().quantity == 100


def test_x75_an_operator_does_not_take_over_what_the_venue_was_not_asked_about() -> None:
    desk, close = unsent(ABLE)
    desk.later(BOUND)

    def apply() -> list[ev.Event]:
        desk.later(1)
        return desk.snapshot(positions={"NVDA": 100}, reason="operator", apply=True)

    assert close.client_order_id in [
        e.client_order_id for e in apply() if isinstance(e, ev.OrderQueried)
    ]
    assert desk.held().quantity == 150
    answered(desk, close)
    apply()
    assert not assumed(desk)
    assert desk.held().quantity == 100


@VENUES
def test_x75_what_the_venue_has_said_of_an_order_needs_no_question(able: Capabilities) -> None:
    """It told that the order has ended, and how much of it had filled."""
    desk, close = unsent(able)
    desk.report(close, OrderStatus.CANCELED, filled=Decimal(50))
    desk.later(BOUND)
    look(desk)
    assert assumed(desk) == [50]


@VENUES
def test_x52_one_list_that_shows_nothing_makes_a_kill_assume_no_fill(able: Capabilities) -> None:
    """The venue was asked and has not answered; what is wrong in one list is right in the next."""
    desk, close = unsent(able)
    until_asked(desk, close)
    for shown in (150, 150, 150, 0, 150, 0, 150):
        look(desk, shown)
    assert not assumed(desk)
    assert desk.held().quantity == 150
    look(desk, 0)
    look(desk, 0)
    assert assumed(desk) == [150]


def test_rule3_what_an_assumed_fill_leaves_is_not_sold_where_the_list_does_not_show_it() -> None:
    """A part of the holding was to be closed, and the list says that nothing is left: the fill that
    is assumed explains the part. The list is not behind it, for it is all that tells of it."""
    desk = protected(150, capabilities=NO_REDUCE_ONLY)
    stop = desk.last(Purpose.PROTECT)
    desk.later(60)
    desk.give(ask.ClosePosition(by="me", symbol="NVDA", quantity=Decimal(100)))
    desk.report(stop, OrderStatus.NEW, quantity=Decimal(50), stop_price=stop.stop_price)
    close = desk.last(Purpose.EXIT)
    desk.give(ask.Kill(by="me", level=Level.KILL, flatten=Flatten.ALL))
    desk.restart()
    assert desk.current(close).status is OrderStatus.UNKNOWN
    until_asked(desk, close, held=0)
    for _ in range(20):
        look(desk, held=0)
    assert assumed(desk) == [100]
    assert desk.book.holding(BROKER, "NVDA") is None
    assert not desk.intended(Purpose.FLATTEN)
    assert [o.quantity for o in desk.intended(Purpose.EXIT)] == [100]
