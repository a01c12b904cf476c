"""What was asked of a stop before it traded is not asked again while it trades (X-78, C-403)."""

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import VenueOrder
from engine.domain.failure import Rejected
from engine.domain.inputs import CancelFailed, ModifyFailed, QueryAnswered
from engine.domain.order import OrderStatus, OrderTerms, Purpose
from engine.domain.run import Flatten, Level
from tests.engine.driver import NO_REDUCE_ONLY, CoreDriver, holding
from tests.engine.worlds import ABLE, BROKER

REFUSED = Rejected("NO", "not now")
VENUES = pytest.mark.parametrize("able", [ABLE, NO_REDUCE_ONLY], ids=["joins", "alone"])


def growing(able: object) -> tuple[CoreDriver, OrderTerms]:
    """A stop for 50 rests and 80 are held since: the venue is asked to change it."""
    desk = holding(50, capabilities=able)
    stop = desk.last(Purpose.PROTECT)
    desk.accept(stop)
    seen = desk.filled(desk.last(Purpose.ENTRY), 30, "100")
    assert any(isinstance(event, ev.ReplaceRequested) for event in seen)
    return desk, stop


def fill_of_stop(desk: CoreDriver, stop: OrderTerms) -> None:
    """A part of the stop trades."""
    desk.report(stop, OrderStatus.PARTIALLY_FILLED, fill=desk.execution(stop, 20, "94"))


def refused(desk: CoreDriver, stop: OrderTerms) -> list[ev.Event]:
    return desk.give(ModifyFailed(BROKER, stop.client_order_id, REFUSED))


def asked(events: list[ev.Event], stop: OrderTerms) -> bool:
    """Whether anything is asked of the stop."""
    kinds = ev.CancelRequested, ev.ReplaceRequested
    return any(isinstance(e, kinds) and e.client_order_id == stop.client_order_id for e in events)


def is_left_for(desk: CoreDriver, stop: OrderTerms, seconds: int) -> bool:
    """Whether nothing is asked of it before so many seconds are over, and then something is.

    Where the venue joins both, what the stop is not for is closed beside it meanwhile.
    """
    early = [asked(desk.tick(1), stop) for _ in range(seconds - 1)]
    then = asked(desk.tick(1), stop)
    beside = bool(desk.intended(Purpose.EXIT)) and desk.world.able(BROKER).reduce_only
    return not any(early) and (then or beside)


def still_works(desk: CoreDriver, stop: OrderTerms) -> list[ev.Event]:
    """The venue was asked, and says that it works the stop."""
    now = desk.current(stop)
    there = VenueOrder(
        client_order_id=stop.client_order_id,
        venue_order_id=now.venue_order_id,
        symbol=stop.symbol,
        side=stop.side,
        type=stop.type,
        quantity=stop.quantity,
        filled=now.filled,
        stop_price=stop.stop_price,
        status=OrderStatus.PARTIALLY_FILLED if now.filled else OrderStatus.NEW,
        reduce_only=True,
    )
    answer = QueryAnswered(
        account=BROKER,
        client_order_id=stop.client_order_id,
        order=there,
        fills=(),
        asked_at=desk.now,
    )
    return desk.give(answer)


# --- a change that is refused -------------------------------------------------------------------


@VENUES
def test_x78_a_stop_that_traded_before_its_change_was_refused_keeps_its_5_s(able: object) -> None:
    desk, stop = growing(able)
    fill_of_stop(desk, stop)
    assert not asked(refused(desk, stop), stop)
    assert desk.current(stop).status is OrderStatus.PARTIALLY_FILLED
    assert is_left_for(desk, stop, 5)


@VENUES
def test_x78_each_of_its_fills_gives_it_5_s_more(able: object) -> None:
    desk, stop = growing(able)
    fill_of_stop(desk, stop)
    refused(desk, stop)
    desk.later(3)
    fill_of_stop(desk, stop)
    assert is_left_for(desk, stop, 5)


@VENUES
def test_x78_one_that_has_not_traded_is_exchanged_at_once(able: object) -> None:
    desk, stop = growing(able)
    assert asked(refused(desk, stop), stop)


@VENUES
def test_x78_one_whose_last_fill_is_5_s_ago_is_exchanged_at_once(able: object) -> None:
    desk, stop = growing(able)
    fill_of_stop(desk, stop)
    desk.later(5)
    assert asked(refused(desk, stop), stop)


# --- a cancel that did not get through ----------------------------------------------------------

BY_CANCEL = pytest.mark.parametrize("joins", [True, False], ids=["joins", "alone"])


def ending(joins: bool) -> tuple[CoreDriver, OrderTerms]:
    """The same where the venue changes nothing: the stop was to be cancelled, and was not."""
    able = msgspec.structs.replace(ABLE, native_modify=False, reduce_only=joins)
    desk = holding(50, capabilities=able)
    stop = desk.last(Purpose.PROTECT)
    desk.accept(stop)
    seen = desk.filled(desk.last(Purpose.ENTRY), 30, "100")
    assert any(isinstance(event, ev.CancelRequested) for event in seen)
    desk.give(CancelFailed(BROKER, stop.client_order_id, REFUSED))
    return desk, stop


@BY_CANCEL
def test_c403_a_cancel_of_a_stop_that_failed_is_asked_for_again_after_a_second(joins: bool) -> None:
    desk, stop = ending(joins)
    still_works(desk, stop)
    assert is_left_for(desk, stop, 1)


@BY_CANCEL
def test_x78_not_before_5_s_are_over_where_it_trades_meanwhile(joins: bool) -> None:
    desk, stop = ending(joins)
    still_works(desk, stop)
    fill_of_stop(desk, stop)
    assert is_left_for(desk, stop, 5)


@BY_CANCEL
def test_x78_nor_where_the_venue_is_asked_about_it_in_that_time(joins: bool) -> None:
    desk, stop = ending(joins)
    fill_of_stop(desk, stop)
    desk.later(2)
    assert not asked(still_works(desk, stop), stop)
    assert is_left_for(desk, stop, 3)


@BY_CANCEL
def test_x78_the_close_of_a_person_and_a_kill_wait_for_no_stop_that_trades(joins: bool) -> None:
    for given in (
        ask.ClosePosition(by="me", symbol="NVDA"),
        ask.Kill(by="me", level=Level.KILL, flatten=Flatten.ALL),
    ):
        desk, stop = ending(joins)
        still_works(desk, stop)
        fill_of_stop(desk, stop)
        desk.give(given)
        desk.snapshot(positions={"NVDA": 60}, orders=(desk.works(stop),), reason="kill")
        if joins:
            assert desk.intended(Purpose.EXIT) or desk.intended(Purpose.FLATTEN)
        else:
            assert is_left_for(desk, stop, 1)
