"""A stop that its venue holds after it was acknowledged is no protection (rule 3, A-172)."""

from decimal import Decimal

import pytest

from engine.domain import events as ev
from engine.domain.inputs import QueryAnswered, Sending, SubmitFailed
from engine.domain.instant import NS_PER_SECOND
from engine.domain.order import OrderStatus, Purpose
from engine.domain.position import ExitReason
from engine.plans.protect import PROTECT_SECONDS
from engine.ports import Ambiguous, Capabilities
from engine.state.cover import covered, uncovered
from tests.engine.driver import NO_REDUCE_ONLY, CoreDriver, holding, protected
from tests.engine.test_closed_market import OPEN, swing
from tests.engine.worlds import ABLE

S = OrderStatus
ABLES = pytest.mark.parametrize("able", [ABLE, NO_REDUCE_ONLY], ids=["joins", "both may fill"])


def bare(desk: CoreDriver) -> Decimal:
    """How much of what is held nothing covers."""
    position = desk.book.holding("paper", "NVDA")
    assert position is not None
    assert covered(desk.book, position) + uncovered(desk.book, position) == position.quantity
    return uncovered(desk.book, position)


@ABLES
def test_a_stop_that_is_held_protects_nothing_from_that_moment(able: Capabilities) -> None:
    desk = protected(150, capabilities=able)
    assert bare(desk) == 0
    desk.report(desk.last(Purpose.PROTECT), S.SUSPENDED)
    position = desk.book.holding("paper", "NVDA")
    assert position is not None
    assert desk.current(desk.last(Purpose.PROTECT)).status is S.SUSPENDED
    assert (bare(desk), position.unprotected_since) == (150, desk.now)


@ABLES
def test_it_has_the_seconds_of_a_stop_that_is_not_acknowledged_and_then_it_is_closed(
    able: Capabilities,
) -> None:
    desk = protected(150, capabilities=able)
    desk.report(desk.last(Purpose.PROTECT), S.SUSPENDED)
    desk.tick(PROTECT_SECONDS)
    assert not desk.of(ev.ExitPlanned)
    desk.tick(0.001)
    assert desk.of(ev.ExitPlanned)[-1].decision.reason is ExitReason.UNPROTECTED
    (alarm,) = [e for e in desk.of(ev.Alarmed) if e.code == "UNPROTECTED"]
    assert "holds" in alarm.text


@ABLES
def test_one_that_its_venue_works_again_in_time_protects_again(able: Capabilities) -> None:
    desk = protected(150, capabilities=able)
    stop = desk.last(Purpose.PROTECT)
    for _ in range(3):
        desk.report(stop, S.SUSPENDED)
        desk.tick(PROTECT_SECONDS)
        desk.report(stop, S.NEW)
        assert bare(desk) == 0
    desk.tick(60)
    assert not desk.of(ev.ExitPlanned)
    assert not desk.of(ev.Unprotected)


def test_one_that_was_held_from_the_first_never_protected() -> None:
    desk = protected(150)
    stop = desk.last(Purpose.PROTECT)
    desk.report(stop, S.CANCELED)
    desk.report(desk.last(Purpose.PROTECT), S.SUSPENDED)
    assert bare(desk) == 150
    desk.tick(PROTECT_SECONDS + 0.001)
    assert desk.of(ev.ExitPlanned)[-1].decision.reason is ExitReason.UNPROTECTED


def test_the_price_that_reaches_a_stop_on_hold_closes_at_once() -> None:
    """The engine's own copy of the stop does what the one at the venue cannot."""
    desk = protected(150)
    desk.report(desk.last(Purpose.PROTECT), S.SUSPENDED)
    desk.quote("NVDA", "94", bid="93.99", ask="94.01", trade=True)
    desk.tick(1)
    desk.quote("NVDA", "94", bid="93.99", ask="94.01", trade=True)
    desk.tick(1)
    assert desk.of(ev.ExitPlanned)[-1].decision.reason is ExitReason.STOP_LOSS


def test_a_list_that_shows_it_on_hold_says_the_same_as_a_report() -> None:
    """After a connection was lost nobody tells it but the venue's list."""
    desk = protected(150)
    stop = desk.last(Purpose.PROTECT)
    desk.later(60)
    held = desk.works(stop, status=S.SUSPENDED)
    events = desk.snapshot(positions={"NVDA": 150}, orders=(held,))
    assert [e.client_order_id for e in events if isinstance(e, ev.OrderQueried)] == [
        stop.client_order_id
    ], "a list may be older than the newest report: the venue is asked"
    desk.later(1).answers(stop, status=S.SUSPENDED)
    assert bare(desk) == 150
    desk.later(1)
    desk.snapshot(positions={"NVDA": 150}, orders=(desk.works(stop),))
    desk.later(1).answers(stop)
    assert bare(desk) == 0


def test_an_answer_that_is_older_than_the_hold_makes_no_protection_of_it() -> None:
    desk = protected(150)
    stop = desk.last(Purpose.PROTECT)
    before = desk.now
    desk.later(1).report(stop, S.SUSPENDED)
    desk.give(
        QueryAnswered(
            account="paper",
            client_order_id=stop.client_order_id,
            order=desk.works(stop),
            fills=(),
            asked_at=before,
        )
    )
    assert bare(desk) == 150
    desk.answers(stop)
    assert bare(desk) == 0


def test_a_stop_whose_state_was_in_doubt_and_is_held_there_protects_nothing() -> None:
    desk = holding(150)
    stop = desk.last(Purpose.PROTECT)
    desk.give(Sending(stop.account, stop.client_order_id))
    desk.give(SubmitFailed(stop.account, stop.client_order_id, Ambiguous("timed out")))
    desk.answers(stop, status=S.SUSPENDED)
    assert desk.current(stop).status is S.SUSPENDED
    assert bare(desk) == 150


def test_x92_one_that_is_held_while_its_market_is_shut_has_its_seconds_from_the_open() -> None:
    """A venue holds a stop that is good till cancelled over night, and works it again."""
    desk = swing(ABLE)
    stop = desk.last(Purpose.PROTECT)
    desk.report(stop, S.SUSPENDED)
    while desk.now < OPEN - 600 * NS_PER_SECOND:
        desk.tick(600)
    desk.now = OPEN
    desk.tick(PROTECT_SECONDS)
    assert not desk.of(ev.ExitPlanned)
    desk.tick(0.001)
    assert desk.of(ev.ExitPlanned)[-1].decision.reason is ExitReason.UNPROTECTED
