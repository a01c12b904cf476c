"""A kill and a list of holdings that contradicts our own fills (X-52, rule 3, fault 42).

What a list alone says opens nothing: our fills say 150 long, no fill came since, and the list says
150 short. Buying them back would make 300 of it where the list is wrong.
"""

import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import VenueOrder
from engine.domain.order import OrderStatus, OrderTerms, Purpose, Side
from engine.domain.run import Flatten, Level
from engine.ports import Capabilities
from tests.engine.driver import NO_REDUCE_ONLY, CoreDriver, protected
from tests.engine.worlds import ABLE

VENUES = pytest.mark.parametrize("able", [ABLE, NO_REDUCE_ONLY], ids=["joins", "alone"])
SOON = 0.5
"""A kill looks again after so many seconds, or fewer."""


def killed(able: Capabilities) -> CoreDriver:
    """150 are held under a stop, for a while, and a kill is to close them."""
    desk = protected(150, capabilities=able)
    desk.later(60)
    desk.give(ask.Kill(by="me", level=Level.KILL, flatten=Flatten.ALL))
    return desk


def look(desk: CoreDriver, held: int) -> None:
    """The venue lists so much, and cancels what it is asked to."""
    desk.later(SOON)
    desk.snapshot(positions={"NVDA": held}, orders=stop_there(desk), reason="kill")
    for order in tuple(desk.book.account("paper").orders.values()):
        if order.status is OrderStatus.PENDING_CANCEL:
            desk.report(order, OrderStatus.CANCELED)


def stop_there(desk: CoreDriver) -> tuple[VenueOrder, ...]:
    stop = desk.last(Purpose.PROTECT)
    return (desk.works(stop),) if desk.current(stop).status is OrderStatus.NEW else ()


def closes(desk: CoreDriver) -> list[OrderTerms]:
    return desk.intended(Purpose.FLATTEN)


@VENUES
@pytest.mark.parametrize("looks", [1, 2, 9])
def test_x52_a_list_whose_sign_is_turned_for_a_moment_opens_nothing(
    able: Capabilities, looks: int
) -> None:
    """Less than 5 s: the stop stays, and the kill goes on once the list is right."""
    desk = killed(able)
    for _ in range(looks):
        look(desk, -150)
    assert not closes(desk)
    assert not desk.of(ev.PositionAdjusted)
    assert desk.current(desk.last(Purpose.PROTECT)).status is OrderStatus.NEW
    for _ in range(3):
        look(desk, 150)
    assert [(o.side, o.quantity) for o in closes(desk)] == [(Side.SELL, 150)]


@VENUES
def test_x52_one_that_goes_on_saying_so_is_believed_after_5_s(able: Capabilities) -> None:
    """Somebody sold them, twice over: the kill is for what the venue holds."""
    desk = killed(able)
    for _ in range(14):
        look(desk, -150)
    assert [(o.side, o.quantity) for o in closes(desk)] == [(Side.BUY, 150)]


@VENUES
def test_x52_one_that_turns_again_and_again_is_not(able: Capabilities) -> None:
    desk = killed(able)
    for _ in range(20):
        look(desk, -150)
        look(desk, 0)
    assert Side.BUY not in {o.side for o in closes(desk)}
