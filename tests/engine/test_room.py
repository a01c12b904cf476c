"""Rule 3 where a venue would fill both: our stop makes room before anything else reduces."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.analytics.status import Extras, status_of
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import ModifyFailed, QueryAnswered, Sending, Stop, SubmitFailed
from engine.domain.order import OrderStatus, OrderTerms, OrderType, Purpose, Side
from engine.domain.position import ExitReason
from engine.domain.run import Flatten
from engine.domain.signal import TradeType
from engine.plans.protect import PROTECT_SECONDS
from engine.ports import Ambiguous, Capabilities
from engine.state.book import Book
from tests.engine.driver import NO_REDUCE_ONLY, CoreDriver, kinds, one, protected
from tests.engine.worlds import ABLE

D = Decimal
S = OrderStatus

BY_CANCEL = msgspec.structs.replace(NO_REDUCE_ONLY, native_modify=False)
NATIVE = NO_REDUCE_ONLY
VENUES = pytest.mark.parametrize("able", [NATIVE, BY_CANCEL], ids=["changes", "cancels"])


def sell(desk: CoreDriver, quantity: int, **fields: Any) -> list[ev.Event]:
    """A person's order to sell some of what is held, at 104 unless something else is said."""
    wanted: dict[str, Any] = {"type": OrderType.LIMIT, "limit_price": D(104)} | fields
    return desk.place(Side.SELL, quantity, **wanted)


def sold_at_most(desk: CoreDriver) -> Decimal:
    """What the venue may still sell, whatever it makes of what was asked."""
    orders = [order for order in desk.book.orders() if order.side is not Side.BUY]
    sent = [order for order in orders if order.status is not S.CREATED]
    return sum((order.reach for order in sent), start=D(0))


def stops(desk: CoreDriver) -> list[Decimal]:
    return [order.leaves for order in desk.book.orders() if order.is_protective]


def made_room(desk: CoreDriver) -> list[ev.Event]:
    """The venue does what it was asked to do with our stop."""
    seen: list[ev.Event] = []
    for order in tuple(desk.book.orders()):
        if order.is_protective and order.pending is not None:
            seen += desk.report(order.terms, S.NEW, quantity=order.pending.quantity)
        elif order.is_protective and order.status is S.PENDING_CANCEL:
            seen += desk.report(order.terms, S.CANCELED, filled=order.filled)
    return seen


def accepted(desk: CoreDriver) -> None:
    """The venue takes every stop that was decided."""
    for order in tuple(desk.book.orders()):
        if order.is_protective and order.status is S.CREATED:
            desk.accept(order.terms)


def resting(able: Any, quantity: int = 20, **fields: Any) -> tuple[CoreDriver, OrderTerms]:
    """A sale beside a stop for the rest of the 150."""
    desk = protected(capabilities=able)
    sell(desk, quantity, **fields)
    made_room(desk)
    order = desk.last(Purpose.MANUAL)
    desk.accept(order)
    accepted(desk)
    return desk, order


# --- the order ------------------------------------------------------------------------------------


def test_where_the_venue_joins_them_it_is_sent_at_once() -> None:
    desk = protected(capabilities=ABLE)
    assert one(sell(desk, 150), ev.OrderIntended).terms.quantity == 150
    assert stops(desk) == [150]


@VENUES
@pytest.mark.parametrize(("quantity", "left"), [(1, [149]), (149, [1]), (150, [])])
def test_rule3_the_stop_makes_room_and_only_then_it_is_sent(
    able: Any, quantity: int, left: list[int]
) -> None:
    desk = protected(capabilities=able)
    events = sell(desk, quantity)
    assert "OrderIntended" not in kinds(events)
    assert "OrderIntended" not in kinds(desk.tick())
    assert sold_at_most(desk) == 150
    made_room(desk)
    order = desk.last(Purpose.MANUAL)
    assert (order.quantity, order.reduce_only, order.reserved) == (quantity, True, 0)
    desk.accept(order)
    accepted(desk)
    assert stops(desk) == left
    assert sold_at_most(desk) == 150


def test_with_room_enough_nothing_waits() -> None:
    desk = protected(capabilities=NATIVE)
    desk.give(ask.Protect(by="ann", symbol="NVDA", price=None, confirm="UNPROTECT"))
    made_room(desk)
    assert one(sell(desk, 150), ev.OrderIntended).terms.quantity == 150


@VENUES
@pytest.mark.parametrize("kind", [OrderType.MARKET, OrderType.STOP])
def test_a_market_order_and_a_stop_of_the_operators_wait_too(able: Any, kind: OrderType) -> None:
    desk = protected(capabilities=able)
    price = D(97) if kind is OrderType.STOP else None
    events = sell(desk, 50, type=kind, limit_price=None, stop_price=price)
    assert "OrderIntended" not in kinds(events)
    made_room(desk)
    assert desk.last(Purpose.MANUAL).quantity == 50


@VENUES
@pytest.mark.parametrize("end", [S.REJECTED, S.CANCELED, S.EXPIRED])
def test_what_it_leaves_when_it_ends_is_covered_again(able: Any, end: OrderStatus) -> None:
    desk, order = resting(able)
    if end is not S.REJECTED:
        desk.filled(order, 5, "104")
    desk.report(order, end, filled=desk.current(order).filled)
    made_room(desk)
    accepted(desk)
    made_room(desk)
    assert stops(desk) == [abs(desk.held().quantity)]
    assert one(desk.seen, ev.IntentEnded).plan == "reduce"
    assert not desk.book.data.intents


def test_a_stop_that_fills_meanwhile_leaves_less_to_sell() -> None:
    desk = protected(capabilities=BY_CANCEL)
    stop = desk.last(Purpose.PROTECT)
    sell(desk, 20)
    desk.filled(stop, 140, "95")
    made_room(desk)
    assert desk.last(Purpose.MANUAL).quantity == 10
    (told,) = [alarm for alarm in desk.of(ev.Alarmed) if alarm.code == "ORDER_CUT"]
    assert "to SELL 20 NVDA is sent for 10" in told.text


def test_a_stop_that_fills_all_leaves_nothing_and_says_so() -> None:
    desk = protected(capabilities=BY_CANCEL)
    stop = desk.last(Purpose.PROTECT)
    sell(desk, 20)
    desk.filled(stop, 150, "95")
    assert not desk.intended(Purpose.MANUAL)
    assert "nothing is held" in one(desk.seen, ev.LegRefused).reason
    assert "ORDER_NOT_SENT" in [alarm.code for alarm in desk.of(ev.Alarmed)]
    assert not desk.book.data.intents


def test_a_second_order_is_for_what_the_first_leaves() -> None:
    desk = protected(capabilities=NATIVE)
    sell(desk, 100)
    assert one(sell(desk, 51), ev.OrderRefused).symbol == "NVDA"
    desk.later(61)
    desk.quote("NVDA", "100")
    sell(desk, 50)
    made_room(desk)
    made_room(desk)
    assert [order.quantity for order in desk.intended(Purpose.MANUAL)] == [100, 50]
    assert sum(order.reach for order in desk.book.orders()) == 150


def test_the_same_ticket_waits_once() -> None:
    desk = protected(capabilities=NATIVE)
    first = one(sell(desk, 20, intent_id="t1"), ev.CommandAnswered)
    assert one(sell(desk, 20, intent_id="t1"), ev.CommandAnswered) == first
    assert len(desk.of(ev.IntentOpened)) == 1


WITHDRAWALS: dict[str, Callable[[OrderTerms], Any]] = {
    "cancel": lambda terms: ask.CancelOrder(by="ann", client_order_id=terms.client_order_id),
    "cancel all": lambda terms: ask.CancelAll(by="ann"),
    "close": lambda terms: ask.ClosePosition(by="ann", symbol="NVDA"),
    "kill": lambda terms: ask.Kill(by="ann", flatten=Flatten.NONE),
}


@VENUES
@pytest.mark.parametrize("way", WITHDRAWALS)
def test_what_ends_other_orders_ends_one_that_waits(able: Any, way: str) -> None:
    desk = protected(capabilities=able)
    (waiting,) = one(sell(desk, 20), ev.IntentOpened).legs
    events = desk.give(WITHDRAWALS[way](waiting))
    assert one(events, ev.LegRefused).client_order_id == waiting.client_order_id
    for _ in range(3):
        made_room(desk)
        accepted(desk)
        desk.tick()
    assert not desk.intended(Purpose.MANUAL)
    if way != "close":
        assert stops(desk) == [150]


def test_rule3_a_stop_that_filled_at_once_is_no_reason_to_wait_with_the_next() -> None:
    desk, order = resting(NATIVE, 100)
    desk.give(ask.Protect(by="ann", symbol="NVDA", price=None, confirm="UNPROTECT"))
    made_room(desk)
    desk.give(ask.Protect(by="ann", symbol="NVDA", price=D(98)))
    stop = desk.last(Purpose.PROTECT)
    assert stop.quantity == 50
    desk.accept(stop)
    desk.filled(stop, 50, "98")
    desk.report(order, S.CANCELED, filled=D(0))
    again = desk.last(Purpose.PROTECT)
    assert (again.client_order_id != stop.client_order_id, again.quantity) == (True, 100)


# --- a change of one ------------------------------------------------------------------------------


def grow(desk: CoreDriver, order: OrderTerms, quantity: int) -> list[ev.Event]:
    return desk.give(
        ask.ModifyOrder(by="ann", client_order_id=order.client_order_id, quantity=D(quantity))
    )


@VENUES
@pytest.mark.parametrize("first", ["order", "stop"])
def test_rule3_one_that_grows_waits_for_its_own_end_and_for_room(able: Any, first: str) -> None:
    desk, order = resting(able)
    grow(desk, order, 50)
    assert desk.current(order).status is S.PENDING_REPLACE
    assert sold_at_most(desk) <= 150 + 30, "the venue was asked for nothing more yet"
    steps = [
        lambda: desk.report(order, S.CANCELED, filled=D(0)),
        lambda: made_room(desk),
    ]
    if first == "stop":
        steps.reverse()
    steps[0]()
    assert len(desk.intended(Purpose.MANUAL)) == 1
    steps[1]()
    made_room(desk)
    new = desk.last(Purpose.MANUAL)
    assert (new.quantity, new.orig_client_order_id) == (50, order.client_order_id)
    desk.accept(new)
    accepted(desk)
    assert stops(desk) == [100]
    assert sold_at_most(desk) == 150


def test_one_that_is_cut_or_moved_is_changed_by_the_venue() -> None:
    desk, order = resting(NATIVE)
    assert one(grow(desk, order, 19), ev.ReplaceRequested).native
    desk.report(order, S.NEW, quantity=D(19))
    events = desk.give(
        ask.ModifyOrder(by="ann", client_order_id=order.client_order_id, limit_price=D(103))
    )
    assert one(events, ev.ReplaceRequested).native


def test_what_is_to_grow_ends_with_the_position() -> None:
    desk, order = resting(BY_CANCEL)
    grow(desk, order, 50)
    desk.report(order, S.CANCELED, filled=D(0))
    desk.filled(desk.last(Purpose.PROTECT), 130, "95")
    desk.report(desk.last(Purpose.PROTECT), S.CANCELED, filled=D(130))
    assert desk.held().quantity == 20
    abandoned = one(desk.seen, ev.ReplaceAbandoned)
    assert abandoned.client_order_id == order.client_order_id
    assert stops(desk) == [20]


# --- another process ------------------------------------------------------------------------------


@VENUES
def test_a_process_that_ends_while_it_waits_goes_on_with_it(able: Any) -> None:
    desk = protected(capabilities=able)
    stop = desk.last(Purpose.PROTECT)
    (waiting,) = one(sell(desk, 20), ev.IntentOpened).legs
    assert Book.restore(desk.book.snapshot()).data.intents == desk.book.data.intents
    ended = msgspec.structs.replace(desk.works(stop), status=S.CANCELED)
    desk.restart(positions={"NVDA": 150})
    assert not desk.intended(Purpose.MANUAL), "nobody knows yet what became of the stop"
    desk.give(QueryAnswered(stop.account, stop.client_order_id, ended, (), desk.now))
    desk.tick()
    order = desk.last(Purpose.MANUAL)
    assert (order.client_order_id, order.quantity) == (waiting.client_order_id, 20)
    assert order.check_first, "the other process may have sent it in its last moment"


def test_rule1_one_that_the_other_process_sent_is_taken_for_what_it_is() -> None:
    desk = protected(capabilities=BY_CANCEL)
    stop = desk.last(Purpose.PROTECT)
    (waiting,) = one(sell(desk, 20), ev.IntentOpened).legs
    ended = msgspec.structs.replace(desk.works(stop), status=S.CANCELED)
    fill = desk.execution(waiting, 20, "104")
    desk.restart(positions={"NVDA": 130}, fills=(fill,))
    desk.give(QueryAnswered(stop.account, stop.client_order_id, ended, (), desk.now))
    desk.tick()
    assert not desk.intended(Purpose.MANUAL)
    assert desk.held().quantity == 130
    assert "UNKNOWN_ORDER_FILL" not in [alarm.code for alarm in desk.of(ev.Alarmed)]
    assert one(desk.seen, ev.IntentEnded).legs[0].filled == 20
    accepted(desk)
    assert stops(desk) == [130]


def test_an_orderly_end_leaves_nothing_to_be_sent_hours_later() -> None:
    desk = protected(capabilities=BY_CANCEL)
    sell(desk, 20)
    desk.give(Stop("the day is over"))
    assert one(desk.seen, ev.LegRefused).reason == "shutdown"
    assert not desk.book.data.intents


# --- while nothing protects -----------------------------------------------------------------------


def bare_alarms(desk: CoreDriver) -> list[str]:
    return [alarm.text for alarm in desk.of(ev.Alarmed) if alarm.code == "UNPROTECTED"]


def let_pass(desk: CoreDriver, seconds: int) -> None:
    for _ in range(seconds):
        desk.quote("NVDA", "100")
        desk.tick()


def test_a_stop_whose_end_is_not_proved_in_time_is_told_once_while_an_order_waits() -> None:
    desk = protected(capabilities=BY_CANCEL)
    sell(desk, 150)
    let_pass(desk, PROTECT_SECONDS)
    assert not bare_alarms(desk)
    let_pass(desk, 1)
    (text,) = bare_alarms(desk)
    assert "150 NVDA in paper" in text
    let_pass(desk, PROTECT_SECONDS)
    assert len(bare_alarms(desk)) == 1
    assert one(desk.seen, ev.Unprotected).quantity == 150


def in_doubt(able: Any, quantity: Decimal | None) -> tuple[CoreDriver, OrderTerms]:
    """A close of which nobody knows what became."""
    desk = protected(capabilities=able)
    desk.give(ask.ClosePosition(by="ann", symbol="NVDA", quantity=quantity))
    made_room(desk)
    accepted(desk)
    close = desk.last(Purpose.EXIT)
    desk.give(Sending(close.account, close.client_order_id))
    desk.give(SubmitFailed(close.account, close.client_order_id, Ambiguous("time-out")))
    return desk, close


@pytest.mark.parametrize("quantity", [D(30), None], ids=["a part", "all"])
def test_rule3_a_close_in_doubt_without_a_stop_is_told_once(quantity: Decimal | None) -> None:
    desk, _ = in_doubt(BY_CANCEL, quantity)
    let_pass(desk, PROTECT_SECONDS)
    assert not bare_alarms(desk)
    let_pass(desk, 1)
    assert len(bare_alarms(desk)) == 1
    let_pass(desk, 20)
    assert len(bare_alarms(desk)) == 1


def test_where_the_stop_stays_beside_the_close_nothing_is_told() -> None:
    desk, _ = in_doubt(ABLE, D(30))
    let_pass(desk, 3 * PROTECT_SECONDS)
    assert not bare_alarms(desk)


@pytest.mark.parametrize(("filled", "left"), [(0, 150), (29, 121), (30, 120)])
def test_rule3_once_the_doubt_is_over_what_is_held_is_covered(filled: int, left: int) -> None:
    desk, close = in_doubt(BY_CANCEL, D(30))
    let_pass(desk, PROTECT_SECONDS + 1)
    if filled:
        desk.filled(close, filled, "100")
    if filled < 30:
        there = msgspec.structs.replace(desk.works(close), status=S.CANCELED, filled=D(filled))
        desk.give(QueryAnswered(close.account, close.client_order_id, there, (), desk.now))
    if filled == 29:
        let_pass(desk, 1)
        close = desk.last(Purpose.EXIT)
        desk.accept(close)
        desk.filled(close, 1, "100")
        left -= 1
    made_room(desk)
    let_pass(desk, 1)
    accepted(desk)
    assert stops(desk) == [left]
    assert not desk.held().unprotected_since
    assert not desk.held().told_unprotected
    assert (desk.held().exiting is not None) is (filled == 0), "a close that failed is tried again"


# --- a stop that is not known to rest -------------------------------------------------------------


def shown(desk: CoreDriver) -> str:
    extras = Extras(running=True, lag_ms=(0, 0), commit_ms=0)
    (row,) = status_of(desk.world, desk.now, extras)["positions"]
    return str(row["protected"])


def doubted(able: Any) -> tuple[CoreDriver, OrderTerms]:
    """A stop that rested, was to be changed, and of which nobody knows any more."""
    desk = protected(capabilities=able)
    stop = desk.last(Purpose.PROTECT)
    desk.give(ask.Protect(by="ann", symbol="NVDA", price=D(96)))
    desk.give(ModifyFailed(stop.account, stop.client_order_id, Ambiguous("time-out")))
    assert desk.current(stop).status is S.UNKNOWN
    return desk, stop


EITHER = pytest.mark.parametrize("able", [ABLE, NATIVE], ids=["joins", "joins nothing"])


@EITHER
def test_rule3_a_stop_in_doubt_protects_nothing_and_is_not_doubled(able: Any) -> None:
    desk, stop = doubted(able)
    assert shown(desk) == "0"
    let_pass(desk, PROTECT_SECONDS)
    assert desk.intended(Purpose.PROTECT) == [stop], "the one in doubt is asked about first"
    assert stop.client_order_id in [e.client_order_id for e in desk.of(ev.OrderQueried)]
    assert desk.held().exiting is None
    let_pass(desk, 1)
    closing = desk.held().exiting
    assert closing is not None
    assert closing.reason is ExitReason.UNPROTECTED


@EITHER
def test_one_that_turns_out_to_rest_protects_again(able: Any) -> None:
    desk, stop = doubted(able)
    let_pass(desk, PROTECT_SECONDS)
    there = msgspec.structs.replace(desk.works(stop), stop_price=D(96))
    desk.give(QueryAnswered(stop.account, stop.client_order_id, there, (), desk.now))
    assert shown(desk) == "150"
    let_pass(desk, 3 * PROTECT_SECONDS)
    assert desk.held().exiting is None


def test_one_whose_end_was_asked_for_protects_nothing_and_is_asked_about_in_time() -> None:
    desk = protected(capabilities=BY_CANCEL)
    stop = desk.last(Purpose.PROTECT)
    desk.give(ask.Protect(by="ann", symbol="NVDA", price=D(96)))
    assert desk.current(stop).status is S.PENDING_CANCEL
    assert shown(desk) == "0"
    let_pass(desk, 1)
    assert not desk.of(ev.OrderQueried)
    let_pass(desk, 1)
    assert one(desk.seen, ev.OrderQueried).client_order_id == stop.client_order_id
    # Its cancel was lost: it rests, and is asked for its end once more.
    desk.give(QueryAnswered(stop.account, stop.client_order_id, desk.works(stop), (), desk.now))
    let_pass(desk, PROTECT_SECONDS)
    assert desk.held().exiting is None


def test_one_that_is_being_changed_rests_meanwhile() -> None:
    desk = protected(capabilities=NATIVE)
    desk.give(ask.Protect(by="ann", symbol="NVDA", price=D(96)))
    assert shown(desk) == "150"
    assert not desk.held().unprotected_since


# --- a change of the stop that may still arrive ---------------------------------------------------


def unanswered(able: Any, price: int | None) -> tuple[CoreDriver, OrderTerms]:
    """A stop for 100 that was to grow with a fill, or to move; the request timed out, and the venue
    shows it as it was."""
    desk = protected(100, capabilities=msgspec.structs.replace(able, late_arrival_seconds=10.0))
    stop = desk.last(Purpose.PROTECT)
    before = desk.works(stop)
    if price is None:
        desk.filled(desk.last(Purpose.ENTRY), 50, "100")
    else:
        desk.give(ask.Protect(by="ann", symbol="NVDA", price=D(price)))
    desk.give(ModifyFailed(stop.account, stop.client_order_id, Ambiguous("time-out")))
    desk.later(0.1).give(QueryAnswered(stop.account, stop.client_order_id, before, (), desk.now))
    return desk, stop


@pytest.mark.parametrize("price", [None, 96], ids=["grows", "moves"])
def test_rule3_a_stop_that_may_still_change_makes_way_for_another_before_anything_is_sent(
    price: int | None,
) -> None:
    """Changed once more, it could grow late beside the sale that it had made room for."""
    desk, stop = unanswered(NATIVE, price)
    total = desk.held().quantity
    assert desk.current(stop).status is S.PENDING_CANCEL
    assert len(desk.of(ev.ReplaceRequested)) == 1
    sell(desk, 40)
    assert not [o for o in desk.book.orders() if o.purpose is Purpose.MANUAL]
    assert sold_at_most(desk) == total
    desk.report(stop, S.CANCELED, filled=D(0))
    accepted(desk)
    (newest,) = [o for o in desk.book.orders() if o.is_protective]
    assert newest.client_order_id != stop.client_order_id
    assert (newest.leaves, newest.stop_price) == (total - 40, price or 95)
    assert desk.last(Purpose.MANUAL).quantity == 40


def test_one_that_fits_as_it_is_makes_way_too() -> None:
    """The sale has come first, so that what was asked for is wanted no more."""
    desk = protected(100, capabilities=NATIVE)
    stop = desk.last(Purpose.PROTECT)
    before = desk.works(stop)
    desk.filled(desk.last(Purpose.ENTRY), 50, "100")
    sell(desk, 50)
    desk.give(ModifyFailed(stop.account, stop.client_order_id, Ambiguous("time-out")))
    desk.give(QueryAnswered(stop.account, stop.client_order_id, before, (), desk.now))
    assert desk.current(stop).status is S.PENDING_CANCEL
    desk.report(stop, S.CANCELED, filled=D(0))
    accepted(desk)
    desk.tick()
    assert stops(desk) == [100]
    assert desk.last(Purpose.MANUAL).quantity == 50


def test_where_the_venue_joins_them_it_is_changed_once_more() -> None:
    """It stays: what takes something off beside it can never turn the position there."""
    desk, stop = unanswered(ABLE, None)
    assert desk.current(stop).status is S.PENDING_REPLACE
    assert [e.quantity for e in desk.of(ev.ReplaceRequested)] == [150, 150]


@VENUES
@pytest.mark.parametrize(("taken", "alarmed"), [(1, True), (9, True), (10, False)])
def test_rule3_what_is_withdrawn_puts_off_only_what_it_was_to_take_off(
    able: Capabilities, taken: int, alarmed: bool
) -> None:
    """Ten are held and their stop is not acknowledged. A person asks for some of them to be sold
    and takes that back, again and again: the others have had their 5 s."""
    desk = CoreDriver(capabilities=able)
    desk.quote("NVDA", "100")
    desk.place(Side.BUY, 10, hold=TradeType.SWING, protect=D(90))
    entry = desk.last(Purpose.MANUAL)
    desk.accept(entry)
    desk.filled(entry, 10, "100")
    desk.give(Sending("paper", desk.last(Purpose.PROTECT).client_order_id))
    for _ in range(PROTECT_SECONDS + 2):
        (waiting,) = one(sell(desk, taken), ev.IntentOpened).legs
        desk.give(WITHDRAWALS["cancel"](waiting))
        desk.tick(1)
    assert bool(desk.of(ev.Unprotected)) is alarmed


@pytest.mark.parametrize("grown", [5, 9])
def test_rule3_what_an_order_in_anothers_place_takes_off_puts_off_nothing(grown: int) -> None:
    """Ten are held and a stop for one is not acknowledged. A sale of four is made larger by cancel
    and another order, which fills: nothing is left of either, and the rest has had its 5 s."""
    desk = CoreDriver(capabilities=BY_CANCEL)
    desk.quote("NVDA", "100")
    desk.place(Side.BUY, 10, hold=TradeType.SWING, protect=D(90))
    entry = desk.last(Purpose.MANUAL)
    desk.accept(entry)
    desk.filled(entry, 1, "100")
    desk.give(Sending("paper", desk.last(Purpose.PROTECT).client_order_id))
    desk.filled(entry, 9, "100")
    desk.tick(1)
    sell(desk, 4)
    first = desk.last(Purpose.MANUAL)
    desk.accept(first)
    desk.tick(2)
    grow(desk, first, grown)
    desk.report(first, S.CANCELED, filled=D(0))
    second = desk.last(Purpose.MANUAL)
    assert second.quantity == grown
    desk.accept(second)
    desk.filled(second, grown, "100")
    desk.tick(PROTECT_SECONDS - 3)
    assert not desk.of(ev.Unprotected)
    desk.tick(1)
    assert one(desk.seen, ev.Unprotected).quantity == 10 - grown


# --- the seconds of a stop that rested beside another order --------------------------------------


def moved(desk: CoreDriver) -> None:
    """The stop is to rest elsewhere, which takes a cancel and another one."""
    desk.quote("NVDA", "100")
    desk.give(ask.Protect(by="ann", symbol="NVDA", price=D(96)))
    assert S.PENDING_CANCEL in [o.status for o in desk.book.orders() if o.is_protective]


@pytest.mark.parametrize("seconds", [1, PROTECT_SECONDS, PROTECT_SECONDS + 1])
@pytest.mark.parametrize("ended", [False, True], ids=["asked for", "proved"])
def test_rule3_a_stop_that_rested_beside_a_sale_has_its_seconds_once_it_makes_way(
    seconds: int, *, ended: bool
) -> None:
    """The sale took twenty off the stop's account for a long time; the rest was covered."""
    desk, _ = resting(BY_CANCEL)
    let_pass(desk, 60)
    moved(desk)
    if ended:
        made_room(desk)
    let_pass(desk, seconds)
    assert bool(desk.of(ev.Unprotected)) is (seconds > PROTECT_SECONDS)


@pytest.mark.parametrize("seconds", [1, PROTECT_SECONDS, PROTECT_SECONDS + 1])
def test_rule3_so_it_has_while_the_sale_is_changed_too(seconds: int) -> None:
    desk, sale = resting(BY_CANCEL)
    let_pass(desk, 60)
    grow(desk, sale, 50)
    desk.report(sale, S.CANCELED, filled=D(0))
    let_pass(desk, seconds)
    assert bool(desk.of(ev.Unprotected)) is (seconds > PROTECT_SECONDS)


@pytest.mark.parametrize("seconds", [1, PROTECT_SECONDS, PROTECT_SECONDS + 1])
def test_rule3_what_a_sale_that_is_being_cancelled_leaves_is_told_after_those_seconds(
    seconds: int,
) -> None:
    desk, sale = resting(BY_CANCEL)
    let_pass(desk, 60)
    desk.give(ask.CancelOrder(by="ann", client_order_id=sale.client_order_id))
    let_pass(desk, seconds)
    assert bool(desk.of(ev.Unprotected)) is (seconds > PROTECT_SECONDS)
