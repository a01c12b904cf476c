"""A stop that was decided when the process ended (rules 1 and 3): the next one knows of it, and not
whether it was sent.

It may arrive for as long as a request may be under way from the last moment of that process on. The
position is not closed over it meanwhile, unless a price passes the stop, and nothing takes its
place. That nothing is known to protect it is told.
"""

from decimal import Decimal

import msgspec
import pytest

from engine.domain import events as ev
from engine.domain.inputs import QueryAnswered, QueryFailed, Sending, Start
from engine.domain.instant import NS_PER_SECOND
from engine.domain.order import OrderStatus, OrderTerms, Purpose
from engine.domain.position import ExitReason
from engine.domain.run import LinkState
from engine.plans.protect import PROTECT_SECONDS
from engine.ports import Ambiguous, Capabilities
from tests.engine.driver import CoreDriver, holding
from tests.engine.worlds import ABLE, BROKER

D = Decimal
S = OrderStatus

BOUND = 17
"""A time-out of 10 s, and 7 s after that in which a request may still arrive."""
JOINS = msgspec.structs.replace(
    ABLE, deduplicates=False, timeout_seconds=10, late_arrival_seconds=7, late_execution_seconds=2
)
BESIDE = msgspec.structs.replace(JOINS, reduce_only=False)
"""A venue that would fill a stop and a close, each of them."""
NEVER_TWICE = msgspec.structs.replace(JOINS, deduplicates=True)

VENUES = pytest.mark.parametrize(
    "able", [JOINS, BESIDE, NEVER_TWICE], ids=["joins", "beside", "never twice"]
)
LEFT = pytest.mark.parametrize("left", ["waiting", "decided", "sent"])


def begin(desk: CoreDriver) -> None:
    """A process starts, sees what is held and no order, and runs."""
    desk.give(Start(version="test", accounts={BROKER: "test-account"}, config_digest=""))
    desk.link(LinkState.CONNECTED)
    desk.snapshot(positions={"NVDA": 40}, reason="start")
    desk.quote("NVDA", "100")
    desk.tick(0)


def died(able: Capabilities, left: str) -> tuple[CoreDriver, OrderTerms]:
    """40 of NVDA are held at 100, with a stop at 95 that was left like this a second ago.

    `waiting`: by a process that had found no stop there, and waited until none could arrive of one
    before it; `decided`: after the fill, and nobody knows whether it left; `sent`: it was handed
    over, and not answered.
    """
    if left == "waiting":
        desk = CoreDriver(capabilities=able).price("NVDA", "100").later(10)
        desk.fill(desk.order("NVDA", 40, "100", stop="95"), None, "100")
        begin(desk)
    else:
        desk = holding(40, capabilities=able)
    stop = desk.last(Purpose.PROTECT)
    if left == "sent":
        desk.give(Sending(BROKER, stop.client_order_id))
    desk.later(1)
    desk.seen.clear()
    begin(desk)
    assert desk.current(stop).status is S.UNKNOWN
    return desk, stop


def second(desk: CoreDriver, price: str = "100", *, answers: bool = True) -> None:
    """A second goes by; the venue says of whatever it is asked about that it knows none."""
    before = len(desk.seen)
    desk.later(1)
    desk.quote("NVDA", price)
    desk.tick(0)
    asked = [e.client_order_id for e in desk.seen[before:] if isinstance(e, ev.OrderQueried)]
    for key in asked:
        given = (
            QueryAnswered(BROKER, key, None, (), desk.now)
            if answers
            else QueryFailed(BROKER, key, Ambiguous("no answer"))
        )
        desk.give(given)


def alarms(desk: CoreDriver) -> int:
    return [alarm.code for alarm in desk.of(ev.Alarmed)].count("UNPROTECTED")


@VENUES
@LEFT
def test_rule3_what_a_stop_may_protect_is_not_closed_while_that_may_arrive(
    able: Capabilities, left: str
) -> None:
    desk, stop = died(able, left)
    for _ in range(BOUND):
        second(desk)
        assert desk.current(stop).status is S.UNKNOWN
        assert not desk.of(ev.ExitPlanned)
    assert not desk.intended(Purpose.PROTECT), "nothing is sent beside one that may rest"
    assert alarms(desk) == 1


@VENUES
@LEFT
def test_rule3_another_stop_takes_its_place_once_it_cannot_arrive(
    able: Capabilities, left: str
) -> None:
    desk, stop = died(able, left)
    for _ in range(BOUND + 2):
        second(desk)
    assert desk.current(stop).status is S.REJECTED
    (other,) = desk.intended(Purpose.PROTECT)
    assert other.client_order_id != stop.client_order_id
    assert (other.quantity, other.stop_price) == (40, 95)
    desk.accept(other)
    for _ in range(60):
        second(desk)
    assert not desk.of(ev.ExitPlanned)
    assert alarms(desk) == 1


@VENUES
@pytest.mark.parametrize("handed_over", [False, True])
def test_rule3_that_one_has_its_own_time_to_be_acknowledged(
    able: Capabilities, handed_over: bool
) -> None:
    desk, _ = died(able, "waiting")
    for _ in range(BOUND + 2):
        if not desk.intended(Purpose.PROTECT):
            second(desk)
    (other,) = desk.intended(Purpose.PROTECT)
    since = desk.now
    if handed_over:
        desk.give(Sending(BROKER, other.client_order_id))
    while desk.now < since + PROTECT_SECONDS * NS_PER_SECOND:
        assert not desk.of(ev.ExitPlanned)
        desk.later(1)
        desk.quote("NVDA", "100")
        desk.tick(0)
    desk.tick(1)
    (planned,) = desk.of(ev.ExitPlanned)
    assert planned.decision.reason is ExitReason.UNPROTECTED


@VENUES
@LEFT
def test_rule3_a_venue_that_does_not_answer_leaves_it_bare_no_longer_than_that(
    able: Capabilities, left: str
) -> None:
    desk, stop = died(able, left)
    for _ in range(BOUND + PROTECT_SECONDS):
        second(desk, answers=False)
    assert not desk.of(ev.ExitPlanned)
    for _ in range(2):
        second(desk, answers=False)
    (planned,) = desk.of(ev.ExitPlanned)
    assert planned.decision.reason is ExitReason.UNPROTECTED
    assert not desk.intended(Purpose.PROTECT)
    closes = desk.intended(Purpose.EXIT)
    assert bool(closes) is able.reduce_only, "beside a stop that may rest a close waits (X-88)"
    assert desk.current(stop).status is S.UNKNOWN


@VENUES
@LEFT
def test_rule3_the_engines_own_copy_closes_it_where_a_price_passes_the_stop(
    able: Capabilities, left: str
) -> None:
    desk, _ = died(able, left)
    for _ in range(3):
        second(desk, "94")
    (planned,) = desk.of(ev.ExitPlanned)
    assert planned.decision.reason is ExitReason.STOP_LOSS
    closes = desk.intended(Purpose.EXIT)
    assert [order.quantity for order in closes] == ([40] if able.reduce_only else [])
    for _ in range(BOUND + 1):
        second(desk, "94")
    assert [order.quantity for order in desk.intended(Purpose.EXIT)] == [40]


@VENUES
@LEFT
@pytest.mark.parametrize("found", ["look", "answer"])
def test_rule1_one_that_arrives_after_all_is_the_stop(
    able: Capabilities, left: str, found: str
) -> None:
    desk, stop = died(able, left)
    for _ in range(10):
        second(desk)
    if found == "look":
        desk.snapshot(positions={"NVDA": 40}, orders=(desk.works(stop),))
    desk.answers(stop)
    assert desk.current(stop).status is S.NEW
    for _ in range(60):
        second(desk)
    assert not desk.of(ev.ExitPlanned)
    assert not desk.intended(Purpose.PROTECT)


@VENUES
@pytest.mark.parametrize(("seconds", "lost"), [(BOUND, False), (BOUND + 0.001, True)])
def test_rule1_one_that_was_decided_may_have_left_at_the_last_moment(
    able: Capabilities, seconds: float, lost: bool
) -> None:
    """It was decided long before the process ended, and waited until it could be sent."""
    desk = CoreDriver(capabilities=able).price("NVDA", "100").later(10)
    desk.fill(desk.order("NVDA", 40, "100", stop="95"), None, "100")
    begin(desk)
    stop = desk.last(Purpose.PROTECT)
    desk.later(60)
    begin(desk)
    desk.later(seconds)
    desk.give(QueryAnswered(BROKER, stop.client_order_id, None, (), desk.now))
    assert (desk.current(stop).status is S.REJECTED) is lost
