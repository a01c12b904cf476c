"""A daily signal outside the session waits for the next opening, and never longer (A-086, X-43)."""

from typing import Any

import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.codes import Verdict
from engine.domain.instant import NS_PER_SECOND, parse_rfc3339
from engine.domain.order import Purpose
from engine.domain.signal import Direction, Timeframe
from engine.intake.queue import PATIENCE
from engine.state.book import Book
from tests.engine.driver import CoreDriver, one
from tests.engine.worlds import signal

CLOSE = parse_rfc3339("2013-10-07T20:00:00Z")
OPEN = parse_rfc3339("2013-10-08T13:30:00Z")


def evening() -> CoreDriver:
    desk = CoreDriver()
    desk.now = CLOSE
    return desk.price("NVDA", "100")


def send(desk: CoreDriver, timeframe: Timeframe = Timeframe.D1, **more: Any) -> ev.SignalDecided:
    made = signal("NVDA", entry="100", stop="95", at=desk.now, timeframe=timeframe, **more)
    return one(desk.signal(made), ev.SignalDecided)


def at(desk: CoreDriver, seconds: float, price: str | None = "101") -> None:
    desk.now = OPEN + int(seconds * NS_PER_SECOND)
    if price is not None:
        desk.quote("NVDA", price)
    desk.tick(0)


def outcomes(desk: CoreDriver) -> list[tuple[str, str]]:
    return [(e.outcome, e.code) for e in desk.of(ev.SignalEnded)]


def test_x43_it_is_queued_and_sent_at_the_opening_with_the_prices_of_then() -> None:
    desk = evening()
    decided = send(desk)
    assert (decided.verdict, decided.code) == (Verdict.ACCEPTED, "")
    assert "2013-10-08T13:30:00Z" in decided.reason
    at(desk, -1)
    assert not desk.intended(Purpose.ENTRY)
    at(desk, 0)
    (entry,) = desk.intended(Purpose.ENTRY)
    assert entry.signal_id == "s-1"
    desk.accept(entry)
    desk.filled(entry, entry.quantity, "101")
    assert outcomes(desk) == [("EXECUTED", "")] or outcomes(desk) == [("RESIZED", "")]
    at(desk, 60)
    assert len(desk.intended(Purpose.ENTRY)) == 1
    assert not desk.book.data.queued


@pytest.mark.parametrize("timeframe", [t for t in Timeframe if t is not Timeframe.D1])
def test_a_signal_on_shorter_bars_is_refused(timeframe: Timeframe) -> None:
    decided = send(evening(), timeframe)
    assert (decided.verdict, decided.code) == (Verdict.REJECTED, "MARKET_CLOSED")


def test_in_the_session_it_is_sent_at_once() -> None:
    desk = CoreDriver().price("NVDA", "100")
    assert send(desk).client_order_ids


def test_whatever_else_is_against_it_refuses_it_when_it_comes() -> None:
    desk = evening()
    assert send(desk, conviction=10).code == "LOW_CONVICTION"


def test_it_waits_for_the_first_fresh_price_of_the_session() -> None:
    desk = evening()
    send(desk)
    at(desk, 0, None)
    at(desk, 30, None)
    assert not desk.intended(Purpose.ENTRY)
    assert not outcomes(desk)
    at(desk, 31)
    assert desk.intended(Purpose.ENTRY)


@pytest.mark.parametrize(
    ("after", "ends"), [(PATIENCE // NS_PER_SECOND, False), (PATIENCE // NS_PER_SECOND + 1, True)]
)
def test_it_does_not_outlive_the_opening(after: int, ends: bool) -> None:
    desk = evening()
    send(desk)
    at(desk, after)
    assert outcomes(desk) == ([("EXPIRED", "STALE_SIGNAL")] if ends else [])
    assert bool(desk.intended(Purpose.ENTRY)) is not ends


def test_what_the_rules_of_the_opening_say_ends_it() -> None:
    desk = evening()
    send(desk)
    desk.give(ask.Pause(by="me"))
    at(desk, 0)
    assert outcomes(desk) == [("REJECTED", "RUN_STATE")]
    assert not desk.intended(Purpose.ENTRY)


def test_a_flat_signal_is_no_entry_and_is_not_queued() -> None:
    desk = evening()
    assert send(desk, direction=Direction.FLAT).code == "SIZE_ZERO"


def test_it_survives_a_restart() -> None:
    desk = evening()
    send(desk)
    again = Book.restore(desk.book.snapshot())
    assert again.data.queued == {"s-1": OPEN}
    life = again.data.signals["s-1"]
    assert life.signal is not None


def test_X66_an_id_that_was_queued_is_never_accepted_again_whatever_came_of_it() -> None:
    desk = evening()
    send(desk)
    at(desk, PATIENCE / NS_PER_SECOND + 1, price=None)
    assert outcomes(desk) == [("EXPIRED", "STALE_SIGNAL")]
    desk.later(300).price("NVDA", "101")
    again = send(desk, timeframe=Timeframe.M1)
    assert (again.code, again.measured) == ("DUPLICATE_SIGNAL", "seen before")
