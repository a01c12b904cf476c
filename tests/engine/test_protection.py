"""Every position has its stop at the venue, of its size, or it is closed (rule 3, A-172, A-173)."""

from decimal import Decimal

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.codes import Outcome
from engine.domain.inputs import ModifyFailed, Sending, Start, SubmitFailed, Tick
from engine.domain.instant import NS_PER_SECOND, parse_rfc3339
from engine.domain.order import OrderStatus, OrderType, Purpose, Side, TimeInForce
from engine.domain.position import ExitReason
from engine.domain.signal import Direction
from engine.plans.protect import PROTECT_SECONDS
from engine.ports import Ambiguous, NotSent, Rejected
from tests.engine.driver import NO_REDUCE_ONLY, CoreDriver, holding, kinds, protected
from tests.engine.worlds import ABLE, BROKER, signal

S = OrderStatus


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
    desk.give(
        SubmitFailed(
            stop.account, stop.client_order_id, Rejected("NO_STOPS", "stops are not taken")
        )
    )
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
    desk.give(
        SubmitFailed(
            desk.last(Purpose.PROTECT).account,
            desk.last(Purpose.PROTECT).client_order_id,
            NotSent("link down"),
        )
    )
    assert not desk.of(ev.ExitPlanned)
    assert desk.last(Purpose.PROTECT).attempt == 2
    while desk.now < desk.of(ev.OrderFilled)[0].fill.time + PROTECT_SECONDS * NS_PER_SECOND:
        stop = desk.last(Purpose.PROTECT)
        if desk.current(stop).is_working:
            desk.give(SubmitFailed(stop.account, stop.client_order_id, NotSent("link down")))
        desk.tick()
    assert not desk.of(ev.ExitPlanned)
    desk.tick()
    assert desk.of(ev.ExitPlanned)[-1].decision.reason is ExitReason.UNPROTECTED


def test_a_replace_that_is_refused_cancels_and_places_the_stop_anew() -> None:
    desk = protected(40)
    desk.filled(desk.last(Purpose.ENTRY), 60, "100")
    stop = desk.last(Purpose.PROTECT)
    events = desk.give(
        ModifyFailed(stop.account, stop.client_order_id, Rejected("NO", "not changeable"))
    )
    assert "CancelRequested" in kinds(events)
    desk.report(stop, OrderStatus.CANCELED)
    again = desk.last(Purpose.PROTECT)
    assert (again.quantity, again.attempt) == (100, 2)
    assert again.client_order_id != stop.client_order_id


def test_an_ambiguous_replace_is_queried_not_repeated() -> None:
    desk = protected(40)
    desk.filled(desk.last(Purpose.ENTRY), 60, "100")
    stop = desk.last(Purpose.PROTECT)
    events = desk.give(ModifyFailed(stop.account, stop.client_order_id, Ambiguous("timed out")))
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


FAILS = pytest.mark.parametrize("how", [S.REJECTED, S.CANCELED, S.EXPIRED])
"""The venue refuses a close, or it ends without a fill, as after its time-out."""


def failing(how: OrderStatus, quantity: str | None = None) -> CoreDriver:
    """A person closes so much where nothing joins stop and close, and the close fails."""
    desk = protected(149, capabilities=NO_REDUCE_ONLY)
    wanted = None if quantity is None else Decimal(quantity)
    desk.give(ask.ClosePosition(by="me", symbol="NVDA", quantity=wanted))
    desk.report(desk.last(Purpose.PROTECT), S.CANCELED)
    exit_ = desk.last(Purpose.EXIT)
    desk.accept(exit_)
    desk.report(exit_, how, code="NO" if how is S.REJECTED else "", text="not now")
    return desk


@FAILS
def test_rule3_the_stop_is_placed_again_when_an_exit_fails_and_the_exit_is_tried_again(
    how: OrderStatus,
) -> None:
    desk = failing(how)
    stop = desk.last(Purpose.PROTECT)
    assert (stop.attempt, stop.quantity) == (2, 149)
    desk.tick(2)
    desk.accept(stop)
    assert desk.current(stop).status is S.NEW, "the pause begins once it rests"
    desk.tick(0.999)
    assert len(desk.intended(Purpose.EXIT)) == 1
    desk.tick(0.001)
    assert desk.current(stop).status is S.PENDING_CANCEL, "it makes room for the next attempt"
    assert len(desk.intended(Purpose.EXIT)) == 1
    desk.report(stop, S.CANCELED)
    again = desk.last(Purpose.EXIT)
    assert (again.attempt, again.quantity) == (2, 149)
    assert not desk.of(ev.ExitAbandoned)
    desk.accept(again)
    desk.filled(again, again.quantity, "100")
    assert desk.book.holding(BROKER, "NVDA") is None


@FAILS
def test_rule3_where_nothing_joins_them_a_close_is_never_given_up(how: OrderStatus) -> None:
    desk = failing(how)
    for attempt in range(2, 12):
        stop = desk.last(Purpose.PROTECT)
        assert stop.attempt == attempt
        desk.accept(stop)
        desk.tick(61)
        desk.report(stop, S.CANCELED)
        exit_ = desk.last(Purpose.EXIT)
        assert exit_.attempt == attempt
        desk.report(exit_, how, code="NO" if how is S.REJECTED else "", text="not now")
    told = [alarm.code for alarm in desk.of(ev.Alarmed)]
    assert told == ["EXIT_REFUSED"] * (how is S.REJECTED)


def test_rule3_a_close_goes_on_while_the_stop_is_unanswered_and_after_it_was_refused() -> None:
    desk = failing(S.REJECTED)
    stop = desk.last(Purpose.PROTECT)
    desk.give(Sending(stop.account, stop.client_order_id))
    desk.tick(30)
    assert len(desk.intended(Purpose.EXIT)) == 1, "it waits for the venue's word on the stop"
    desk.report(stop, S.REJECTED, code="NO", text="no stops now")
    again = desk.last(Purpose.EXIT)
    assert again.attempt == 2
    assert desk.last(Purpose.PROTECT) == stop
    held = desk.book.holding(BROKER, "NVDA")
    assert held is not None
    assert held.is_closing


def test_rule3_a_part_whose_stop_is_refused_meanwhile_gives_way_to_the_close_of_all() -> None:
    desk = failing(S.REJECTED, "3")
    desk.report(desk.last(Purpose.PROTECT), S.REJECTED, code="NO", text="no stops now")
    assert "UNPROTECTED" in [alarm.code for alarm in desk.of(ev.Alarmed)]
    assert desk.last(Purpose.EXIT).quantity == 149


def test_rule6_a_flat_signal_whose_close_failed_at_first_ends_executed() -> None:
    desk = protected(149, capabilities=NO_REDUCE_ONLY)
    desk.signal(signal("NVDA", signal_id="out", direction=Direction.FLAT, at=desk.now))
    desk.report(desk.last(Purpose.PROTECT), S.CANCELED)
    desk.report(desk.last(Purpose.EXIT), S.REJECTED, code="NO", text="not now")
    desk.accept(desk.last(Purpose.PROTECT))
    desk.tick(1)
    desk.report(desk.last(Purpose.PROTECT), S.CANCELED)
    exit_ = desk.last(Purpose.EXIT)
    desk.accept(exit_)
    desk.filled(exit_, 149, "100")
    (ended,) = [e for e in desk.of(ev.SignalEnded) if e.signal_id == "out"]
    assert ended.outcome is Outcome.EXECUTED


def test_rule3_the_stop_rests_while_a_close_waits_for_the_market() -> None:
    """What is closed at night is sold when the market opens, and is protected until then."""
    desk = protected(149, capabilities=NO_REDUCE_ONLY)
    stop, opens = desk.last(Purpose.PROTECT), parse_rfc3339("2013-10-08T13:30:00Z")
    desk.now = parse_rfc3339("2013-10-07T22:00:00Z")
    desk.give(ask.ClosePosition(by="me", symbol="NVDA"))
    desk.now = opens - 1
    desk.give(Tick())
    assert desk.current(stop).status is S.NEW
    desk.now = opens
    desk.give(Tick())
    assert desk.current(stop).status is S.PENDING_CANCEL
    desk.report(stop, S.CANCELED)
    assert desk.last(Purpose.EXIT).quantity == 149


def test_an_exit_that_fails_is_tried_again_under_a_new_id_and_never_given_up() -> None:
    desk = protected()
    desk.quote("NVDA", "111")
    ids = set()
    for _ in range(12):
        exit_ = desk.last(Purpose.EXIT)
        ids.add(exit_.client_order_id)
        desk.give(SubmitFailed(exit_.account, exit_.client_order_id, Rejected("NO", "not now")))
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
    desk.give(SubmitFailed(stop.account, stop.client_order_id, Ambiguous("timed out")))
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


@pytest.mark.parametrize("sent", [False, True], ids=["not sent", "in doubt"])
def test_rule3_after_a_start_what_is_bare_in_an_account_that_does_not_answer_is_told(
    sent: bool,
) -> None:
    """Another account has answered, so the engine runs; nothing can be concluded of this one, and
    nothing is closed there: its venue may work the stop. That it is not known to is an alarm."""
    desk = holding(others=("other",))
    if sent:
        stop = desk.last(Purpose.PROTECT)
        desk.give(Sending(stop.account, stop.client_order_id))
    desk.later(60)
    accounts = {BROKER: "test-account", "other": "other-account"}
    desk.give(Start(version="test", accounts=accounts, config_digest=""))
    desk.event(
        ev.Reconciled(account="other", reason="start", clean=True, differences=(), matched=0)
    )
    before = len(desk.seen)
    desk.tick(0)
    told: list[float] = []
    for second in range(1, PROTECT_SECONDS + 60):
        seen = desk.tick(1)
        told += [second for e in seen if isinstance(e, ev.Alarmed) and e.code == "UNPROTECTED"]
    assert told == [PROTECT_SECONDS + 1]
    assert not [e for e in desk.seen[before:] if isinstance(e, ev.ExitPlanned)]
    assert desk.held().told_unprotected


def test_rule3_after_a_start_a_stop_that_was_known_to_rest_is_taken_to_do_so() -> None:
    desk = protected(others=("other",))
    desk.later(60)
    accounts = {BROKER: "test-account", "other": "other-account"}
    desk.give(Start(version="test", accounts=accounts, config_digest=""))
    desk.event(
        ev.Reconciled(account="other", reason="start", clean=True, differences=(), matched=0)
    )
    for _ in range(PROTECT_SECONDS + 60):
        desk.tick(1)
    assert not [a for a in desk.of(ev.Alarmed) if a.code == "UNPROTECTED"]


@pytest.mark.parametrize(("seconds", "cancels"), [(4.999, 1), (5, 2)])
def test_x78_a_stop_that_was_taken_away_and_trades_has_its_seconds(
    seconds: float, cancels: int
) -> None:
    """The venue refuses its end, since it trades: it is asked for again after 5 s, not at once."""
    desk = protected(10)
    desk.report(desk.last(Purpose.ENTRY), OrderStatus.CANCELED)
    stop = desk.last(Purpose.PROTECT)
    desk.give(ask.Protect(by="me", symbol="NVDA", price=None, confirm="UNPROTECT"))
    refused = ev.CancelRefused(
        account=stop.account,
        client_order_id=stop.client_order_id,
        status=OrderStatus.NEW,
        text="it trades",
    )
    desk.event(refused)
    desk.report(stop, OrderStatus.PARTIALLY_FILLED, fill=desk.execution(stop, 3, "94"))
    desk.tick(seconds)
    asked = [e for e in desk.of(ev.CancelRequested) if e.client_order_id == stop.client_order_id]
    assert len(asked) == cancels
