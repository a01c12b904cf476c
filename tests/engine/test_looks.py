"""When an account is looked at again (A-372), and how old its word is for an entry (X-84).

Where the venue tells all, as the account of a recording does, looks between which nothing was told
are left out; those that are left come when they would have come anyway.
"""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.domain import events as ev
from engine.domain.inputs import SnapshotFailed
from engine.domain.order import OrderStatus, Purpose, Side
from engine.ports import Capabilities, NotSent
from tests.engine.driver import CoreDriver
from tests.engine.worlds import ABLE, AXION, BROKER, config_of, signal

TELLS_ALL = msgspec.structs.replace(ABLE, tells_all=True)


def started(able: Capabilities = TELLS_ALL, age: int = 0, **kwargs: Any) -> CoreDriver:
    """A desk whose account was looked at just now; it is looked at every 60 s."""
    risk = AXION["risk"] | {"account_max_age_seconds": age}
    config = config_of(**(AXION | {"risk": risk}))
    return CoreDriver(config, capabilities=able, **kwargs).price("NVDA", "100")


def looks(desk: CoreDriver, seconds: float) -> bool:
    """Whether a tick so many seconds from now asks for a look."""
    return any(isinstance(event, ev.SnapshotRequested) for event in desk.tick(seconds))


def seen(desk: CoreDriver) -> None:
    """The look that was asked for: the venue holds and works what the book does."""
    account = desk.book.account(BROKER)
    held: dict[str, int | str] = {s: str(p.quantity) for s, p in account.positions.items()}
    desk.snapshot(positions=held, orders=tuple(map(desk.works, account.orders.values())))


def bought(desk: CoreDriver) -> CoreDriver:
    """A signal bought 10 NVDA, and the stop rests."""
    desk.price("NVDA", "100")
    desk.signal(signal("NVDA", entry="100", stop="95", at=desk.now))
    desk.accept(desk.last(Purpose.ENTRY))
    desk.filled(desk.last(Purpose.ENTRY), desk.last(Purpose.ENTRY).quantity, "100")
    desk.accept(desk.last(Purpose.PROTECT))
    return desk


@pytest.mark.parametrize(("seconds", "asked"), [(59.9, False), (60, True), (60.1, True)])
def test_a372_an_account_is_looked_at_after_the_interval(seconds: float, asked: bool) -> None:
    assert looks(started(ABLE), seconds) is asked


@pytest.mark.parametrize(
    ("seconds", "asked"), [(60, False), (3_599.9, False), (3_600, True), (3_600.1, True)]
)
def test_a372_one_that_tells_all_and_told_nothing_is_looked_at_once_an_hour(
    seconds: float, asked: bool
) -> None:
    assert looks(started(), seconds) is asked


def test_x84_an_age_that_the_config_asks_for_leaves_no_look_out() -> None:
    assert looks(started(age=300), 60)


def test_a372_what_was_told_is_looked_at_when_it_would_have_been_anyway() -> None:
    """At the next whole interval after the last look, not one after what was told."""
    desk = started().later(130)
    bought(desk)
    assert not looks(desk, 49.9)
    assert looks(desk, 0.1)
    seen(desk)
    assert not looks(desk, 3_599.9)
    assert looks(desk, 0.1)


@pytest.mark.parametrize(("before", "again"), [(1.1, False), (1, False), (0.9, True), (0, True)])
def test_a372_what_was_told_within_a_second_of_a_look_is_looked_at_again(
    before: float, again: bool
) -> None:
    desk = started().later(3_600 - before)
    bought(desk)
    assert looks(desk, before)
    seen(desk)
    assert looks(desk, 60) is again


def test_a372_what_is_in_flight_is_looked_at_as_ever() -> None:
    desk = started().later(3_000)
    desk.price("NVDA", "100").signal(signal("NVDA", entry="100", stop="95", at=desk.now))
    assert desk.current(desk.last(Purpose.ENTRY)).status is OrderStatus.CREATED
    assert looks(desk, 60)
    desk.snapshot()
    assert looks(desk, 60)


def test_a372_what_is_not_explained_is_looked_at_as_ever() -> None:
    desk = started()
    assert looks(desk, 3_600)
    desk.snapshot(positions={"AAPL": 7})
    assert looks(desk, 60)


def test_a372_a_look_that_failed_is_no_look() -> None:
    desk = started()
    assert looks(desk, 3_600)
    desk.give(SnapshotFailed(BROKER, "scheduled", NotSent("no answer")))
    assert desk.book.account(BROKER).snapshot_asked  # it is asked again at once


def test_x79_a_short_is_looked_at_as_ever_since_prices_move_its_buying_power() -> None:
    desk = started()
    desk.place(Side.SELL_SHORT, 10, protect=Decimal(105))
    desk.accept(desk.last(Purpose.MANUAL))
    desk.filled(desk.last(Purpose.MANUAL), 10, "100")
    desk.accept(desk.last(Purpose.PROTECT))
    assert looks(desk, 60)
    seen(desk)
    for _ in range(3):
        assert looks(desk, 60)
        seen(desk)


@pytest.mark.parametrize(("seconds", "taken"), [(3_000, True), (3_630, True), (3_630.1, False)])
def test_x84_its_word_stands_until_the_next_look_is_overdue(seconds: float, taken: bool) -> None:
    """30 s after the look was due, as with any other account."""
    desk = started().later(seconds).price("NVDA", "100")
    events = desk.place(Side.BUY, 1, protect=Decimal(95))
    assert any(isinstance(event, ev.OrderIntended) for event in events) is taken


def test_x84_its_word_does_not_stand_after_a_look_that_failed() -> None:
    desk = started()
    assert looks(desk, 3_600)
    desk.give(SnapshotFailed(BROKER, "scheduled", NotSent("no answer")))
    desk.later(1).price("NVDA", "100")
    events = desk.place(Side.BUY, 1, protect=Decimal(95))
    assert not any(isinstance(event, ev.OrderIntended) for event in events)
