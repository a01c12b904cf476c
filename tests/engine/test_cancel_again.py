"""A cancel that did not get through is asked for again after a pause, and is never lost (C-403)."""

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import VenueOrder
from engine.domain.failure import Ambiguous, BrokerError, NotSent, Rejected, Throttled
from engine.domain.inputs import CancelFailed, QueryAnswered
from engine.domain.instant import NS_PER_MS, NS_PER_SECOND
from engine.domain.order import OrderStatus, OrderTerms
from engine.domain.run import Flatten, KillState, Level
from engine.state.book import Book
from tests.engine.driver import CoreDriver
from tests.engine.wires import Rig, Wire, play

REFUSED = Rejected("TOO_SOON", "it cannot be cancelled now")


def working() -> tuple[CoreDriver, OrderTerms]:
    """An entry that rests at the venue, and that is to be cancelled."""
    desk = CoreDriver().price("NVDA", "100")
    desk.order("NVDA", 10, "98", limit="98", order_id="entry")
    order = desk.book.account("paper").orders["entry"]
    desk.accept(order)
    desk.give(ask.CancelOrder(by="test", client_order_id="entry"))
    return desk, order


def fail(desk: CoreDriver, order: OrderTerms, error: BrokerError = REFUSED) -> list[ev.Event]:
    """The cancel fails, and where the venue is asked it says that the order works."""
    seen = desk.give(CancelFailed(order.account, order.client_order_id, error))
    if any(isinstance(event, ev.OrderQueried) for event in seen):
        seen += works(desk, order)
    return seen


def works(desk: CoreDriver, order: OrderTerms) -> list[ev.Event]:
    there = VenueOrder(
        client_order_id=order.client_order_id,
        venue_order_id="v",
        symbol=order.symbol,
        side=order.side,
        type=order.type,
        quantity=order.quantity,
        filled=Decimal(0),
        status=OrderStatus.NEW,
        limit_price=order.limit_price,
    )
    return desk.give(
        QueryAnswered(
            account=order.account,
            client_order_id=order.client_order_id,
            order=there,
            fills=(),
            asked_at=desk.now,
        )
    )


def asked(events: list[ev.Event]) -> int:
    return sum(isinstance(event, ev.CancelRequested) for event in events)


@pytest.mark.parametrize("error", [REFUSED, NotSent("no"), Ambiguous("a reset")])
def test_c403_a_cancel_that_failed_is_asked_for_again_after_a_second(error: BrokerError) -> None:
    desk, order = working()
    assert not asked(fail(desk, order, error))
    desk.later(1)
    desk.now -= NS_PER_MS
    assert not asked(desk.tick(0))
    assert asked(desk.tick(0.001)) == 1
    assert desk.current(order).status is OrderStatus.PENDING_CANCEL


def test_c403_each_pause_is_twice_the_one_before_up_to_a_minute() -> None:
    desk, order = working()
    pauses = []
    for _ in range(9):
        fail(desk, order)
        since = desk.now
        while not asked(desk.tick(1)):
            assert desk.now - since < 100 * NS_PER_SECOND
        pauses.append((desk.now - since) // NS_PER_SECOND)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]


@pytest.mark.parametrize("halted", [False, True])
def test_c403_a_venue_that_asks_to_wait_is_asked_nothing_before_that(halted: bool) -> None:
    desk, order = working()
    if halted:
        desk.give(ask.Kill(by="test", level=Level.HALT, reason="because"))
    seen = fail(desk, order, Throttled("slow down", 30.0))
    assert not any(isinstance(event, ev.OrderQueried) for event in seen)
    assert desk.current(order).status is OrderStatus.NEW
    seen = [event for _ in range(29) for event in desk.tick(1)]
    assert not asked(seen)
    assert asked(desk.tick(1)) == 1


def test_x52_a_halt_does_not_wait_for_a_long_pause() -> None:
    desk, order = working()
    for _ in range(5):
        fail(desk, order)
        while not asked(desk.tick(1)):
            pass
    fail(desk, order)
    assert asked(desk.give(ask.Kill(by="test", level=Level.HALT, reason="because"))) == 1
    assert not asked(fail(desk, order))
    assert asked(desk.tick(1)) == 1


def test_x52_a_halt_waits_as_long_as_the_venue_asked() -> None:
    desk, order = working()
    fail(desk, order, Throttled("slow down", 30.0))
    assert not asked(desk.give(ask.Kill(by="test", level=Level.HALT, reason="because")))
    assert not asked([event for _ in range(29) for event in desk.tick(1)])
    assert asked(desk.tick(1)) == 1


def test_c403_a_cancel_put_off_survives_a_fill_and_a_restart() -> None:
    desk, order = working()
    fail(desk, order)
    desk.report(order, OrderStatus.PARTIALLY_FILLED, fill=desk.execution(order, 4, "98"))
    again = Book.restore(desk.book.snapshot())
    due = again.deadlines.next()
    assert due is not None
    (found,) = again.deadlines.pop(due)
    assert (found.client_order_id, found.cancel_put_off) == ("entry", True)


def test_c403_an_order_whose_cancel_is_put_off_is_not_changed() -> None:
    desk, order = working()
    fail(desk, order)
    change = ask.ModifyOrder(by="test", client_order_id="entry", quantity=Decimal(20))
    seen = desk.give(change)
    assert not any(isinstance(event, ev.ReplaceRequested) for event in seen)


# --- at a venue ----------------------------------------------------------------------------------


class Stubborn(Wire):
    """Refuses every cancel until it is told to take them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.error: BrokerError | None = REFUSED

    async def cancel_order(self, client_order_id: str) -> None:
        if self.error is not None:
            self._note("cancel")
            raise self.error
        await super().cancel_order(client_order_id)


def cancels(rig: Rig, since: float) -> list[float]:
    return [at for what, at in rig.wire.asked if what == "cancel" and at >= since]


def test_x52_under_a_kill_a_refused_cancel_is_asked_for_once_a_second_and_then_proved() -> None:
    async def scene(rig: Rig) -> None:
        assert isinstance(rig.wire, Stubborn)
        key = await rig.rest()
        start = rig.now
        await rig.engine.command(
            ask.Kill(by="test", level=Level.KILL, flatten=Flatten.ALL, reason="because")
        )
        await rig.clock.sleep(40)
        moments = cancels(rig, start)
        assert 35 <= len(moments) <= 41
        assert all(later - sooner > 0.999 for sooner, later in pairwise(moments))
        rig.wire.error = None
        taken = rig.now
        await rig.until(lambda: rig.status(key) is OrderStatus.CANCELED, 2)
        assert cancels(rig, taken)[0] - taken <= 1.1
        kill = rig.engine.book.account("paper").kill
        assert kill is not None
        await rig.until(lambda: kill.state == KillState.VERIFIED)

    play(scene, wire=Stubborn)


def test_x52_under_a_kill_a_venue_that_asks_to_wait_is_left_in_peace() -> None:
    async def scene(rig: Rig) -> None:
        assert isinstance(rig.wire, Stubborn)
        rig.wire.error = Throttled("slow down", 30.0)
        key = await rig.rest()
        start = rig.now
        await rig.engine.command(
            ask.Kill(by="test", level=Level.KILL, flatten=Flatten.ALL, reason="because")
        )
        await rig.clock.sleep(29)
        assert len(cancels(rig, start)) == 1
        assert "query" not in rig.wire.since(start)
        rig.wire.error = None
        await rig.until(lambda: rig.status(key) is OrderStatus.CANCELED, 3)
        kill = rig.engine.book.account("paper").kill
        assert kill is not None
        await rig.until(lambda: kill.state == KillState.VERIFIED)

    play(scene, wire=Stubborn)
