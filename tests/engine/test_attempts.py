"""The pause before another attempt is that of one close, or of one stop, and not of a position's
whole life (C-403, rule 3)."""

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain.order import OrderStatus, OrderTerms, Purpose
from engine.state.book import Book
from engine.state.pauses import ATTEMPT_SECONDS
from tests.brokers.kit import D
from tests.engine.driver import CoreDriver, protected
from tests.engine.worlds import ABLE

MANY = len(ATTEMPT_SECONDS) + 1


def closes(desk: CoreDriver) -> list[OrderTerms]:
    return desk.intended(Purpose.EXIT)


def refused(desk: CoreDriver) -> None:
    """The venue refuses the newest close."""
    count = len(closes(desk))
    desk.accept(closes(desk)[-1])
    desk.report(closes(desk)[-1], OrderStatus.CANCELED)
    assert len(closes(desk)) == count


def parted(times: int) -> CoreDriver:
    """One of it was closed, so many times."""
    desk = protected(100)
    desk.report(desk.last(Purpose.ENTRY), OrderStatus.CANCELED)
    for _ in range(times):
        desk.later(60).give(ask.ClosePosition(by="me", symbol="NVDA", quantity=D(1)))
        desk.accept(closes(desk)[-1])
        desk.filled(closes(desk)[-1], 1, "100")
    return desk


@pytest.mark.parametrize("before", [0, 1, MANY])
def test_rule3_a_close_after_many_parts_is_tried_again_as_soon_as_the_first(before: int) -> None:
    desk = parted(before)
    desk.give(ask.ClosePosition(by="me", symbol="NVDA"))
    for number, pause in enumerate(ATTEMPT_SECONDS[1:4], 1):
        refused(desk)
        desk.tick(pause - 0.001)
        assert len(closes(desk)) == before + number
        desk.tick(0.001)
        desk.tick(0)
        assert len(closes(desk)) == before + number + 1


def test_rule3_a_person_who_closes_waits_for_no_pause_of_a_rule_s_close() -> None:
    """A stop-loss that was refused five times gives way; the person's own begins with a second."""
    desk = protected(100)
    desk.report(desk.last(Purpose.ENTRY), OrderStatus.CANCELED)
    desk.quote("NVDA", "111")
    for pause in ATTEMPT_SECONDS[1:6]:
        refused(desk)
        desk.tick(pause)
        desk.tick(0)
    refused(desk)
    tried = len(closes(desk))
    desk.give(ask.ClosePosition(by="me", symbol="NVDA"))
    assert len(closes(desk)) == tried + 1
    refused(desk)
    desk.tick(ATTEMPT_SECONDS[1])
    desk.tick(0)
    assert len(closes(desk)) == tried + 2


def test_c403_the_failures_of_one_close_count_over_a_restart() -> None:
    desk = parted(MANY)
    desk.give(ask.ClosePosition(by="me", symbol="NVDA"))
    for pause in ATTEMPT_SECONDS[1:3]:
        refused(desk)
        desk.tick(pause)
        desk.tick(0)
    restored = Book.restore(desk.book.snapshot()).holding("paper", "NVDA")
    assert restored is not None
    assert restored.exiting is not None
    assert (restored.exiting.failures, restored.exiting.attempt) == (2, MANY + 3)


def stops(desk: CoreDriver) -> list[OrderTerms]:
    return desk.intended(Purpose.PROTECT)


@pytest.mark.parametrize("before", [0, 1, MANY])
def test_rule3_a_stop_that_was_moved_often_is_placed_again_as_soon_as_the_first(
    before: int,
) -> None:
    """The venue cannot change one: each move makes another. Then it drops the newest at once."""
    desk = protected(10, capabilities=msgspec.structs.replace(ABLE, native_modify=False))
    desk.report(desk.last(Purpose.ENTRY), OrderStatus.CANCELED)
    for number in range(before):
        old = stops(desk)[-1]
        desk.later(60).give(ask.Protect(by="me", symbol="NVDA", price=D(95) + D(number + 1) / 10))
        desk.report(old, OrderStatus.CANCELED)
        desk.accept(stops(desk)[-1])
    # One that rested for a minute goes, then the next three as soon as they are placed.
    desk.later(60).report(stops(desk)[-1], OrderStatus.CANCELED)
    for number, pause in enumerate(ATTEMPT_SECONDS[:3], 2):
        assert len(stops(desk)) == before + number
        desk.accept(stops(desk)[-1])
        desk.report(stops(desk)[-1], OrderStatus.CANCELED)
        if pause:
            assert len(stops(desk)) == before + number
            desk.tick(pause - 0.001)
            assert len(stops(desk)) == before + number
            desk.tick(0.001)
    assert len(stops(desk)) == before + 5
