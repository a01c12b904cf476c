"""A stop of somebody else for more than is held would open the other side once it trades (X-85).

It protects what is held and no more, and that it is for more is told. Where the venue bounds what
reduces to what is held, one that it flags so cannot do that.
"""

from decimal import Decimal

import msgspec
import pytest

from engine.analytics.status import Extras, status_of
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import VenueOrder
from engine.domain.order import OrderStatus, OrderType, Purpose, Side
from tests.engine.driver import NO_REDUCE_ONLY, CoreDriver
from tests.engine.worlds import ABLE

CODE = "STOP_TOO_LARGE"
VENUES = pytest.mark.parametrize("able", [ABLE, NO_REDUCE_ONLY], ids=["joins", "alone"])


def theirs(quantity: int, name: str = "theirs", *, flagged: bool = False) -> VenueOrder:
    """A stop that somebody rests to sell so many NVDA at 90."""
    return VenueOrder(
        client_order_id=name,
        venue_order_id=f"v-{name}",
        symbol="NVDA",
        side=Side.SELL,
        type=OrderType.STOP,
        quantity=Decimal(quantity),
        filled=Decimal(0),
        stop_price=Decimal(90),
        status=OrderStatus.NEW,
        reduce_only=flagged,
    )


def seen(able: object, *orders: VenueOrder) -> CoreDriver:
    """A hundred are held, and a process starts that finds these orders."""
    desk = CoreDriver(capabilities=able).price("NVDA", "100").hold("NVDA", 100, "100").later(1)
    desk.snapshot(positions={"NVDA": 100}, orders=orders, reason="start")
    return desk


def told(desk: CoreDriver) -> list[str]:
    return [alarm.text for alarm in desk.of(ev.Alarmed) if alarm.code == CODE]


def protected(desk: CoreDriver) -> str:
    extras = Extras(running=True, lag_ms=(0, 0), commit_ms=0)
    (row,) = status_of(desk.world, desk.now, extras)["positions"]
    return str(row["protected"])


@VENUES
@pytest.mark.parametrize(("quantity", "alarms"), [(99, 0), (100, 0), (101, 1)])
def test_x85_one_for_more_than_is_held_is_told(quantity: int, alarms: int, able: object) -> None:
    desk = seen(able, theirs(quantity))
    assert len(told(desk)) == alarms
    assert protected(desk) == str(min(quantity, 100))


def test_x85_the_alarm_says_what_and_how_much() -> None:
    (text,) = told(seen(ABLE, theirs(140)))
    assert "theirs" in text
    assert "140" in text
    assert "40" in text


@VENUES
def test_x85_it_is_told_once(able: object) -> None:
    desk = seen(able, theirs(140))
    for _ in range(3):
        desk.later(60).snapshot(positions={"NVDA": 100}, orders=(theirs(140),))
    assert len(told(desk)) == 1


@VENUES
def test_x85_two_that_are_for_more_together_are_told(able: object) -> None:
    assert told(seen(able, theirs(60, "a"), theirs(40, "b"))) == []
    assert len(told(seen(able, theirs(60, "a"), theirs(50, "b")))) == 1


def test_x85_one_that_the_venue_bounds_is_not_told() -> None:
    assert told(seen(ABLE, theirs(140, flagged=True))) == []
    assert len(told(seen(NO_REDUCE_ONLY, theirs(140, flagged=True)))) == 1


@VENUES
def test_x85_one_that_becomes_too_large_by_what_somebody_sells_is_told(able: object) -> None:
    """A hundred were held, and an operator takes over that seventy are left."""
    desk = seen(able, theirs(100))
    assert told(desk) == []
    there = msgspec.structs.replace(theirs(100))
    desk.later(60)
    desk.snapshot(positions={"NVDA": 70}, orders=(there,), reason="operator", apply=True)
    assert desk.held().quantity == 70
    assert len(told(desk)) == 1
    assert protected(desk) == "70"


def test_x85_one_that_becomes_too_large_by_what_is_sold_here_is_told_once() -> None:
    """The venue fills a close of seventy beside it, and says nothing of the stop itself."""
    desk = seen(ABLE, theirs(100))
    desk.quote("NVDA", "100")
    desk.give(ask.ClosePosition(by="me", symbol="NVDA", quantity=Decimal(70)))
    close = desk.last(Purpose.EXIT)
    desk.accept(close).filled(close, 70, "100")
    for _ in range(3):
        desk.later(60).snapshot(positions={"NVDA": 30}, orders=(theirs(100),))
    assert len(told(desk)) == 1
    # Another process knows that it was told.
    desk.restart(positions={"NVDA": 30}, orders=(theirs(100),))
    assert len(told(desk)) == 1


@VENUES
def test_x85_one_that_somebody_makes_larger_is_told_each_time(able: object) -> None:
    desk = seen(able, theirs(100))
    for quantity in (150, 150, 160, 100, 150):
        desk.later(60).snapshot(positions={"NVDA": 100}, orders=(theirs(quantity),))
    assert [("50" in text, "60" in text) for text in told(desk)] == [
        (True, False),
        (False, True),
        (True, False),
    ]
