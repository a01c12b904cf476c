"""Every position has its stop at the venue, of its size, or it is closed (rule 3, A-172, A-173)."""

from decimal import Decimal

import msgspec

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import ModifyFailed, SubmitFailed
from engine.domain.instant import NS_PER_SECOND
from engine.domain.order import OrderStatus, OrderType, Purpose, Side, TimeInForce
from engine.domain.position import ExitReason
from engine.domain.signal import Direction
from engine.plans.protect import PROTECT_SECONDS
from engine.ports import Ambiguous, NotSent, Rejected
from tests.engine.driver import NO_REDUCE_ONLY, CoreDriver, holding, kinds, protected
from tests.engine.worlds import ABLE, signal


def test_a172_a_fill_places_a_reduce_only_stop_for_what_is_held() -> None:
    stop = holding(40).last(Purpose.PROTECT)
    assert (stop.side, stop.type, stop.quantity) == (Side.SELL, OrderType.STOP, 40)
    assert stop.stop_price == 95
    assert stop.reduce_only
    assert stop.time_in_force is TimeInForce.GTC
    assert stop.reserved == 0


def test_the_stop_grows_with_further_fills() -> None:
    desk = protected(40)
    events = desk.filled(desk.last(Purpose.ENTRY), 60, "100")
    asked = [e for e in events if isinstance(e, ev.ReplaceRequested)]
    assert [a.quantity for a in asked] == [100]
    desk.report(desk.last(Purpose.PROTECT), OrderStatus.NEW, quantity=Decimal(100))
    position = desk.book.holding("paper", "NVDA")
    assert position is not None
    assert position.unprotected_since == 0


def test_a_second_fill_waits_for_the_replace_in_flight_and_then_asks_again() -> None:
    desk = protected(40)
    desk.filled(desk.last(Purpose.ENTRY), 10, "100")
    assert "ReplaceRequested" not in kinds(desk.filled(desk.last(Purpose.ENTRY), 10, "100"))
    events = desk.report(desk.last(Purpose.PROTECT), OrderStatus.NEW, quantity=Decimal(50))
    assert [e.quantity for e in events if isinstance(e, ev.ReplaceRequested)] == [60]


def test_a_stop_the_venue_refuses_closes_the_position_at_once() -> None:
    desk = holding()
    stop = desk.last(Purpose.PROTECT)
    desk.give(SubmitFailed(stop.client_order_id, Rejected("NO_STOPS", "stops are not taken")))
    assert desk.of(ev.ExitPlanned)[-1].decision.reason is ExitReason.UNPROTECTED
    assert desk.last(Purpose.EXIT).quantity == 150


def test_a_stop_that_is_not_acknowledged_in_time_closes_the_position() -> None:
    desk = holding()
    desk.tick(PROTECT_SECONDS)
    assert not desk.of(ev.ExitPlanned)
    desk.tick(0.001)
    assert desk.of(ev.ExitPlanned)[-1].decision.reason is ExitReason.UNPROTECTED


def test_a_stop_that_provably_did_not_leave_is_sent_again_and_closes_when_that_takes_too_long() -> (
    None
):
    desk = holding()
    desk.give(SubmitFailed(desk.last(Purpose.PROTECT).client_order_id, NotSent("link down")))
    assert not desk.of(ev.ExitPlanned)
    assert desk.last(Purpose.PROTECT).attempt == 2
    while desk.now < desk.of(ev.OrderFilled)[0].fill.time + PROTECT_SECONDS * NS_PER_SECOND:
        stop = desk.last(Purpose.PROTECT)
        if desk.current(stop).is_working:
            desk.give(SubmitFailed(stop.client_order_id, NotSent("link down")))
        desk.tick()
    assert not desk.of(ev.ExitPlanned)
    desk.tick()
    assert desk.of(ev.ExitPlanned)[-1].decision.reason is ExitReason.UNPROTECTED


def test_a_replace_that_is_refused_cancels_and_places_the_stop_anew() -> None:
    desk = protected(40)
    desk.filled(desk.last(Purpose.ENTRY), 60, "100")
    stop = desk.last(Purpose.PROTECT)
    events = desk.give(ModifyFailed(stop.client_order_id, Rejected("NO", "not changeable")))
    assert "CancelRequested" in kinds(events)
    desk.report(stop, OrderStatus.CANCELED)
    again = desk.last(Purpose.PROTECT)
    assert (again.quantity, again.attempt) == (100, 2)
    assert again.client_order_id != stop.client_order_id


def test_an_ambiguous_replace_is_queried_not_repeated() -> None:
    desk = protected(40)
    desk.filled(desk.last(Purpose.ENTRY), 60, "100")
    stop = desk.last(Purpose.PROTECT)
    events = desk.give(ModifyFailed(stop.client_order_id, Ambiguous("timed out")))
    assert kinds(events) == ["OrderUnclear", "OrderQueried"]


def test_flat_cancels_what_protected_it() -> None:
    """A stop without a position is an orphan that would open one."""
    desk = protected()
    desk.quote("NVDA", "111")
    desk.accept(desk.last(Purpose.EXIT))
    events = desk.filled(desk.last(Purpose.EXIT), 150, "111")
    cancels = [e.client_order_id for e in events if isinstance(e, ev.CancelRequested)]
    assert cancels == [desk.last(Purpose.PROTECT).client_order_id]


def test_where_the_venue_cannot_join_them_the_stop_goes_before_the_exit() -> None:
    desk = protected(capabilities=NO_REDUCE_ONLY)
    desk.quote("NVDA", "111")
    assert desk.of(ev.ExitPlanned)
    assert not desk.intended(Purpose.EXIT)
    desk.report(desk.last(Purpose.PROTECT), OrderStatus.CANCELED)
    assert desk.last(Purpose.EXIT).quantity == 150


def test_and_the_stop_is_placed_again_when_that_exit_fails() -> None:
    desk = protected(capabilities=NO_REDUCE_ONLY)
    desk.quote("NVDA", "111")
    desk.report(desk.last(Purpose.PROTECT), OrderStatus.CANCELED)
    desk.quote("NVDA", "100")
    exit_ = desk.last(Purpose.EXIT)
    desk.give(SubmitFailed(exit_.client_order_id, Rejected("NO", "not now")))
    desk.tick(5)
    assert desk.of(ev.ExitAbandoned)
    assert desk.last(Purpose.PROTECT).attempt == 2


def test_an_exit_that_fails_is_tried_again_under_a_new_id_and_never_given_up() -> None:
    desk = protected()
    desk.quote("NVDA", "111")
    ids = set()
    for _ in range(12):
        exit_ = desk.last(Purpose.EXIT)
        ids.add(exit_.client_order_id)
        desk.give(SubmitFailed(exit_.client_order_id, Rejected("NO", "not now")))
        desk.quote("NVDA", "111")
        desk.tick(61)
        desk.quote("NVDA", "111")
    assert len(ids) == 12
    assert all(o.quantity == 150 and o.reduce_only for o in desk.intended(Purpose.EXIT))


def test_at_most_one_exit_works_at_a_time() -> None:
    """A-173, D-54: a second trigger while one close is under way sends nothing."""
    desk = protected()
    for last in ("111", "112", "113"):
        desk.quote("NVDA", last)
        desk.tick()
    assert len(desk.intended(Purpose.EXIT)) == 1


def test_d54_closing_a_short_buys() -> None:
    desk = CoreDriver().price("NVDA", "100")
    desk.signal(signal("NVDA", direction=Direction.SHORT, entry="100", stop="105"))
    entry = desk.last(Purpose.ENTRY)
    assert entry.side is Side.SELL_SHORT
    desk.accept(entry)
    desk.filled(entry, 150, "100")
    assert desk.last(Purpose.PROTECT).side is Side.BUY
    desk.accept(desk.last(Purpose.PROTECT))
    desk.quote("NVDA", "90")
    exit_ = desk.last(Purpose.EXIT)
    assert (exit_.side, exit_.quantity, exit_.reduce_only) == (Side.BUY, 150, True)


def test_the_id_of_what_reduces_comes_from_durable_facts_alone() -> None:
    """DESIGN rule 1: a restart computes the same id and the venue can be asked for it."""
    ids = []
    for _ in range(2):
        desk = protected()
        desk.quote("NVDA", "111")
        ids.append(desk.last(Purpose.EXIT).client_order_id)
        ids.append(desk.last(Purpose.PROTECT).client_order_id)
    assert ids[:2] == ids[2:]
    assert all(len(i) <= 32 and i.isalnum() for i in ids)


def test_x85_a_stop_taken_away_while_nobody_knows_whether_it_rests_is_cancelled_once_it_does() -> (
    None
):
    desk = holding()
    stop = desk.last(Purpose.PROTECT)
    desk.give(SubmitFailed(stop.client_order_id, Ambiguous("timed out")))
    assert desk.current(stop).status is OrderStatus.UNKNOWN
    desk.give(ask.Protect(by="me", symbol="NVDA", price=None, confirm="UNPROTECT"))
    assert desk.current(stop).cancel_wanted, "the wish is kept while nobody knows"
    desk.seen.clear()
    desk.report(stop, OrderStatus.NEW)
    (cancelled,) = [e for e in desk.seen if isinstance(e, ev.CancelRequested)]
    assert cancelled.client_order_id == stop.client_order_id


def test_a_stop_that_we_cancel_to_bring_it_to_size_is_placed_anew_at_once_each_time() -> None:
    """Where the venue cannot change one, every fill makes a new stop, the tenth as the first."""
    desk = protected(10, capabilities=msgspec.structs.replace(ABLE, native_modify=False))
    for fills in range(2, 12):
        old = desk.last(Purpose.PROTECT)
        desk.later(0.1).filled(desk.last(Purpose.ENTRY), 10, "100")
        desk.report(old, OrderStatus.CANCELED)
        new = desk.last(Purpose.PROTECT)
        assert (new.client_order_id != old.client_order_id, new.quantity) == (True, 10 * fills)
        desk.accept(new)


def test_x85_where_nothing_joins_them_a_persons_order_leaves_the_stop_less_to_cover() -> None:
    """A sale of 20 rests: the stop covers the other 130, and that is no position without one."""
    desk = protected(capabilities=NO_REDUCE_ONLY)
    stop = desk.last(Purpose.PROTECT)
    sale = ask.PlaceOrder(
        by="me",
        symbol="NVDA",
        side=Side.SELL,
        quantity=Decimal(20),
        type=OrderType.LIMIT,
        limit_price=Decimal(104),
    )
    desk.give(sale)
    desk.report(stop, OrderStatus.NEW, quantity=Decimal(130))
    desk.accept(desk.last(Purpose.MANUAL))
    for _ in range(3 * PROTECT_SECONDS):
        desk.tick()
    assert "ExitPlanned" not in kinds(desk.seen)
    # It ends: the stop is to cover all of it again, and has its time for that.
    desk.report(desk.last(Purpose.MANUAL), OrderStatus.CANCELED)
    (*_, grown) = [e for e in desk.seen if isinstance(e, ev.ReplaceRequested)]
    assert grown.quantity == 150
    desk.tick(PROTECT_SECONDS)
    assert "ExitPlanned" not in kinds(desk.seen)
    desk.tick(1)
    assert desk.of(ev.ExitPlanned)[-1].decision.reason is ExitReason.UNPROTECTED
