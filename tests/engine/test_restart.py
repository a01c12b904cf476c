"""What a restart must not forget or invent (R2, I4, rule 1, X-13)."""

from decimal import Decimal

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.codes import Outcome
from engine.domain.inputs import (
    GateClosed,
    JournalFailed,
    QueryAnswered,
    QueryFailed,
    Sending,
    Start,
    Stop,
    SubmitFailed,
)
from engine.domain.order import OrderStatus, Purpose
from engine.domain.signal import Direction
from engine.ports import Ambiguous
from engine.state.book import Book
from engine.world import World
from tests.engine.driver import CoreDriver, kinds
from tests.engine.worlds import ABLE, signal


def restarted(desk: CoreDriver) -> CoreDriver:
    again = CoreDriver(running=False)
    again.now = desk.now
    again.book = Book.restore(desk.book.snapshot())
    again.world = World(again.book, desk.world.config, {"paper": ABLE}, home_calendar="XNYS")
    again.core.world = again.world
    again.give(Start(version="test", accounts={"paper": "test-account"}, config_digest=""))
    return again


def test_what_is_held_is_valued_at_its_last_known_price_not_at_cost() -> None:
    desk = CoreDriver()
    desk.fill(desk.order("NVDA", 10, "100"), None, "100")
    desk.quote("NVDA", "130")
    desk.give(Stop("the end"))
    again = restarted(desk)
    assert again.world.money.equity == desk.world.money.equity == Decimal(100_300)
    assert again.world.prices.mark("NVDA") == 130


def test_a_cancel_that_was_asked_for_is_asked_for_again() -> None:
    desk = CoreDriver().price("NVDA", "100")
    desk.signal(signal("NVDA", conviction=60, entry="99", stop="95"))
    entry = desk.last(Purpose.ENTRY)
    desk.accept(entry)
    desk.give(ask.CancelOrder(by="test", client_order_id=entry.client_order_id))
    again = restarted(desk)
    assert again.current(entry).status is OrderStatus.UNKNOWN
    events = again.give(
        QueryAnswered(entry.account, entry.client_order_id, desk.works(entry), (), again.now)
    )
    assert "CancelRequested" in kinds(events)


def test_c406_an_order_of_a_process_that_is_gone_may_arrive_after_its_longest_time_out() -> None:
    desk = CoreDriver().price("NVDA", "100")
    desk.signal(signal("NVDA", entry="100", stop="95"))
    entry = desk.last(Purpose.ENTRY)
    desk.give(Sending(entry.account, entry.client_order_id))
    again = restarted(desk.later(1))
    able = again.world.able("paper")
    again.later(able.timeout_seconds - 1 + able.late_arrival_seconds)
    again.give(QueryAnswered(entry.account, entry.client_order_id, None, (), again.now))
    assert again.current(entry).status is OrderStatus.UNKNOWN
    again.later(0.001)
    again.give(QueryAnswered(entry.account, entry.client_order_id, None, (), again.now))
    assert again.current(entry).status is OrderStatus.REJECTED


def test_c406_what_is_in_doubt_is_asked_about_soon_and_then_less_and_less() -> None:
    desk = CoreDriver().price("NVDA", "100")
    desk.signal(signal("NVDA", entry="100", stop="95"))
    entry = desk.last(Purpose.ENTRY)
    desk.give(Sending(entry.account, entry.client_order_id))
    desk.give(SubmitFailed(entry.account, entry.client_order_id, Ambiguous("timed out")))
    for pause in (1, 2, 4):
        assert "OrderQueried" not in kinds(desk.tick(pause - 0.5))
        assert kinds(desk.tick(0.5)).count("OrderQueried") == 1


def test_an_order_the_venue_does_not_list_is_asked_about_whatever_its_symbol_does() -> None:
    desk = CoreDriver().price("NVDA", "100")
    resting = desk.order("NVDA", 10, "99")
    desk.accept(resting)
    desk.signal(signal("NVDA", entry="100", stop="95"))
    again = restarted(desk.later(1)).later(1)
    events = again.snapshot(positions={})
    assert resting.client_order_id in [
        e.client_order_id for e in events if isinstance(e, ev.OrderQueried)
    ]


def test_a_cancel_outlives_a_venue_that_does_not_answer() -> None:
    desk = CoreDriver().price("NVDA", "100")
    desk.signal(signal("NVDA", conviction=60, entry="99", stop="95"))
    entry = desk.last(Purpose.ENTRY)
    desk.accept(entry)
    desk.give(ask.CancelOrder(by="test", client_order_id=entry.client_order_id))
    desk.give(QueryFailed(entry.account, entry.client_order_id, Ambiguous("no answer")))
    assert desk.current(entry).status is OrderStatus.UNKNOWN
    events = desk.give(
        QueryAnswered(entry.account, entry.client_order_id, desk.works(entry), (), desk.now)
    )
    assert "CancelRequested" in kinds(events)


@pytest.mark.parametrize(
    ("there", "ended"),
    [({}, [Outcome.CANCELLED]), ({"NVDA": -5}, [Outcome.CANCELLED]), ({"NVDA": 5}, [])],
    ids=["nothing", "the other side", "some of it"],
)
def test_rule6_a_signal_to_close_what_the_venue_holds_no_longer_ends_too(
    there: dict[str, int | str], ended: list[Outcome]
) -> None:
    """A person takes over the venue's holdings, and no fill explains them."""
    desk = CoreDriver()
    desk.fill(desk.order("NVDA", 10, "100"), None, "100")
    desk.price("NVDA", "100").later(6)
    desk.signal(signal("NVDA", signal_id="out", direction=Direction.FLAT, at=desk.now))
    desk.report(desk.last(Purpose.EXIT), OrderStatus.REJECTED, code="NO", text="nothing to sell")
    desk.later(0.1).snapshot(positions=there)
    desk.later(0.1).snapshot(positions=there, apply=True)
    ends = [e for e in desk.of(ev.SignalEnded) if e.signal_id == "out"]
    assert [e.outcome for e in ends] == ended
    for end in ends:
        assert end.reason == "NVDA is not held any more in paper, as the venue says"


def test_a_signal_that_asks_to_close_ends_with_the_first_fill_of_its_close() -> None:

    desk = CoreDriver()
    desk.fill(desk.order("NVDA", 10, "100"), None, "100")
    desk.price("NVDA", "100")
    desk.signal(signal("NVDA", signal_id="out", direction=Direction.FLAT, at=desk.now))
    exit_ = desk.last(Purpose.EXIT)
    desk.accept(exit_)
    assert not desk.of(ev.SignalEnded)
    desk.filled(exit_, 4, "100")
    assert [e.signal_id for e in desk.of(ev.SignalEnded)] == ["out"]
    desk.filled(exit_, 6, "100")
    assert not desk.book.data.signals


def test_a_signal_with_a_partial_fill_is_forgotten_once_its_order_is_done() -> None:
    desk = CoreDriver().price("NVDA", "100")
    desk.signal(signal("NVDA", entry="100", stop="95"))
    entry = desk.last(Purpose.ENTRY)
    desk.accept(entry)
    desk.filled(entry, 1, "100")
    assert "s-1" in desk.book.data.signals
    desk.report(entry, OrderStatus.CANCELED)
    assert not desk.book.data.signals


def test_our_own_unsent_orders_are_no_storm_of_rejects() -> None:

    desk = CoreDriver()
    for n in range(12):
        order = desk.order(f"S{n}", 1, "10", order_id=f"o{n}")
        desk.give(GateClosed(order.account, order.client_order_id))
    assert not desk.of(ev.TriggerFired)


def test_a_fill_from_the_future_does_not_hide_later_fills() -> None:
    desk = CoreDriver().price("NVDA", "100")
    desk.signal(signal("NVDA", entry="100", stop="95"))
    entry = desk.last(Purpose.ENTRY)

    early = msgspec.structs.replace(desk.execution(entry, 1, "100"), time=desk.now + 10**15)
    desk.report(entry, OrderStatus.PARTIALLY_FILLED, fill=early)
    assert desk.book.account("paper").last_fill == desk.now


def test_a_journal_that_failed_before_a_crash_is_no_obstacle_to_a_process_that_writes_it() -> None:
    desk = CoreDriver().price("NVDA", "100")
    desk.give(JournalFailed("no space left on device"))
    assert desk.book.data.journal_failed
    again = restarted(desk.later(1))
    assert not again.book.data.journal_failed
    again.give(JournalFailed("no space left on device"))
    assert again.book.data.journal_failed
